"""How many threads a call may use."""

import os
from numbers import Integral

import joblib


def effective_n_threads(n_threads: int | None = None) -> int:
    """The number of threads that `n_threads` asks for.

    None means the CPUs this process may run on (affinity and cgroup quota), at most
    ``OMP_NUM_THREADS`` where that is set, as joblib's worker processes have it. Both
    are read at each call.
    """
    if n_threads is None:
        limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
        n_cpus = joblib.cpu_count()
        return min(n_cpus, int(limit)) if limit.isdecimal() and int(limit) > 0 else n_cpus
    if not isinstance(n_threads, Integral) or isinstance(n_threads, bool):
        raise TypeError(
            f"n_threads must be None or an integer of at least 1, got {type(n_threads).__name__}"
        )
    if n_threads < 1:
        raise ValueError(f"n_threads must be None or an integer of at least 1, got {n_threads}")
    return min(int(n_threads), 2**31 - 1)
