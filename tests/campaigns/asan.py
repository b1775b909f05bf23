"""The suite, random networks and junk calls with AddressSanitizer and UBSan compiled in.

They end a process at its first access out of bounds, use after free or undefined operation.
"""

from campaigns import build, options
from campaigns.sanitized import Sanitizer, conclude

ASAN = Sanitizer(
    "asan",
    "-fsanitize=address,undefined -fno-sanitize-recover=all",
    ("libasan.so", "libubsan.so", "libstdc++.so"),
    # Python leaves memory behind at its end; a huge array is to fail, as it does without.
    {
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    },
)
LEFT_OUT = {
    "ecosystem/test_notebook.py": "in a process of Jupyter's; the kernels' tests make its calls",
    "project/test_packaging.py": "builds the package anew, without instruments",
    "saving/test_files.py::test_a_process_killed_as_it_saves": "kills after too short a time here",
    "hostile/test_guard_pages.py::test_the_guards_see_a_single_element": "asks for a fault",
    "hostile/test_processes.py::test_threads_that_the_system_refuses": "its shim is to come first",
    "kernels/test_bits.py::test_same_bits_as_on_other_machines": "of other optimisation",
    "kernels/test_memory.py": "counts memory, which is the sanitizer's here",
}
QUICK = [
    "kernels/test_coded.py",
    "kernels/test_rejections.py",
    "kernels/test_value_rejections.py",
    "kernels/test_train_share.py::test_a_wrong_field_is_refused_by_name",
    "kernels/test_train_share.py::test_parts_are_summed_by_the_caller",
    "estimators/test_inputs.py",
    "estimators/test_fit_edges.py",
    "ecosystem/test_conversion.py",
]


def main() -> int:
    bounds = options.parse(__doc__, seed=0, seconds=(300, 15), calls=(20_000, 1_000))
    if build.runtime(*ASAN.libraries) is None:
        return 0
    if not ASAN.is_ready(quick=bounds.quick):
        return 1
    networks = ["campaigns.networks", f"--seed={bounds.seed}", f"--seconds={bounds.seconds}"]
    junk = ["campaigns.fuzz", f"--seed={bounds.seed}", f"--calls={bounds.calls}"]
    outcomes = {
        "networks": ASAN.run("-m", *networks),
        "junk": ASAN.run("-m", *junk),
        "suite": ASAN.run_suite(QUICK if bounds.quick else ["."], LEFT_OUT),
    }
    return conclude(ASAN, outcomes)


if __name__ == "__main__":
    build.end(main())
