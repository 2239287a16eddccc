"""What a format is told that cannot take back."""

import pytest

from streamkit.errors import MisuseError, RetractedAnswer
from streamkit.events import (
    Gap,
    Heartbeat,
    ResponseCompleted,
    ResponseFailed,
    Retracted,
    StepStarted,
    TextDelta,
    ToolCallStarted,
)
from streamkit.policy import Irrevocable


def through(events, channels=("text", "tool_calls"), **settings):
    """What comes out."""
    view = Irrevocable(frozenset(channels), **settings)
    return [out for event in events for out in view(event)]


def test_what_was_never_shown_needs_no_retraction():
    """A retraction of blanks, or of another choice, is not told."""
    events = [TextDelta(" "), Retracted("text"), TextDelta("b", 1), Retracted("text", 0)]

    assert [TextDelta(" "), TextDelta("b", 1)] == through(events)


def test_by_default_a_retraction_is_the_end():
    """It fails with an error of its own, and nothing follows."""
    *told, end = through([TextDelta("a"), Retracted("text"), TextDelta("b"), ResponseCompleted()])

    assert [TextDelta("a")] == told
    assert isinstance(end, ResponseFailed)
    assert isinstance(end.error, RetractedAnswer)
    assert "retracted" == end.error.code


def test_a_seam_stands_once_before_the_text_that_replaces():
    """It is of the channel and choice that was taken back."""
    events = [TextDelta("a", 1), Retracted("text", 1), TextDelta("b"), TextDelta("c", 1)]

    out = through([*events, TextDelta("d", 1)], on_retract="seam", seam="|")

    expected = ["a1", "b0", "|1", "c1", "d1"]
    assert expected == [f"{event.text}{event.choice}" for event in out]


def test_a_tool_call_cannot_be_told_twice():
    """No seam divides two calls: whoever acts on both acts twice."""
    events = [ToolCallStarted(0, "id", "name"), Retracted("tool_calls")]
    end = through(events, on_retract="seam")[-1]

    assert isinstance(end, ResponseFailed)


def test_what_a_format_can_take_back_or_never_tells_passes():
    """A step told again hurts nobody who was not told of steps."""
    events = [StepStarted("inference", "1"), Retracted("steps"), StepStarted("inference", "2")]

    assert events == through(events)


def test_a_gap_is_the_end():
    """What follows a gap was told before."""
    (end,) = through([Gap("1-7"), TextDelta("a")], on_retract="seam")

    assert isinstance(end, ResponseFailed)


def test_what_shows_nothing_passes():
    """Heartbeats and the end are as they are."""
    events = [Heartbeat(), ResponseCompleted()]

    assert events == through(events)


def test_a_policy_is_one_of_two():
    """The error names them."""
    with pytest.raises(MisuseError, match="'fail', 'seam'"):
        Irrevocable(frozenset(), on_retract="forget")
