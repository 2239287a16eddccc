"""What streams of anthropic-messages do in the wild, each with a name."""

import json

import pytest

import streamkit
from streamkit.errors import InBandError, TruncatedStream
from streamkit.events import (
    Metadata,
    ReasoningDelta,
    ResponseCompleted,
    ResponseStarted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    UsageReported,
)
from streamkit.framing import Frame
from streamkit.response import Usage
from streamkit.testing import FaultProvider, Reply

from .messages import (
    DIALECT,
    HEAD,
    PING,
    STOP,
    TEXT,
    THINKING,
    accumulated,
    begin,
    called,
    content_of,
    decoded,
    delta,
    end,
    finish,
    json_piece,
    marks,
    response_of,
    said,
    start,
    streamed,
    text,
    text_of,
    think,
    tool,
)
from .spoken import only

ANSWER = [start(), *said("Hel", "lo"), finish(), STOP]
OVERLOADED = {
    "type": "error",
    "error": {"type": "overloaded_error", "message": "Overloaded"},
    "request_id": "req_1",
}


def sse(*values):
    """The bytes of a stream."""
    return b"".join(
        f"event: {value['type']}\ndata: {json.dumps(value)}\n\n".encode() for value in values
    )


# -- frames


def test_a_frame_may_lack_its_event_line():
    """Quirk 84: its data says the type. The SDK drops such frames, and ends in an assertion."""
    bare = [Frame(json.dumps(value)) for value in ANSWER]
    assert decoded(*ANSWER) == decoded(*bare)


def test_a_frame_may_say_its_type_in_the_event_line_alone():
    """Quirk 84: either is enough."""
    named = [
        Frame(json.dumps({k: v for k, v in value.items() if k != "type"}), value["type"])
        for value in ANSWER
    ]
    assert decoded(*ANSWER) == decoded(*named)


def test_data_may_be_padded_with_blanks():
    """Quirk 85: behind the JSON, within its line."""
    padded = [Frame(json.dumps(value) + " " * 14, value["type"]) for value in ANSWER]
    assert decoded(*ANSWER) == decoded(*padded)


def test_pings_come_at_any_time():
    """Quirk 8: before the message, within it and behind its content."""
    values = [value for each in ANSWER[:-1] for value in (PING, each)]
    assert decoded(*ANSWER) == decoded(*values, PING, STOP)


def test_a_done_marker_may_come_behind_the_end():
    """Quirk 86: of a gateway that serves other APIs too; nothing is read behind the end."""
    decoder = DIALECT.decoder()
    assert isinstance(decoded(*ANSWER, decoder=decoder)[-1], ResponseCompleted)
    response = response_of(*ANSWER[:-1], "[DONE]")
    assert ("Hello", "finish_reason") == (response.text, response.evidence)


# -- the message


def test_the_start_may_hold_everything():
    """Quirk 87: content and stop reason, and the end right behind it."""
    content = [{"type": "text", "text": "Hi"}, tool(input={"a": 1}, caller={"type": "x"})]
    response = response_of(start(content=content, stop_reason="tool_use"), STOP)
    assert ("Hi", '{"a":1}', "tool_use", content) == (
        response.text,
        response.tool_calls[0].arguments,
        response.finish_reason,
        response.raw["content"],
    )
    assert "finish_reason" == response.evidence


def test_the_start_may_come_twice():
    """Quirk 88: the first counts; what the second says of the usage is not lost."""
    again = start(id="msg_2", usage={"input_tokens": 30, "output_tokens": 1})
    events = streamed(start(), again, *said("Hi"), finish(), STOP)
    assert [ResponseStarted("msg_1", "claude-t")] == only(ResponseStarted, events)
    response = accumulated(events)[-1].response
    assert ("msg_1", 30, 9) == (
        response.raw["id"],
        response.usage.input_tokens,
        response.usage.output_tokens,
    )


def test_the_start_may_be_missing():
    """Quirk 88: what comes is told, and has no id."""
    response = response_of(*said("Hi"), finish(), STOP)
    assert ("Hi", "") == (response.text, response.raw["id"])


