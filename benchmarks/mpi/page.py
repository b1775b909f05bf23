"""The measured part of docs/inside/scaling.md: times, their model, what it says of others."""

import math
from collections.abc import Iterable
from statistics import median

from benchmarks import report
from benchmarks.mpi import model
from benchmarks.mpi.cases import MEMORY, NETS, Timing
from benchmarks.mpi.launch import ROOT, Measured
from benchmarks.mpi.links import LINKS
from benchmarks.mpi.model import Machines, Model
from benchmarks.pages import replaced
from benchmarks.tables import aligned, markdown

PAGE = ROOT / "docs" / "inside" / "scaling.md"
PICTURES = ROOT / "docs" / "inside" / "scaling"

GIGABITS = (10, 25, 100)
COUNTS = (2, 4, 8, 16, 32, 64)
HOP = 10e-6  # seconds that cards and a switch add to a message: not measured, taken as usual
CALM = 0.3  # CPUs that others keep busy, above which times are rough
MOST = 1_000_000  # rows of a batch: what breaks even above this does not


def write(measured: Measured) -> None:
    """Writes the page and its picture."""
    from benchmarks.mpi import plots

    PICTURES.mkdir(exist_ok=True)
    fitted = model.fit(measured.timings)
    plots.draw(measured.timings, fitted, machines(fitted, measured), PICTURES / "scaling.png")
    PAGE.write_text(replaced(PAGE.read_text(), part(measured, fitted)))


def machines(fitted: Model, measured: Measured) -> dict[int, Machines]:
    """Machines like this one, with all its CPUs at work, by the gigabits of their network."""
    if ("byte", MEMORY) not in fitted.seconds:
        raise ValueError("there are no times of two ranks, of which the page could be written")
    alone = [timing.place for timing in measured.timings if timing.place.ranks == 0]
    crew = model.crew(max(alone, key=lambda place: place.threads))
    fixed, row = (
        {
            net: seconds
            for (name, net, who), seconds in of_crews(fitted)
            if (name, who) == (term, crew)
        }
        for term in ("fixed", "row")
    )
    latencies = [LINKS[0].name, MEMORY]  # of which the first that was measured is taken
    latency = next(s for m in latencies if (s := fitted.seconds.get(("latency", m))) is not None)
    copy = fitted.seconds["byte", MEMORY]
    return {
        gigabits: Machines(fixed, row, latency + HOP, copy + 8 / (gigabits * 1e9))
        for gigabits in GIGABITS
    }


def of_crews(fitted: Model) -> list[tuple[model.Term, float]]:
    """The terms of computing."""
    return [(term, seconds) for term, seconds in fitted.seconds.items() if len(term) == 3]


def part(measured: Measured, fitted: Model) -> str:
    host, busy = report.machine(), measured.cpus_of_others
    of = machines(fitted, measured)
    threads = max(t.place.threads for t in measured.timings)
    slowest = of[GIGABITS[0]]
    copies = slowest.byte - 8 / (GIGABITS[0] * 1e9)
    return f"""
{host["processor"]}, {host["cpus"]} CPUs, {host["platform"]}, Python {host["python"]},
{" and ".join(measured.days)}. Of {len(busy)} turns of places, other processes kept
{median(busy):.2f} CPUs busy in the median one and {max(busy):.2f} in the most disturbed.
{left_out(measured)}
### Milliseconds of an epoch

By network and rows of a batch.

{markdown([("network", "", "rows", "KiB of gradients", "g", "p"), *net_rows()])}

{markdown(time_rows(measured.timings))}
{not_measured(measured)}
### Terms of the model

{markdown(computing_rows(fitted))}

{markdown(joining_rows(fitted))}

Times predicted beside those measured:

{markdown(error_rows(fitted))}

![Times of a batch, and what more machines would gain](scaling/scaling.png)

### Break-even

Rows of a batch. A machine has one rank of {threads} thread{"s" * (threads > 1)}. A message takes
{slowest.latency * 1e6:.0f} µs, of which {HOP * 1e6:.0f} are for cards and a switch. A byte takes
what the network takes, and {copies * 1e9:.2f} ns for copies and sums.

With `n_shards` (tree):

{markdown(break_even_rows(of, "tree", COUNTS))}

With `n_shards=None` (chain):

{markdown(break_even_rows(of, "chain", COUNTS[:3]))}

"""


# ---- what was measured ----


