"""Events as chunks: what the decoder reads back, and what the official client makes of them."""

import json

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from streamkit.dialects import OpenAIChatEncoder
from streamkit.dialects.openai_chat.completion import usage_of
from streamkit.errors import InBandError, RetractedAnswer, Stalled
from streamkit.events import (
    AwaitingInput,
    Citation,
    Finished,
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
)
from streamkit.framing import Frame
from streamkit.response import Choice, Response, ToolCall, Usage
from streamkit.testing import FaultProvider, Reply, answers

from ..leftovers import LEFT_BY_SDKS
from . import test_llama_stack_turn as agents
from .chat import DIALECT, DONE, USAGE, accumulated, frames, opened, raw_of, streamed

STARTED = ResponseStarted("chatcmpl-a1", "m-1", {"created": 17})
HEAD = {"id": "chatcmpl-a1", "object": "chat.completion.chunk", "created": 17, "model": "m-1"}
STOP = Finished(0, "stop")
END = ResponseCompleted()
ROLE = {"role": "assistant"}
REQUEST = {"model": "m-1", "messages": [{"role": "user", "content": "hello"}]}

on_every_loop = [pytest.mark.anyio, LEFT_BY_SDKS]


def text(frame):
    """A frame's data, as it is read."""
    return frame.data if isinstance(frame.data, str) else frame.data.decode("ascii")


def told(*events):
    """What these events are told as: JSON values, or the done marker."""
    texts = [text(frame) for frame in frames(*events)]
    return [data if data == DONE else json.loads(data) for data in texts]


def choices(*events):
    """The choices of the chunks that have one."""
    return [c for value in told(*events) if value != DONE for c in value["choices"]]


def deltas(*events):
    """The deltas that were told."""
    return [choice["delta"] for choice in choices(*events)]


def reason_of(*events):
    """The one finish reason that was told."""
    reasons = [c["finish_reason"] for c in choices(*events) if c["finish_reason"]]
    assert 1 == len(reasons)
    return reasons[0]


def usage_told(*events):
    """The usage of the chunk behind the finish reason."""
    *_, usage, done = told(STARTED, TextDelta("a"), *events, STOP, END)
    assert (DONE, []) == (done, usage["choices"])
    return usage["usage"]


def reread(events):
    """What the decoder makes of what was told of these events."""
    return streamed(*[Frame(text(frame)) for frame in frames(*events)])


def sse(*events):
    """The bytes a client gets."""
    return b"".join(b"id: 1-1\ndata: " + text(f).encode() + b"\n\n" for f in frames(*events))


# -- the contract


def test_the_format_cannot_take_back():
    """It says nothing first, has no heartbeat of its own, and nobody comes back."""
    encoder = opened()
    assert {"text", "reasoning", "refusal", "tool_calls"} == encoder.irrevocable
    assert (None, None) == (encoder.heartbeat(), encoder.farewell())


def test_a_frame_depends_on_what_was_told_before():
    """A role is said once, and a finish reason waits."""
    assert opened().remembers
    assert frames(TextDelta("a"))[0] != frames(STARTED, TextDelta("b"), TextDelta("a"))[-1]


def test_each_stream_has_an_encoder_of_its_own():
    """The dialect gives a fresh one."""
    assert isinstance(DIALECT.encoder(), OpenAIChatEncoder)
    assert DIALECT.encoder() is not DIALECT.encoder()


@pytest.mark.parametrize(
    "event",
    [
        ToolResult(0, "42", id="c"),
        StepStarted("inference"),
        StepCompleted("inference"),
        AwaitingInput(),
        Rerouted("transport"),
        Unknown({"odd": 1}),
        Heartbeat(),
        STARTED,
        STOP,
        ToolCallCompleted(0, ToolCall("c", "f", "{}", valid=True)),
        UsageReported(Usage(1, 2)),
        Citation({"url": "u"}),
        Metadata(None, {"x": 1}),
        ToolCallDelta(0, extra={"tool_call": "", "parse_status": "started"}),
        ToolCallDelta(0),
        Metadata(0, {"role": "model", "content": None, "tool_calls": []}, message=True),
    ],
    ids=repr,
)
def test_what_has_no_chunk_of_its_own_gives_none(event):
    """It is told with another chunk, or the API has no word for it."""
    assert [] == frames(event)


# -- deltas


