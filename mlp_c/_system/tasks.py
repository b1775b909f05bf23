"""How many tasks of Dask share the CPUs of this process. Nothing here imports Dask."""

import sys
import threading
from typing import Any


def _slots_of_workers() -> int:
    """The tasks that the workers of this process run at once; 0 if this is no task of theirs."""
    distributed = sys.modules.get("distributed.worker")
    if distributed is None:
        return 0
    try:
        worker = distributed.get_worker()
    except (AttributeError, ValueError):  # another thread imports it; this is no task
        return 0
    while True:
        try:
            workers = {worker, *getattr(worker, "_instances", ())}
            break
        except RuntimeError:  # one began meanwhile
            continue
    return sum(w.state.nthreads for w in workers if w.status.name not in ("closed", "failed"))


def _threads_of_pool() -> int:
    """The threads of the pool of Dask's threaded scheduler; 0 if this is none of them."""
    threaded = sys.modules.get("dask.threaded")
    if threaded is None:
        return 0
    pools: list[Any] = [getattr(threaded, "default_pool", None)]
    for of_thread in list(getattr(threaded, "pools", {}).values()):
        pools += list(of_thread.values())
    name = threading.current_thread().name  # a pool counts a thread among its own after it began
    for pool in pools:
        prefix = getattr(pool, "_thread_name_prefix", "")
        if prefix and name.startswith(f"{prefix}_"):
            return pool._max_workers
    return 0


def count_tasks_of_dask() -> int:
    """The tasks that may run at once in this process, if this is a task of Dask's, else 1.

    A worker runs as many tasks at once as it has threads. Several workers of one process have the
    same CPUs.
    """
    return _slots_of_workers() or _threads_of_pool() or 1
