"""Events as a message's stream: what the decoder reads back, and what the official client reads."""

import json

import anthropic
import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.dialects import get_dialect
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
from streamkit.response import Response, ToolCall, Usage
from streamkit.testing import FaultProvider, Reply

from ..leftovers import LEFT_BY_SDKS
from .messages import (
    DIALECT,
    HEAD,
    STOP,
    TEXT,
    THINKING,
    USAGE,
    accumulated,
    begin,
    called,
    decoded,
    delta,
    end,
    finish,
    frames,
    json_piece,
    opened,
    raw_of,
    said,
    start,
    streamed,
    text,
    think,
    tool,
)

CHAT = get_dialect("openai-chat")
STARTED = ResponseStarted("msg_1", "claude-t")
END = ResponseCompleted()
REQUEST = {
    "model": "claude-t",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "hello"}],
}


def told(*events):
    """What these events are told as; every frame has its type for a name."""
    values = [json.loads(frame.data) for frame in frames(*events)]
    assert [value["type"] for value in values] == [frame.event for frame in frames(*events)]
    return values


def behind(*events):
    """What is told of these events behind the start of their message."""
    first, *rest = told(*events)
    assert "message_start" == first["type"]
    return rest


def reread(events):
    """What the decoder makes of what was told of these events."""
    return decoded(*(Frame(frame.data, frame.event) for frame in frames(*events)))


def sse(*events):
    """The bytes a client gets."""
    return b"".join(
        b"id: 1-1\nevent: %b\ndata: %b\n\n" % (frame.event.encode(), frame.data)
        for frame in frames(*events)
    )


def part(index, **fields):
    """The mark of a content block."""
    return Metadata(0, {"content": [{"index": index, **fields}]}, message=True)


# -- the contract


def test_the_format_cannot_take_back():
    """It says nothing first, its heartbeat is a ping, and nobody comes back."""
    encoder = opened()
    assert {"text", "reasoning", "refusal", "tool_calls", "citations"} == encoder.irrevocable
    assert encoder.remembers
    assert (Frame(b'{"type":"ping"}', "ping"), None) == (encoder.heartbeat(), encoder.farewell())


@pytest.mark.parametrize(
    "event",
    [
        StepStarted("inference"),
        StepCompleted("inference"),
        AwaitingInput(),
        Rerouted("transport"),
        Retracted("steps"),
        Unknown({"odd": 1}),
        Heartbeat(),
        STARTED,
        Finished(0, "end_turn"),
        TextDelta(""),
        ReasoningDelta(""),
        TextDelta("of another choice", 1),
        ToolCallDelta(0, "{}"),
        ToolCallStarted(0, "", "look"),
        ToolCallStarted(0, "c", ""),
        ToolCallStarted(0, "c", "search", hosted=True),
        ToolResult(0, "found", id="c"),
        Metadata(None, {"x": 1}),
        Metadata(0, {"logprobs": None}),
        Metadata(0, {"annotations": [], "content": None}, message=True),
        Metadata(0, {"content": ["text", {"type": "text"}]}, message=True),
        part(0),
        part(3, delta={"type": "signature_delta", "signature": "s"}),
        UsageReported(Usage(1, 2)),
    ],
    ids=repr,
)
def test_what_has_no_frame_of_its_own_gives_none(event):
    """It is told with another frame, or the API has no word for it."""
    assert [] == frames(event)


# -- the message


def test_a_message_begins_with_what_is_known_of_it():
    """Its id, its model, its usage, and fields nobody modelled."""
    extra = {"provider": "p", "role": "model", "stop_details": None}
    first, *_ = told(
        ResponseStarted("msg_1", "claude-t", extra), UsageReported(Usage(25, 1), USAGE)
    )
    message = {**HEAD, "provider": "p", "stop_details": None}
    assert {"type": "message_start", "message": message} == first


def test_an_answer_without_an_id_has_the_runs():
    """Usage is told as nothing spent, for clients add to it."""
    first, *_ = told(TextDelta("a"))
    nothing = {"input_tokens": 0, "output_tokens": 0}
    assert {**HEAD, "id": "msg_r-1", "model": "", "usage": nothing} == first["message"]


