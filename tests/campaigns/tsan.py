"""The threaded tests and random networks with ThreadSanitizer compiled in.

A report counts if it has a frame of the extension: Python and NumPy are not instrumented, so
that their locks are not seen.
"""

import shutil
import subprocess

from campaigns import build, options
from campaigns.sanitized import Sanitizer, conclude

TSAN = Sanitizer(
    "tsan",
    "-fsanitize=thread",
    ("libtsan.so",),
    {"TSAN_OPTIONS": "ignore_noninstrumented_modules=1:exitcode=66:die_after_fork=0"},
)
LEFT_OUT = {
    "system/test_threads.py::test_a_call_runs_on_the_threads_it_asks_for": "the sanitizer adds one",
    "system/test_threads.py::test_members_run_on_no_more_threads": "and here, too",
    "hostile/test_threads.py::test_the_jobs_of_a_grid_search_run_on_no": "and one in each job",
    "kernels/test_members.py::test_a_workspace_that_cannot_be_had": "it gives up on such requests",
    **{
        f"system/test_parked_threads.py::test_{test}": "its calls take longer than a thread waits"
        for test in (
            "calls_take_the_threads_that_are_parked",
            "a_fork_ends_them_first",
            "the_interpreter_does_not_wait_for_them",
        )
    },
    **{
        f"hostile/test_{place}": "one thread writes to what another reads: that is what it is about"
        for place in (
            "concurrency.py::test_a_prediction_while_the_model_is_fitted",
            "concurrency.py::test_what_another_thread_writes",
            "concurrency.py::test_lists_that_another_thread_changes",
            "threads.py::test_a_model_predicts_while_another_thread_fits_it",
        )
    },
}
QUICK = [
    "estimators/test_fit_edges.py",
    "system/test_parked_threads.py",
    "kernels/test_members.py",
    "kernels/test_train_share.py::test_parts_are_summed_by_the_caller",
    "kernels/test_train_share.py::test_what_an_exchange_raises_ends_the_epoch",
    "ecosystem/test_tools.py::test_threads_predict_with_one_model",
]
THREADED = [
    "estimators/test_fit_edges.py",
    "ecosystem/test_tools.py",
    "system/test_threads.py",
    "system/test_parked_threads.py",
    "hostile/test_interrupt.py",
    "hostile/test_signals.py",
    "kernels/test_members.py",
    "kernels/test_properties.py",
    "kernels/test_initialize.py",
    "kernels/test_train_share.py",
    "kernels/test_train_step.py",
    "kernels/test_zeros.py",
    "hostile/test_threads.py",
    "hostile/test_concurrency.py",
]


def in_fixed_layout() -> list[str]:
    """What starts a command at the addresses that ThreadSanitizer expects, where allowed."""
    fixed = ["setarch", "-R"]
    if shutil.which(fixed[0]) is None:
        return []
    allowed = subprocess.run([*fixed, "true"], capture_output=True, check=False).returncode == 0
    return fixed if allowed else []


def main() -> int:
    bounds = options.parse(__doc__, seed=0, seconds=(300, 15))
    TSAN.prefix = in_fixed_layout()
    if build.runtime(*TSAN.libraries) is None:
        return 0
    if not TSAN.is_ready(quick=bounds.quick):
        if TSAN.prefix:
            return 1
        build.lacks("addresses for ThreadSanitizer (setarch -R, or vm.mmap_rnd_bits of 28)")
        return 0
    networks = ["campaigns.networks", f"--seed={bounds.seed}", f"--seconds={bounds.seconds}"]
    outcomes = {
        "networks": TSAN.run("-m", *networks),
        "suite": TSAN.run_suite(QUICK if bounds.quick else THREADED, LEFT_OUT),
    }
    return conclude(TSAN, outcomes, of="_core")


if __name__ == "__main__":
    build.end(main())
