"""What a kernel is given that it must refuse, and that it does."""

import pytest

from support import calls

NETWORK_KERNELS = ("forward", "backward", "train_step")


def show(value):
    """An id for a case."""
    if isinstance(value, tuple) and isinstance(value[0], str):
        return calls.name(value)
    return getattr(value, "__name__", ascii(value)[:30].strip("'"))


def each(names, cases):
    return pytest.mark.parametrize(names, cases, ids=show)


def assert_refused(kernel, arguments, error, message):
    """Raises with a message, which is returned, and no output changed."""
    outputs = calls.outputs(kernel, arguments)
    before = calls.bits(outputs)
    with pytest.raises(error, match=message) as refusal:
        calls.run(kernel, arguments)
    assert calls.bits(outputs) == before
    return str(refusal.value)