def test_text_is_content_and_the_first_says_the_role():
    """Each piece is a chunk with the answer's envelope, of one line of ASCII."""
    assert [
        {**HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in ({**ROLE, "content": "Zażółć\n"}, {"content": "\u2028gęślą"}, {"content": ""})
    ] == told(STARTED, TextDelta("Zażółć\n"), TextDelta("\u2028gęślą"), TextDelta(""))
    for frame in frames(STARTED, TextDelta("Zażółć\n"), TextDelta("\u2028\ud800")):
        assert isinstance(frame.data, bytes)
        assert frame.data.isascii()
        assert b"\n" not in frame.data


@given(st.lists(st.text()), st.text(), st.text())
def test_the_quick_way_writes_what_the_slow_way_does(texts, id_, model):
    """Every chunk of text is the first one but for its text, whatever the envelope holds."""
    started = ResponseStarted(id_, model, {"service_tier": '"",""'})
    first, *rest = told(started, TextDelta("first"), *map(TextDelta, texts))
    first["choices"][0]["delta"] = {}
    for value, piece in zip(rest, texts, strict=True):
        assert {"content": piece} == value["choices"][0].pop("delta")
        value["choices"][0]["delta"] = {}
        assert first == value


def test_each_choice_says_its_role_once():
    """Choices are told apart by their index."""
    assert [
        (0, {**ROLE, "content": "a"}),
        (1, {**ROLE, "content": "b"}),
        (0, {"content": "c"}),
        (1, {"content": "d"}),
    ] == [
        (c["index"], c["delta"])
        for c in choices(TextDelta("a"), TextDelta("b", 1), TextDelta("c"), TextDelta("d", 1))
    ]


def test_choices_begin_in_order():
    """Clients find them by place: those below one that comes early say their role first."""
    said = choices(TextDelta("c", 2), TextDelta("a", 0), TextDelta("b", 1))
    assert [(0, ROLE), (1, ROLE), (2, {**ROLE, "content": "c"})] == [
        (c["index"], c["delta"]) for c in said[:3]
    ]
    assert [(0, {"content": "a"}), (1, {"content": "b"})] == [
        (c["index"], c["delta"]) for c in said[3:]
    ]
    assert 129 == len(choices(TextDelta("far", 10**9)))  # bounded by the API's greatest n


def test_a_choice_that_only_filled_a_place_does_not_finish():
    """Nothing is known of it, so nothing is said of its end."""
    assert [2] == [c["index"] for c in choices(TextDelta("c", 2), END) if c["finish_reason"]]


def test_a_refusal_is_told_as_one():
    """Piece by piece."""
    assert [{**ROLE, "refusal": "I "}, {"refusal": "cannot"}] == deltas(
        RefusalDelta("I "), RefusalDelta("cannot")
    )


# -- reasoning


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "reasoning_content reasoning"])
def test_reasoning_comes_in_the_field_it_came_in(field):
    """In each of them, where there were several."""
    assert [
        ROLE | dict.fromkeys(field.split(), "th"),
        dict.fromkeys(field.split(), "ink"),
        {"content": "4"},
    ] == deltas(ReasoningDelta("th", 0, field), ReasoningDelta("ink", 0, field), TextDelta("4"))


def test_the_first_piece_of_reasoning_waits_for_one_event_and_no_other_does():
    """It is told before whatever comes behind it, even where that is told as nothing."""
    encoder, think = opened(), ReasoningDelta("hm")
    encoder.encode(TextDelta("a"))
    assert [0, 2, 1, 1, 1] == [
        len(encoder.encode(event))
        for event in (think, TextDelta("b"), think, TextDelta("c"), think)
    ]
    encoder = opened()
    assert [0, 1, 1] == [len(encoder.encode(event)) for event in (think, Heartbeat(), think)]
    encoder = opened()  # a choice waits for itself alone
    assert [0, 1, 2, 1] == [
        len(encoder.encode(event))
        for event in (think, ReasoningDelta("x", 1), TextDelta("a", 1), ReasoningDelta("y", 1))
    ]


def details(piece, **fields):
    """Reasoning as OpenRouter tells it beside the text."""
    item = {"type": "reasoning.text", "text": piece, "index": 0, **fields}
    return Metadata(0, {"reasoning_details": [item], "refusal": None}, message=True)


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_and_its_details_share_a_delta(field):
    """Readers take the one or the other: in two deltas they would take both."""
    pieces = ["First", ", then", "."]
    events = [e for p in pieces for e in (ReasoningDelta(p, 0, field), details(p))]
    assert [{field: piece, **details(piece).extra} for piece in pieces] == [
        {k: v for k, v in delta.items() if k not in ("role", "content")}
        for delta in deltas(*events, TextDelta("4"))[:3]
    ]
    events = [STARTED, *events, ReasoningDelta("!", 0, field), TextDelta("4"), STOP, END]
    assert raw_of(events) == raw_of(reread(events))


def test_details_that_are_all_the_reasoning_tell_it():
    """Reasoning that has no field was read from its details."""
    events = [e for p in ("First", ".") for e in (ReasoningDelta(p, 0, ""), details(p))]
    assert [details("First").extra | ROLE, details(".").extra] == deltas(*events)
    assert raw_of([STARTED, *events, STOP]) == raw_of(reread([STARTED, *events, STOP, END]))


