"""What the benchmark of several processes computes, and that it goes on where something lacks."""

import math
from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("psutil")  # there is none for all Pythons

from benchmarks import pages
from benchmarks.mpi import __main__ as program
from benchmarks.mpi import launch, links, model, page
from benchmarks.mpi.cases import BATCHES, EPOCHS, MEMORY, NETS, Place, Timing, places
from benchmarks.mpi.launch import Measured, measure
from mlp_c._mpi.exchanges import Chain

TWO, LINK = Place(2, medium=MEMORY), Place(2, medium=links.LINKS[0].name)
PLACES = [Place(0), Place(0, 2), Place(1, medium=MEMORY), TWO, LINK]
KNOWN = {"fixed": 2e-4, "row": 3e-6, "latency": 5e-5, "byte": 1e-9}


def timed(place, net="mnist", batch=256, exchange="tree", of_batch=1.0):
    of_epoch = of_batch * NETS[net].recipe.rows / batch
    return Timing(net, batch, exchange, place, (9.0, 0.5), (9.0, 0.5 + (EPOCHS - 1) * of_epoch))


@pytest.fixture
def measured():
    """Times that are sums of known terms."""
    timings = [
        timed(place, net, batch, exchange)
        for place, net, batch in product(PLACES, NETS, BATCHES)
        for exchange in place.exchanges
    ]
    sums = [sum(KNOWN[term[0]] * n for term, n in model.terms(one).items()) for one in timings]
    timings = [
        timed(t.place, t.net, t.batch, t.exchange, s) for t, s in zip(timings, sums, strict=True)
    ]
    return Measured(["2026-01-01"], [0.5], 3, timings, {"2 ranks, moon": "tc: there is no moon"})


# ---- the model ----


def test_the_terms_are_found_that_times_were_made_of(measured):
    fitted = model.fit(measured.timings)
    assert {"latency", "byte"} <= {term[0] for term in fitted.seconds}
    for term, seconds in fitted.seconds.items():
        assert seconds == pytest.approx(KNOWN[term[0]], rel=1e-6)
    assert max(map(abs, fitted.errors.values())) < 1e-9
    assert {timing.place for timing in fitted.errors} == {*PLACES} - {PLACES[2]}
    for timing in fitted.errors:
        assert fitted.predict(timing) == pytest.approx(timing.of_batch)


def test_times_that_were_noise_are_left_out(measured):
    noise = replace(measured.timings[0], short=(1.0,), long=(0.9,))
    assert math.isnan(noise.of_batch)
    assert noise not in model.fit([*measured.timings, noise]).errors
    assert page.milliseconds(noise) == page.milliseconds(None) == ""


def test_times_of_further_rounds_join_those_before(measured):
    first, n = measured.timings[0], len(measured.timings)
    measured.add(replace(first, short=(0.25,), long=(8.0,)))
    assert len(measured.timings) == n
    assert measured.timings[0].short == (*first.short, 0.25)
    assert measured.timings[0].of_epoch > first.of_epoch
    measured.add(replace(first, batch=7))
    assert len(measured.timings) == n + 1


def test_a_limit_of_the_rate_shares_the_latency_of_the_link_without_one():
    names = [model.latency_of(link.name) for link in links.LINKS]
    assert names == ["TCP", "TCP", "TCP", links.LINKS[-1].name]
    assert model.latency_of(MEMORY) == MEMORY


@pytest.mark.parametrize("net", NETS)
def test_the_pieces_are_those_of_a_chain(net):
    class Comm:
        def Get_rank(self):
            return 0

        def Get_size(self):
            return 2

    shapes = model.layers(net)
    params = [np.zeros(shape, "f4") for shape in shapes] + [np.zeros(n, "f4") for _, n in shapes]
    chain = Chain(SimpleNamespace(comm=Comm()), params)
    sizes = [piece.size for piece in chain._pieces]
    assert len(sizes) == model.N_PIECES
    assert sum(sizes) == pytest.approx(model.n_bytes(net), rel=1e-3)
    assert sizes[-1] / sum(sizes) == pytest.approx(model.last_piece(net), rel=0.02)


