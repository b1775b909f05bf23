"""How processes came to run together, and what of their machine each may use."""

import os
import re
import socket
from collections.abc import Sequence
from typing import Any

from mlp_c._system.threads import count_cpus, effective_n_threads

# What launchers tell every process that they start: how many there are.
_LAUNCHERS = {
    "SLURM_STEP_NUM_TASKS": "srun",
    "PMI_SIZE": "mpiexec",
    "OMPI_COMM_WORLD_SIZE": "mpirun",
    "MV2_COMM_WORLD_SIZE": "mpiexec",
    "FLUX_JOB_SIZE": "flux",
}

# And how many of them run on its machine.
_ON_THIS_MACHINE = (
    "MPI_LOCALNRANKS",
    "OMPI_COMM_WORLD_LOCAL_SIZE",
    "MV2_COMM_WORLD_LOCAL_SIZE",
)


def require_mpi() -> Any:
    """The module MPI of mpi4py, which begins MPI when it is imported."""
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ImportError(
            "mlp_c.mpi needs mpi4py and an MPI library: pip install mpi4py takes the MPI that the "
            "machine has; where there is none, pip install mpi4py mpich brings one"
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


def this_machine() -> tuple[str, list[int]]:
    """The name of this machine, and its CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return socket.gethostname(), sorted(os.sched_getaffinity(0))
    return socket.gethostname(), list(range(os.cpu_count() or 1))


def count_launched_here() -> int:
    """How many processes the launcher says that it has started on this machine; 0: it does not.

    No process needs to wait for another's answer, so that some of them may ask.
    """
    for variable in _ON_THIS_MACHINE:
        n = os.environ.get(variable, "")
        if n.isdecimal():
            return int(n)
    node = os.environ.get("SLURM_NODEID", "")
    # As 3(x2),1: two nodes of three, and one of one.
    runs = re.findall(r"(\d+)(?:\(x(\d+)\))?", os.environ.get("SLURM_STEP_TASKS_PER_NODE", ""))
    of_nodes = [int(n) for n, times in runs for _ in range(int(times or 1))]
    return of_nodes[int(node)] if node.isdecimal() and int(node) < len(of_nodes) else 0


def _count_cpus_of_machine() -> int:
    """CPUs of this machine that the processes of the launch may run on, where SLURM says it."""
    n = os.environ.get("SLURM_CPUS_ON_NODE", "")
    return int(n) if n.isdecimal() and int(n) > 0 else os.cpu_count() or 1


def share_of_threads(rank: int, machines: Sequence[tuple[str, list[int]]]) -> int:
    """Threads of a rank, where those of a machine share its CPUs; `OMP_NUM_THREADS` is for each.

    Processes of the launch that are not among the ranks, and train beside them, have their share of
    the machine, too.

    Parameters
    ----------
    rank : int
        The rank.
    machines : sequence of (str, list of int)
        What `this_machine` says on each rank.
    """
    machine, cpus = machines[rank]
    others = [of_rank for name, of_rank in machines if name == machine]
    share = sum(1 / sum(cpu in of_rank for of_rank in others) for cpu in cpus)
    n_launched = count_launched_here()
    if n_launched > len(others):
        share = min(share, _count_cpus_of_machine() / n_launched)
    allowed = count_cpus() / len(cpus)  # less than all where there is a quota
    return max(1, min(int(share * allowed + 1e-9), effective_n_threads(None)))
