"""Threads that wait for others spin less the more often that was in vain, down to not at all."""

import pytest

testing = pytest.importorskip("mlp_c._testing", reason="_testing is built where MLP_C_TESTING=1")

MOST, LONG, SHORT = 64_000, 10**9, 1000


def test_spins_in_vain_halve_the_next_until_there_is_none():
    """As where there are more callers than CPUs: nobody is let in who would end the wait."""
    times = testing.spin_in_vain(MOST, (LONG,) * 10)
    assert times == (64_000, 32_000, 16_000, 8000, 4000, 2000, 1000, 0, 0, 0, 0)


def test_a_short_sleep_restores_the_spin():
    assert testing.spin_in_vain(MOST, (LONG,) * 8 + (SHORT,))[-2:] == (0, MOST)


def test_a_long_sleep_does_not():
    assert testing.spin_in_vain(MOST, (LONG,) * 8 + (MOST + 1,))[-2:] == (0, 0)