def test_usage_is_laid_over_field_by_field():
    """Quirk 34: replaced, never summed; null wipes nothing, nor does a later frame without it."""
    first = {"input_tokens": 25, "output_tokens": 1, "cache_read_input_tokens": 4}
    later = {"input_tokens": None, "output_tokens": 9, "cache_read_input_tokens": None}
    stream = [start(usage=first), *said("Hi"), finish(None, later), finish()]
    response = response_of(*stream, {**STOP, "usage": None})
    assert {**first, "output_tokens": 9} == response.raw["usage"]
    assert Usage(29, 9, 38, 4) == response.usage
    reported = only(UsageReported, streamed(*stream, STOP))
    assert [Usage(29, 1, 30, 4), Usage(29, 9, 38, 4)] == [each.usage for each in reported[:2]]


def test_the_stop_reason_may_come_in_more_than_one_frame():
    """Quirk 40: of this API the last that is one counts, for each frame says the whole anew."""
    response = response_of(
        start(), *said("Hi"), finish(None), finish("pause_turn"), finish(None), finish(), STOP
    )
    assert ("end_turn", "stop") == (response.finish_reason, response.finish)


def test_the_end_may_be_missing():
    """Quirk 89: this API always says it, so a stream with its stop reason and no more was cut."""
    with pytest.raises(TruncatedStream, match="message_stop"):
        streamed(*ANSWER[:-1])


def test_the_end_may_bring_figures():
    """Quirk 90: Bedrock's are kept."""
    metrics = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 3}}
    response = response_of(*ANSWER[:-1], {**STOP, **metrics, "usage": {"output_tokens": 10}})
    assert metrics.items() <= response.raw.items()
    assert 10 == response.usage.output_tokens


# -- blocks


def test_input_may_be_whole_at_the_start():
    """Quirk 91: and no delta comes, or one that is empty; it is told when the block ends."""
    for deltas in ([], [json_piece("")]):
        stream = [start(), begin(tool(input={"a": 1})), *deltas, end(), finish("tool_use"), STOP]
        events = accumulated(streamed(*stream))
        (call,) = only(ToolCallCompleted, events)
        assert ('{"a":1}', True) == (call.tool_call.arguments, call.tool_call.valid)


def test_a_call_may_take_no_input():
    """Quirk 91: an empty string of deltas is an empty object, as the start says."""
    (call,) = response_of(start(), *called(""), finish("tool_use"), STOP).tool_calls
    assert ("{}", True) == (call.arguments, call.valid)


def test_deltas_say_the_input_anew():
    """Quirk 91: what the start held is then not the beginning of it; strings are JSON text."""
    stream = [start(), begin(tool(input={"a": 0})), json_piece('{"a":1}'), end(), finish(), STOP]
    assert '{"a":1}' == response_of(*stream).tool_calls[0].arguments
    stream = [start(), begin(tool(input='{"a":2}')), end(), finish("tool_use"), STOP]
    assert {"a": 2} == content_of(*stream)[0]["input"]


def test_input_may_be_cut_off_by_the_limit():
    """Quirk 92: the answer is whole, and the call is one that nobody may act upon."""
    stream = [start(), *said("Let me."), *called('{"a": "b', index=1), finish("max_tokens"), STOP]
    events = accumulated(streamed(*stream))
    response = events[-1].response
    assert ("length", ['{"a": "b']) == (
        response.finish,
        [call.arguments for call in response.tool_calls],
    )
    assert not response.tool_calls[0].valid
    assert [] == only(ToolCallCompleted, events)


def test_input_cut_behind_a_good_reason_is_truncated():
    """Quirk 56: a gateway that adds an end to a stream it lost tells nothing of the input."""
    for stop in (finish("tool_use"), finish("end_turn"), finish(None)):
        with pytest.raises(TruncatedStream, match="broke off"):
            streamed(start(), *called('{"a": "b'), stop, STOP)


def test_a_call_of_the_providers_may_be_cut():
    """Quirk 56: nobody acts upon it, so the answer stands."""
    stream = [start(), *called('{"a', kind="server_tool_use"), *said("Hm.", index=1), finish()]
    assert "Hm." == response_of(*stream, STOP).text


