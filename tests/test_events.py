"""The vocabulary, and the three questions asked of an event."""

import attrs
import pytest

from streamkit import events as vocabulary
from streamkit.events import (
    CHANNELS,
    AwaitingInput,
    Citation,
    ContentEvent,
    Event,
    Finished,
    Gap,
    Heartbeat,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
    Rerouted,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    ResponseStarted,
    Retracted,
    StepCompleted,
    StepStarted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    Unknown,
    UsageReported,
    is_progress,
    is_text,
    is_visible,
)
from streamkit.response import Response, ToolCall, Usage

CALL = ToolCall("c", "f", "{}", valid=True)
CONTENT = {
    TextDelta("a"): "text",
    ReasoningDelta("a"): "reasoning",
    RefusalDelta("a"): "refusal",
    ToolCallStarted(0): "tool_calls",
    ToolCallDelta(0): "tool_calls",
    ToolCallCompleted(0, CALL): "tool_calls",
    ToolResult(0): "tool_calls",
    StepStarted("inference"): "steps",
    StepCompleted("inference"): "steps",
}
TERMINALS = [
    ResponseCompleted(),
    ResponseFailed(KeyError(), Response()),
    ResponseCancelled(Response()),
]
OTHERS = [
    ResponseStarted(),
    AwaitingInput(),
    UsageReported(Usage()),
    Finished(0, "stop"),
    Metadata(None, {"k": 1}),
    Unknown({}),
    Heartbeat(),
    Rerouted("stalled"),
    Retracted("text"),
    Gap("1-1"),
]
KINDS = [
    kind
    for name in vocabulary.__all__
    if isinstance(kind := getattr(vocabulary, name), type) and issubclass(kind, Event)
]
name_of = lambda event: type(event).__name__  # noqa: E731


def test_every_event_is_asked_about_here():
    """The lists of this file leave no event out."""
    asked = {type(event) for event in (*CONTENT, Citation({}), *TERMINALS, *OTHERS)}
    roots = {Event, ContentEvent, vocabulary.Terminal}
    assert asked == set(KINDS) - roots


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_events_are_frozen_and_slotted(kind):
    """A value that many readers share cannot be changed, nor grow."""
    assert attrs.has(kind)
    assert "__dict__" not in dir(kind)
    event = object.__new__(kind)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.anything = 1


@pytest.mark.parametrize("event", CONTENT, ids=name_of)
def test_content_has_a_channel_and_is_progress(event):
    """What is shown is shown in one of six channels, and shows the provider at work."""
    assert CONTENT[event] == event.channel
    assert event.channel in CHANNELS
    assert is_progress(event)
    assert is_visible(event)
    assert not event.terminal
    assert 0 == event.choice


def test_a_citation_is_content():
    """Its channel is its own."""
    assert "citations" == Citation({"url": "u"}).channel
    assert is_visible(Citation({"url": "u"}))
    assert is_progress(Citation({"url": "u"}))


@pytest.mark.parametrize("event", OTHERS, ids=name_of)
def test_other_events_show_nothing(event):
    """Lifecycle and bookkeeping feed no clock and end no hold."""
    assert [False] * 3 == [asked(event) for asked in (is_progress, is_visible, is_text)]
    assert not event.terminal
    assert isinstance(event, Retracted) or event.channel is None


@pytest.mark.parametrize("event", TERMINALS, ids=name_of)
def test_three_events_are_ends(event):
    """They are terminal, and nothing else."""
    assert event.terminal
    assert [False] * 3 == [asked(event) for asked in (is_progress, is_visible, is_text)]


@pytest.mark.parametrize("kind", [TextDelta, ReasoningDelta, RefusalDelta])
@pytest.mark.parametrize(
    ("visible", "text"), [(False, ""), (False, " \n\t"), (True, "a"), (True, " a"), (True, ".")]
)
def test_blank_words_are_progress_that_nobody_sees(kind, visible, text):
    """They feed the clocks, and do not end the hold."""
    assert (True, visible) == (is_progress(kind(text)), is_visible(kind(text)))


@pytest.mark.parametrize(
    ("expected", "event"),
    [
        (True, TextDelta("a")),
        (True, TextDelta(" ")),
        (False, TextDelta("")),
        (False, ReasoningDelta("a")),
        (False, RefusalDelta("a")),
        (False, ToolCallStarted(0)),
    ],
)
def test_only_text_is_text(expected, event):
    """Reasoning, refusals and tools fire no ``on_first_delta``; blank text does."""
    assert expected == is_text(event)


def test_events_are_equal_by_value():
    """Two that tell the same are the same, and another kind never is."""
    assert TextDelta("a", 1) == TextDelta("a", 1)
    assert TextDelta("a") != TextDelta("a", 1)
    assert TextDelta("a") != RefusalDelta("a")


def test_a_retraction_names_what_to_forget():
    """Its channel is a field, beside the choice."""
    assert ("reasoning", 2) == (Retracted("reasoning", 2).channel, Retracted("reasoning", 2).choice)
