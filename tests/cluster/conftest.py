import contextlib

import pytest


@contextlib.contextmanager
def local_client(**options):
    """A client of a cluster on this machine."""
    distributed = pytest.importorskip("dask.distributed")
    with (
        distributed.LocalCluster(dashboard_address=":0", **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def worker_processes():
    """A client of a worker that is a process, with one thread: another takes seconds to start."""
    with local_client(n_workers=1, threads_per_worker=1) as client:
        yield client


@pytest.fixture(scope="module")
def worker_threads():
    """A client of two workers in this process, each with two threads."""
    with local_client(processes=False, n_workers=2, threads_per_worker=2) as client:
        yield client


@pytest.fixture(params=["processes", "threads"])
def client(request):
    """A client of workers that are processes, and of workers that are threads.

    It is the one that joblib and `compute` take, of which both may be there.
    """
    found = request.getfixturevalue(f"worker_{request.param}")
    with found.as_current():
        yield found
