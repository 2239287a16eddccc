"""The dialect openai-chat: how it asks, reads and judges."""

import copy
import json

import pytest

from streamkit.dialects import Dialect, OpenAIChat, get_dialect
from streamkit.dialects.answer import ChoiceFold
from streamkit.errors import InBandError, MalformedStream, MisuseError, TruncatedStream
from streamkit.events import (
    Citation,
    Finished,
    Heartbeat,
    Metadata,
    ResponseCompleted,
    ResponseStarted,
    TextDelta,
    ToolCallStarted,
    Unknown,
    UsageReported,
)
from streamkit.framing import Frame
from streamkit.response import Usage

from .chat import (
    DIALECT,
    DONE,
    HEAD,
    USAGE,
    chunk,
    decoded,
    frame,
    raw_of,
    streamed,
    text_of,
    usage_chunk,
)
from .spoken import answer_of, only

STOP = chunk({}, "stop")
REQUEST = {"model": "m-1", "messages": [{"role": "user", "content": "hi"}], "seed": 7}
BODY = {
    "id": "chatcmpl-b1",
    "object": "chat.completion",
    "created": 17,
    "model": "m-1",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    ],
}


def whole(value):
    """A frame that is one JSON body."""
    return Frame(value if isinstance(value, str) else json.dumps(value), whole=True)


def test_a_dialect_is_found_by_its_name():
    """And one that is a dialect already stays as it is."""
    assert OpenAIChat() == get_dialect("openai-chat")
    dialect: Dialect = OpenAIChat()
    assert dialect is get_dialect(dialect)
    with pytest.raises(MisuseError, match=r"'openai'; .*built in: .*openai-chat"):
        get_dialect("openai")


def test_streaming_asks_for_a_stream_with_usage():
    """The request is the caller's, with the stream's two flags."""
    call = DIALECT.streaming(REQUEST)
    flags = {"stream": True, "stream_options": {"include_usage": True}}
    assert ("chat/completions", {**REQUEST, **flags}) == (call.path, call.body)


@pytest.mark.parametrize("own", [{"include_usage": False}, {"chunk_size": 4}, None])
def test_the_callers_stream_options_stay(own):
    """Whoever asks for other options of the stream gets them."""
    call = DIALECT.streaming({**REQUEST, "stream": False, "stream_options": own})
    assert {"include_usage": True, **(own or {})} == call.body["stream_options"]
    assert call.body["stream"] is True


def test_the_buffered_call_is_the_request_without_the_flags():
    """Nothing else is taken away, and nothing is put in."""
    request = {**REQUEST, "stream": True, "stream_options": {"include_usage": True}}
    before = copy.deepcopy(request)
    call = DIALECT.buffered(request)
    assert ("chat/completions", REQUEST) == (call.path, call.body)
    assert before == request


def test_the_key_is_a_bearer_token():
    """It travels in the one header the API reads."""
    assert {"authorization": "Bearer key"} == DIALECT.authorization("key")


def test_a_stream_is_an_answer():
    """It begins once, its words come in order, and it ends once, with its reason and usage."""
    assert [
        ResponseStarted(HEAD["id"], "m-1", {"object": HEAD["object"], "created": 17}),
        TextDelta("Hel"),
        TextDelta("lo"),
        Finished(0, "stop"),
        UsageReported(Usage(5, 2, 7), USAGE),
        ResponseCompleted(evidence="finish_reason"),
    ] == streamed(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo"}),
        STOP,
        usage_chunk(),
        DONE,
    )


def test_an_envelope_without_any_field_begins_an_answer():
    """A server that sends choices and nothing else has begun to answer."""
    events = decoded({"choices": [{"delta": {"content": "a"}}]})
    assert [ResponseStarted(), TextDelta("a")] == events


@pytest.mark.parametrize(
    ("evidence", "chunks"),
    [
        ("finish_reason", [chunk({"content": "a"}), STOP]),
        ("finish_reason", [chunk({"content": "a"}, "length")]),
        ("finish_reason", [STOP]),
        ("done_marker", [chunk({"content": "a"}), DONE]),
        ("done_marker", [chunk({"role": "assistant"}), DONE]),
        ("usage", [chunk({"content": "a"}), usage_chunk()]),
    ],
)
def test_what_proves_the_end(evidence, chunks):
    """A finish reason, else a done marker, else usage of its own."""
    assert ResponseCompleted(evidence=evidence) == streamed(*chunks)[-1]


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [chunk({"content": "a"})],
        [chunk({"content": "a"}, usage=USAGE)],
        [chunk({"content": "a"}, "stop"), chunk({"content": "b"}, index=1)],
        [usage_chunk()],
        [{"ping": 1}],
    ],
    ids=["nothing", "text", "usage beside", "half", "usage alone", "unknown"],
)
def test_an_end_without_proof_is_truncated(chunks):
    """A connection that simply ends proves nothing. Quirk 74."""
    with pytest.raises(TruncatedStream, match=r"finish reason or \[DONE\]"):
        streamed(*chunks)