def test_the_first_id_and_model_count():
    """As far as they are known when the message begins."""
    late = Metadata(None, {"id": "msg_2", "model": "claude-t", "provider": "p"})
    first, *_ = told(ResponseStarted("msg_1"), late, TextDelta("a"))
    assert ("msg_1", "claude-t", "p") == tuple(
        first["message"][key] for key in ("id", "model", "provider")
    )


def test_fields_of_the_responses_api_are_not_told():
    """They echo the request, and hold the answer a second time."""
    began = ResponseStarted("r", "m", {"object": "response", "instructions": "Be brief."})
    late = Metadata(None, {"output.0": {"type": "message"}})
    values = told(began, TextDelta("a"), late, Finished(0, "completed"), END)
    assert not any(word in json.dumps(values) for word in ("instructions", "output.0"))


def test_what_comes_late_is_told_at_the_end():
    """Beside the stop reason, or behind it."""
    *_, delta_, stop = told(
        STARTED,
        TextDelta("a"),
        Metadata(None, {"context_management": {}}),
        Finished(0, "end_turn", {"stop_details": {"type": "x"}}),
        Metadata(0, {"container": {"id": "c"}}),
        Metadata(None, {"metrics": 1}),
        END,
    )
    ends = {"stop_reason": "end_turn", "stop_sequence": None, "stop_details": {"type": "x"}}
    assert {
        "type": "message_delta",
        "delta": {**ends, "container": {"id": "c"}},
        "usage": {"output_tokens": 0},
        "context_management": {},
    } == delta_
    assert {"type": "message_stop", "metrics": 1} == stop


def test_an_empty_answer_is_a_message():
    """It begins and ends."""
    assert ["message_start", "message_delta", "message_stop"] == [
        value["type"] for value in told(END)
    ]


@pytest.mark.parametrize(
    ("reports", "usage"),
    [
        (
            [UsageReported(Usage(25, 1), USAGE), UsageReported(Usage(), {"output_tokens": 9})],
            {"output_tokens": 9},
        ),
        ([UsageReported(Usage(25, 1), USAGE)], {"output_tokens": 1}),
        ([], {"output_tokens": 0}),
    ],
)
def test_usage_is_told_as_it_changes(reports, usage):
    """What the start said is not said again, but for the output, which clients want."""
    *_, last, _ = told(STARTED, *reports, TextDelta("a"), END)
    assert usage == last["usage"]


def test_usage_of_another_api_is_told_in_the_words_of_this_one():
    """What was read from the cache stands beside the input."""
    chat = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
    responses = {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}
    for extra in (chat, responses, None):
        *_, last, _ = told(TextDelta("a"), UsageReported(Usage(10, 4, 14, 8, 3), extra), END)
        assert {
            "input_tokens": 2,
            "output_tokens": 4,
            "cache_read_input_tokens": 8,
            "output_tokens_details": {"thinking_tokens": 3},
        } == last["usage"]


# -- its blocks


def test_text_and_thinking_have_blocks():
    """One for each run of them; the one before ends where the next begins."""
    events = [ReasoningDelta("hm"), TextDelta("a"), TextDelta("\u2028"), TextDelta("ż"), END]
    assert [
        begin(THINKING),
        think("hm"),
        end(),
        begin(TEXT, 1),
        text("a", 1),
        text("\u2028", 1),
        text("ż", 1),
        end(1),
    ] == behind(STARTED, *events)[:-2]
    for frame in frames(*events):
        assert frame.data.isascii()
        assert b"\n" not in frame.data


@given(st.lists(st.text(min_size=1)))
def test_the_quick_way_writes_what_the_slow_way_does(texts):
    """Every piece is a delta of the same block."""
    values = behind(STARTED, TextDelta("first"), *map(TextDelta, texts))
    assert [begin(TEXT), text("first"), *(text(piece) for piece in texts)] == values


def test_a_refusal_is_text():
    """And the stop reason says that it is one."""
    response = Response(refusal="No.", finish="refusal", raw={"object": "chat.completion"})
    values = behind(STARTED, RefusalDelta("No."), ResponseCompleted(response))
    assert [begin(TEXT), text("No."), end()] == values[:3]
    assert "refusal" == values[3]["delta"]["stop_reason"]


def test_a_citation_stands_in_the_text():
    """In a block of its own where there is none."""
    cited = {"type": "char_location"}
    assert [begin(TEXT), delta("citations_delta", citation=cited)] == behind(Citation(cited))


