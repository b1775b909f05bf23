"""Cross-builds the package for AArch64 and runs the kernels' tests under qemu-user.

For Debian on another architecture, without root: Debian's Python for arm64 and wheels
for aarch64 are unpacked into build/neon/, where they stay for the next time. Pytest's
arguments may follow; without any, it runs the tests of SELECTION.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "neon"
SYSROOT, WHEELS = CACHE / "sysroot", CACHE / "wheels"
BUILT, UNPACKED = CACHE / "lib", CACHE / "unpacked"  # the package: built here, or of a wheel
COMPILER = "aarch64-linux-gnu-gcc"

# The tools, with the Debian packages that have them.
TOOLS = {
    "qemu-aarch64": "qemu-user",
    COMPILER: "gcc-aarch64-linux-gnu",
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
}
DEBIAN_PACKAGES = ("python3", "libpython3-dev", "libc6-dev", "libstdc++6")
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64")
TEST_REQUIREMENTS = ("hypothesis", "pytest", "pytest-timeout", "setuptools")

# Longest first: as many run at a time as there are CPUs. Of the estimators' tests, some
# that are quick and start no Python of their own: that would take binfmt_misc.
SELECTION = (
    "tests/kernels/test_properties.py",
    "tests/kernels/test_memory.py",
    "tests/kernels/test_oracle.py",
    "tests/kernels/test_long_rows.py",
    "tests/kernels/test_accuracy.py",
    "tests/kernels/test_bits.py",
    "tests/kernels/test_single.py",
    "tests/kernels/test_single_functions.py",
    "tests/kernels/test_single_training.py",
    "tests/kernels/test_loss.py",
    "tests/estimators/test_errors.py",
    "tests/estimators/test_fit_edges.py",
    "tests/kernels/test_initialize.py",
    "tests/kernels/test_rejections.py",
    "tests/kernels/test_value_rejections.py",
    "tests/estimators/test_differences.py",
    "tests/ecosystem/test_conversion.py",
)


def run(*command, cwd=ROOT, check=True, **env) -> int:
    """Runs a command. Its output comes at once if what follows depends on it."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **env},
        stdout=None if check else subprocess.PIPE,
        stderr=None if check else subprocess.STDOUT,
        check=check,
        text=True,
    )
    print(done.stdout or "", end="", flush=True)
    return done.returncode


def missing_tools(builds: bool = True) -> list[str]:
    """What there is not of the tools, and whose packages have them."""
    return [
        f"{tool} was not found (Debian: apt install {package})"
        for tool, package in TOOLS.items()
        if shutil.which(tool) is None and (builds or tool != COMPILER)
    ]


def make_once(target: Path, make) -> None:
    """Makes a directory, unless an earlier run finished it."""
    if target.exists():
        return
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    make(partial)
    partial.rename(target)


def make_sysroot(target: Path) -> None:
    """Unpacks Debian's Python for arm64, by an apt that knows nothing of this machine's state."""
    apt = CACHE / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    settings = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "",
        "Dir::State": apt,
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt / "cache",
    }
    options = ["-qq", *(f"-o{name}={value}" for name, value in settings.items())]
    run("apt-get", *options, "update")
    download = ("install", "--yes", "--no-install-recommends", "--download-only")
    run("apt-get", *options, *download, *DEBIAN_PACKAGES)
    for package in sorted(apt.glob("cache/archives/*.deb")):
        run("dpkg-deb", "--extract", package, target)


def target_python() -> Path:
    """The Python of the sysroot, python3.<minor>."""
    return (SYSROOT / "usr/bin/python3").resolve()


def target_version() -> tuple[int, int]:
    """The version of that Python."""
    major, _, minor = target_python().name.removeprefix("python").partition(".")
    return int(major), int(minor)


def make_wheels(target: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version = target_python().name.removeprefix("python")
    run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--target", target),
        *("--python-version", version, "--only-binary=:all:"),
        *(f"--platform={platform}" for platform in PLATFORMS),
        *(*project["dependencies"], *TEST_REQUIREMENTS),
    )


def run_target(*arguments, package=BUILT, check=True, **env) -> int:
    """Runs the sysroot's Python. What it starts, the cross compiler, runs natively."""
    path = {"PYTHONPATH": f"{package}:{WHEELS}", "PYTHONSAFEPATH": "1"}
    emulated = ("qemu-aarch64", "-L", SYSROOT, target_python())
    return run(*emulated, *arguments, check=check, **path, **env)


def build() -> None:
    compiler = f"{COMPILER} --sysroot={SYSROOT}"
    run_target(
        *("setup.py", "--quiet", "build", "--build-base", CACHE, "--build-lib", BUILT),
        CC=compiler,
        LDSHARED=f"{compiler} -shared",
        MLP_C_TESTING="1",
        MLP_C_CFLAGS=f"-Werror {os.environ.get('MLP_C_CFLAGS', '')}",
    )
    run_target("-c", "import mlp_c; mlp_c.show_config()")


def run_pytest(*arguments, package=BUILT) -> bool:
    """Whether tests pass, in ten times the time that they may take: emulation is as much slower."""
    options = ("-q", "-p", "no:cacheprovider", "--timeout=3000")
    return run_target("-m", "pytest", *options, *arguments, package=package, check=False) == 0


def run_files(files: tuple[str, ...], package: Path) -> bool:
    """Whether the tests of files pass, as many files at a time as there are CPUs."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return all(list(pool.map(partial(run_pytest, package=package), files)))


def prepare() -> None:
    """Have what the tests need besides the package."""
    make_once(SYSROOT, make_sysroot)
    make_once(WHEELS, make_wheels)


def test_wheel(wheel: Path, files: tuple[str, ...]) -> bool:
    """Whether the tests of files pass with a wheel of the package."""
    prepare()
    shutil.rmtree(UNPACKED, ignore_errors=True)
    shutil.unpack_archive(wheel, UNPACKED, "zip")
    return run_files(files, UNPACKED)


def main() -> int:
    if missing := missing_tools():
        print(*missing, sep="\n", file=sys.stderr)
        sys.exit("NEON cannot be tested here.")
    prepare()
    build()
    passed = run_pytest(*sys.argv[1:]) if sys.argv[1:] else run_files(SELECTION, BUILT)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