@pytest.mark.parametrize(
    "block",
    [
        {"type": "redacted_thinking", "data": "AAEC"},
        {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}},
        {"type": "container_upload", "file_id": "f"},
        {"type": "tomorrows_block", "text": "no text of the answer", "deep": [{"er": None}]},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u"}]},
        {"type": "mcp_tool_result", "tool_use_id": "s", "is_error": True, "content": []},
    ],
    ids=lambda block: block["type"],
)
def test_a_block_may_come_whole(block):
    """Quirk 93: without deltas, of a type that is known or not; it is kept where it stood."""
    stream = [start(), *said("a"), begin(block, 1), end(1), *said("b", index=2), finish(), STOP]
    response = response_of(*stream)
    assert ("ab", block) == (response.text, response.raw["content"][1])


def test_a_delta_may_be_of_no_known_type():
    """Quirk 94: its text is joined, its other fields replace what was there."""
    stream = [
        start(),
        begin({"type": "tomorrows_block", "song": "la ", "n": 1}),
        delta("song_delta", song="la "),
        delta("song_delta", song="la", n=None),
        delta("song_delta", n=2, more=None),
        end(),
        finish(),
        STOP,
    ]
    assert [{"type": "tomorrows_block", "song": "la la la", "n": 2, "more": None}] == content_of(
        *stream
    )


def test_a_compaction_comes_in_one_delta():
    """Quirk 94: its fields replace the nulls of its start."""
    block = {"type": "compaction", "content": None, "encrypted_content": None}
    fields = {"content": "So far: nothing.", "encrypted_content": "AAEC"}
    stream = [start(), begin(block), delta("compaction_delta", **fields), end(), finish(), STOP]
    assert [{"type": "compaction", **fields}] == content_of(*stream)


def test_signatures_are_kept():
    """Quirk 65: the next turn must send them back; the last of a block is its signature."""
    stream = [
        start(),
        begin(THINKING),
        think("hm"),
        delta("signature_delta", signature="old"),
        delta("signature_delta", signature="new"),
        end(),
        *said("4", index=1),
        finish(),
        STOP,
    ]
    response = response_of(*stream)
    assert ("hm", "4") == (response.reasoning, response.text)
    assert {"type": "thinking", "thinking": "hm", "signature": "new"} == response.raw["content"][0]


def test_thinking_may_be_left_out_and_signed_all_the_same():
    """Quirk 65: a block of thinking that tells nothing is kept for its signature."""
    stream = [start(), begin(THINKING), delta("signature_delta", signature="s"), end()]
    events = streamed(*stream, finish(), STOP)
    assert [] == only(ReasoningDelta, events)
    assert [{"type": "thinking", "thinking": "", "signature": "s"}] == accumulated(events)[
        -1
    ].response.raw["content"]


@pytest.mark.parametrize("citations", [None, [], [{"type": "page_location", "n": 0}]])
def test_citations_may_be_null_at_the_start(citations):
    """Quirk 95: or a list, empty or not, that deltas go on with."""
    block = {"type": "text", "text": "", "citations": citations}
    one = {"type": "page_location", "n": 1}
    plain = [start(), begin(block), text("a"), end(), finish(), STOP]
    assert [{**block, "text": "a"}] == content_of(*plain)
    cited = [*plain[:2], delta("citations_delta", citation=one), *plain[2:]]
    assert [{**block, "text": "a", "citations": [*(citations or []), one]}] == content_of(*cited)


def test_a_result_may_be_of_a_call_of_an_earlier_answer():
    """Quirk 96: a turn that was paused goes on with it; a call of this answer keeps its number."""
    result = {"type": "code_execution_tool_result", "tool_use_id": "srv_0", "content": {"n": 1}}
    stream = [start(), begin(result), end(), *called("{}", index=1), finish("tool_use"), STOP]
    events = accumulated(streamed(*stream))
    assert [
        ToolCallStarted(0, "srv_0", hosted=True),
        ToolResult(0, {"n": 1}, id="srv_0"),
        ToolCallStarted(1, "toolu_1", "look"),
        ToolCallDelta(1, "{}"),
    ] == only(ToolCallStarted | ToolCallDelta | ToolResult, events)
    response = events[-1].response
    assert (["look"], [result, tool()]) == (
        [call.name for call in response.tool_calls],
        response.raw["content"],
    )