def test_calls_of_another_api_may_come_side_by_side():
    """Each has its block; one that is not whole stays open while others go on."""
    events = [
        ToolCallStarted(0, "c0", "f"),
        ToolCallStarted(1, "c1", "g", extra={"index": 7}),
        ToolCallDelta(0, '{"a":'),
        ToolCallDelta(1, "{}"),
        ToolCallDelta(0, "1}"),
        TextDelta("x"),
    ]
    assert [
        begin(tool("f", "c0")),
        begin(tool("g", "c1"), 1),
        json_piece('{"a":'),
        json_piece("{}", 1),
        json_piece("1}"),
        end(),
        end(1),
        begin(TEXT, 2),
        text("x", 2),
    ] == behind(STARTED, *events)
    calls = accumulated(reread([STARTED, *events, END]))[-1].response.tool_calls
    assert [("c0", '{"a":1}'), ("c1", "{}")] == [(call.id, call.arguments) for call in calls]


def test_what_comes_behind_a_whole_call_is_not_told():
    """A repetition of its arguments."""
    call = [ToolCallStarted(0, "c", "f"), ToolCallDelta(0, '{"a":1}')]
    assert behind(*call, TextDelta("x")) == behind(*call, TextDelta("x"), ToolCallDelta(0, "{}"))


@pytest.mark.parametrize("agent", [True, False])
def test_a_call_may_be_told_once_it_is_whole(agent):
    """Of an agent's turn, where the agent makes some itself; and where its name came late."""
    first = [StepStarted("inference"), ToolCallStarted(0, "c", "f")]
    late = [ToolCallStarted(0, "", ""), ToolCallDelta(0, "", id="c", name="f")]
    events = [*(first if agent else late), ToolCallDelta(0, '{"a":1}')]
    assert [] == frames(*events)
    whole = ToolCallCompleted(0, ToolCall("c", "f", '{"a":1}', valid=True))
    values = behind(*events, whole, END)
    assert [begin(tool("f", "c")), json_piece('{"a":1}'), end()] == values[:3]
    assert "tool_use" == values[3]["delta"]["stop_reason"]
    without = ToolCallCompleted(0, ToolCall("c", "f", "", valid=False))
    assert [begin(tool("f", "c")), end()] == behind(without, END)[:2]


def test_an_attempt_that_begins_anew_goes_on_where_the_first_was():
    """The buffered answer tells its blocks again; what was shown of them is not told twice."""
    first = [
        part(0, type="thinking", signature=""),
        ReasoningDelta("hm"),
        part(1, type="text"),
        TextDelta("Hel"),
    ]
    second = [
        part(0, type="thinking", signature="s"),
        part(1, type="text", citations=None),
        TextDelta("lo"),
    ]
    values = behind(STARTED, *first, Rerouted("transport"), *second)
    assert [("content_block_start", 0), ("content_block_start", 1)] == [
        (value["type"], value["index"]) for value in values if "content_block" in value
    ]
    assert text("lo", 1) == values[-1]


def test_another_answer_in_the_same_place_has_blocks_of_its_own():
    """A block that was ended is not gone on with; nor is one of another type."""
    marks = [part(0, type="thinking", signature=""), part(1, type="text")]
    late = part(0, delta={"type": "signature_delta", "signature": "s"})
    values = behind(
        STARTED, marks[0], ReasoningDelta("a"), marks[1], late, ReasoningDelta("b"), END
    )
    assert [("thinking", 0), ("text", 1), ("thinking", 2)] == [
        (value["content_block"]["type"], value["index"])
        for value in values
        if "content_block" in value
    ]
    assert not [value for value in values if "signature_delta" in str(value)]
    values = behind(STARTED, marks[1], TextDelta("a"), part(1, type="redacted_thinking", data="A"))
    assert begin({"type": "redacted_thinking", "data": "A"}, 1) == values[-1]


def test_the_call_of_an_earlier_answer_is_not_told_again():
    """Its result is."""
    result = {"type": "code_execution_tool_result", "tool_use_id": "srv_0", "content": {"out": 1}}
    stream = [start(), begin(result), end(), *said("Done.", index=1), finish(), STOP]
    events = streamed(*stream)
    assert ToolCallStarted(0, "srv_0", "", hosted=True) in events
    assert begin(result) == told(*events)[1]
    assert events == reread(accumulated(events))


