"""Compiles the C sources for each instruction set and platform, with warnings as errors.

By each of the compilers below that this machine has; says which it has not. With --commands FILE,
only writes how this machine compiles them, in the form that clangd and editors read.
"""

import argparse
import contextlib
import json
import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy

ROOT = Path(__file__).resolve().parents[2]
with contextlib.chdir(ROOT):  # where it looks for the headers
    SETUP = runpy.run_path("setup.py", run_name="setup")


def newest(tool: str) -> str:
    """The name by which this machine has a tool of LLVM's; its plain name if it has none."""
    return next(filter(shutil.which, [tool, *(f"{tool}-{n}" for n in range(30, 11, -1))]), tool)


CLANG = newest("clang")

# What for and by, the machine that says which instruction sets, and the command.
COMPILERS = (
    ("GCC", SETUP["MACHINE"], ("gcc",)),
    ("Clang", SETUP["MACHINE"], (CLANG,)),
    ("AArch64, GCC", "aarch64", ("aarch64-linux-gnu-gcc",)),
    ("Windows, Clang", "x86_64", (CLANG, "--target=x86_64-w64-windows-gnu")),
)


def instruction_set(source: Path) -> str | None:
    """The one that a source is compiled for, if it has flags of its own."""
    return source.stem if source.parent.name == "isa" else None


def missing_part(compiler: tuple[str, ...]) -> str | None:
    """What the machine has not of a compiler: itself or its C library's headers."""
    if shutil.which(compiler[0]) is None:
        return compiler[0]
    probe = [*compiler, "-fsyntax-only", "-xc", "-"]
    done = subprocess.run(probe, input=b"#include <time.h>", capture_output=True, check=False)
    return None if done.returncode == 0 else f"a C library for {' '.join(compiler)}"


def is_portable(source: Path) -> bool:
    """Whether a source does without Python, whose headers are only this machine's."""
    return not {"python", "testing"} & set(source.parts)


def has_stages(source: Path) -> bool:
    """Whether a source says in which stage a thread is, or counts it."""
    return "threads/stages.h" in source.read_text()


def flags_for(machine: str, source: Path) -> list[str]:
    """What the compiler is told of a source."""
    isas = SETUP["ISA_FLAGS"].get(machine, {})
    return [
        *SETUP["FLAGS"],
        *isas.get(instruction_set(source), []),
        *(f"-DMLP_HAVE_{name.upper()}=1" for name in isas),
        *("-D_GNU_SOURCE", '-DMLP_BUILD_FLAGS=""', f"-I{ROOT / 'csrc'}"),
        *(f"-I{path}" for path in (sysconfig.get_path("include"), numpy.get_include())),
    ]


def sources_for(machine: str) -> list[Path]:
    """The sources that are compiled for a machine."""
    ours = (None, "baseline", *SETUP["ISA_FLAGS"].get(machine, ()))
    return [path for path in sorted(ROOT.glob("csrc/**/*.c")) if instruction_set(path) in ours]


def complaints_of(command: tuple[str, ...], machine: str, source: Path) -> str:
    """A compiler's, which is told to warn, about a source.

    GCC finds some faults only as it optimises, of which -O2 is enough; Clang, before it does.
    """
    level = "-O0" if "clang" in command[0] else "-O2"
    command = (*command, *flags_for(machine, source), level, "-Werror", "-c", str(source))
    done = subprocess.run([*command, "-o", os.devnull], capture_output=True, text=True, check=False)
    return done.stderr or ("" if done.returncode == 0 else f"{command} failed")


def compile_all(machine: str, compiler: tuple[str, ...]) -> str:
    """The complaints about all sources that are for the machine."""
    sources = sources_for(machine)
    if any("windows" in part for part in compiler):
        sources = list(filter(is_portable, sources))
    commands = [(compiler, source) for source in sources]
    # For `make profile`, too.
    commands += [((*compiler, "-DMLP_PROFILE"), path) for path in sources if has_stages(path)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = pool.map(lambda each: complaints_of(each[0], machine, each[1]), commands)
        return "".join(complaints)


def commands() -> list[dict[str, str | list[str]]]:
    """A compilation database: how each source is compiled for this machine."""
    machine = SETUP["MACHINE"]
    return [
        {
            "directory": str(ROOT),
            "file": str(source),
            "arguments": ["cc", *flags_for(machine, source), "-c", str(source)],
        }
        for source in sources_for(machine)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=Path, metavar="FILE")
    database = parser.parse_args().commands
    if database is not None:
        database.write_text(json.dumps(commands(), indent=1) + "\n")
        return 0
    outcomes = []
    for name, machine, compiler in COMPILERS:
        missing = missing_part(compiler)
        if missing is not None:
            print(f"{name}: not compiled, {missing} was not found")
            continue
        complaints = compile_all(machine, compiler)
        outcomes.append(complaints == "")
        print(f"{name}: {complaints or 'compiled without warnings'}")
    return 0 if outcomes and all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
