"""Results as a table, as JSON and as a chart."""

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from statistics import median

from benchmarks.runner import WARM_UP_FIT, Result, Timing

MIB = 2**20
HEADER = (
    "rival",
    "s/epoch",
    "min",
    "max",
    "ratio",
    "of limit",
    "fixed s",
    "peak MiB",
    "growth",
    "accuracy",
    "version",
)
LEGEND = f"""\
s/epoch, min, max: over the rounds; an epoch is what a longer fit takes more than a short one
ratio: to the fastest rival; of limit: to the dense-GEMM limit
fixed s: of a fit, beside its epochs
peak MiB, growth: memory of the process, and what its first fits added
accuracy: on the test rows after {WARM_UP_FIT} epochs"""


def table(result: Result) -> str:
    """One result, the fastest rival first."""
    case, roof = result.case, result.roof
    timings = sorted(result.timings, key=lambda timing: median(timing.epoch_seconds))
    lines = [
        f"{case.title}, {case.dtype}",
        f"{result.data}; X takes {result.x_bytes / MIB:.0f} MiB",
        f"OpenBLAS GEMM GFLOP/s: {result.gemm_flops / 1e9:.1f}, numpy {roof.version}; "
        f"dense-GEMM limit: {result.dense_limit:.4g} s/epoch",
        f"other processes kept {result.cpus_of_others:.2f} CPUs busy meanwhile",
        "",
    ]
    rows = [HEADER, *(row_of(timing, timings[0], result.dense_limit) for timing in timings)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *figures, version in rows:
        cells = [f.rjust(width) for f, width in zip(figures, widths[1:-1], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *cells, version]))
    lines += [f"{rival}: absent ({why})" for rival, why in result.absent.items()]
    return "\n".join(lines)


def row_of(timing: Timing, fastest: Timing, limit: float) -> tuple[str, ...]:
    middle = median(timing.epoch_seconds)
    return (
        timing.rival,
        f"{middle:.4f}",
        f"{min(timing.epoch_seconds):.4f}",
        f"{max(timing.epoch_seconds):.4f}",
        f"{middle / median(fastest.epoch_seconds):.2f}",
        f"{middle / limit:.2f}",
        f"{median(timing.fixed_seconds):.3f}",
        f"{timing.peak_bytes / MIB:.0f}",
        f"{timing.growth_bytes / MIB:.0f}",
        f"{timing.accuracy:.4f}",
        timing.version,
    )


def machine() -> dict[str, str | int | None]:
    return {
        "processor": processor(),
        "cpus": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


def processor() -> str:
    """The processor's name where Linux tells it, else the architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def save_json(results: list[Result], threads: int, path: Path) -> None:
    """All raw numbers; seconds and bytes."""
    saved = []
    for result in results:
        fields = asdict(result)
        del fields["case"]["make_data"]
        saved.append({**fields, "gemm_flops": result.gemm_flops, "dense_limit": result.dense_limit})
    document = {"machine": machine(), "threads": threads, "results": saved}
    path.write_text(json.dumps(document, indent=2) + "\n")


def save_plot(results: list[Result], path: Path) -> None:
    """A bar a rival, from its slowest to its fastest round a whisker, a panel a result."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(
        1, len(results), figsize=(5 * len(results), 3.2), squeeze=False, layout="constrained"
    )
    for axes, result in zip(panels[0], results, strict=True):
        names = [timing.rival for timing in result.timings]
        middles = [median(timing.epoch_seconds) for timing in result.timings]
        below = [m - min(t.epoch_seconds) for m, t in zip(middles, result.timings, strict=True)]
        above = [max(t.epoch_seconds) - m for m, t in zip(middles, result.timings, strict=True)]
        bars = axes.barh(names, middles, xerr=(below, above), color="tab:blue", ecolor="black")
        axes.bar_label(bars, [f"{m:.3g}" for m in middles], padding=4)
        axes.axvline(result.dense_limit, color="tab:red", ls="--", label="dense-GEMM limit")
        axes.set(title=f"{result.case.name}, {result.case.dtype}", xlabel="seconds per epoch")
        axes.margins(x=0.15)
        axes.invert_yaxis()
        axes.legend(loc="lower right")
    figure.savefig(path, dpi=150)
    plt.close(figure)
