"""How many threads a call may use."""

import math
import os
import threading
from functools import lru_cache
from numbers import Integral

import joblib
from joblib.parallel import get_active_backend

from mlp_c._system.cgroups import cpu_quota
from mlp_c._system.tasks import count_tasks_of_dask

MAX_THREADS = 2**31 - 1

if hasattr(os, "sched_getaffinity"):

    def _count_affinity() -> int:
        return len(os.sched_getaffinity(0))

else:

    def _count_affinity() -> int:
        return os.cpu_count() or 1


@lru_cache
def _count_cpus(affinity: int) -> int:
    """CPUs of this process; reads quotas from files, so once for each size of the affinity."""
    quota = max(math.ceil(min(cpu_quota(), affinity)), 1)
    return min(affinity, quota, joblib.cpu_count())  # joblib knows LOKY_MAX_CPU_COUNT


def count_cpus() -> int:
    """CPUs of this process, by its affinity and its quota."""
    return _count_cpus(_count_affinity())


def _in_thread_of_joblib() -> bool:
    """Whether this is a job of joblib's threading backend, whose other jobs have the other CPUs.

    joblib nests a backend for what its jobs start. Those of its worker processes run on the
    main thread, with ``OMP_NUM_THREADS`` for their share of the CPUs.
    """
    return (get_active_backend()[0].nesting_level or 0) > 0


def effective_n_threads(n_threads: int | None = None) -> int:
    """The number of threads that `n_threads` asks for.

    None means the CPUs this process may run on (affinity and cgroup quota), at most
    ``OMP_NUM_THREADS`` where that is set, as joblib's worker processes have it, and 1 in the
    threads of joblib. The tasks of Dask that may run at once in a process share its CPUs.
    Affinity and variable are read at each call. The process-wide limit that threadpoolctl sets is
    not in it: every call into C applies it, whatever it is told.
    """
    if n_threads is None:
        n_cpus = count_cpus()
        if threading.get_ident() != threading.main_thread().ident:  # which runs no such job
            if _in_thread_of_joblib():
                return 1
            n_cpus = max(n_cpus // count_tasks_of_dask(), 1)
        limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
        return (
            min(n_cpus, int(limit))
            if limit.isdecimal() and len(limit) < 10 and int(limit) > 0
            else n_cpus
        )
    is_integer = type(n_threads) is int  # which is told in a tenth of the time
    if not is_integer and (not isinstance(n_threads, Integral) or isinstance(n_threads, bool)):
        raise TypeError(
            f"n_threads must be None or an integer of at least 1, got {type(n_threads).__name__}"
        )
    if n_threads < 1:
        raise ValueError(f"n_threads must be None or an integer of at least 1, got {n_threads}")
    return min(int(n_threads), MAX_THREADS)


def threads_for_rows(n_threads: int | None, n_rows: int | None) -> int:
    """The same for a prediction of so many rows (None: of many): threads share whole rows."""
    return 1 if n_rows == 1 else effective_n_threads(n_threads)
