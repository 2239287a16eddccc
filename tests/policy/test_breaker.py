"""Whether streaming is worth a try."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.policy import Breaker
from streamkit.policy.breaker import _KEYS, TRANSITIONS

SIGNALS = ("failed", "tripped", "succeeded", "expired", "left")


def tripped(trip_after=3, recover=60.0, at=0.0):
    """A breaker that is open for the model m since *at*."""
    breaker = Breaker(trip_after, recover)
    for _ in range(trip_after):
        breaker.failed("m", at)
    return breaker


def test_every_state_has_a_way_out_and_no_signal_is_unknown():
    """The table is whole but for what cannot be: only an open one expires."""
    missing = {
        (state, signal)
        for state, signal in product(TRANSITIONS, SIGNALS)
        if signal not in TRANSITIONS[state]
    }

    assert {("closed", "expired"), ("half_open", "expired")} == missing
    assert {"closed", "open", "half_open"} == {
        after for row in TRANSITIONS.values() for after in row.values()
    }


def test_one_error_never_disables_streaming():
    """Nor do as many as are allowed, less one; nor do any that a success divides."""
    breaker = Breaker(3, 60.0)
    for _ in range(5):
        breaker.failed("m", 0)
        breaker.failed("m", 0)
        breaker.succeeded("m", 0)

    assert ("closed", True) == (breaker.state("m"), breaker.allows("m", 0))


def test_failures_in_a_row_open_it_for_that_model_alone():
    """The others know nothing of it."""
    breaker = tripped()

    assert ("open", "closed") == (breaker.state("m"), breaker.state("n"))
    assert (False, True) == (breaker.allows("m", 59.9), breaker.allows("n", 59.9))


def test_after_a_while_one_stream_is_tried():
    """One: until it is known how it went, no other is."""
    breaker = tripped()

    assert [True, False] == [breaker.allows("m", 60), breaker.allows("m", 60)]
    assert "half_open" == breaker.state("m")


@pytest.mark.parametrize(("how", "state"), [("succeeded", "closed"), ("failed", "open")])
def test_the_probe_decides(how, state):
    """It closes it, or opens it for as long again."""
    breaker = tripped()
    breaker.allows("m", 60)
    getattr(breaker, how)("m", 70)

    assert state == breaker.state("m")
    assert (state == "closed") == breaker.allows("m", 70)
    assert breaker.allows("m", 130)


def test_a_probe_that_was_interrupted_proves_nothing():
    """Another is tried later; an interrupt elsewhere changes nothing."""
    breaker = tripped()
    breaker.left("m", 1)
    assert "open" == breaker.state("m")
    breaker.allows("m", 60)
    breaker.left("m", 61)

    assert ("open", False) == (breaker.state("m"), breaker.allows("m", 120))
    assert breaker.allows("m", 121)
    breaker.left("n", 0)
    assert "closed" == breaker.state("n")


def test_a_stream_that_came_through_while_it_was_open_closes_it():
    """It was on its way before; it is proof all the same."""
    breaker = tripped()
    breaker.succeeded("m", 1)

    assert "closed" == breaker.state("m")


def test_without_a_count_it_never_opens():
    """None is never."""
    breaker = Breaker(None, 60.0)
    assert {"closed"} == {breaker.failed("m", 0) for _ in range(100)}


def test_memory_is_bounded():
    """The model that failed longest ago is forgotten."""
    breaker = tripped(2)
    for number in range(_KEYS):
        breaker.failed(f"n{number}", 0)

    assert ("closed", _KEYS) == (breaker.state("m"), len(breaker._records))


@given(
    st.lists(st.tuples(st.sampled_from(["failed", "succeeded", "left", "allows"]), st.floats(0, 9)))
)
def test_it_is_open_only_after_failures_in_a_row(steps):
    """Whatever happens: a success closes it, and two failures alone never open it."""
    breaker, row, now = Breaker(3, 5.0), 0, 0.0
    for step, seconds in steps:
        now += seconds
        getattr(breaker, step)("m", now)
        row = {"failed": row + 1, "succeeded": 0}.get(step, row)
        if row < 3:
            assert "closed" == breaker.state("m")
