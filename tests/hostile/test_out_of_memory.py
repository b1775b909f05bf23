"""Every single allocation of the interpreter's may fail: MemoryError, and the call works again.

`make oom` does the same to the C library's allocations and to the start of threads.
"""

import pickle
import sys

import pytest

from support import calls, core_calls, processes

testcapi = pytest.importorskip("_testcapi", reason="this CPython was built without _testcapi")


def check_failing_allocations(case):
    """Fails the first allocation of a call, the second, and so on until no call has so many.

    A call that fails leaves all arrays as they were, but for one that fails where it calls back in
    its midst. It is made again, and has the bits of the first.
    """
    calls_back = case in ("train_share", "share_gradient")
    arguments = core_calls.examples()[case]
    function, positional = core_calls.function(case), core_calls.positional(arguments)
    before, copies = calls.bits(arguments), [(a, a.copy()) for _, a in calls.leaves(arguments)]

    def outcome():
        return pickle.dumps([core_calls.run(case, arguments), arguments])

    expected = outcome()

    def sweep():
        nth, failures, spared = 0, 0, 0
        while spared < 20:
            nth, spared = nth + 1, spared + 1
            for array, copy in copies:
                array[...] = copy
            testcapi.set_nomemory(nth, nth + 1)
            try:
                function(*positional)
            except MemoryError:
                failures, spared = failures + 1, 0
            finally:
                testcapi.remove_mem_hooks()
            if spared == 0:
                is_as_before = calls.bits(arguments) == before
                assert is_as_before or calls_back, f"failed allocation {nth} changed an array"
                for array, copy in copies:
                    array[...] = copy
                assert outcome() == expected, f"wrong after failed allocation {nth}"
        return failures

    def blocks_left(sweeps):
        before = sys.getallocatedblocks()
        assert all(sweep() > 0 for _ in range(sweeps))
        return sys.getallocatedblocks() - before

    # A leak leaves a block in each sweep of each round; NumPy's caches are full some day.
    assert any(blocks_left(5) < 5 for _ in range(20)), "failed calls leave blocks behind"


@pytest.mark.parametrize("case", core_calls.CASES)
def test_a_failed_allocation_is_a_memory_error_and_the_call_works_again(case):
    processes.run(check_failing_allocations, case, timeout=120)
