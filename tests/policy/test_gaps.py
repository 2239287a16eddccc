"""The silences of a run, in bounded memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.policy import Gaps
from streamkit.policy.gaps import KEPT


def gaps(values):
    """The gaps of these silences."""
    made = Gaps()
    for value in values:
        made.add(value)
    return made


def test_without_a_silence_there_is_nothing_to_tell():
    """One delta has no gap."""
    assert Gaps().quantile(0.5) is None


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([3], 0.5, 3),
        ([1, 2, 3], 0.5, 2),
        ([1, 2, 3, 4], 0.5, 2),
        (range(100), 0.99, 98),
        ([1], 0, 1),
    ],
)
def test_a_quantile_is_one_of_the_silences(values, share, expected):
    """The smallest that so many do not exceed."""
    assert expected == gaps(values).quantile(share)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200))
def test_nothing_is_longer_than_the_whole_and_the_median_is_in_the_middle(values):
    """At least half are as short, and the greatest share is the longest."""
    made = gaps(values)
    median = made.quantile(0.5)

    assert max(values) == made.quantile(1)
    assert 2 * sum(value <= median for value in values) >= len(values)


def test_memory_is_bounded_and_the_sample_is_fair():
    """A hundred thousand silences, their quantiles right within two of a hundred."""
    made = gaps(n % 1000 for n in range(100_000))

    assert len(made._kept) < KEPT
    assert 480 <= made.quantile(0.5) <= 520
    assert 970 <= made.quantile(0.99) <= 1000
