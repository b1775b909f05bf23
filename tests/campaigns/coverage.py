"""How much of the C and the Python code the suite runs, in one report; above all where it fails.

The suite and the campaign of failing allocations run on a build that counts lines. Of the C code
that knows Python and of the threads, the lines that only an error leads to are counted apart: those
that set an exception, mark a call as failed or end a function with its answer for an error.
"""

import json
import re
import subprocess
import sys
from itertools import chain

from campaigns import build, options

LEAST = 95  # percent of the lines of errors
PLACE = build.BUILDS / "coverage"

FLAGS = "--coverage -fprofile-update=atomic"
PARTS = ["python", "threads"]  # of csrc/, whose lines of errors are counted apart
SOURCES = rf"csrc/({'|'.join(PARTS)})/\w+\.c"
ERROR = re.compile(
    r"PyErr_(Format|SetString|NoMemory|Clear)\(|mlp_reject\w*\(|failed = true;|Py_CLEAR\("
    r"|return (-1|NULL|false|MLP_NO_MEMORY|x|\(mlp_\w+\)\{0\});"
)
LEFT_OUT = ["--ignore=ecosystem/test_notebook.py", "--ignore=project/test_packaging.py"]
# A quick run counts those parts alone, and neither repeats float64's tests in float32 nor compares
# bits, which leads to no errors.
QUICK_FLAGS = f"{FLAGS} -fprofile-filter-files={';'.join(f'csrc/{part}/' for part in PARTS)}"
QUICK = [
    *("-k", "not float32 and not bits"),
    "kernels/test_rejections.py",
    "kernels/test_value_rejections.py",
    "kernels/test_train_share.py",
    "kernels/test_train_step.py",
    "kernels/test_core_rejections.py",
    "kernels/test_fields.py",
    "kernels/test_coded.py",
    "kernels/test_members.py",
    "kernels/test_heads.py::test_refusals_of_targets",
    "kernels/test_heads.py::test_refusals_of_outputs",
    "kernels/test_loss.py::test_refusals",
    "project/test_import.py",
    "estimators/test_fit_edges.py",
    "hostile/test_processes.py::test_a_subinterpreter_is_told_that_it_is_not_supported",
    "hostile/test_interrupt.py::test_an_interrupt_stops_what_comes_before_the_kernel",
]


def collect(quick: bool) -> bool:
    """Runs all that is counted; whether it went well."""
    lib = build.build("coverage", f"-O0 {QUICK_FLAGS if quick else FLAGS}", "--coverage")
    environment = {"PYTHONPATH": str(lib), "COVERAGE_FILE": str(PLACE / "python")}
    suite = ["pytest", "-q", *(QUICK if quick else LEFT_OUT)]
    python = ["-m", "coverage", "run", f"--source={lib / 'mlp_c'}", "-m"]
    runs = [[*python, *suite], ["-m", "campaigns.oom"]]
    return all([build.run(*run, environment=environment) == 0 for run in runs])  # noqa: C419


def report(quick: bool) -> dict:
    """Prints the report of both languages; gcovr's own of the C code."""

    def run(*command):
        subprocess.run([sys.executable, "-m", *map(str, command)], cwd=build.ROOT, check=True)

    run("coverage", "xml", f"--data-file={PLACE / 'python'}", "-o", PLACE / "python.xml", "-q")
    c_code = PLACE / "c.json"
    # Lines of kernels run billions of times, which it would suspect.
    unsuspected = "--gcov-suspicious-hits-threshold=0"
    counted = [PLACE.glob(f"temp*/*/csrc/{part}") for part in PARTS] if quick else [[PLACE]]
    run("gcovr", "--filter=csrc/", unsuspected, "--json", c_code, *chain(*counted))
    tracefiles = ["--add-tracefile", c_code, "--cobertura-add-tracefile", PLACE / "python.xml"]
    run("gcovr", *tracefiles, "--txt", "--html-details", PLACE / "index.html")
    return json.loads(c_code.read_text())


def lines_of_errors(files: list[dict]) -> list[tuple[str, bool]]:
    """(where, whether it ran) of the lines in the C sources that only errors lead to."""
    found = []
    for file in files:
        if re.fullmatch(SOURCES, file["file"]) is None:
            continue
        texts = (build.ROOT / file["file"]).read_text().splitlines()
        for line in file["lines"]:
            text = texts[line["line_number"] - 1].strip()
            if ERROR.search(text):
                found.append((f"{file['file']}:{line['line_number']}: {text}", line["count"] > 0))
    return found


def main() -> int:
    bounds = options.parse(__doc__)
    if not all([build.has_modules("coverage", "gcovr"), build.has_programs("gcc", "gcov")]):
        return 0
    went_well = collect(bounds.quick)
    lines = lines_of_errors(report(bounds.quick)["files"])
    ran = [where for where, did_run in lines if did_run]
    for where, did_run in lines:
        if not did_run:
            print(f"not run: {where}")
    percent = 100 * len(ran) / len(lines)
    print(f"coverage: {len(ran)} of {len(lines)} lines of errors run, {percent:.1f} %")
    return 0 if went_well and percent >= LEAST else 1


if __name__ == "__main__":
    build.end(main())
