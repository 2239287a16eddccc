"""Events to a response, one by one or a read at a time."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from streamkit.dialects import get_dialect
from streamkit.events import (
    Citation,
    Finished,
    Heartbeat,
    ReasoningDelta,
    RefusalDelta,
    ResponseCompleted,
    ResponseFailed,
    ResponseStarted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    UsageReported,
)
from streamkit.response import Response, ToolCall, Usage
from streamkit.stages import Accumulator

from ..pipeline.lines import Bytes, body_of, run

CHAT = get_dialect("openai-chat")
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
ANSWER = [
    ResponseStarted("chatcmpl-1", "demo-1"),
    ReasoningDelta("hm"),
    TextDelta("a"),
    TextDelta("other", choice=1),
    TextDelta("b"),
    RefusalDelta("no", choice=1),
    ToolCallStarted(0, "call_1", "look"),
    ToolCallDelta(0, '{"q":'),
    ToolCallDelta(0, "1}"),
    Finished(0, "tool_calls"),
    Finished(1, "stop"),
    UsageReported(CHAT.usage(USAGE), USAGE),
    Heartbeat(),
    ResponseCompleted(evidence="finish_reason"),
]
CALL = ToolCall("call_1", "look", '{"q":1}', valid=True)


def fresh():
    accumulator = Accumulator()
    accumulator.bind(CHAT)
    return accumulator


def one_by_one(events):
    accumulator = fresh()
    return [given for event in events for given in accumulator(event)]


def test_the_terminal_gets_the_response():
    """The response holds every choice, in order, and says what proved the end."""
    response = one_by_one(ANSWER)[-1].response

    assert ("ab", "hm", (CALL,), "finish_reason") == (
        response.text,
        response.reasoning,
        response.tool_calls,
        response.evidence,
    )
    assert ("tool_calls", "tool_calls") == (response.finish_reason, response.finish)
    assert Usage(3, 4, 7) == response.usage
    assert [(0, "ab", ""), (1, "other", "no")] == [
        (choice.index, choice.text, choice.refusal) for choice in response.choices
    ]


def test_the_raw_response_is_the_providers_own_shape():
    """``response.raw`` is what the provider would have said without streaming."""
    raw = one_by_one(ANSWER)[-1].response.raw

    completion = ChatCompletion.model_validate(raw)
    assert ["ab", "other"] == [choice.message.content for choice in completion.choices]
    assert '{"q":1}' == completion.choices[0].message.tool_calls[0].function.arguments
    assert (7, "demo-1") == (completion.usage.total_tokens, completion.model)


def test_completed_calls_come_right_before_the_terminal():
    """Every other event passes as it is; each call is completed once, when all is whole."""
    given = one_by_one(ANSWER)

    assert ANSWER[:-1] == given[:-2]
    assert ToolCallCompleted(0, CALL) == given[-2]


def test_calls_of_several_choices_are_completed_in_order():
    """By choice, then in the order they began."""
    events = [
        ToolCallStarted(0, "c", "z", choice=1),
        ToolCallStarted(0, "a", "x"),
        ToolCallStarted(1, "b", "y"),
        ResponseCompleted(),
    ]
    completed = [event for event in one_by_one(events) if isinstance(event, ToolCallCompleted)]
    assert [(0, 0, "x"), (0, 1, "y"), (1, 0, "z")] == [
        (event.choice, event.call, event.tool_call.name) for event in completed
    ]


@given(st.lists(st.integers(0, len(ANSWER)), max_size=5))
def test_a_read_at_a_time_gives_the_same(cuts):
    """Batches, however they are cut, give what single events give."""
    accumulator, edges = fresh(), sorted({0, *cuts, len(ANSWER)})
    batches = [ANSWER[a:b] for a, b in pairwise(edges)]

    assert one_by_one(ANSWER) == [e for batch in batches for e in accumulator.batch(batch)]


def test_a_batch_without_a_terminal_passes_uncopied():
    """What an accumulator does not change it hands on as it is."""
    batch = ANSWER[:5]
    assert batch is fresh().batch(batch)


def test_a_partial_answer_did_not_end():
    """As far as it came: no evidence, no neutral finish, but the provider's word if it came."""
    accumulator = fresh()
    for event in ANSWER[:-1]:
        accumulator(event)
    partial = accumulator.partial()

    assert ("ab", "tool_calls", None, None) == (
        partial.text,
        partial.finish_reason,
        partial.finish,
        partial.evidence,
    )


def test_nothing_is_an_empty_response():
    """Without events, or without a dialect, there is a response all the same."""
    assert ("", (), {}) == (
        (partial := Accumulator().partial()).text,
        partial.choices,
        partial.raw,
    )
    accumulator = Accumulator()
    assert (
        "x" == [*accumulator(TextDelta("x")), *accumulator(ResponseCompleted())][-1].response.text
    )


def test_a_terminal_that_has_its_own_response_keeps_it():
    """Only a completed answer is given the accumulated response."""
    failed = ResponseFailed(ValueError("x"), Response(text="theirs"))
    assert (failed,) == fresh()(failed)


def test_citations_are_kept_in_the_raw_response():
    """What no field of the response models stands in ``raw``."""
    cited = {"type": "url_citation", "url": "https://example.com"}
    events = [TextDelta("a"), Citation(cited), Finished(0, "stop"), ResponseCompleted()]
    raw = one_by_one(events)[-1].response.raw

    assert [cited] == raw["choices"][0]["message"]["annotations"]


@pytest.mark.anyio
async def test_in_a_line_it_knows_the_dialect():
    """The line binds the dialect before the first event."""
    told = await run(Bytes([body_of("a", usage=(3, 4))]), Accumulator)

    assert (Usage(3, 4, 7), "chat.completion") == (
        told.response.usage,
        told.response.raw["object"],
    )


def test_a_call_that_the_provider_ran_is_none_to_act_upon():
    """It is in the response; nobody is told to run it again."""
    stage = Accumulator()
    stage.bind(CHAT)
    events = [
        ToolCallStarted(0, "1", "ran"),
        ToolResult(0, "done"),
        ToolCallStarted(1, "2", "yours"),
        ToolCallDelta(1, "{}"),
        ResponseCompleted(),
    ]
    out = stage.batch(events)

    assert [1] == [event.call for event in out if isinstance(event, ToolCallCompleted)]
    assert ["ran", "yours"] == [call.name for call in out[-1].response.tool_calls]


def test_a_call_that_the_provider_runs_is_nobody_elses():
    """It is not among the calls, nor told as whole, with a result or without; it did run."""
    accumulator = fresh()
    hosted = [ToolCallStarted(n, f"s{n}", "search", hosted=True) for n in range(2)]
    asked = [ToolCallStarted(2, "call_1", "look"), ToolCallDelta(2, '{"q":1}')]
    result = ToolResult(0, "found", id="s0")

    events = accumulator.batch([*hosted, result, *asked, ResponseCompleted()])

    assert [CALL] == [e.tool_call for e in events if isinstance(e, ToolCallCompleted)]
    assert (CALL,) == events[-1].response.tool_calls
    assert accumulator.tools_ran