def test_details_behind_reasoning_that_was_told_are_told_too():
    """No field is lost; and from then on reasoning waits for them."""
    think, late = ReasoningDelta("hm"), details("hm")
    said = deltas(think, TextDelta("a"), late, think, details("more"), TextDelta("b"))
    assert [late.extra, {"reasoning_content": "hm"} | details("more").extra] == said[2:4]


def test_details_of_another_choice_do_not_take_reasoning_along():
    """Each choice thinks for itself."""
    other = Metadata(1, {"reasoning_details": [{"text": "x"}]}, message=True)
    assert [(0, {**ROLE, "reasoning_content": "hm"}), (1, ROLE | other.extra)] == [
        (c["index"], c["delta"]) for c in choices(ReasoningDelta("hm"), other)
    ]


# -- tool calls


def test_a_call_is_told_whole_with_its_first_piece():
    """Index, id, type and name once; then only arguments."""
    assert [
        {
            "index": 0,
            "id": "call_1",
            "type": "function",
            "function": {"name": "f", "arguments": ""},
        },
        {"index": 0, "function": {"arguments": '{"a":'}},
        {"index": 0, "function": {"arguments": "1}"}},
        {"index": 1, "id": "", "type": "function", "function": {"name": "", "arguments": ""}},
        {"index": 1, "id": "late", "function": {"name": "g", "arguments": ""}},
    ] == [
        piece
        for delta in deltas(
            ToolCallStarted(0, "call_1", "f"),
            ToolCallDelta(0, '{"a":'),
            ToolCallDelta(0, "1}"),
            ToolCallStarted(1),
            ToolCallDelta(1, id="late", name="g"),
        )
        for piece in delta["tool_calls"]
    ]


def test_fields_of_a_call_that_nobody_modelled_are_told():
    """Beside the call and inside its function, where they came from."""
    extra = {"extra_content": {"google": {"sig": "c2ln"}}, "function": {"strict": True}}
    more = {"type": "odd", "function": "no object", "index": 9}
    began, went_on, last = (
        delta["tool_calls"][0]
        for delta in deltas(
            ToolCallStarted(0, "c", "f", extra=extra),
            ToolCallDelta(0, extra={"extra_content": {"more": 1}}),
            ToolCallDelta(0, "{}", extra=more),
        )
    )
    assert {"name": "f", "arguments": "", "strict": True} == began["function"]
    assert extra["extra_content"] == began["extra_content"]
    assert {"index": 0, "extra_content": {"more": 1}, "function": {"arguments": ""}} == went_on
    assert {"index": 0, "type": "odd", "function": {"arguments": "{}"}} == last


def test_a_custom_tool_has_an_input():
    """Its body is ``custom``, and its input any text."""
    events = [
        ToolCallStarted(0, "c", "run", extra={"type": "custom", "custom": {"format": "py"}}),
        ToolCallDelta(0, "x = 1", extra={"type": "custom"}),
        Finished(0, "tool_calls"),
    ]
    first, second = (delta["tool_calls"][0] for delta in deltas(*events))
    body = {"name": "run", "input": "", "format": "py"}
    assert {"index": 0, "id": "c", "type": "custom", "custom": body} == first
    assert {"index": 0, "type": "custom", "custom": {"input": "x = 1"}} == second
    assert raw_of([STARTED, *events]) == raw_of(reread([STARTED, *events, END]))


def test_a_call_whose_beginning_was_not_told_begins_with_its_first_piece():
    """Calls are counted in the order they are told, for clients find them by place."""
    pieces = [
        delta["tool_calls"][0]
        for delta in deltas(
            ToolCallDelta(7, '{"a"'),
            ToolCallDelta(7, ":1}"),
            ToolCallDelta(3, id="c", name="f"),
            ToolCallStarted(3, "c", "f"),
        )
    ]
    assert [0, 0, 1, 1] == [piece["index"] for piece in pieces]
    assert ("", "function", {"name": "", "arguments": '{"a"'}) == tuple(
        pieces[0][key] for key in ("id", "type", "function")
    )


def test_fragments_of_a_call_that_an_agent_writes_are_not_told():
    """Neither before it is known which call it is, nor behind it."""
    fragment = {"tool_call": '{"na', "parse_status": "in_progress"}
    assert 1 == len(
        deltas(
            ToolCallDelta(0, extra=fragment),
            ToolCallStarted(0, "c", "f"),
            ToolCallDelta(0, extra=fragment),
        )
    )


# -- what nobody modelled


