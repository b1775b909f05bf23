"""Results as text and as JSON."""

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from statistics import median

from benchmarks.rivals import OURS, RIVALS
from benchmarks.runner import Result, Timing
from benchmarks.tables import aligned
from benchmarks.targets import TARGETS, Measured

MIB = 2**20
HEADER = (
    "rival",
    "seconds",
    "min",
    "max",
    "ratio",
    "of dense limit",
    "fixed s",
    "peak MiB",
    "growth",
    "accuracy",
    "version",
)
LEGEND = """\
seconds: time of a prediction, or of an epoch, from the difference between a long fit and a fit of
one epoch; median, min and max over the rounds
ratio: time as a multiple of mlp_c's
of dense limit: time as a multiple of the dense-GEMM limit
fixed s: time of a fit besides its epochs
peak MiB, growth: memory of the process, and what its first fit added
accuracy: on the test rows after one epoch"""


def table(result: Result) -> str:
    """The table of one result, with the fastest rival first."""
    timings = sorted(result.timings.values(), key=lambda timing: timing.median)
    rows = [HEADER, *(row_of(timing, result) for timing in timings)]
    return "\n".join(
        [
            result.case.title,
            f"{result.data}; X takes {result.x_bytes / MIB:.3g} MiB",
            f"large products by NumPy {result.blas}: "
            f"{max(result.gemm_flops) / 1e9:.1f} GFLOP/s; "
            f"dense-GEMM limit: {result.dense_limit:.3g} s",
            f"other processes kept {result.cpus_of_others:.2f} CPUs busy meanwhile",
            "",
            aligned(rows),
            *(f"{rival}: absent ({why})" for rival, why in result.absent.items()),
        ]
    )


def row_of(timing: Timing, result: Result) -> tuple[str, ...]:
    ours = result.timings.get(OURS, timing)
    return (
        timing.rival,
        f"{timing.median:.3g}",
        f"{min(timing.seconds):.3g}",
        f"{max(timing.seconds):.3g}",
        f"{timing.median / ours.median:.2f}",
        f"{timing.median / result.dense_limit:.2f}",
        f"{median(timing.fixed_seconds):.3f}",
        f"{timing.peak_bytes / MIB:.0f}",
        f"{timing.growth_bytes / MIB:.0f}",
        f"{timing.accuracy:.4f}",
        timing.version,
    )


def target_table(measured: list[Measured]) -> str:
    """For each case the seconds of each rival, and each target's figure, bound and verdict."""
    names = [name for name in RIVALS if any(name in one.medians for one in measured)]
    rows = [("case", *names, "others' CPUs", "targets")]
    for one in measured:
        seconds = [f"{one.medians[name]:.3g}" if name in one.medians else "" for name in names]
        verdicts = "; ".join(" ".join(target.verdict(one)) for target in TARGETS[one.name])
        rows.append((one.name, *seconds, f"{one.cpus_of_others:.2f}", verdicts))
    return aligned(rows)


def machine() -> dict[str, str | int | None]:
    return {
        "processor": processor(),
        "cpus": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


def processor() -> str:
    """The processor's name from Linux; elsewhere the architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def save_json(results: list[Result], path: Path) -> None:
    """Writes all raw numbers, in seconds and bytes."""
    saved = []
    for result in results:
        fields = asdict(result)
        del fields["case"]["recipe"]["make"]
        saved.append({**fields, "dense_limit": result.dense_limit})
    path.write_text(json.dumps({"machine": machine(), "results": saved}, indent=2) + "\n")
