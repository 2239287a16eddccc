"""How a message is asked for, read, judged and folded."""

import json

import pytest

from streamkit.dialects import AnthropicMessages, AnthropicMessagesEncoder, get_dialect
from streamkit.dialects.answer import ChoiceFold
from streamkit.dialects.anthropic_messages.blocks import is_call, is_result
from streamkit.errors import InBandError, MalformedStream, TruncatedStream
from streamkit.events import (
    Citation,
    Finished,
    Metadata,
    ReasoningDelta,
    ResponseCompleted,
    ResponseStarted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    Unknown,
    UsageReported,
)
from streamkit.framing import Frame
from streamkit.response import Usage

from .messages import (
    DIALECT,
    HEAD,
    PING,
    STOP,
    TEXT,
    THINKING,
    USAGE,
    accumulated,
    begin,
    called,
    content_of,
    decoded,
    delta,
    end,
    finish,
    frame,
    json_piece,
    marks,
    raw_of,
    response_of,
    said,
    start,
    streamed,
    text,
    text_of,
    think,
    tool,
)
from .spoken import answer_of, only

REQUEST = {"model": "claude-t", "max_tokens": 9, "messages": [], "stream": False}
VERSION = {"anthropic-version": "2023-06-01"}


class TestAsking:
    def test_a_stream_is_asked_for(self):
        """The path has the version, a header says which, and the request is not changed."""
        before = json.dumps(REQUEST)
        call = DIALECT.streaming(REQUEST)
        assert ("v1/messages", {**REQUEST, "stream": True}, VERSION, {}) == (
            call.path,
            call.body,
            dict(call.headers),
            dict(call.params),
        )
        assert before == json.dumps(REQUEST)

    def test_a_buffered_answer_is_asked_for(self):
        """The same request, without the flag."""
        call = DIALECT.buffered(REQUEST)
        body = {key: value for key, value in REQUEST.items() if key != "stream"}
        assert ("v1/messages", body, VERSION) == (call.path, call.body, dict(call.headers))

    def test_the_key_has_a_header_of_its_own(self):
        """It is no bearer token."""
        assert {"x-api-key": "k"} == DIALECT.authorization("k")

    def test_it_is_found_by_its_name(self):
        """Each decoder and each encoder is fresh."""
        found = get_dialect("anthropic-messages")
        assert isinstance(found, AnthropicMessages)
        assert isinstance(found.encoder(), AnthropicMessagesEncoder)
        assert found.decoder() is not found.decoder()