def test_fields_of_the_answer_stand_beside_the_choices():
    """Once; but what the API says in every chunk is in every chunk."""
    first, second, third, last, _ = told(
        ResponseStarted("i", "m", {"created": 3, "system_fingerprint": "fp", "provider": "p"}),
        TextDelta("a"),
        TextDelta("b"),
        Metadata(None, {"timings": {"ms": 1}, "service_tier": "flex", "provider": None}),
        TextDelta("c"),
        Metadata(None, {"behind": True}),
        END,
    )
    head = {"id": "i", "object": "chat.completion.chunk", "created": 3, "model": "m"}
    head["system_fingerprint"] = "fp"
    for value in (first, second, third, last):
        del value["choices"]
    assert {**head, "provider": "p"} == first
    assert head == second
    head["service_tier"] = "flex"
    assert {**head, "timings": {"ms": 1}, "provider": None} == third
    assert {**head, "behind": True} == last


def test_fields_that_would_be_read_as_ours_are_not_told():
    """A foreign provider's words for its kind of object, its usage or its error."""
    extra = {
        "object": "response",
        "choices": [1],
        "usage": {"a": 1},
        "error": {"code": 5},
    }
    first, *_ = told(ResponseStarted("i", "m", extra), TextDelta("a"))
    assert ("chat.completion.chunk", False, False, 1) == (
        first["object"],
        "usage" in first,
        "error" in first,
        len(first["choices"]),
    )
    first, *_ = told(ResponseStarted("i", "m", {"error": None}), TextDelta("a"))
    assert first["error"] is None


def test_an_answer_without_an_id_has_the_runs():
    """A late id counts as long as none was told; a late model always."""
    late = Metadata(None, {"id": "late", "model": "m"})
    first, second = told(TextDelta("a"), late, TextDelta("b"))
    assert ("chatcmpl-r-1", "", 0) == tuple(first[key] for key in ("id", "model", "created"))
    assert ("chatcmpl-r-1", "m", 0) == tuple(second[key] for key in ("id", "model", "created"))
    assert "late" == told(ResponseStarted(), late, TextDelta("a"))[0]["id"]


def test_fields_of_a_choice_stand_on_it_and_fields_of_its_message_in_its_delta():
    """And what only whole messages have is left out: readers of deltas would choke on it."""
    seen = {"logprobs": {"content": []}, "index": 9, "delta": "x", "finish_reason": "stop"}
    assert [
        {"index": 1, "delta": ROLE, "finish_reason": None, "logprobs": {"content": []}},
        {"index": 1, "delta": {"audio": {"id": "au"}}, "finish_reason": None},
    ] == choices(
        Metadata(1, seen),
        Metadata(1, {"audio": {"id": "au"}, "role": "model", "content": []}, message=True),
    )[1:]


def test_lists_that_clients_cannot_join_are_told_whole_at_the_end():
    """Items without an index, and what follows in the same field."""
    events = [
        Metadata(0, {"parts": [1], "audio": {"id": "au"}}, message=True),
        Metadata(0, {"parts": [{"a": 1}]}, message=True),
        TextDelta("x"),
        Citation({"url": "u", "index": 0}),
        Metadata(0, {"parts": [2]}, message=True),
        Citation({"url": "v", "index": 0}),
        STOP,
    ]
    cited = [{"url": "u", "index": 0}, {"url": "v", "index": 0}]
    assert [
        {**ROLE, "parts": [1], "audio": {"id": "au"}},
        {"content": "x"},
        {"parts": [{"a": 1}, 2], "annotations": cited},
        {},
    ] == deltas(*events, END)
    assert raw_of([STARTED, *events]) == raw_of(reread([STARTED, *events, END]))


def test_what_an_event_holds_is_not_changed():
    """Events are shared by all watchers of a run."""
    kept = {"parts": [{"a": [1]}], "deep": {"er": 1}}
    cited = {"index": 0, "deep": {"text": "a"}}
    encoder = opened()
    for _ in range(2):
        encoder.encode(Metadata(0, kept, message=True))
        encoder.encode(Citation(cited))
        encoder.encode(Metadata(0, {"annotations": [{"index": 0, "deep": {"text": "b"}}]}, True))
        encoder.encode(Finished(0, "stop", kept))
        encoder.encode(Metadata(0, kept))
        encoder.encode(UsageReported(Usage(), kept))
        encoder.encode(ToolCallStarted(0, extra=kept))
    assert {"parts": [{"a": [1]}], "deep": {"er": 1}} == kept
    assert {"index": 0, "deep": {"text": "a"}} == cited


# -- the end


def test_a_finish_reason_is_told_only_once_the_answer_is_whole():
    """With the fields that came with it, and those that came behind it."""
    encoder = opened()
    for event in (Finished(0, "length", {"stop_at": 5}), Metadata(0, {"seed": 7})):
        assert () == tuple(encoder.encode(event))
    finish, done = encoder.encode(END)
    assert [
        {"index": 0, "delta": ROLE, "finish_reason": "length", "stop_at": 5, "seed": 7}
    ] == json.loads(finish.data)["choices"]
    assert DONE == done.data


