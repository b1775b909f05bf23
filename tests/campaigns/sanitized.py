"""Runs on a build with a sanitizer of GCC's, which logs the errors it sees while code runs.

The verdict is the exit codes and the logs: a test may expect that a process which it starts
fails, and pytest keeps what a sanitizer prints to itself.
"""

from dataclasses import dataclass, field
from pathlib import Path

from campaigns import build

# What a report begins with; a warning of memory that was not to be had is none.
MARKS = "ERROR: AddressSanitizer", "runtime error: ", "WARNING: ThreadSanitizer"

# By why, what no sanitizer's build can run.
LEFT_OUT = {
    "project/test_campaigns.py": "runs one in fewer addresses than a sanitizer takes",
    "system/test_threads.py::test_small": "not where all work is shared",
    "hostile/test_signals.py::test_a_signal_waits": "times what is many times slower here",
    "hostile/test_interrupt.py::test_an_interrupt_stops": "times what is many times slower here",
    "hostile/test_signals.py::test_handlers_run": "counts by time what is many times slower here",
    "hostile/test_interrupt.py::test_the_steps_of_an_epoch": "of which none is made in time here",
}


@dataclass
class Sanitizer:
    """A sanitizer and what it needs.

    Attributes
    ----------
    name : str
        Of the build's directory.
    flags : str
        The compiler's and the linker's.
    libraries : tuple of str
        Of GCC, to load before all others.
    options : dict
        What the variables of its run-time options say besides where to log.
    prefix : list of str
        The command to start Python through.
    """

    name: str
    flags: str
    libraries: tuple[str, ...]
    options: dict[str, str]
    prefix: list[str] = field(default_factory=list)

    @property
    def lib(self) -> Path:
        return build.BUILDS / self.name / "lib"

    @property
    def logs(self) -> Path:
        return build.BUILDS / self.name / "logs"

    def run(self, *command: object) -> bool:
        """Whether `python <command>` ends well on the build."""
        log = f"log_path={self.logs}/report"
        environment = {
            "PYTHONPATH": str(self.lib),
            "PYTHONMALLOC": "malloc",
            "LD_PRELOAD": build.runtime(*self.libraries),
            **{name: f"{options}:{log}" for name, options in self.options.items()},
        }
        return build.run(*command, environment=environment, prefix=self.prefix) == 0

    def is_ready(self, *, quick: bool) -> bool:
        """Builds the package, for a quick run without what its tests leave alone.

        Returns whether Python comes up with it.
        """
        flags = f"-O1 -fno-omit-frame-pointer {self.flags} {build.SHARE_ALL_WORK}"
        build.build(self.name, flags, self.flags, testing=not quick)
        self.logs.mkdir()
        code = f"import mlp_c._core as core; assert core.__file__.startswith({str(self.lib)!r})"
        return self.run("-c", code)

    def run_suite(self, files: list[str], left_out: dict[str, str]) -> bool:
        """Whether the tests in these files pass, but LEFT_OUT and those left out, by why."""
        left_out = LEFT_OUT | left_out
        for place, reason in left_out.items():
            print(f"left out: {place}: {reason}")
        files = [*files, *(f"--deselect=tests/{place}" for place in left_out)]
        # Faults are the sanitizer's to report; what takes a minute takes ten.
        return self.run("-m", "pytest", "-q", "-p", "no:faulthandler", "-o", "timeout=1800", *files)

    def reports(self, of: str = "") -> list[str]:
        """What it found, by its logs, where that has `of` in it."""
        texts = [path.read_text(errors="replace") for path in sorted(self.logs.iterdir())]
        found = [text for text in texts if any(mark in text for mark in MARKS)]
        return [text for text in found if of in text]


def conclude(sanitizer: Sanitizer, outcomes: dict[str, bool], of: str = "") -> int:
    """Says how the runs went, and what is reported; the exit code."""
    reports = sanitizer.reports(of)
    for report in reports:
        print(report[:4000])
    failed = [run for run, good in outcomes.items() if not good]
    print(f"{sanitizer.name}: {len(reports)} reports; failed: {', '.join(failed) or 'none'}")
    return 1 if reports or failed else 0