@pytest.mark.parametrize("exchange", ["tree", "chain"])
@pytest.mark.parametrize("n", [2, 4, 16])
def test_a_batch_that_breaks_even_takes_as_long_as_on_one_machine(n, exchange):
    of = model.Machines({"wide": 1e-3}, {"wide": 2e-5}, 3e-5, 1e-9)
    alone, together = (lambda batch, k=k: of.seconds("wide", batch, k, exchange) for k in (1, n))
    for least, times in ((of.break_even, 1), (of.half, n / 2)):
        batch = least("wide", n, exchange)
        if math.isfinite(batch):
            assert alone(batch) == pytest.approx(times * together(batch))
        else:
            assert alone(1e9) < times * together(1e9)
    assert math.isfinite(of.break_even("wide", 2, exchange))


# ---- measuring ----


def test_every_place_has_a_name_of_its_own():
    names = [place.name for place in [*places(), *PLACES[:2]]]
    assert len(set(names)) == len(set(places()) | set(PLACES[:2]))


def test_a_trial_measures_and_names_what_there_is_not(monkeypatch):
    monkeypatch.setenv("PATH", "")  # without ip
    monkeypatch.setattr(launch, "mpiexec", lambda: "no-such-launcher")
    steps = []
    found = Measured()
    measure([Place(0), LINK], program.QUICK, steps.append, found)
    assert [(t.net, t.batch, t.exchange, t.place) for t in found.timings] == [
        ("mnist", 4_096, "none", Place(0))
    ]
    assert found.absent == {LINK.name: "ip: No such file or directory"}
    assert len(steps) == 2


def test_a_turn_that_others_disturbed_does_not_count(measured, monkeypatch, tmp_path):
    class Busy:
        def __init__(self, workers):
            pass

        def cpus(self):
            return 0.4

    monkeypatch.setattr(launch, "Disturbance", Busy)
    monkeypatch.setattr(launch, "times", lambda *arguments: measured.timings)
    for most, n_counted in ((0.3, 0), (0.5, 1)):
        found = Measured()
        launch.take_turn(TWO, tmp_path, replace(program.QUICK, most_busy=most), found)
        assert (len(found.cpus_of_others), found.n_left_out) == (n_counted, 1 - n_counted)
        assert len(found.timings) == n_counted * len(measured.timings)


def test_without_a_launcher_ranks_are_absent(monkeypatch, tmp_path):
    monkeypatch.setattr(launch.shutil, "which", lambda *arguments, **options: None)
    with pytest.raises(launch.PlaceError, match="there is no mpiexec"):
        launch.times(TWO, tmp_path, program.QUICK)


def test_a_process_that_fails_is_named_with_what_it_says(monkeypatch):
    with pytest.raises(launch.PlaceError, match="exit code 3: what went wrong"):
        launch.output(
            [launch.sys.executable, "-c", "print('what went wrong'); raise SystemExit(3)"], {}
        )


def test_two_ranks_give_a_time_for_each_exchange():
    pytest.importorskip("mpi4py")
    try:
        launch.mpiexec()
    except launch.PlaceError as error:
        pytest.skip(str(error))
    found = Measured()
    measure([TWO], program.QUICK, lambda text: None, found)
    assert found.absent == {}
    assert [timing.exchange for timing in found.timings] == ["chain", "tree"]


def test_commands_begin_with_what_puts_them_in_their_namespaces():
    command = launch.together([["in", "a"], ["in", "b"]], ["train"])
    assert command == ["-n", "1", "in", "a", "train", ":", "-n", "1", "in", "b", "train"]


# ---- the page ----


def test_a_file_of_times_is_read_as_it_was_written(measured, tmp_path):
    program.save(measured, tmp_path / "times.json")
    assert program.load(tmp_path / "times.json") == measured


def test_the_page_has_all_times_and_what_was_absent(measured, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    text = page.PAGE.read_text(encoding="utf-8")
    monkeypatch.setattr(page, "PICTURES", tmp_path / "pictures")
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    page.PAGE.write_text(text, encoding="utf-8")
    page.write(measured)
    written = page.PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(pages.BEGIN)
    assert written.startswith(before)
    assert written.endswith(rest.partition(pages.END)[2])
    assert "3 more were left out" in written
    assert "2 ranks, moon: `tc: there is no moon`" in written
    for place in PLACES:
        assert f"| {place.name} |" in written
    assert (page.PICTURES / "scaling.png").stat().st_size > 10_000


def test_without_two_ranks_no_page_is_written(measured):
    measured.timings = [timing for timing in measured.timings if timing.place.ranks == 0]
    with pytest.raises(ValueError, match="no times of two ranks"):
        page.write(measured)
