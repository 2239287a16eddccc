"""The fold of events: what it keeps of the order they came in."""

from hypothesis import given
from hypothesis import strategies as st

from streamkit.dialects import Answer
from streamkit.events import Metadata, ReasoningDelta, TextDelta, ToolCallDelta, ToolCallStarted


def runs_of(*events):
    """What the first choice says, in order."""
    answer = Answer()
    for event in events:
        answer.add(event)
    return [(kind, list(run)) for kind, run in answer.choice(0).runs()]


def part(**fields):
    """An item that stands among the text."""
    return Metadata(0, {"parts": [fields]}, message=True)


def test_what_is_not_text_keeps_its_place():
    """Reasoning, calls and parts stand where they came; pieces in a row are one run."""
    events = [ReasoningDelta("a"), ReasoningDelta("b"), TextDelta("c"), TextDelta("d")]
    events += [part(x=1), part(y=1), ToolCallStarted(0), ToolCallDelta(0, "{}"), TextDelta("e")]
    events += [ToolCallDelta(0, " "), ToolCallStarted(1), ReasoningDelta("f")]
    assert [
        ("reasoning", [0, 1]),
        ("text", [0, 1]),
        ("parts", [0, 1]),
        ("calls", [0]),
        ("text", [2]),
        ("calls", [1]),
        ("reasoning", [2]),
    ] == runs_of(*events)
    assert [("text", [0])] == runs_of(TextDelta("a"))
    assert [] == runs_of(Metadata(0, {"other": 1}, message=True))


kinds = st.sampled_from(["text", "reasoning", "parts"])


@given(st.lists(kinds))
def test_runs_are_the_order_the_pieces_came_in(order):
    """Each piece once, in its place."""
    of = {"text": TextDelta("a"), "reasoning": ReasoningDelta("b"), "parts": part(x=1)}
    told = [kind for kind, run in runs_of(*map(of.get, order)) for _ in run]
    assert order == told