def test_a_tool_of_the_providers_may_wait_for_the_caller():
    """Quirk 96: code that called a tool of the caller's has no result yet; that call has."""
    code = tool("code_execution", "srv_1", "server_tool_use")
    inner = tool("roll", "toolu_1", input={"n": 1}, caller={"type": "code_execution"})
    stream = [start(), begin(code), json_piece('{"code": "x"}'), end(), begin(inner, 1), end(1)]
    events = accumulated(streamed(*stream, finish("tool_use"), STOP))
    assert ["roll"] == [event.tool_call.name for event in only(ToolCallCompleted, events)]
    assert ["roll"] == [call.name for call in events[-1].response.tool_calls]


def test_the_start_or_the_end_of_a_block_may_be_missing():
    """Quirk 97: a delta says by its type what block it is of."""
    stream = [
        start(),
        think("hm"),
        delta("signature_delta", signature="s"),
        text("a", 1),
        json_piece('{"a":1}', 2),
        delta("tomorrows_delta", 3, x=1),
        finish("tool_use"),
        STOP,
    ]
    assert [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "", "name": "", "input": {"a": 1}},
        {"type": "", "x": 1},
    ] == content_of(*stream)
    stream = [start(), begin(tool(input={"a": 1})), *said("b", index=1), finish("tool_use"), STOP]
    assert '{"a":1}' == response_of(*stream).tool_calls[0].arguments
    assert "a" == response_of(start(), end(7), *said("a"), end(7), finish(), STOP).text


def test_an_index_may_come_again():
    """Quirk 97: it is another block; the one before is over, and loses nothing."""
    again = [begin(tool("g", "toolu_2", index=9, delta="x"))]
    stream = [start(), begin(tool(input={"a": 1})), *again, json_piece("{}"), finish("tool_use")]
    assert [tool(input={"a": 1}), tool("g", "toolu_2", index=9, delta="x")] == content_of(
        *stream, STOP
    )
    odd = {"type": "odd", "index": 9, "delta": "x"}
    assert [{"type": "odd", "delta": "x"}] == content_of(start(), begin(odd), finish(), STOP)


def test_indexes_may_be_missing():
    """Quirk 97: a delta goes on with the block before, a start begins the next."""
    values = [start(), *said("a"), *called('{"a":', "1}", index=1), finish("tool_use"), STOP]
    bare = [{k: v for k, v in value.items() if k != "index"} for value in values]
    assert streamed(*values) == streamed(*bare)
    assert "x" == response_of(start(), {**text("x"), "index": None}, finish(), STOP).text


def test_blocks_may_be_told_side_by_side():
    """Quirk 98: each piece goes to the block of its index, and is told as it comes."""
    stream = [
        start(),
        begin(TEXT),
        begin(tool(), 1),
        begin(TEXT, 2),
        text("a"),
        json_piece('{"q":', 1),
        text("c", 2),
        text("b"),
        json_piece("1}", 1),
        end(2),
        end(1),
        end(),
        finish("tool_use"),
        STOP,
    ]
    events = streamed(*stream)
    assert "acb" == text_of(events)
    assert [
        {"type": "text", "text": "ab"},
        tool(input={"q": 1}),
        {"type": "text", "text": "c"},
    ] == accumulated(events)[-1].response.raw["content"]
    assert [0, 1, 2, 0, 1, 2, 0, 1] == [part["index"] for part in marks(events)]
    # Told again they stand side by side no more, and add up to the same words and calls.
    encoder = DIALECT.encoder()
    frames = [frame for event in accumulated(events) for frame in encoder.encode(event)]
    again = accumulated(decoded(*frames))[-1].response
    assert ("acb", '{"q":1}') == (again.text, again.tool_calls[0].arguments)


