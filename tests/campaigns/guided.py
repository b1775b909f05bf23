"""The junk of fuzz.py as atheris chooses it, by the code of the extension that it reaches.

The bytes that atheris mutates are what arrays, their descriptions, other arguments and states of
estimators are drawn from (junk.py, junk_calls.py).
"""

import io
import os
import subprocess
import sys
import warnings
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from campaigns import build, options
from runners.compile_everywhere import CLANG

PLACE = build.BUILDS / "guided"
FLAGS = "-fsanitize=address,fuzzer-no-link"


class Chooser:
    """Numbers as a generator of NumPy's draws them, but read from bytes."""

    def __init__(self, provider):
        self._provider = provider

    def random(self):
        return self._provider.ConsumeProbability()

    def integers(self, low, high=None, size=None):
        low, high = (0, low) if high is None else (low, high)
        if size is None:
            return self._provider.ConsumeIntInRange(low, high - 1)
        given = self._provider.ConsumeBytes(int(np.prod(size))) or b"\0"
        return low + np.resize(np.frombuffer(given, np.uint8), size).astype(int) % (high - low)


def work():
    """What atheris runs with sys.argv, libFuzzer's arguments."""
    import atheris

    with atheris.instrument_imports(include=["mlp_c"]):
        from campaigns import fuzz, junk_calls
    warnings.simplefilter("ignore")

    def make_one(data):
        rng = Chooser(atheris.FuzzedDataProvider(data))
        call = junk_calls.plan(rng, junk_calls.LABELS[rng.integers(len(junk_calls.LABELS))])
        with redirect_stdout(io.StringIO()):
            wrong = fuzz.make(call)
        if wrong is not None:
            raise AssertionError(f"{call.label}: {wrong}")

    atheris.Setup(sys.argv, make_one)
    atheris.Fuzz()


def links_with_sanitizer() -> bool:
    """Whether Clang has what FLAGS ask the linker for, which Debian packs apart."""
    link = [CLANG, "-fsanitize=address", "-shared", "-xc", os.devnull, "-o", os.devnull]
    return subprocess.run(link, capture_output=True, check=False).returncode == 0


def main() -> int:
    bounds = options.parse(__doc__, seed=1, seconds=(300, 20))
    if not all([build.has_modules("atheris"), build.has_programs(CLANG)]):
        return 0
    if not links_with_sanitizer():
        build.lacks(f"AddressSanitizer's library for {CLANG}")
        return 0
    lib = build.build(
        "guided", f"-O1 {FLAGS}", FLAGS, testing=False, CC=CLANG, LDSHARED=f"{CLANG} -shared"
    )
    corpus = PLACE / "corpus"
    corpus.mkdir()
    atheris = Path(find_spec("atheris").origin).parent
    environment = {
        "PYTHONPATH": str(lib),
        "PYTHONMALLOC": "malloc",
        "LD_PRELOAD": str(atheris.parent / "asan_with_fuzzer.so"),
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
    }
    limits = [f"-max_total_time={bounds.seconds}", f"-seed={bounds.seed}", "-timeout=120"]
    limits += ["-len_control=0", "-max_len=1024", "-rss_limit_mb=8192"]
    limits += [f"-artifact_prefix={PLACE}/", str(corpus)]
    code = "from campaigns import guided; guided.work()"
    return build.run("-c", code, *limits, environment=environment)


if __name__ == "__main__":
    build.end(main())