@pytest.mark.parametrize("before", [[], [usage_chunk()], [{"ping": 1}]])
def test_a_done_marker_alone_is_no_answer(before):
    """Behind no chunk of an answer it ends nothing. Quirk 72."""
    with pytest.raises(TruncatedStream, match="no answer came at all"):
        decoded(*before, DONE)


def test_the_error_names_the_choices_that_were_cut():
    """Which of several answers is not whole."""
    with pytest.raises(TruncatedStream, match=r"choices \[1, 2\] got none"):
        streamed(*[chunk({"content": "a"}, "stop" if n == 0 else None, index=n) for n in range(3)])


@pytest.mark.parametrize("data", [DONE, b"[DONE]", " [DONE]"])
def test_the_done_marker_ends_the_stream(data):
    """In text or bytes; one among other lines is noticed too."""
    decoder = DIALECT.decoder()
    decoded(chunk({"content": "a"}), decoder=decoder)
    assert decoder.evidence is None
    list(decoder.feed(Frame(data)))
    assert "done_marker" == decoder.evidence


def test_a_done_marker_completes_at_once():
    """Nothing more can come, so nobody has to wait for the connection to end. Quirk 36."""
    assert isinstance(decoded(chunk({"content": "a"}), DONE)[-1], ResponseCompleted)


def test_lines_of_one_frame_are_chunks():
    """A server that left out the blank lines is read all the same."""
    lines = "\n".join([json.dumps(chunk({"content": "a"})), json.dumps(STOP), DONE])
    assert "a" == text_of(streamed(lines))


@pytest.mark.parametrize("value", [[1], "words", 7, {"ping": 1}, {"event": {"k": []}}])
def test_an_unknown_frame_is_kept(value):
    """What is no chunk is no error, and no answer."""
    assert [Unknown(value, "news")] == decoded(frame(json.dumps(value), "news"))


@pytest.mark.parametrize("value", ["null", "{}", ": keep-alive", ""])
def test_a_frame_that_says_nothing_is_nothing(value):
    """Nulls, empty objects and comments sent as data give no event."""
    assert [] == decoded(value)


def test_a_frame_that_is_not_json_is_malformed():
    """It is quoted, and what came before it was given. Quirk 73."""
    decoder = DIALECT.decoder()
    assert "a" == text_of(decoded(chunk({"content": "a"}), decoder=decoder))
    with pytest.raises(MalformedStream, match="oops"):
        list(decoder.feed(frame("{oops")))


def test_a_frame_the_end_cut_is_truncated():
    """Half a chunk at the end of the body is a cut, no fault of the provider's format."""
    with pytest.raises(TruncatedStream, match="the body ended after"):
        list(DIALECT.decoder().feed(Frame('{"id": "x', cut=True)))


ERROR = {"error": {"message": "Busy", "code": "overloaded"}}


@pytest.mark.parametrize(
    "value",
    [
        frame(ERROR),
        frame({**HEAD, **ERROR}),
        frame({**HEAD, "choices": [], **ERROR}),
        frame({"message": "Busy", "code": "overloaded"}, "error"),
        frame({**HEAD, "choices": [{"index": 0}], **ERROR}, "error"),
        frame({"choices": [{"delta": {"content": ""}, "finish_reason": "error"}], **ERROR}),
        frame(chunk(choices=[{"index": 0, "finish_reason": "error", **ERROR}])),
        frame({"object": "error", "message": "Busy", "code": "overloaded"}),
        frame({"error_message": "Busy", "error_type": "overloaded"}),
    ],
)
def test_an_error_among_the_chunks_is_raised(value):
    """Wherever in a frame a provider puts it, it is its error. Quirk 66."""
    with pytest.raises(InBandError, match=r"Busy|ended the answer"):
        decoded(chunk({"content": "Hel"}), value)


def test_text_beside_an_error_is_given_first():
    """What came in the same chunk as the error came before it. Quirk 66."""
    events = iter(DIALECT.decoder().feed(frame(chunk({"content": "lo"}, **ERROR))))
    assert TextDelta("lo") == next(events)
    with pytest.raises(InBandError, match="Busy"):
        next(events)