def test_a_delta_may_hold_more_than_its_text():
    """Quirk 57: what nobody modelled stays in the block it came with."""
    stream = [start(), begin(TEXT), delta("text_delta", text="a", logprob=-1), text("b"), end()]
    assert [{"type": "text", "text": "ab", "logprob": -1}] == content_of(*stream, finish(), STOP)
    events = streamed(start(), begin(TEXT), delta("text_delta", text=None), end(), finish(), STOP)
    assert [] == only(TextDelta, events)


# -- errors


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("overloaded_error", 529),
        ("api_error", 500),
        ("rate_limit_error", 429),
        ("timeout_error", 504),
        ("tomorrows_error", None),
    ],
)
@pytest.mark.parametrize("name", ["error", "message"])
@pytest.mark.parametrize("content", [[], said("Hel")])
def test_an_error_may_come_before_content_and_behind_it(word, status, name, content):
    """Quirk 67: by its name or by its type; its word says the status that HTTP did not."""
    error = {"type": "error", "error": {"type": word, "message": "Sorry"}}
    decoder = DIALECT.decoder()
    decoded(start(), *content, decoder=decoder)
    with pytest.raises(InBandError, match="Sorry") as caught:
        decoded(Frame(json.dumps(error), name), decoder=decoder)
    assert (status, word) == (caught.value.status, caught.value.provider_code)


@pytest.mark.parametrize(
    "data", ["Overloaded", '"Overloaded"', '{"message":"Overloaded"}', '{"why":"Overloaded"}']
)
def test_an_error_may_be_of_any_shape(data):
    """Quirk 67: the frame's name says that it is one."""
    with pytest.raises(InBandError, match="Overloaded"):
        decoded(Frame(data, "error"))


@pytest.mark.anyio
async def test_an_overload_behind_the_start_leaves_no_trace():
    """Quirk 67: the request is asked again, and nobody sees that it was."""
    body = {**HEAD, "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn"}
    streams = Reply(sse(start(), PING, OVERLOADED))
    async with FaultProvider(stream=streams, buffered=Reply(json.dumps(body))) as provider:
        async with streamkit.Client(
            base_url=provider.url.removesuffix("/v1"),
            api_key="k",
            dialect="anthropic-messages",
        ) as client:
            async with client.stream({"model": "claude-t"}) as run:
                events = [event async for event in run]
    response = events[-1].response
    assert ("Hello", True, body) == (response.text, response.rerouted, response.raw)
    assert 1 == len(only(ResponseStarted, events))
    assert [True, False] == [request.streaming for request in provider.requests]
    assert ["2023-06-01", "k"] == [
        provider.requests[0].headers[name] for name in ("anthropic-version", "x-api-key")
    ]


@pytest.mark.anyio
async def test_an_overload_behind_text_goes_on_where_it_was():
    """Quirk 67: the buffered answer brings what is missing, in the blocks that were told."""
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "Hello"},
    ]
    body = {**HEAD, "content": content, "stop_reason": "end_turn"}
    cut = [start(), begin(THINKING), think("hm"), end(), begin(TEXT, 1), text("Hel", 1)]
    streams = Reply(sse(*cut, OVERLOADED))
    async with FaultProvider(stream=streams, buffered=Reply(json.dumps(body))) as provider:
        async with streamkit.Client(
            base_url=provider.url.removesuffix("/v1"), dialect="anthropic-messages"
        ) as client:
            async with client.stream({"model": "claude-t"}) as run:
                events = [event async for event in run]
    assert ["Hel", "lo"] == [event.text for event in only(TextDelta, events)]
    assert body == events[-1].response.raw
    encoder = DIALECT.encoder()
    frames = [frame for event in events for frame in encoder.encode(event)]
    again = accumulated(decoded(*frames))[-1].response
    assert ("hm", "Hello") == (again.reasoning, again.text)


def test_marks_are_no_content():
    """A block that begins shows nothing: it neither feeds a clock nor ends a hold."""
    (event,) = only(Metadata, decoded(start(), begin(TEXT)))
    assert (None, False) == (event.channel, event.progress)
