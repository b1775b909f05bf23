"""How many threads a call may use."""

import os
from functools import lru_cache
from numbers import Integral

import joblib

MAX_THREADS = 2**31 - 1

if hasattr(os, "sched_getaffinity"):

    def _count_affinity() -> int:
        return len(os.sched_getaffinity(0))

else:

    def _count_affinity() -> int:
        return os.cpu_count() or 1


@lru_cache
def _count_cpus(affinity: int) -> int:
    """CPUs of this process; reads the cgroup quota, so once for each size of the affinity."""
    return min(affinity, joblib.cpu_count())


def effective_n_threads(n_threads: int | None = None) -> int:
    """The number of threads that `n_threads` asks for.

    None means the CPUs this process may run on (affinity and cgroup quota), at most
    ``OMP_NUM_THREADS`` where that is set, as joblib's worker processes have it. Affinity and
    variable are read at each call.
    """
    if n_threads is None:
        limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
        n_cpus = _count_cpus(_count_affinity())
        return (
            min(n_cpus, int(limit))
            if limit.isdecimal() and len(limit) < 10 and int(limit) > 0
            else n_cpus
        )
    if not isinstance(n_threads, Integral) or isinstance(n_threads, bool):
        raise TypeError(
            f"n_threads must be None or an integer of at least 1, got {type(n_threads).__name__}"
        )
    if n_threads < 1:
        raise ValueError(f"n_threads must be None or an integer of at least 1, got {n_threads}")
    return min(int(n_threads), MAX_THREADS)