def test_the_last_finish_reason_counts():
    """As it does in the accumulated answer."""
    assert "content_filter" == reason_of(STOP, Finished(0, "content_filter"), END)


def test_every_choice_finishes_in_order_and_then_comes_the_done_marker():
    """Also one that got no reason."""
    *values, done = told(TextDelta("a"), TextDelta("b", 1), Finished(1, "length"), END)
    finishes = [c for value in values for c in value["choices"] if c["finish_reason"]]
    assert [(0, "stop"), (1, "length")] == [(c["index"], c["finish_reason"]) for c in finishes]
    assert DONE == done


def test_an_answer_without_content_still_has_a_choice():
    """A stream of a done marker alone is none to any client."""
    finish, done = told(STARTED, END)
    assert [{"index": 0, "delta": ROLE, "finish_reason": "stop"}] == finish["choices"]
    assert DONE == done


def ended(reason, finish, *, refusal="", asked=False, of=0, raw=None):
    """The finish reason told of an answer that ended so."""
    choice = Choice(of, refusal=refusal, finish_reason=reason, finish=finish)
    response = Response(finish=finish, refusal=refusal, choices=(choice,), raw=raw or {})
    call = ToolCallCompleted(0, ToolCall("c", "f", "{}", valid=True))
    events = [
        TextDelta("a"),
        *([Finished(0, reason)] if reason else []),
        *([call] if asked else []),
    ]
    return reason_of(*events, ResponseCompleted(response))


@pytest.mark.parametrize(
    "word", ["stop", "length", "tool_calls", "content_filter", "function_call"]
)
def test_a_word_of_the_api_is_kept(word):
    """Whoever said it, and whatever it meant."""
    assert word == ended(word, "other")


def test_a_word_of_one_who_speaks_the_api_is_kept():
    """The client asked for that provider's words."""
    assert "eos" == ended("eos", "other", raw={"object": "chat.completion"})
    assert "stop" == ended("eos", "other", raw={"object": "response"})


@pytest.mark.parametrize("reason", ["end_of_turn", None])
@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("content_filter", "content_filter"),
        ("refusal", "content_filter"),
        ("paused", "stop"),
        ("cancelled", "stop"),
        ("other", "stop"),
        (None, "stop"),
    ],
)
def test_a_foreign_word_is_told_by_what_it_means(reason, finish, expected):
    """The neutral word decides; what the API has no word for is ``stop``."""
    assert expected == ended(reason, finish)
    assert expected == ended(reason, finish, of=5)  # the response's own word, then


def test_a_refusal_in_words_ended_as_any_answer_does():
    """That is how the API itself tells it; without words something was left out."""
    assert "stop" == ended("refusal", "refusal", refusal="I cannot.")


def test_a_pause_for_the_callers_tool_is_a_tool_call():
    """One of calls the provider ran itself is not."""
    assert "tool_calls" == ended("end_of_turn", "paused", asked=True)
    assert "stop" == ended("end_of_turn", "stop", asked=True)
    assert "stop" == ended("end_of_turn", "other", asked=True)


def test_without_a_response_a_call_to_make_decides():
    """No accumulator, no neutral word."""
    call = ToolCallCompleted(0, ToolCall("c", "f", "{}", valid=True))
    assert "tool_calls" == reason_of(Finished(0, "tool_use"), call, END)
    assert "stop" == reason_of(Finished(0, "tool_use"), END)


def test_usage_is_the_providers_own():
    """Field by field the last value that was told."""
    assert {**USAGE, "cost": 0.5} == usage_told(
        UsageReported(usage_of(USAGE), {**USAGE, "completion_tokens": 1, "cost": 0.5}),
        UsageReported(Usage(), {"completion_tokens": 2, "cost": None}),
    )


def test_usage_of_a_foreign_provider_is_told_in_the_apis_words():
    """The counts the API knows, and the provider's own words beside them."""
    assert {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
        "input_tokens": 10,
        "output_tokens": 5,
    } == usage_told(
        UsageReported(Usage(10, 1, cached_tokens=4), {"input_tokens": 10, "output_tokens": 1}),
        UsageReported(Usage(None, 5, reasoning_tokens=3), {"output_tokens": 5}),
    )
    counts = {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 9}
    assert counts == usage_told(UsageReported(Usage(3, None, 9)))


# -- failures


