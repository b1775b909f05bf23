"""What the guard counts. The guard runs this module under valgrind.

Each call of MARKER ends a section. The instructions of each section are counted separately.
"""

import gc
import json
import os
import pickle
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

from benchmarks import data, kernels
from benchmarks.cases import Case
from benchmarks.kernel_pairs import BUILDERS
from benchmarks.rivals import OURS, load
from mlp_c import _core, show_config

MARKER = "getppid"  # a function of the C library that nothing else calls
EPOCHS = (1, 3)  # of two fits, whose difference is the cost of the further epochs
MOST = 5e7  # multiplications in a kernel; valgrind takes a microsecond for some fused ones
UNKNOWN_TO_VALGRIND = {"avx512"}


def main() -> None:
    """Reads the cases and their data from a folder; writes the sections' names there."""
    folder = Path(sys.argv[1])
    cases = pickle.loads((folder / "cases").read_bytes())
    isas = [i for i in show_config(mode="dicts")["supported_isas"] if i not in UNKNOWN_TO_VALGRIND]
    sections: list[tuple[str, str]] = []

    def count(isa: str, name: str, call: Callable[[], object]) -> None:
        """Ends the section before the call, and then the section of the call."""
        gc.collect()
        os.getppid()
        call()
        os.getppid()
        sections.extend([("", ""), (isa, name)])

    gc.disable()
    for isa in isas:
        _core.set_isa(isa)
        for number, case in enumerate(cases):
            for name, call in calls_of(case, folder / str(number)).items():
                count(isa, name, call)
        for spec in kernels.SPECS:
            for dtype in kernels.DTYPES:
                if spec.rows * sum(a * b for a, b in pairwise(spec.sizes)) < MOST:
                    call = BUILDERS[spec.kernel](spec, dtype, 1).ours
                    call()
                    count(isa, f"{spec} {dtype}", call)
    (folder / "sections").write_text(json.dumps(sections))


def calls_of(case: Case, folder: Path) -> dict[str, Callable[[], object]]:
    """The calls to count for a case, by name. Each has run once."""
    rival = load(OURS)(case, *data.read(folder, "train", case.dtype))
    rival.fit(1)
    if not case.predicted_rows:
        return {f"{case.name}, epochs: {n}": partial(rival.fit, n) for n in EPOCHS}
    x = data.read(folder, "test", case.dtype)[0][: case.predicted_rows]
    rival.predict(x)
    return {case.name: partial(rival.predict, x)}


if __name__ == "__main__":
    main()