@pytest.mark.parametrize("reason", ["error", "error_finish", "network_error"])
def test_some_reasons_are_errors(reason):
    """A reason that says the provider failed is no end of an answer."""
    with pytest.raises(InBandError) as caught:
        decoded(chunk({}, reason))
    assert reason == caught.value.provider_code
    with pytest.raises(InBandError):
        DIALECT.read_buffered({**BODY, "choices": [{"index": 0, "finish_reason": reason}]})


@pytest.mark.parametrize("nothing", [None, "", {}])
def test_an_empty_error_is_none(nothing):
    """A field that is always there says nothing while it is empty."""
    assert "a" == text_of(streamed(chunk({"content": "a"}, "stop", error=nothing)))


@pytest.mark.parametrize(
    "residue",
    [
        json.dumps(ERROR),
        f"\n {json.dumps(ERROR)} \n",
        f"error: {json.dumps(ERROR)}",
        f"error: {json.dumps(ERROR['error'])}",
        f"event: x\nerror: {json.dumps(ERROR)}",
    ],
)
def test_an_error_among_the_lines_that_are_no_frames_is_raised(residue):
    """A bare JSON error in a stream, or behind ``error:``, is the provider's error."""
    with pytest.raises(InBandError, match="Busy"):
        DIALECT.decoder().eof(residue)


@pytest.mark.parametrize("residue", ["words", "{}", "[1]", "error: words", "error: null"])
def test_other_lines_are_quoted(residue):
    """What was no frame and no error helps whoever reads the message."""
    with pytest.raises(TruncatedStream) as caught:
        DIALECT.decoder().eof(residue)
    assert repr(residue) in str(caught.value)


def test_a_whole_answer_pardons_the_lines():
    """An error behind the end of an answer is no error of the answer."""
    decoder = DIALECT.decoder()
    decoded(chunk({"content": "a"}), STOP, decoder=decoder)
    assert (ResponseCompleted(evidence="finish_reason"),) == decoder.eof(json.dumps(ERROR))


def test_a_whole_body_is_an_answer():
    """A provider that ignored the stream's flag has answered."""
    events = list(DIALECT.decoder().feed(whole(BODY)))
    assert ("hi", ResponseCompleted(evidence="buffered")) == (text_of(events), events[-1])
    assert BODY == raw_of(events)


def test_a_stream_of_one_chunk_may_come_as_a_body():
    """A chunk framed as a document is read as a chunk."""
    events = list(DIALECT.decoder().feed(whole(chunk({"content": "hi"}, "stop"))))
    assert ("hi", ResponseCompleted(evidence="finish_reason")) == (text_of(events), events[-1])


def test_a_chunk_as_a_body_needs_proof_too():
    """One chunk without an end is a cut."""
    with pytest.raises(TruncatedStream):
        list(DIALECT.decoder().feed(whole(chunk({"content": "hi"}))))


def test_a_page_as_a_body_is_malformed():
    """A login page or a proxy's error is quoted."""
    with pytest.raises(MalformedStream, match=r"<html>.*base_url"):
        list(DIALECT.decoder().feed(whole("<html>Sign in</html>")))


def test_an_error_as_a_body_is_raised():
    """An error with a good status is the provider's error."""
    with pytest.raises(InBandError, match="Busy"):
        list(DIALECT.decoder().feed(whole(ERROR)))


@pytest.mark.parametrize(
    "body", [{}, [], "words", None, {"choices": None}, {"choices": []}, {"choices": ["a"]}]
)
def test_a_body_without_choices_is_malformed(body):
    """The error quotes it and says what to check."""
    with pytest.raises(MalformedStream, match="openai-chat"):
        DIALECT.read_buffered(body)