@pytest.mark.parametrize(
    ("end", "code", "message"),
    [
        (
            ResponseFailed(InBandError("secret of the provider"), Response()),
            "in_band",
            "The model could not finish its answer.",
        ),
        (
            ResponseFailed(Stalled("idle", 5), Response()),
            "stalled",
            "The model did not answer in time.",
        ),
        (
            ResponseFailed(RetractedAnswer("secret"), Response()),
            "retracted",
            "The answer was withdrawn.",
        ),
        (ResponseFailed(KeyError("secret"), Response()), "error", "The answer could not be had."),
        (ResponseCancelled(Response()), "cancelled", "The answer was cancelled."),
    ],
)
def test_a_failure_is_one_frame_and_the_last(end, code, message):
    """No finish reason before it, no done marker behind it, nothing of what the provider said."""
    error = {"message": message, "type": "server_error", "param": None, "code": code}
    held = (STARTED, TextDelta("a"), Citation({"url": "u"}), STOP, ReasoningDelta("hm"))
    _, *last = told(*held, end)
    assert [{"error": error}] == last
    assert [{"error": error}] == told(end)


def test_a_failure_before_the_first_frame_is_a_body():
    """The same words; a code that is none of ours is left out."""
    odd = OSError("secret")
    odd.code = 404
    assert told(ResponseFailed(odd, Response())) == [opened().failure(odd)]
    assert "error" == opened().failure(odd)["error"]["code"]
    assert "stalled" == opened().failure(Stalled("idle", 5))["error"]["code"]


# -- there and back


def body_of(*frames):
    """The events of a stream as `streamkit.testing.answers` writes it."""
    return accumulated(streamed(*[frame[len("data: ") :].decode().strip() for frame in frames]))


STREAMS = {
    "text": answers.text_stream("Hel", "lo, ", "Wörld"),
    "text without an end": (*answers.text_stream("Hel", "lo")[:2], answers.done()),
    "usage": answers.text_stream("Hello", usage=(3, 2)),
    "length": answers.text_stream("Hello", finish_reason="length"),
    "no done marker": answers.text_stream("Hello", done=False),
    "a foreign reason": answers.text_stream("Hello", finish_reason="eos"),
    "tools": answers.tool_stream("f", '{"a":', "1}", usage=(3, 2)),
    "tools beside text": answers.tool_stream("f", "{}", before=["a", "b"], after=["c"]),
    "tools that stop": answers.tool_stream("f", "{}", finish_reason="stop"),
    "reasoning": answers.reasoning_stream(["2 ", "and 2"], ["4"], usage=(3, 2)),
    "another reasoning": answers.reasoning_stream(["2 ", "and 2"], ["4"], field="reasoning"),
    "refusal": (
        answers.chunk({"role": "assistant", "content": "", "refusal": None}, logprobs=None),
        answers.chunk({"refusal": "I "}),
        answers.chunk({"refusal": "cannot."}),
        answers.chunk({}, finish_reason="stop"),
        answers.done(),
    ),
    "two choices": (
        answers.chunk({"role": "assistant", "content": "b"}, index=1, system_fingerprint="fp"),
        answers.chunk({"role": "assistant", "content": "a"}, index=0, system_fingerprint="fp"),
        answers.chunk({"content": "b"}, index=1, provider="p", service_tier=None),
        answers.chunk({}, finish_reason="stop", index=1),
        answers.chunk({}, finish_reason="stop", index=0, service_tier="flex"),
        answers.usage_chunk(3, 2),
        answers.done(),
    ),
}


@pytest.mark.parametrize("body", STREAMS.values(), ids=STREAMS)
def test_what_is_told_adds_up_to_the_same_answer(body):
    """Read, told and read again it is the answer the provider gave, field by field."""
    events = body_of(*body)
    expected = raw_of(events)
    if body is STREAMS["text without an end"]:
        expected["choices"][0]["finish_reason"] = "stop"  # the one thing an encoder adds
    assert expected == raw_of(reread(events))


@pytest.mark.parametrize("name", sorted(STREAMS.keys() - {"a foreign reason"}))
def test_every_chunk_is_of_the_official_type(name):
    """Strictly read, before its client gets to be lenient."""
    *chunks, done = told(*body_of(*STREAMS[name]))
    assert DONE == done
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk)


def test_a_buffered_answer_is_told_as_a_stream():
    """The reroute's body has the same events."""
    call = answers.tool_call("f", '{"a": 1}')
    body = json.loads(answers.completion(None, tool_calls=[call], reasoning="hm"))
    assert body == raw_of(reread(accumulated(DIALECT.read_buffered(body))))


@pytest.mark.parametrize(
    ("events", "reason", "asked"),
    [
        (agents.decoded(*agents.STREAM), "stop", 0),
        (agents.DIALECT.read_buffered(agents.as_json(agents.WAITING)), "tool_calls", 1),
    ],
    ids=["whole", "waiting"],
)
def test_an_agents_turn_is_an_answer(events, reason, asked):
    """Its text, its end, and the calls it asks for: those it made itself would be made twice."""
    events = accumulated(events, agents.DIALECT)
    response, again = events[-1].response, accumulated(reread(events))[-1].response
    assert response.text == again.text
    assert response.tool_calls[len(response.tool_calls) - asked :] == again.tool_calls
    assert reason == again.finish_reason
    assert {"id", "object", "created", "model", "choices"} == again.raw.keys()