class TestEvents:
    def test_text(self):
        """A message of one block of text, frame by frame."""
        stream = [start(), PING, *said("Hel", "lo"), finish(), STOP]
        assert [
            ResponseStarted("msg_1", "claude-t"),
            UsageReported(Usage(25, 1, 26), USAGE),
            Metadata(0, {"content": [{"index": 0, "type": "text"}]}, message=True),
            TextDelta("Hel"),
            TextDelta("lo"),
            UsageReported(Usage(25, 9, 34), {"output_tokens": 9}),
            Finished(0, "end_turn"),
            ResponseCompleted(evidence="finish_reason"),
        ] == decoded(*stream)

    def test_thinking_and_its_signature(self):
        """The signature is a field of the block: it is told as such, and kept."""
        block = [begin(THINKING), think("hm"), delta("signature_delta", signature="c2ln"), end()]
        signature = {"type": "signature_delta", "signature": "c2ln"}
        events = decoded(start(), *block)
        assert [
            Metadata(
                0, {"content": [{"index": 0, "type": "thinking", "signature": ""}]}, message=True
            ),
            ReasoningDelta("hm"),
            Metadata(0, {"content": [{"index": 0, "delta": signature}]}, message=True),
        ] == events[2:]
        assert [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}] == raw_of(events)[
            "content"
        ]

    def test_a_call(self):
        """It begins with its block, and its input comes in pieces of JSON text."""
        stream = [start(), *called('{"q":', "1}", caller={"type": "direct"}), finish("tool_use")]
        assert [
            ToolCallStarted(0, "toolu_1", "look", extra={"caller": {"type": "direct"}}),
            ToolCallDelta(0, '{"q":'),
            ToolCallDelta(0, "1}"),
        ] == only(ToolCallStarted | ToolCallDelta, decoded(*stream))
        (call,) = response_of(*stream, STOP).tool_calls
        assert ("toolu_1", "look", '{"q":1}', True) == (
            call.id,
            call.name,
            call.arguments,
            call.valid,
        )

    def test_a_tool_of_the_providers(self):
        """The call is nobody's to make, its result is told, and text behind it is the answer's."""
        found = [{"type": "web_search_result", "url": "u", "encrypted_content": "e"}]
        result = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": found}
        search = tool("web_search", "srv_1", "server_tool_use")
        stream = [
            start(),
            begin(search),
            json_piece('{"query": "x"}'),
            end(),
            begin({**result, "caller": {"type": "direct"}}, 1),
            end(1),
            *said("Found.", index=2),
            finish(),
            STOP,
        ]
        events = accumulated(streamed(*stream))
        assert [
            ToolCallStarted(0, "srv_1", "web_search", hosted=True),
            ToolCallDelta(0, '{"query": "x"}'),
            ToolResult(
                0, found, id="srv_1", name="web_search", extra={"caller": {"type": "direct"}}
            ),
        ] == only(ToolCallStarted | ToolCallDelta | ToolResult | ToolCallCompleted, events)
        response = events[-1].response
        assert ("Found.", (), "stop") == (response.text, response.tool_calls, response.finish)
        assert [
            {**search, "input": {"query": "x"}},
            {**result, "caller": {"type": "direct"}},
            {"type": "text", "text": "Found."},
        ] == response.raw["content"]

    def test_citations(self):
        """Each is told as it comes, and stands in its block."""
        cited = [{"type": "char_location", "cited_text": str(n)} for n in range(2)]
        block = {"type": "text", "text": "", "citations": []}
        deltas = [delta("citations_delta", citation=each) for each in cited]
        stream = [start(), begin(block), deltas[0], text("It is."), deltas[1], end()]
        assert [Citation(each) for each in cited] == only(Citation, decoded(*stream))
        assert [{"type": "text", "text": "It is.", "citations": cited}] == content_of(
            *stream, finish(), STOP
        )

    def test_fields_nobody_modelled_are_kept(self):
        """At every level of a stream, where the provider's own answer has them."""
        raw = response_of(
            {**start(stop_details=None, provider="p"), "top": 1},
            begin({**TEXT, "odd": 2}),
            delta("text_delta", text="a", deep=3),
            text("b"),
            {
                **finish(context_management={"applied_edits": []}),
                "delta": {
                    "stop_reason": "stop_sequence",
                    "stop_sequence": "END",
                    "stop_details": {"type": "x"},
                    "container": {"id": "c"},
                },
            },
            {**STOP, "amazon-bedrock-invocationMetrics": {"latency": 7}},
        ).raw
        assert {
            **HEAD,
            "content": [{"type": "text", "text": "ab", "odd": 2, "deep": 3}],
            "stop_reason": "stop_sequence",
            "stop_sequence": "END",
            "stop_details": {"type": "x"},
            "container": {"id": "c"},
            "provider": "p",
            "top": 1,
            "context_management": {"applied_edits": []},
            "amazon-bedrock-invocationMetrics": {"latency": 7},
            "usage": {"input_tokens": 25, "output_tokens": 9},
        } == raw

    @pytest.mark.parametrize(
        "value",
        [
            {"type": "message_start"},
            {"type": "content_block_start", "index": 0},
            {"type": "content_block_delta", "index": 0, "delta": "x"},
            {"type": "ping", "at": 1},
            {"type": "future_event", "x": 1},
            {"choices": []},
            [1],
            "text",
        ],
    )
    def test_what_is_not_known_is_kept(self, value):
        """No frame is an error because nobody knows it."""
        given = Frame(json.dumps(value), "odd")
        assert [Unknown(value, "odd")] == decoded(given)

    @pytest.mark.parametrize("data", ["null", "", ": keep-alive"])
    def test_a_frame_that_says_nothing_is_nothing(self, data):
        """Keep-alives sent as data."""
        assert [] == decoded(Frame(data))


