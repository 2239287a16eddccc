"""Which text a watcher may see once the turn is a tool call."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.events import (
    Finished,
    ReasoningDelta,
    ResponseCompleted,
    StepStarted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
)
from streamkit.response import ToolCall
from streamkit.stages import Accumulator, Suppressor
from streamkit.testing import answers

from ..pipeline.lines import Bytes, run

BEFORE, AFTER = TextDelta("before"), TextDelta("after")
CALL = ToolCallStarted(0, "call_1", "look")


def shown(events, stage=None):
    stage = stage or Suppressor()
    return [given for event in events for given in stage(event)]


@pytest.mark.parametrize("call", [CALL, ToolCallDelta(0, "{}")])
def test_text_behind_a_tool_call_is_hidden(call):
    """Text before the call is shown, text after it is not, and all else is."""
    rest = [ReasoningDelta("hm"), Finished(0, "tool_calls"), ResponseCompleted()]

    assert [BEFORE, call, *rest] == shown([BEFORE, call, AFTER, *rest])


def test_choices_are_apart():
    """A call in one choice hides nothing of another."""
    other = TextDelta("other", choice=1)
    assert [CALL, other] == shown([CALL, other, AFTER])


def test_a_completed_call_hides_nothing():
    """Only a call that streams begins a tool turn; the completed one comes at the end."""
    completed = ToolCallCompleted(0, ToolCall("a", "b", "{}", valid=True))
    assert [completed, AFTER] == shown([completed, AFTER])


def test_off_hides_nothing():
    """With ``off`` all text is shown."""
    assert [CALL, AFTER] == shown([CALL, AFTER], Suppressor(mode="off"))


EVENTS = st.lists(st.sampled_from([BEFORE, CALL, AFTER, TextDelta("x", 1), Finished(0, "stop")]))


@given(EVENTS, st.lists(st.integers(0, 20), max_size=4))
def test_a_read_at_a_time_hides_the_same(events, cuts):
    """Batches, however they are cut, show what single events show."""
    stage, edges = Suppressor(), sorted({0, *(min(cut, len(events)) for cut in cuts), len(events)})
    batches = [events[a:b] for a, b in pairwise(edges)]

    assert shown(events) == [event for batch in batches for event in stage.batch(batch)]


def test_a_batch_without_a_tool_call_passes_uncopied():
    """What a suppressor does not change it hands on as it is."""
    batch = [BEFORE, AFTER]
    assert batch is Suppressor().batch(batch)


@pytest.mark.anyio
@pytest.mark.parametrize("fuse", [True, False])
async def test_what_is_hidden_is_in_the_response(fuse):
    """Behind the accumulator the suppressor changes the view, never the answer."""
    frames = answers.tool_stream("look", '{"q":1}', before=["Let ", "me."], after=[" Done."])
    told = await run(Bytes([b"".join(frames)]), Accumulator, Suppressor, fuse=fuse)

    assert ("Let me.", "Let me. Done.") == (told.text, told.response.text)
    assert '{"q":1}' == told.response.tool_calls[0].arguments


def test_an_agents_next_step_is_told_anew():
    """A tool that the provider ran hides the rest of its step, not the answer behind it."""
    stage = Suppressor()
    events = [
        ToolCallStarted(0, "1", "look"),
        TextDelta("hidden"),
        StepStarted("inference", "s2"),
        TextDelta("told"),
    ]

    assert [events[0], *events[2:]] == stage.batch(events)


def test_text_behind_a_call_that_the_provider_runs_is_shown():
    """It is the answer; behind a call of the caller's it is not, whatever came between."""
    hosted = [ToolCallStarted(0, "s", "search", hosted=True), ToolCallDelta(0, "{}")]
    call = ToolCallStarted(1, "call_1", "look")

    assert [*hosted, AFTER] == shown([*hosted, AFTER])
    assert [*hosted, BEFORE, call, *hosted] == shown([*hosted, BEFORE, call, *hosted, AFTER])
