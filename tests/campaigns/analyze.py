"""GCC's analyzer, clang-tidy and cppcheck find nothing in the C sources.

They read the sources as they are compiled on this machine, and the one that the campaigns have:
clang-tidy all, the others all but the kernels, which neither allocate nor know Python: they take
GCC's hours, and cppcheck knows no vector types.
"""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from campaigns import build, options
from runners.compile_everywhere import SETUP, flags_for, instruction_set, newest, sources_for

MACHINE = SETUP["MACHINE"]
SOURCES = [*sources_for(MACHINE), build.TESTS / "campaigns" / "failing_malloc.c"]
NO_KERNELS = [source for source in SOURCES if instruction_set(source) is None]
CHECKS = f"--config-file={build.ROOT / 'csrc' / '.clang-tidy'}"


def gcc(source: Path) -> list[str]:
    """Optimised less than for use, for more of the source is left to analyse."""
    analyze = ["-fanalyzer", "-Werror", "-O1", "-c", str(source), "-o", os.devnull]
    return ["gcc", *flags_for(MACHINE, source), *analyze]


def clang_tidy(source: Path) -> list[str]:
    return [newest("clang-tidy"), "--quiet", CHECKS, str(source), "--", *flags_for(MACHINE, source)]


def cppcheck(source: Path) -> list[str]:
    """Without Python's and NumPy's headers, of which it needs to know nothing."""
    enable = ["--enable=warning,portability,performance", "--error-exitcode=1", "--inline-suppr"]
    defines = [flag for flag in flags_for(MACHINE, source) if flag.startswith("-D")]
    return [
        "cppcheck",
        "--quiet",
        "--std=c11",
        *enable,
        *defines,
        f"-I{build.ROOT / 'csrc'}",
        str(source),
    ]


def complaints(command: list[str]) -> str:
    """What a tool says of a source where it ends as if it had found something."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"{' '.join(command)}\n{done.stdout}{done.stderr}\n"


def main() -> int:
    options.parse(__doc__)
    clean = True
    for tool, sources in ((gcc, NO_KERNELS), (clang_tidy, SOURCES), (cppcheck, NO_KERNELS)):
        commands = [tool(source) for source in sources]
        if not build.has_programs(commands[0][0]):
            continue
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = "".join(pool.map(complaints, commands))
        print(
            f"{commands[0][0]}: {found or f'finds nothing in {len(sources)} sources'}", flush=True
        )
        clean = clean and found == ""
    return 0 if clean else 1


if __name__ == "__main__":
    build.end(main())