class TestEnd:
    def test_the_stop_event_completes_at_once(self):
        """Nothing is read behind it; with a reason before it that is the evidence."""
        decoder = DIALECT.decoder()
        assert None is decoder.evidence
        decoded(start(), *said("a"), finish(), decoder=decoder)
        assert None is decoder.evidence
        assert [ResponseCompleted(evidence="finish_reason")] == decoded(STOP, decoder=decoder)
        assert "finish_reason" == decoder.evidence

    def test_it_proves_the_end_without_a_reason_too(self):
        """As a done marker does."""
        assert ResponseCompleted(evidence="done_marker") == streamed(start(), *said("a"), STOP)[-1]

    def test_fields_of_the_end_may_come_without_a_reason(self):
        """They are kept."""
        raw = response_of(start(), {**finish(), "delta": {"container": {"id": "c"}}}, STOP).raw
        assert ({"id": "c"}, None) == (raw["container"], raw["stop_reason"])
        assert [] == only(Metadata, decoded(start(), {**finish(), "delta": None}))

    def test_an_empty_answer_is_an_answer(self):
        """With its end it is whole."""
        response = response_of(start(), finish(), STOP)
        assert ("", "stop", [], "finish_reason") == (
            response.text,
            response.finish,
            response.raw["content"],
            response.evidence,
        )

    @pytest.mark.parametrize(
        ("stream", "why"),
        [
            ([], "no answer came"),
            ([STOP], "no answer came"),
            (["[DONE]"], "no answer came"),
            ([PING], "no answer came"),
            ([start()], "reason so far is None"),
            ([start(), *said("a")], "reason so far is None"),
            ([start(), *said("a"), "[DONE]"], "reason so far is None"),
            ([start(), *said("a"), finish(None)], "reason so far is None"),
            ([start(), *said("a"), finish()], "reason so far is 'end_turn'"),
            ([start(), *called('{"a'), finish("tool_use"), STOP], "call broke off"),
            ([start(), begin(tool()), json_piece('{"a'), STOP], "call broke off"),
        ],
    )
    def test_an_end_without_proof_is_truncated(self, stream, why):
        """The message says what is missing."""
        with pytest.raises(TruncatedStream, match=why):
            streamed(*stream)

    def test_a_body_that_was_cut_in_a_frame_is_truncated(self):
        """Half a JSON text at the end of the body."""
        with pytest.raises(TruncatedStream, match="connection was cut"):
            decoded(Frame('{"type":"message_st', "message_stop", cut=True))

    def test_a_frame_that_is_not_json_is_malformed(self):
        """Text might be missing."""
        with pytest.raises(MalformedStream):
            decoded(Frame("<html>", "message_start"))

    def test_lines_beside_the_framing_may_be_the_error(self):
        """It is raised where there is no end, and pardoned where there is."""
        residue = '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
        decoder = DIALECT.decoder()
        decoded(start(), decoder=decoder)
        with pytest.raises(InBandError, match="Overloaded"):
            decoder.eof(residue)
        with pytest.raises(TruncatedStream, match="also held 'odd'"):
            decoder.eof("odd")
        decoded(*said("a"), finish(), STOP, decoder=decoder)
        assert (ResponseCompleted(evidence="finish_reason"),) == decoder.eof(residue)

    def test_what_it_says_is_text_or_a_call(self):
        """Thinking is none."""
        decoder = DIALECT.decoder()
        decoded(start(), begin(THINKING), think("hm"), end(), begin(TEXT, 1), decoder=decoder)
        assert not decoder.said
        decoded(text("a", 1), decoder=decoder)
        assert decoder.said
        other = DIALECT.decoder()
        decoded(start(), begin(tool()), decoder=other)
        assert other.said

    def test_events_before_an_error_of_the_same_frame_are_given(self):
        """Where a server left out the blank line between two frames."""
        error = {"type": "error", "error": {"type": "api_error", "message": "lost"}}
        both = Frame(f"{json.dumps(start())}\n{json.dumps(error)}", "message_start")
        given, told = DIALECT.decoder().feed(both), []
        with pytest.raises(InBandError, match="lost"):
            told.extend(event for event in given)
        assert isinstance(next(iter(DIALECT.decoder().feed(both))), ResponseStarted)


