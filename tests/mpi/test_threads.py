"""How many threads a rank has where ``n_threads`` is None."""

import pytest

from mlp_c._mpi import launch

FOUR = [0, 1, 2, 3]


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


def test_this_process_has_cpus_of_a_named_machine():
    name, cpus = launch.this_machine()
    assert name
    assert launch.share_of_threads(0, [(name, cpus)]) >= 1
