"""How many threads a rank has where ``n_threads`` is None."""

import pytest

from mlp_c._mpi import launch

FOUR = [0, 1, 2, 3]


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    """Nothing in the environment says how many processes there are."""
    for variable in (*launch._ON_THIS_MACHINE, "SLURM_STEP_TASKS_PER_NODE", "SLURM_CPUS_ON_NODE"):
        monkeypatch.delenv(variable, raising=False)


def give_cpus(monkeypatch, n):
    """Have a process that may run on so many CPUs, of a machine that has no more."""
    monkeypatch.setattr(launch, "count_cpus", lambda: n)
    monkeypatch.setattr(launch, "effective_n_threads", lambda _: n)
    monkeypatch.setattr(launch.os, "cpu_count", lambda: n)


@pytest.mark.parametrize(
    ("machines", "expected"),
    [
        ([("a", FOUR)], [4]),
        ([("a", FOUR)] * 2, [2, 2]),
        ([("a", FOUR)] * 3, [1, 1, 1]),
        ([("a", FOUR)] * 5, [1] * 5),
        ([("a", FOUR), ("b", FOUR), ("b", FOUR)], [4, 2, 2]),
        ([("a", [0, 1]), ("a", [2, 3])], [2, 2]),
        ([("a", FOUR), ("a", [2, 3])], [3, 1]),
    ],
)
def test_ranks_share_the_cpus_of_their_machine(machines, expected, monkeypatch):
    """Those that more than one may run on, in equal parts; at least one each, wherever it runs."""
    for rank, (_, cpus) in enumerate(machines):
        monkeypatch.setattr(launch, "count_cpus", lambda cpus=cpus: len(cpus))
        monkeypatch.setattr(launch, "effective_n_threads", lambda _, cpus=cpus: len(cpus))
        assert launch.share_of_threads(rank, machines) == expected[rank]


def test_a_quota_is_shared(monkeypatch):
    monkeypatch.setattr(launch, "count_cpus", lambda: 2)
    monkeypatch.setattr(launch, "effective_n_threads", lambda _: 2)
    assert launch.share_of_threads(0, [("a", FOUR)] * 2) == 1


def test_openmps_variable_is_for_each_rank(monkeypatch):
    monkeypatch.setattr(launch, "count_cpus", lambda: 8)
    monkeypatch.setattr(launch, "effective_n_threads", lambda _: 3)
    assert launch.share_of_threads(0, [("a", list(range(8)))] * 2) == 3


@pytest.mark.parametrize(("n_launched", "expected"), [(1, 8), (2, 4), (3, 2), (4, 2), (8, 1)])
def test_groups_of_ranks_side_by_side_share_the_machine(n_launched, expected, monkeypatch):
    """Two ranks on eight CPUs, or one of them where no more have been launched."""
    give_cpus(monkeypatch, 8)
    monkeypatch.setenv("MPI_LOCALNRANKS", str(n_launched))
    machines = [("a", list(range(8)))] * min(n_launched, 2)
    assert launch.share_of_threads(0, machines) == expected


def test_ranks_with_cpus_of_their_own_keep_them_beside_other_groups(monkeypatch):
    give_cpus(monkeypatch, 8)
    monkeypatch.setattr(launch, "count_cpus", lambda: 2)
    monkeypatch.setenv("OMPI_COMM_WORLD_LOCAL_SIZE", "4")
    assert launch.share_of_threads(0, [("a", [0, 1])]) == 2


def test_cpus_that_slurm_has_given_are_shared(monkeypatch):
    give_cpus(monkeypatch, 8)
    monkeypatch.setenv("MPI_LOCALNRANKS", "4")
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "4")
    assert launch.share_of_threads(0, [("a", list(range(8)))]) == 1


@pytest.mark.parametrize(
    ("tasks", "node", "expected"),
    [("4", "0", 4), ("3(x2),1", "1", 3), ("3(x2),1", "2", 1), ("3", "1", 0), ("3", "", 0)],
)
def test_slurm_says_how_many_processes_a_node_has(tasks, node, expected, monkeypatch):
    monkeypatch.setenv("SLURM_STEP_TASKS_PER_NODE", tasks)
    monkeypatch.setenv("SLURM_NODEID", node)
    assert launch.count_launched_here() == expected


def test_this_process_has_cpus_of_a_named_machine():
    name, cpus = launch.this_machine()
    assert name
    assert launch.share_of_threads(0, [(name, cpus)]) >= 1
