"""Every clock and every bound, in one value."""

from math import inf, nan

import attrs
import pytest

from streamkit.errors import MisuseError
from streamkit.limits import Limits

FIELDS = [field.name for field in attrs.fields(Limits)]
BOUNDS = ["max_frame_bytes", "max_response_bytes", "hold_events"]
CLOCKS = [name for name in FIELDS if name not in BOUNDS]


def test_the_clocks_and_bounds_of_the_design():
    """Each has a default, so nothing is ever unbounded by accident."""
    assert {
        "connect", "first_byte", "first_content", "idle", "drain", "total",
        "buffered_total", "liveness", "finalise", "send_timeout", *BOUNDS,
    } == set(FIELDS)  # fmt: skip
    clocks = attrs.asdict(Limits())
    assert clocks.pop("liveness") is None  # what puts others off, and is off itself
    assert all(0 < value < inf for value in clocks.values())


def test_the_defaults_let_each_clock_run_out():
    """No clock is hidden behind a shorter one that covers it."""
    limits = Limits()
    assert limits.first_byte <= limits.first_content <= limits.total
    assert limits.idle <= limits.total
    assert limits.buffered_total <= limits.total
    assert limits.max_frame_bytes <= limits.max_response_bytes


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [0, -1, nan])
def test_nothing_is_no_limit(name, value):
    """Zero, less, or no number at all is refused when the limits are made."""
    with pytest.raises(MisuseError, match=name):
        Limits(**{name: value})


@pytest.mark.parametrize("name", CLOCKS)
def test_a_clock_may_be_infinite(name):
    """Whoever wants to wait for ever may."""
    assert inf == getattr(Limits(**{name: inf}), name)


def test_limits_are_a_value():
    """Frozen, equal by value, and made by keyword: positions would say nothing."""
    assert Limits(idle=3) == Limits(idle=3) != Limits()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Limits().idle = 1
    with pytest.raises(TypeError):
        Limits(1)