BODY = {
    **HEAD,
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "AAEC"},
        {"type": "text", "text": "See ", "citations": [{"type": "page_location"}]},
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"q": "ż"}},
    ],
    "stop_reason": "tool_use",
    "stop_details": None,
    "container": None,
}


class TestBuffered:
    def test_a_body_gives_the_events_of_a_stream(self):
        """Each block in its place, its end proved by its being there."""
        events = DIALECT.read_buffered(BODY)
        assert [
            ResponseStarted("msg_1", "claude-t"),
            UsageReported(Usage(25, 1, 26), USAGE),
            ReasoningDelta("hm"),
            TextDelta("See "),
            Citation({"type": "page_location"}),
            ToolCallStarted(0, "toolu_1", "look"),
            ToolCallDelta(0, '{"q":"ż"}'),
            Finished(0, "tool_use", {"stop_details": None, "container": None}),
            ResponseCompleted(evidence="buffered"),
        ] == [event for event in events if not isinstance(event, Metadata)]
        assert [
            {"index": 0, "type": "thinking", "signature": "c2ln"},
            {"index": 1, "type": "redacted_thinking", "data": "AAEC"},
            {"index": 2, "type": "text", "citations": []},
            {"index": 3, "type": "tool_use"},
        ] == marks(events)
        assert BODY == raw_of(events)

    def test_a_whole_frame_is_a_buffered_body(self):
        """Whether a provider ignored the flag, or was asked for a body."""
        whole = Frame(json.dumps(BODY), whole=True)
        assert DIALECT.read_buffered(BODY) == list(DIALECT.decoder().feed(whole))

    def test_what_is_no_block_is_passed_over(self):
        """A list of content that holds anything else."""
        body = {**HEAD, "content": ["text", None, {"type": "text", "text": "a"}]}
        assert [{"type": "text", "text": "a"}] == raw_of(DIALECT.read_buffered(body))["content"]

    def test_a_stream_of_one_frame_may_be_framed_as_a_document(self):
        """It is judged as the stream that it is."""
        message = {**start(stop_reason="end_turn", content=[{"type": "text", "text": "a"}])}
        with pytest.raises(TruncatedStream):
            DIALECT.decoder().feed(Frame(json.dumps(message), whole=True))
        with pytest.raises(TruncatedStream, match="no answer"):
            list(DIALECT.decoder().feed(Frame(json.dumps(STOP), whole=True)))

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ('{"type":"error","error":{"type":"overloaded_error","message":"m"}}', InBandError),
            ('{"choices":[]}', MalformedStream),
            ('{"content":"text"}', MalformedStream),
            ('{"content":null}', MalformedStream),
            ("[]", MalformedStream),
            ("<html>", MalformedStream),
        ],
    )
    def test_what_is_no_answer_is_an_error(self, body, error):
        """The provider's own, or that the endpoint speaks something else."""
        with pytest.raises(error):
            list(DIALECT.decoder().feed(Frame(body, whole=True)))