# -- the end


@pytest.mark.parametrize(
    ("reason", "finish_", "raw", "word"),
    [
        ("end_turn", "stop", {"type": "message"}, "end_turn"),
        ("tomorrows_reason", "other", {"type": "message"}, "tomorrows_reason"),
        ("stop", "stop", {}, "end_turn"),
        ("stop", "other", {"type": "message"}, "end_turn"),
        ("length", "length", {}, "max_tokens"),
        ("tool_calls", "tool_calls", {}, "tool_use"),
        ("content_filter", "content_filter", {}, "refusal"),
        ("refusal", "refusal", {}, "refusal"),
        ("end_of_message", "paused", {}, "pause_turn"),
        (None, "stop", {}, "end_turn"),
        (None, "tool_calls", {}, "tool_use"),
    ],
)
def test_the_stop_reason_is_a_word_of_the_api(reason, finish_, raw, word):
    """Or of a provider that speaks it; and no field of another API comes with it."""
    finished = [] if reason is None else [Finished(0, reason, {"odd": 1})]
    response = Response(finish=finish_, raw=raw)
    *_, last, _ = told(TextDelta("a"), *finished, ResponseCompleted(response))
    assert word == last["delta"]["stop_reason"]
    assert ("odd" in last["delta"]) == bool(finished and raw)


def test_a_turn_that_waits_for_a_call_ends_in_it():
    """The call is the caller's to make."""
    whole = ToolCallCompleted(0, ToolCall("c", "f", "{}", valid=True))
    for response in (Response(finish="paused"), None):
        *_, last, _ = told(whole, ResponseCompleted(response))
        assert "tool_use" == last["delta"]["stop_reason"]


@pytest.mark.parametrize(
    ("terminal", "code"),
    [
        (ResponseFailed(Stalled("idle", 5.0), Response()), "stalled"),
        (ResponseFailed(InBandError("secret", status=529), Response()), "in_band"),
        (ResponseFailed(RetractedAnswer("x"), Response()), "retracted"),
        (ResponseFailed(ValueError("secret"), Response()), "error"),
        (ResponseCancelled(Response()), "cancelled"),
    ],
)
def test_a_failure_is_the_apis_error(terminal, code):
    """A code and a sentence of ours, nothing of the provider's; our decoder raises it."""
    (frame,) = frames(terminal)
    assert "error" == frame.event
    value = json.loads(frame.data)
    assert ("error", "api_error", code) == (
        value["type"],
        value["error"]["type"],
        value["error"]["code"],
    )
    assert "secret" not in str(value)
    with pytest.raises(InBandError):
        decoded(Frame(frame.data, frame.event))


def test_a_failure_may_be_said_before_any_frame():
    """As the body of an HTTP status."""
    assert "stalled" == opened().failure(Stalled("idle", 5.0))["error"]["code"]


# -- other APIs


def test_a_chat_completion_is_told_as_a_message():
    """Its text, its reasoning, its calls and its end are read back."""
    message = {
        "role": "assistant",
        "content": "Let me see.",
        "reasoning_content": "hm",
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
        ],
    }
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 17,
        "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }
    events = accumulated(CHAT.read_buffered(body), CHAT)
    response = accumulated(reread(events))[-1].response
    assert ("hm", "Let me see.", "tool_calls", Usage(5, 2, 7)) == (
        response.reasoning,
        response.text,
        response.finish,
        response.usage,
    )
    assert events[-1].response.tool_calls == response.tool_calls


def test_a_message_is_told_as_a_chat_completion():
    """Its blocks are not chat fields, and what the provider ran is nobody's to make."""
    search = tool("web_search", "srv_1", "server_tool_use")
    result = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}
    events = accumulated(
        streamed(
            start(),
            begin(THINKING),
            think("hm"),
            end(),
            begin(search, 1),
            json_piece("{}", 1),
            end(1),
            begin(result, 2),
            end(2),
            *said("Found.", index=3),
            *called('{"a":1}', index=4),
            finish("tool_use"),
            STOP,
        )
    )
    encoder, decoder = CHAT.encoder(), CHAT.decoder()
    chunks = [frame for event in events for frame in encoder.encode(event)]
    again = accumulated([event for chunk in chunks for event in decoder.feed(chunk)], CHAT)
    response = again[-1].response
    assert ("hm", "Found.", "tool_calls") == (response.reasoning, response.text, response.finish)
    assert [("toolu_1", "look", '{"a":1}')] == [
        (call.id, call.name, call.arguments) for call in response.tool_calls
    ]
    assert {"role", "content", "reasoning_content", "tool_calls"} == set(
        response.raw["choices"][0]["message"]
    )