def test_citations_that_are_taken_back_were_never_told():
    """They wait for the end, so they can still be forgotten."""
    out = deltas(Citation({"url": "a"}), Retracted("citations"), Citation({"url": "b"}), END)

    assert [[{"url": "b"}]] == [delta["annotations"] for delta in out if "annotations" in delta]
    assert [] == deltas(Retracted("steps"))


words = st.text(min_size=1, max_size=4)
scalars = st.integers(1, 9) | words | st.lists(st.integers(), max_size=2)
objects = st.fixed_dictionaries({"deep": st.integers(1, 9)})
extras = st.fixed_dictionaries(
    {},
    optional={
        "plain": st.none() | st.integers(1, 9),
        "words": st.none() | words,
        "object_": st.none() | objects,
        "items": st.none() | st.lists(objects, max_size=2),
        "indexed": st.lists(st.fixed_dictionaries({"index": st.integers(0, 2), "a": words})),
    },
).filter(bool)
fields = st.sampled_from(["reasoning_content", "reasoning", "reasoning_content reasoning"])


@st.composite
def calls_of(draw, choice):
    """The events of one choice's tool calls, some of them with late ids and names."""
    events = []
    for number in range(draw(st.integers(0, 3))):
        extra = draw(st.none() | st.just({"type": "custom"}) | extras)
        known = draw(st.booleans())
        names = (f"call_{number}", f"f{number}") if known else ("", "")
        events.append(ToolCallStarted(number, *names, choice, extra))
        if not known:
            events.append(ToolCallDelta(number, "", choice, f"call_{number}", f"f{number}"))
        pieces = draw(st.lists(words))
        if pieces:  # what is the beginning of JSON and no more would be a cut call
            pieces.insert(0, "~")
        events += [ToolCallDelta(number, piece, choice) for piece in pieces]
    return events


@st.composite
def contents_of(draw, choice):
    """The events of one choice, its finish reason the last or nearly so."""
    one = (
        st.builds(TextDelta, words, st.just(choice)).map(lambda e: [e])
        | st.builds(ReasoningDelta, words, st.just(choice), fields).map(lambda e: [e])
        | st.builds(RefusalDelta, words, st.just(choice)).map(lambda e: [e])
        | st.builds(Citation, extras, st.just(choice)).map(lambda e: [e])
        | st.builds(Metadata, st.just(choice), extras, st.booleans()).map(lambda e: [e])
        | st.builds(Metadata, st.none(), extras).map(lambda e: [e])
        | st.just([Heartbeat()])
    )
    parts = draw(st.lists(one, max_size=8))
    if draw(st.booleans()):  # a provider has details always, or never
        detail = st.builds(details, words)
        parts = [
            [e, attrs_of(draw(detail), choice)] if isinstance(e, ReasoningDelta) else [e]
            for (e,) in parts
        ]
    parts.insert(draw(st.integers(0, len(parts))), draw(calls_of(choice)))
    reason = draw(st.sampled_from(["stop", "length", "tool_calls", "eos"]))
    finished = Finished(choice, reason, draw(st.none() | extras))
    behind = draw(st.lists(st.builds(Metadata, st.just(choice), extras), max_size=1))
    return [*[event for part in parts for event in part], finished, *behind]


def attrs_of(event, choice):
    """The same details, of another choice."""
    return Metadata(choice, event.extra, message=True)


@st.composite
def runs(draw):
    """The events of one answer, its choices one behind the other."""
    order = draw(st.permutations(range(draw(st.integers(1, 3)))))
    started = ResponseStarted("id", draw(words), draw(st.none() | extras))
    events = [event for choice in order for event in draw(contents_of(choice))]
    usage = draw(st.none() | st.just(UsageReported(usage_of(USAGE), USAGE)))
    return accumulated([started, *events, *([usage] if usage else []), ResponseCompleted()])


@given(runs())
def test_whatever_was_told_is_read_back(events):
    """Not a field is lost, changed or invented on the way out and in again."""
    assert raw_of(events) == raw_of(reread(events))


@given(runs())
def test_there_is_one_end_and_it_is_the_last(events):
    """Finish reasons, one for each choice, then usage, then the done marker."""
    *values, done = told(*events)
    reasons = [bool(c["finish_reason"]) for v in values for c in v["choices"]]
    finishes = sum(reasons)
    assert DONE == done
    assert events[-1].response is not None
    assert len(events[-1].response.choices) == finishes
    assert "usage" not in {key for value in values[:-1] for key in value}


# -- the official client