class TestWords:
    @pytest.mark.parametrize(
        ("reason", "word"),
        [
            ("end_turn", "stop"),
            ("stop_sequence", "stop"),
            ("max_tokens", "length"),
            ("model_context_window_exceeded", "length"),
            ("tool_use", "tool_calls"),
            ("pause_turn", "paused"),
            ("refusal", "refusal"),
            ("tomorrows_reason", "other"),
            (None, "stop"),
        ],
    )
    def test_the_neutral_word_for_the_end(self, reason, word):
        """The provider's own word stays beside it."""
        assert word == DIALECT.finish(ChoiceFold(0, finish_reason=reason))

    @pytest.mark.parametrize("reason", ["end_turn", None])
    def test_calls_that_nobody_ran_end_in_calls(self, reason):
        """Imitators end them as they end text; what the provider runs is nobody's to make."""
        asked = answer_of(decoded(start(), *called())).choice(0)
        hosted = answer_of(decoded(start(), *called(kind="server_tool_use"))).choice(0)
        asked.finish_reason = hosted.finish_reason = reason
        assert ("tool_calls", "stop") == (DIALECT.finish(asked), DIALECT.finish(hosted))

    def test_neutral_usage_counts_the_cache_in(self):
        """The API counts it beside the input."""
        raw = {
            "input_tokens": 10,
            "cache_creation_input_tokens": 200,
            "cache_read_input_tokens": 3000,
            "output_tokens": 7,
            "output_tokens_details": {"thinking_tokens": 4},
        }
        assert Usage(3210, 7, 3217, 3000, 4) == DIALECT.usage(raw)
        assert Usage() == DIALECT.usage({"input_tokens": None, "output_tokens": True})
        assert Usage(output_tokens=7) == DIALECT.usage({"output_tokens": 7})

    @pytest.mark.parametrize(
        ("kind", "call", "result"),
        [
            ("tool_use", True, False),
            ("server_tool_use", True, False),
            ("mcp_tool_use", True, False),
            ("web_search_tool_result", False, True),
            ("mcp_tool_result", False, True),
            ("text", False, False),
            ("", False, False),
        ],
    )
    def test_blocks_are_told_apart_by_their_types(self, kind, call, result):
        """Tools of tomorrow among them."""
        assert (call, result) == (is_call(kind), is_result(kind))


class TestFold:
    def test_a_part_of_an_answer_is_an_answer_so_far(self):
        """Of a failed attempt as much is told as came."""
        events = decoded(start(), *said("Let me"), begin(tool(), 1), json_piece('{"q', 1))
        assert [
            {"type": "text", "text": "Let me"},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": '{"q'},
        ] == raw_of(events)["content"]

    def test_nothing_is_an_empty_message(self):
        """No id, no usage, no content."""
        assert {
            "id": "",
            "type": "message",
            "role": "assistant",
            "model": "",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
        } == raw_of([])

    def test_an_answer_may_not_say_what_it_cost(self):
        """Then nobody does."""
        response = response_of(start(usage=None), {**finish(), "usage": {}}, STOP)
        assert (None, False) == (response.usage, "usage" in response.raw)

    def test_what_stages_add_has_a_block_of_its_own(self):
        """Reasoning found in the text, text in front of everything, a call of a stage's own."""
        block = Metadata(0, {"content": [{"index": 0, "type": "text", "odd": 1}]}, message=True)
        result = Metadata(0, {"content": [{"index": 1, "type": "x_tool_result"}]}, message=True)
        events = [
            TextDelta("Before. "),
            block,
            ReasoningDelta("hm"),
            TextDelta("a"),
            ToolCallStarted(0, "c", "f"),
            result,
            TextDelta("behind"),
        ]
        assert [
            {"type": "text", "text": "Before. "},
            {"type": "thinking", "thinking": "hm", "signature": ""},
            {"type": "tool_use", "id": "c", "name": "f", "input": {}},
            {"type": "text", "text": "a", "odd": 1},
            {"type": "text", "text": "behind"},
        ] == raw_of(events)["content"]

    def test_the_model_that_took_over_is_named(self):
        """As in a message that was not streamed."""
        block = {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}
        raw = response_of(start(), begin(block), end(), *said("x", index=1), finish(), STOP).raw
        assert ("b", [block, {"type": "text", "text": "x"}]) == (raw["model"], raw["content"])

    def test_frames_are_not_changed(self):
        """A decoder owns what it decodes; a body it was given stays as it is."""
        body = json.loads(json.dumps(BODY))
        DIALECT.read_buffered(body)
        assert BODY == body
        assert "a" == text_of(decoded(frame(start()), *said("a")))
