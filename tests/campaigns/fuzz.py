"""Typed junk for every function and method: the answer is a result or an exception.

Not a crash, a hang, a SystemError, or an array changed by a call that is refused. Calls are made
in processes of their own, and what goes wrong is named with what makes it happen again.
"""

import faulthandler
import io
import os
import resource
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout

import numpy as np

from campaigns import build, options

BATCH = 1000  # calls of a process
SECONDS = 120  # that a call may take
BYTES = 6 << 30  # of address space, beyond which an allocation fails

# What a function of arrays may raise; the last by what is passed: junk.Mischief, junk.Misled.
REFUSALS = TypeError, ValueError, OverflowError, MemoryError, LookupError


def snapshot(call):
    """(array, its bits) of the arguments, but of those that are longer than memory."""
    from campaigns.junk import arrays_in

    arrays = [array for array in arrays_in(call.arguments) if array.size < 2**20]
    return [(array, array.tobytes()) for array in arrays]


def make(call):
    """Makes a call, and says what is wrong with how it ends."""
    before = snapshot(call)
    try:
        call.make()
    except SystemError as error:
        return repr(error)
    except Exception as error:
        if call.arguments is not None and not isinstance(error, REFUSALS):
            return f"raised {error!r}"
        if any(array.tobytes() != bits for array, bits in before):
            return f"wrote to an argument, then raised {error!r}"
    return None


def work(seed, first, n_calls, progress):
    """Makes the calls of a batch; `progress` is a file that always names the latest."""
    latest = np.memmap(progress, np.int64, "w+", shape=1)
    latest[0] = first
    warnings.simplefilter("ignore")
    from campaigns import junk_calls

    faulthandler.enable()
    if "libasan" not in os.environ.get("LD_PRELOAD", ""):  # which needs terabytes of addresses
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    for n in range(first, first + n_calls):
        latest[0] = n
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        call = junk_calls.nth_plan(seed, n)
        with redirect_stdout(io.StringIO()):
            wrong = make(call)
        if wrong is not None:
            sys.exit(f"{call.label}: {wrong}")
    faulthandler.cancel_dump_traceback_later()


def run_batch(seed, first, n_calls):
    """Whether a batch went well; says which of its calls did not, and goes on after it."""
    end, good = first + n_calls, True
    while first < end:
        with tempfile.NamedTemporaryFile() as progress:
            code = f"from campaigns import fuzz; fuzz.work({seed}, {first}, {end - first}, "
            if build.run("-c", f"{code}{progress.name!r})") == 0:
                break
            latest = int(np.fromfile(progress.name, np.int64)[0])
        print(f"wrong: make fuzz SEED={seed} FIRST={latest} CALLS=1", flush=True)
        first, good = latest + 1, False
    return good


def main() -> int:
    bounds = options.parse(__doc__, seed=0, first=0, calls=(20_000, 5_000))
    firsts = range(bounds.first, bounds.first + bounds.calls, BATCH)
    last = bounds.first + bounds.calls
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        batches = [
            pool.submit(run_batch, bounds.seed, first, min(BATCH, last - first)) for first in firsts
        ]
    good = all(batch.result() for batch in batches)
    print(f"fuzz: {bounds.calls} calls of seed {bounds.seed}: {'' if good else 'NOT '}all well")
    return 0 if good else 1


if __name__ == "__main__":
    build.end(main())