REAL = {
    "text": (STREAMS["usage"], {"content": "Hello"}, "stop"),
    "tools": (STREAMS["tools"], {}, "tool_calls"),
    "refusal": (STREAMS["refusal"], {"refusal": "I cannot."}, "stop"),
    "reasoning": (
        STREAMS["reasoning"],
        {"content": "4", "reasoning_content": "2 and 2"},
        "stop",
    ),
    "choices": (STREAMS["two choices"], {"content": "a"}, "stop"),
}


class client_of:  # noqa: N801
    """The real client in front of a provider that sends these bytes."""

    def __init__(self, body):
        self.provider = FaultProvider(stream=Reply(body))

    async def __aenter__(self):
        await self.provider.__aenter__()
        self.client = openai.AsyncOpenAI(base_url=self.provider.url, api_key="k", max_retries=0)
        return self.client.chat.completions

    async def __aexit__(self, *exc):
        await self.client.close()
        await self.provider.__aexit__(*exc)


def joined(chunks):
    """The pieces of the first choice's message, joined, and its last finish reason."""
    message, reason = {}, None
    for choice in (c for chunk in chunks for c in chunk.choices if c.index == 0):
        reason = choice.finish_reason or reason
        for key, value in choice.delta.to_dict().items():
            if isinstance(value, str):
                message[key] = message.get(key, "") + value
    return message, reason


@pytest.mark.parametrize("name", REAL)
class TestTheOfficialClient:
    """What it makes of the bytes, raw and with its helper."""

    pytestmark = on_every_loop

    async def test_reads_the_chunks(self, name):
        """Its plain iteration gives the pieces; the usage is in the last chunk."""
        body, expected, reason = REAL[name]
        async with client_of(sse(*body_of(*body))) as completions:
            stream = await completions.create(**REQUEST, stream=True)
            chunks = [chunk async for chunk in stream]
        assert ({**ROLE, **expected}, reason) == joined(chunks)
        counted = b"usage" in b"".join(body)
        assert (5 if counted else None) == (chunks[-1].usage and chunks[-1].usage.total_tokens)
        assert {"chatcmpl-1"} == {chunk.id for chunk in chunks}

    async def test_accumulates_the_answer(self, name):
        """Its helper gives the answer the provider gave."""
        body, expected, reason = REAL[name]
        events = body_of(*body)
        async with client_of(sse(*events)) as completions:
            answer = await final(completions)
        message = answer.choices[0].message
        assert {key: getattr(message, key) for key in expected} == expected
        assert reason == answer.choices[0].finish_reason
        response = events[-1].response
        assert [(c.id, c.name, c.arguments) for c in response.tool_calls] == [
            (call.id, call.function.name, call.function.arguments)
            for call in message.tool_calls or ()
        ]
        assert [choice.text for choice in response.choices] == [
            choice.message.content or "" for choice in answer.choices
        ]


async def final(completions):
    """What the client's helper accumulates."""
    async with completions.stream(**REQUEST) as stream:
        return await stream.get_final_completion()


class TestTheOfficialClientIsNotFooled:
    """By what once broke it."""

    pytestmark = on_every_loop

    async def test_a_failure_is_an_error_behind_the_text(self):
        """It raises in the midst of the iteration, with our code and no finish reason before."""
        end = ResponseFailed(InBandError("secret"), Response())
        async with client_of(sse(STARTED, TextDelta("Hel"), STOP, end)) as completions:
            stream = await completions.create(**REQUEST, stream=True)
            chunks = [await anext(stream)]
            with pytest.raises(openai.APIError, match="could not finish") as caught:
                await anext(stream)
        assert ({**ROLE, "content": "Hel"}, None) == joined(chunks)
        assert "in_band" == caught.value.code

    async def test_lists_and_choices_that_its_helper_cannot_join(self):
        """Citations in two pieces, choices out of order, calls that were never begun."""
        cited = [{"type": "url_citation", "url": "u"}, {"type": "url_citation", "url": "v"}]
        events = [
            TextDelta("b", 1),
            TextDelta("a"),
            *map(Citation, cited),
            Metadata(0, {"content_parts": [{"type": "image"}]}, message=True),
            Metadata(0, {"content_parts": [{"type": "image"}]}, message=True),
            ToolCallDelta(4, "{}", id="c", name="f"),
        ]
        async with client_of(sse(*events, ResponseCompleted())) as completions:
            answer = await final(completions)
        message = answer.choices[0].message
        assert ["a", "b"] == [choice.message.content for choice in answer.choices]
        assert [one["url"] for one in cited] == [one.url for one in message.annotations]
        assert 2 == len(message.content_parts)
        assert "f" == message.tool_calls[0].function.name

    async def test_an_answer_without_content(self):
        """Is one, with a role and a finish reason."""
        async with client_of(sse(STARTED, ResponseCompleted())) as completions:
            answer = await final(completions)
        choice = answer.choices[0]
        assert (None, "assistant", "stop") == (
            choice.message.content,
            choice.message.role,
            choice.finish_reason,
        )
