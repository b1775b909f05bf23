"""Builds mlp_c._core: one object per instruction set, each with flags of its own."""

import os
import shlex
import shutil
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import PlatformError
from setuptools.modified import newer_group

# A new instruction set: docs/inside/adding.md lists what it takes.
ISA_FLAGS = {
    "x86_64": {
        "avx2": ["-mavx2", "-mfma"],
        "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"],
    },
    "aarch64": {"neon": []},
}
# The sources of _core but for those of one instruction set each, which have flags of their own;
# and those of _testing, which lends single kernels to the tests.
ISA_SOURCES, TESTING = Path("csrc/kernels/isa"), Path("csrc/testing")
SOURCES = sorted(
    path
    for path in Path("csrc").rglob("*.c")
    if path.parent != ISA_SOURCES and TESTING not in path.parents
)
HEADERS = sorted(Path("csrc").rglob("*.h"))
WINDOWS = sys.platform == "win32"
MACHINE = sysconfig.get_platform().rpartition("-")[2]  # which knows what is built for
MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}.get(MACHINE, MACHINE)
ISAS = ISA_FLAGS.get(MACHINE, {})
if (wanted := os.environ.get("MLP_C_BUILD_ISAS")) is not None:
    ISAS = {name: flags for name, flags in ISAS.items() if name in wanted.split(",")}
ISA_FILES = [f"{name}.c" for name in ("baseline", *ISAS)]

# Loops begin with a cache line: those of products take a tenth longer where they begin elsewhere
# and another process has the core's other thread.
OPTIMIZED = ["-O3", "-DNDEBUG", "-falign-loops=64"]
DEBUG = ["-O0", "-g3", "-UNDEBUG"]  # -UNDEBUG: Python's own flags define it

# C11 alone turns the contraction to fused multiply-adds off; the kernels count on
# it. Never -ffast-math: at link time it would set FTZ for the whole process.
FLAGS = [
    "-std=c11",
    *(DEBUG if os.environ.get("MLP_C_DEBUG") == "1" else OPTIMIZED),
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
    "-Werror=implicit-function-declaration",  # else a list's entry without a function would link
]
FLAGS += shlex.split(os.environ.get("MLP_C_CFLAGS", ""))
LINK_FLAGS = [] if WINDOWS else ["-pthread", "-lm"]
LINK_FLAGS += shlex.split(os.environ.get("MLP_C_LDFLAGS", ""))

NO_COMPILER = """
mlp_c is written in C, and its compiler, {!r}, was not found.
    Debian, Ubuntu:  apt install gcc python3-dev
    Fedora:          dnf install gcc python3-devel
    macOS:           xcode-select --install
    Windows:         Visual Studio's "C++ Clang tools for Windows", in its own prompt
"""


def spell(flags):
    """Flags as the compiler takes them: clang-cl has Clang's behind a prefix."""
    return [f"/clang:{flag}" for flag in flags] if WINDOWS else flags


class BuildExt(build_ext):
    """Compiles what has changed, each source with its flags; says so without a compiler."""

    def build_extension(self, ext):
        if WINDOWS:  # MSVC's own compiler has neither vectors nor C11's atomics
            if not self.compiler.initialized:
                self.compiler.initialize()
            self.compiler.cc = "clang-cl"
        command = self.compiler.cc if WINDOWS else self.compiler.compiler[0]
        if shutil.which(command) is None:
            raise PlatformError(NO_COMPILER.format(command))
        folder = Path(self.build_temp, ext.name)  # extensions may share sources, not objects
        flags = f"{command} {ext.extra_compile_args} {ISAS} {LINK_FLAGS}"
        self.forget_objects_of_other_flags(folder, flags)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            compile_one = partial(self.compile_source, ext, folder)
            objects = list(pool.map(compile_one, ext.sources))
        ext.sources, ext.extra_objects = [], objects
        ext.depends = [*ext.depends, *objects]
        super().build_extension(ext)

    def forget_objects_of_other_flags(self, folder, flags):
        """Removes the objects of an earlier build that was not made with these flags."""
        note = folder / "flags.txt"
        if not note.exists() or note.read_text() != flags:
            for target in folder.rglob(f"*{self.compiler.obj_extension}"):
                target.unlink()
            folder.mkdir(parents=True, exist_ok=True)
            note.write_text(flags)

    def compile_source(self, ext, folder, source):
        """The object of a source, compiled anew if the source or any header is newer."""
        (target,) = self.compiler.object_filenames([source], output_dir=str(folder))
        if self.force or newer_group([source, *ext.depends], target):
            path = Path(source)
            flags = ISAS.get(path.stem, []) if path.parent.name == "isa" else []
            self.compiler.compile(
                [source],
                output_dir=str(folder),
                macros=ext.define_macros,
                include_dirs=ext.include_dirs,
                debug=self.debug,
                extra_postargs=[*ext.extra_compile_args, *spell(flags)],
            )
        return target


def define_string(name, value):
    return name, '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


build_flags = " ".join([*FLAGS, *(f"({name}: {' '.join(flags)})" for name, flags in ISAS.items())])
common = {
    "include_dirs": ["csrc", numpy.get_include()],
    "depends": ["setup.py", *(path.as_posix() for path in HEADERS)],
    "define_macros": [
        ("_GNU_SOURCE", None),
        ("_CRT_SECURE_NO_WARNINGS", None),  # of getenv
        *((f"MLP_HAVE_{name.upper()}", "1") for name in ISAS),
        define_string("MLP_BUILD_FLAGS", build_flags),
    ],
    "extra_link_args": LINK_FLAGS,
}
core = Extension(
    "mlp_c._core",
    sources=[path.as_posix() for path in (*(ISA_SOURCES / name for name in ISA_FILES), *SOURCES)],
    extra_compile_args=spell(FLAGS),
    **common,
)
testing = Extension(
    "mlp_c._testing",
    sources=[
        *(f"csrc/testing/isa/{name}" for name in ISA_FILES),
        *(path.as_posix() for path in sorted(TESTING.glob("*.c"))),
        "csrc/kernels/isa.c",
        *(path.as_posix() for path in sorted(Path("csrc/threads").glob("*.c"))),
    ],
    extra_compile_args=spell([*FLAGS, "-UNDEBUG"]),  # with the kernels' assertions
    **common,
)
extensions = [core, testing] if os.environ.get("MLP_C_TESTING") == "1" else [core]

if __name__ == "__main__":  # not where only the flags are asked for
    setup(ext_modules=extensions, cmdclass={"build_ext": BuildExt})