# -- the official client

MESSAGE = [
    start(),
    begin(THINKING),
    think("hm"),
    delta("signature_delta", signature="c2ln"),
    end(),
    begin({"type": "text", "text": "", "citations": []}, 1),
    text("Zażółć ", 1),
    text("\u2028gęślą", 1),
    delta(
        "citations_delta",
        1,
        citation={
            "type": "char_location",
            "cited_text": "x",
            "document_index": 0,
            "document_title": None,
            "start_char_index": 0,
            "end_char_index": 1,
            "file_id": None,
        },
    ),
    end(1),
    *called('{"q":', '"ż"}', index=2, caller={"type": "direct"}),
    finish("tool_use", {"output_tokens": 9}),
    STOP,
]


async def asked(body, *, status=200):
    """What the official client makes of a body, over a connection: texts, and the message."""
    async with FaultProvider(stream=Reply(body, status=status)) as provider:
        root = provider.url.removesuffix("/v1")
        async with anthropic.AsyncAnthropic(base_url=root, api_key="k", max_retries=0) as client:
            async with client.messages.stream(**REQUEST) as stream:
                texts = [piece async for piece in stream.text_stream]
                message = await stream.get_final_message()
            (request,) = provider.requests
            return request, texts, message.to_dict(mode="json", warnings=False)


@pytest.mark.anyio
async def test_the_official_client_reads_a_stream_of_ours():
    """Every delta, and the message that it adds up to; it asks as the dialect does."""
    events = accumulated(streamed(*MESSAGE))
    request, texts, message = await asked(sse(*events))
    assert ["Zażółć ", "\u2028gęślą"] == texts
    assert {**raw_of(events), "stop_details": None} == message
    call = DIALECT.streaming(REQUEST)
    assert ("/" + call.path, call.body) == (request.path, request.json)
    assert call.headers.keys() <= request.headers.keys()


@pytest.mark.anyio
async def test_the_official_client_reads_an_answer_of_another_api():
    """Calls side by side among it."""
    events = [
        ReasoningDelta("hm"),
        TextDelta("a"),
        ToolCallStarted(0, "c0", "f"),
        ToolCallStarted(1, "c1", "g"),
        ToolCallDelta(0, '{"a":'),
        ToolCallDelta(1, "{}"),
        ToolCallDelta(0, "1}"),
        Finished(0, "tool_calls"),
        UsageReported(Usage(5, 2, 7), {"prompt_tokens": 5, "completion_tokens": 2}),
    ]
    told_ = accumulated([STARTED, *events, END], CHAT)
    _, texts, message = await asked(sse(*told_))
    assert ["a"] == texts
    assert [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        TEXT | {"text": "a"},
        tool("f", "c0", input={"a": 1}),
        tool("g", "c1"),
    ] == message["content"]
    assert ("tool_use", 5, 2) == (
        message["stop_reason"],
        message["usage"]["input_tokens"],
        message["usage"]["output_tokens"],
    )


@pytest.mark.anyio
@LEFT_BY_SDKS
async def test_the_official_client_raises_a_failure_of_ours():
    """Behind text that it was given, as in the body of a status."""
    failed = ResponseFailed(Stalled("idle", 5.0), Response())
    with pytest.raises(anthropic.APIStatusError, match="stalled"):
        await asked(sse(STARTED, TextDelta("a"), failed))
    body = json.dumps(opened().failure(Stalled("idle", 5.0))).encode()
    with pytest.raises(anthropic.InternalServerError, match="stalled"):
        await asked(body, status=503)


@pytest.mark.anyio
async def test_the_official_client_passes_over_a_heartbeat():
    """Before the message and within it."""
    ping = b'event: ping\ndata: {"type":"ping"}\n\n'
    events = accumulated(streamed(*MESSAGE))
    body = sse(*events).replace(b"id: 1-1\n", ping)
    with anyio.fail_after(10):
        _, texts, _ = await asked(body)
    assert ["Zażółć ", "\u2028gęślą"] == texts