def test_a_body_is_not_changed():
    """Reading mutates nothing, at any depth."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}", "x": [1]}}
    message = {"content": "", "tool_calls": [call], "annotations": [], "note": {"k": [1]}}
    body = {**BODY, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    before = copy.deepcopy(body)
    answer = answer_of(DIALECT.read_buffered(body))
    answer.choices[0].message["note"]["k"].append(2)
    DIALECT.response(answer)
    assert before == body


@pytest.mark.parametrize("message", [None, "hi", ["hi"]])
def test_a_message_may_be_its_content(message):
    """A message that is no object is read for what it is."""
    body = {**BODY, "choices": ["?", {"message": message, "finish_reason": "stop"}]}
    assert ("hi" if message else "") == text_of(DIALECT.read_buffered(body))


@pytest.mark.parametrize(
    ("finish", "reason", "fields"),
    [
        ("stop", "stop", {}),
        ("stop", None, {}),
        ("length", "length", {}),
        ("length", "max_tokens", {}),
        ("tool_calls", "tool_calls", {}),
        ("tool_calls", "function_call", {}),
        ("content_filter", "content_filter", {}),
        ("other", "eos_token", {}),
        ("tool_calls", "stop", {"calls": ["call"]}),
        ("tool_calls", None, {"calls": ["call"]}),
        ("length", "length", {"calls": ["call"]}),
        ("refusal", "stop", {"refusal": ["no"]}),
        ("content_filter", "content_filter", {"refusal": ["no"]}),
    ],
)
def test_the_neutral_word_for_the_end(finish, reason, fields):
    """By the reason and by what came: ``stop`` behind tool calls is tool calls. Quirk 54."""
    assert finish == DIALECT.finish(ChoiceFold(0, finish_reason=reason, **fields))


@pytest.mark.parametrize(
    ("usage", "raw"),
    [
        (Usage(), {}),
        (Usage(5, 2, 7), USAGE),
        (Usage(5), {"prompt_tokens": 5, "completion_tokens": None, "total_tokens": "7"}),
        (Usage(None, 0), {"prompt_tokens": True, "completion_tokens": 0}),
        (
            Usage(5, 2, 7, cached_tokens=3, reasoning_tokens=1),
            {
                **USAGE,
                "prompt_tokens_details": {"cached_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 1},
            },
        ),
        (Usage(5, 2, 7), {**USAGE, "prompt_tokens_details": None, "completion_tokens_details": 1}),
    ],
)
def test_usage_is_read(usage, raw):
    """Counts are counts; what is none is None."""
    assert usage == DIALECT.usage(raw)


def test_an_answer_ignores_what_adds_nothing():
    """Heartbeats, unknown frames and terminals are no part of it."""
    assert not answer_of([Heartbeat(), Unknown(1), ResponseCompleted()]).choices


def test_an_answer_knows_whether_content_came():
    """A start and a finish are no content; any delta is."""
    events = [ResponseStarted("a"), Metadata(None, {"k": 1}), Finished(0, "stop")]
    assert not answer_of(events).content
    for event in (TextDelta("a"), ToolCallStarted(0), Citation({"u": 1})):
        assert answer_of([*events, event]).content


def test_calls_that_were_never_begun_are_opened():
    """A delta of the third call makes room for the two before it."""
    answer = answer_of([ToolCallStarted(2, "c", "f")])
    assert ["", "", "c"] == [call.id for call in answer.choices[0].calls]


def test_an_id_known_only_from_metadata_counts():
    """Where an answer's first id comes late it is the answer's id."""
    raw = raw_of([ResponseStarted(), Metadata(None, {"id": "late", "model": "m"}), TextDelta("a")])
    assert ("late", "m") == (raw["id"], raw["model"])


def test_a_second_start_changes_nothing():
    """The first id and model count."""
    raw = raw_of([ResponseStarted("a", "m"), ResponseStarted("b", "n")])
    assert ("a", "m") == (raw["id"], raw["model"])


def test_the_events_of_several_choices_are_their_own():
    """Each is read with its index; reasons and texts are kept apart."""
    both = [{"index": n, "delta": {"content": f"t{n}"}, "finish_reason": None} for n in (0, 1)]
    ends = [{"index": n, "delta": {}, "finish_reason": r} for n, r in ((1, "length"), (0, "stop"))]
    raw = raw_of(streamed(chunk(choices=both), chunk(choices=ends)))
    assert [(0, "t0", "stop"), (1, "t1", "length")] == [
        (c["index"], c["message"]["content"], c["finish_reason"]) for c in raw["choices"]
    ]


@pytest.mark.parametrize("index", [None, "0", 0, "first", [1]])
def test_an_index_that_is_none_is_the_first(index):
    """A choice without a readable index is choice 0."""
    choice = {"index": index, "delta": {"content": "a"}, "finish_reason": "stop"}
    assert [TextDelta("a", 0)] == only(TextDelta, streamed(chunk(choices=[choice])))


def test_each_decoder_is_fresh():
    """What one attempt saw is no evidence for the next."""
    streamed(chunk({"content": "a"}), STOP)
    assert DIALECT.decoder().evidence is None


def test_a_body_may_have_no_finish_reason():
    """It is there, so it is whole; its reason stays null, and what stands beside it is kept."""
    choice = {**BODY["choices"][0], "finish_reason": None, "logprobs": None}
    events = DIALECT.read_buffered({**BODY, "choices": [choice]})
    assert not only(Finished, events)
    assert {**BODY, "choices": [choice]} == raw_of(events)