def net_rows() -> list[tuple[str, ...]]:
    """What the networks are, and the shares that the model of the chain has."""
    return [
        (
            net,
            "-".join(map(str, case.layer_sizes)),
            f"{case.recipe.rows:,}",
            f"{model.n_bytes(net) / 1024:,.0f}",
            f"{model.gradient_share(case):.2f}",
            f"{model.last_piece(net):.2f}",
        )
        for net, case in NETS.items()
    ]


def time_rows(timings: Iterable[Timing]) -> list[tuple[str, ...]]:
    """A header, then a row for each place and exchange."""
    timings = list(timings)
    columns = list(dict.fromkeys((t.net, t.batch) for t in timings))
    found = {(t.place, t.exchange, t.net, t.batch): t for t in timings}
    rows = [("where", "exchange", *(f"{net} {batch:,}" for net, batch in columns))]
    for place, exchange in dict.fromkeys((t.place, t.exchange) for t in timings):
        cells = (found.get((place, exchange, *column)) for column in columns)
        label = "" if exchange == "none" else exchange
        rows.append((place.name, label, *(milliseconds(cell) for cell in cells)))
    return rows


def milliseconds(timing: Timing | None) -> str:
    if timing is None or math.isnan(timing.of_epoch):
        return ""
    value = timing.of_epoch * 1e3
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def left_out(measured: Measured) -> str:
    n, said = measured.n_left_out, ""
    if n:
        said = f"{n} more were left out, which were disturbed more.\n"
    if median(measured.cpus_of_others) > CALM:
        said += "**The machine was too busy for exact figures**: take them as rough.\n"
    return said


def not_measured(measured: Measured) -> str:
    if not measured.absent:
        return ""
    lines = "\n".join(f"- {name}: `{why}`" for name, why in measured.absent.items())
    return f"\nNot measured, for this machine does not permit it:\n\n{lines}\n"


def summary(measured: Measured) -> str:
    """The times as text."""
    return aligned(time_rows(measured.timings))


# ---- the model ----


def computing_rows(fitted: Model) -> list[tuple[str, ...]]:
    rows = [("who computes", "network", "fixed, µs", "row, µs", "GFLOP/s of rows")]
    for term, net, crew in (key for key in fitted.seconds if key[0] == "fixed"):
        fixed, row = fitted.seconds[term, net, crew], fitted.seconds["row", net, crew]
        flop = NETS[net].flop / NETS[net].recipe.rows
        speed = f"{flop / row / 1e9:.0f}" if row > 0 else ""
        who = f"{crew}, each of them" if "rank" in crew else crew
        rows.append((who, net, f"{fixed * 1e6:,.0f}", f"{row * 1e6:.2f}", speed))
    return rows


def joining_rows(fitted: Model) -> list[tuple[str, ...]]:
    rows = [("what joins them", "latency, µs a message", "bandwidth, Gb/s")]
    for term, medium in (key for key in fitted.seconds if key[0] == "byte"):
        byte = fitted.seconds[term, medium]
        latency = fitted.seconds["latency", model.latency_of(medium)]
        rows.append((medium, f"{latency * 1e6:.0f}", gigabits(byte)))
    return rows


def gigabits(byte: float) -> str:
    return f"{8e-9 / byte:.3g}" if byte > 0 else "too much to tell"


def error_rows(fitted: Model) -> list[tuple[str, ...]]:
    by_place: dict[str, list[float]] = {}
    for timing, error in fitted.errors.items():
        by_place.setdefault(timing.place.name, []).append(error)
    rows = [("where", "times", "error, median size", "lowest", "highest")]
    for name, errors in [*by_place.items(), ("all", list(fitted.errors.values()))]:
        size = median(map(abs, errors))
        ends = f"{min(errors):+.0%}", f"{max(errors):+.0%}"
        rows.append((name, f"{len(errors)}", f"{size:.0%}", *ends))
    return rows


# ---- other machines ----


def break_even_rows(
    of: dict[int, Machines], exchange: str, counts: Iterable[int]
) -> list[tuple[str, ...]]:
    nets = list(next(iter(of.values())).row)
    columns = [(net, gigabits) for net in nets for gigabits in of]
    rows = [("machines", *(f"{net}, {gigabits} Gb/s" for net, gigabits in columns))]
    for n in counts:
        cells = []
        for net, gigabits in columns:
            found = of[gigabits]
            ends = found.break_even(net, n, exchange), found.half(net, n, exchange)
            cells.append(" / ".join(map(rows_of, ends)))
        rows.append((f"{n}", *cells))
    return rows


def rows_of(value: float) -> str:
    """Two figures of it; for what no batch has a word."""
    return f"{float(f'{value:.2g}'):,.0f}" if value < MOST else "never"
