"""An early failure as an HTTP status, and what becomes of a run nobody watches."""

from math import inf

import pytest

from streamkit.errors import (
    InBandError,
    MisuseError,
    Rejected,
    StageError,
    Stalled,
    TransportError,
)
from streamkit.serving import cancel, detach, grace
from streamkit.serving.disconnect import OnDisconnect, as_on_disconnect
from streamkit.serving.status import retry_after, status_of


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Rejected("", status=400), 400),
        (Rejected("", status=413), 413),
        (Rejected("", status=429), 429),
        (Rejected("", status=503), 503),
        (Rejected("", status=401), 502),
        (Rejected("", status=402), 502),
        (Rejected("", status=403), 502),
        (Rejected("", status=407), 502),
        (InBandError("", status=200), 502),
        (InBandError(""), 502),
        (TransportError(""), 502),
        (Stalled("idle", 1), 504),
        (StageError("mine", "raised"), 500),
        (MisuseError(""), 500),
        (KeyError("a bug"), 500),
    ],
)
def test_a_status_tells_the_client_what_it_can_act_on(error, expected):
    """The provider's, unless it is about our key; else whose fault it was."""
    assert expected == status_of(error)


def test_retry_after_is_whole_seconds_rounded_up():
    """Nobody is told to come back too early; without the provider's word nothing is made up."""
    assert "2" == retry_after(Rejected("", retry_after=1.2))
    assert "0" == retry_after(Rejected("", retry_after=-5))
    assert None is retry_after(Rejected(""))
    assert None is retry_after(KeyError())


def test_the_three_ways_to_lose_a_client():
    """At once, after a while, never."""
    assert [0.0, 2.0, inf] == [cancel.linger, grace(2).linger, detach.linger]
    assert [cancel, detach, grace(1)] == [
        as_on_disconnect(value) for value in ("cancel", "detach", OnDisconnect(1.0))
    ]


@pytest.mark.parametrize("seconds", [0, -1, inf, True, "5", None, float("nan")])
def test_a_grace_is_a_number_of_seconds(seconds):
    """Those who mean at once, or never, have words for it."""
    with pytest.raises(MisuseError, match="expected grace in seconds"):
        grace(seconds)


@pytest.mark.parametrize("value", ["stop", 5, None])
def test_what_to_do_at_a_disconnect_is_one_of_three(value):
    """The error names them."""
    with pytest.raises(MisuseError, match=r"cancel, grace\(seconds\) or detach"):
        as_on_disconnect(value)
