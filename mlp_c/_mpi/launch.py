"""How processes came to run together, and what of their machine each may use."""

import os
from typing import Any

from mlp_c._system.threads import effective_n_threads

# What launchers tell every process that they start: how many there are.
_LAUNCHERS = {
    "SLURM_STEP_NUM_TASKS": "srun",
    "PMI_SIZE": "mpiexec",
    "OMPI_COMM_WORLD_SIZE": "mpirun",
}


def require_mpi() -> Any:
    """The module MPI of mpi4py, which begins MPI when it is imported."""
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ImportError(
            "mlp_c.mpi needs mpi4py and an MPI library: pip install 'mlp_c[mpi-local]' brings "
            "both; where the cluster has an MPI of its own, pip install 'mlp_c[mpi]' takes that one"
        ) from error
    return MPI


def require_launched(world_size: int) -> None:
    """Refuse to go on alone where a launcher has started others.

    Raises
    ------
    RuntimeError
        If a launcher says that it has started more processes than MPI knows of.
    """
    for variable, launcher in _LAUNCHERS.items():
        n = os.environ.get(variable, "")
        if n.isdecimal() and int(n) > world_size:
            raise RuntimeError(
                f"{launcher} has started {n} processes ({variable}), but MPI knows of "
                f"{world_size}: each would train by itself. The launcher and the MPI library of "
                "mpi4py must be of one installation: python -m mpi4py --mpi-library names it"
            )


def share_of_threads(comm: Any) -> int:
    """Threads for each process where a machine's CPUs are shared by those that run on it."""
    MPI = require_mpi()
    on_machine = comm.Split_type(MPI.COMM_TYPE_SHARED)
    try:
        cpus = sorted(_affinity())
        all_cpus = on_machine.allgather(cpus)
        n_own = effective_n_threads(None)
        share = sum(1 / sum(cpu in other for other in all_cpus) for cpu in cpus)
        return max(1, min(n_own, round(share * n_own / len(cpus))))
    finally:
        on_machine.Free()


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))
