"""What watchers are told, and that it is told once."""

from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.events import (
    Finished,
    Rerouted,
    ResponseCompleted,
    ResponseStarted,
    Retracted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
)
from streamkit.logs import MemoryLog
from streamkit.response import ToolCall
from streamkit.supervisor.delivery import Delivery
from streamkit.supervisor.timeline import Timeline

from .clocks import HandClock

DONE = ResponseCompleted()


def told(log):
    """All that was appended."""
    return log.between(0, log.head)


def delivery(hold_events=8):
    """A delivery that has begun its first attempt."""
    made = Delivery(MemoryLog("run"), hold_events, Timeline(0.0), HandClock())
    made.begin()
    return made


def test_a_failure_before_the_first_visible_event_leaves_no_trace():
    """Lifecycle and blank text are held back until something is to be seen."""
    made = delivery()
    made.deliver([ResponseStarted("a"), TextDelta(" "), TextDelta("\n")])
    assert [] == told(made.log)

    made.begin()
    made.deliver([ResponseStarted("b"), TextDelta("x")])
    assert [ResponseStarted("b"), TextDelta("x")] == told(made.log)


def test_what_is_held_comes_first_and_in_order():
    """The first visible event frees it."""
    made = delivery()
    made.deliver([ResponseStarted("a"), TextDelta(" ")])
    made.deliver([TextDelta("x")])

    assert [ResponseStarted("a"), TextDelta(" "), TextDelta("x")] == told(made.log)


def test_the_hold_is_bounded():
    """A provider that sends blanks for ever is not held for ever."""
    made = delivery(hold_events=3)
    made.deliver([TextDelta(" ")] * 2)
    assert [] == told(made.log)
    made.deliver([TextDelta(" ")])
    assert [TextDelta(" ")] * 3 == told(made.log)


def test_an_empty_answer_is_told_at_its_end():
    """Nothing visible, and complete all the same."""
    made = delivery()
    made.deliver([ResponseStarted("a"), Finished(0, "stop"), DONE])

    assert [ResponseStarted("a"), Finished(0, "stop")] == told(made.log)


def test_a_log_has_one_start():
    """A later attempt's start is no news."""
    made = delivery()
    made.deliver([ResponseStarted("a"), TextDelta("x")])
    made.reroute("transport", 2)
    made.begin()
    made.deliver([ResponseStarted("b"), TextDelta("xy"), DONE])

    assert [
        ResponseStarted("a"),
        TextDelta("x"),
        Rerouted("transport", 2),
        TextDelta("y"),
    ] == told(made.log)


def test_completed_calls_wait_for_the_whole_answer():
    """Nothing a caller acts upon is told before the terminal came through every stage."""
    made = delivery()
    call = ToolCallCompleted(0, ToolCall("1", "look", "{}", valid=True))
    made.deliver([ToolCallStarted(0, "1", "look"), ToolCallDelta(0, "{}"), call])
    assert [ToolCallStarted(0, "1", "look"), ToolCallDelta(0, "{}")] == told(made.log)

    made.deliver([DONE])
    assert call == told(made.log)[-1]


def test_completed_calls_wait_where_they_come_alone():
    """A stage with a task of its own gives them before the terminal; it may still fail."""
    made = delivery()
    call = ToolCallCompleted(0, ToolCall("1", "look", "{}", valid=True))
    made.deliver([TextDelta("x")])
    made.deliver([TextDelta("y"), call])
    assert [TextDelta("x"), TextDelta("y")] == told(made.log)

    made.deliver([DONE])
    assert call == told(made.log)[-1]


def test_completed_calls_of_a_failed_attempt_are_never_told():
    """They belong to an answer that did not come to its end."""
    made = delivery()
    call = ToolCallCompleted(0, ToolCall("1", "look", "{}", valid=True))
    made.deliver([ToolCallStarted(0, "1", "look"), call])
    made.begin()
    made.deliver([TextDelta("no tools"), DONE])

    assert call not in told(made.log)
    assert Retracted("tool_calls", 0) in told(made.log)


def test_an_older_attempt_is_refused():
    """What a retired attempt still says is not appended."""
    made = delivery()
    old = attrs.evolve(made)
    old.begin()
    made.begin()
    old.deliver([TextDelta("late")])

    assert [] == told(made.log)


def test_the_first_text_is_told_of_once():
    """For the timings: whatever attempt it came from."""
    made = delivery()
    made.clock.time = 3.0
    made.deliver([TextDelta("a"), TextDelta("b")])
    made.clock.time = 5.0
    made.begin()
    made.deliver([TextDelta("abc"), DONE])

    assert 3.0 == made.timeline.timings(6.0).first_text


@pytest.mark.parametrize("first", ["Hello", "Hel", "Hi", " Hello"])
@given(data=st.data())
def test_whatever_was_shown_the_watcher_ends_with_the_winning_answer(first, data):
    """Retractions applied, it is told exactly once."""
    final = "Hello, world"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(final) - 1), max_size=4)))
    edges = [0, *cuts, len(final)]
    made = delivery()
    made.deliver([TextDelta(first)])
    made.begin()
    for start, stop in pairwise(edges):
        made.deliver([TextDelta(final[start:stop])])
    made.deliver([DONE])

    shown = ""
    for event in told(made.log):
        shown = "" if isinstance(event, Retracted) else shown + event.text
    assert final == shown
    assert (not final.startswith(first)) == any(isinstance(e, Retracted) for e in told(made.log))
