"""What the functions behind the estimators refuse: the exception names the argument."""

import core_calls
import pytest


def refused(case, place, wrong, error, message):
    """Makes a valid call with one argument replaced; it raises, with a message."""
    arguments = core_calls.examples()[case]
    arguments[place] = wrong
    with pytest.raises(error, match=message):
        core_calls.function(case)(*arguments)


@pytest.mark.parametrize("steps", [-1, 2**62, 2**63 - 1])
def test_a_number_of_steps_that_could_overflow_is_refused(steps):
    optimizer = "adam", 0.001, 0.0, 0.9, 0.999, 1e-8, steps
    refused("train_epoch of CSR", 10, optimizer, ValueError, r"steps in \[0, 2\*\*62\), got")


def test_steps_are_counted_on_from_where_they_were():
    arguments = core_calls.examples()["train_epoch of CSR"]
    arguments[10] = "adam", 0.001, 0.0, 0.9, 0.999, 1e-8, 2**62 - 1
    assert core_calls.function("train_epoch")(*arguments)[2] == 2**62 + 2
