"""Many events as few."""

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.events import (
    Citation,
    Finished,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
    Retracted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
)
from streamkit.logs import Fold
from streamkit.logs import fold as room
from streamkit.response import ToolCall

from .readers import DELTAS, letters, told

pieces = st.text("xyz", max_size=3)
choices = st.integers(0, 1)
deltas = st.one_of(
    st.builds(TextDelta, pieces, choices),
    st.builds(ReasoningDelta, pieces, choices, st.sampled_from(["reasoning", "thinking"])),
    st.builds(RefusalDelta, pieces, choices),
    st.builds(ToolCallDelta, choices, pieces, choices, name=st.sampled_from(["", "f"])),
)
others = st.one_of(
    st.builds(ToolCallStarted, choices, choice=choices),
    st.builds(Finished, choices, st.just("stop")),
    st.builds(Metadata, st.none(), st.just({"k": 1})),
    st.builds(Citation, st.just({"url": "u"}), choices),
)
channels = st.sampled_from(["text", "reasoning", "refusal", "tool_calls", "citations"])
retractions = st.builds(Retracted, channels, choices)
streams = st.lists(st.one_of(deltas, deltas, deltas, others), max_size=30)


def folded(*batches, forget=False):
    """What a fold makes of these batches."""
    fold = Fold(forget_retracted=forget)
    for batch in batches:
        fold.absorb(batch)
    return fold.events()


@given(streams)
def test_nothing_is_lost(events):
    """Per channel, choice and call the words are the same, and all other events are kept."""
    assert told(events) == told(folded(events))


@given(streams, st.data())
def test_a_fold_is_blind_to_the_batches(events, data):
    """How events are divided into batches never matters, nor that the fold is read between."""
    at = data.draw(st.integers(0, len(events)))
    fold = Fold()
    fold.absorb(events[:at])
    fold.events()
    fold.absorb(events[at:])
    assert folded(events) == fold.events()


@given(st.lists(st.one_of(deltas, others, retractions), max_size=30))
def test_deltas_never_pass_what_is_no_delta(events):
    """Between two events that are no deltas, the words are those that stood there."""

    def stretches(events):
        parts = groupby(events, lambda event: isinstance(event, DELTAS))
        return [told(list(part)) for _, part in parts]

    assert stretches(events) == stretches(folded(events))


@given(streams)
def test_folding_again_changes_nothing(events):
    """What is as few events as can be stays as it is."""
    assert folded(events) == folded(folded(events))


@given(st.lists(st.one_of(deltas, others, retractions), max_size=30))
def test_what_was_retracted_is_forgotten(events):
    """For one who saw neither, there never was what was taken back."""
    kept = []
    for event in events:
        if isinstance(event, Retracted):
            gone = event.channel, event.choice
            kept = [e for e in kept if (e.channel, getattr(e, "choice", 0)) != gone]
        else:
            kept.append(event)
    result = folded(events, forget=True)
    assert told(kept) == told(result)
    assert not any(isinstance(event, Retracted) for event in result)


def test_deltas_of_one_channel_and_choice_are_one():
    """Deltas that only deltas divide merge, each into the place of its first."""
    events = [*letters("ab"), ReasoningDelta("r"), TextDelta("B", 1), *letters("c")]
    assert [TextDelta("abc"), ReasoningDelta("r"), TextDelta("B", 1)] == folded(events)


def test_reasoning_of_two_fields_stays_two():
    """The field is part of what is told."""
    events = [ReasoningDelta("a", field="x"), ReasoningDelta("b", field="y")]
    assert events == folded(events)


@pytest.mark.parametrize(
    "event", [ToolCallDelta(0, "2", id="i"), ToolCallDelta(0, "2", name="n")], ids=["id", "name"]
)
def test_a_tool_delta_that_tells_more_stays_whole(event):
    """An id or a name that comes late is never merged away."""
    events = [ToolCallDelta(0, "1"), event, ToolCallDelta(0, "3")]
    assert events == folded(events)


def test_a_retraction_stays_for_one_who_saw():
    """Unless it is told to forget, a fold keeps what was shown, and that it was taken back."""
    events = [TextDelta("a"), Retracted("text"), TextDelta("b")]
    assert events == folded(events)
    assert [TextDelta("b")] == folded(events, forget=True)


def test_forgetting_one_choice_leaves_the_others():
    """A retraction takes back one channel of one choice."""
    call = ToolCall("", "f", "{}", valid=True)
    events = [
        TextDelta("a"),
        TextDelta("b", 1),
        ToolCallStarted(0),
        ToolCallDelta(0, "{}"),
        ToolCallCompleted(0, call),
        Retracted("text", 1),
        Retracted("tool_calls"),
    ]
    assert [TextDelta("a")] == folded(events, forget=True)


def test_a_fold_is_true_while_it_holds_something():
    """Empty is false, and so is one that forgot all it had."""
    fold = Fold(forget_retracted=True)
    assert not fold
    fold.absorb(letters("a"))
    assert fold
    fold.absorb([Retracted("text")])
    assert not fold


def test_many_pieces_take_the_room_of_their_text(monkeypatch):
    """Pieces are joined by the block, so memory follows the length, not the count."""
    monkeypatch.setattr(room, "_BLOCK", 4)
    fold = Fold()
    for batch in ("abc", "def", "gh", "ij"):
        fold.absorb(letters(batch))
    (run,) = fold._items
    assert (["abcdef", "ghij"], []) == (run.blocks, run.pieces)
    assert [TextDelta("abcdefghij")] == fold.events()


def test_an_event_that_was_folded_is_not_changed():
    """A fold makes new events; those it was given stay as they are."""
    first = TextDelta("a")
    folded([first, TextDelta("b")])
    assert TextDelta("a") == first
