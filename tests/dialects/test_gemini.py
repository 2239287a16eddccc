"""The dialect gemini: how it asks, what it reads, how it ends."""

import json

import pytest

from streamkit.dialects import Gemini, get_dialect
from streamkit.errors import InBandError, MalformedStream, MisuseError, TruncatedStream
from streamkit.events import (
    Finished,
    Metadata,
    ReasoningDelta,
    ResponseCompleted,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Unknown,
    UsageReported,
)
from streamkit.framing import Frame
from streamkit.response import Usage

from .gemini import (
    DIALECT,
    HEAD,
    SIGNED,
    STOP,
    USAGE,
    buffered,
    call,
    candidate,
    chunk,
    decoded,
    frame,
    parts_of,
    piece,
    raw_of,
    response_of,
    streamed,
    text,
    thought,
)
from .spoken import only

REQUEST = {"model": "gemini-x", "contents": [{"parts": [{"text": "hi"}]}], "stream": False}
END = ResponseCompleted(evidence="finish_reason")


# -- how it asks


def test_the_model_stands_in_the_path():
    """And not in the body; the stream is asked for by its method and as SSE."""
    before = json.dumps(REQUEST)
    stream, whole = DIALECT.streaming(REQUEST), DIALECT.buffered(REQUEST)
    body = {key: value for key, value in REQUEST.items() if key != "model"}

    assert ("models/gemini-x:streamGenerateContent", body) == (stream.path, stream.body)
    assert ("models/gemini-x:generateContent", body) == (whole.path, whole.body)
    assert ({"alt": "sse"}, {}) == (stream.params, whole.params)
    assert before == json.dumps(REQUEST)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("models/m", "models/m"),
        ("tunedModels/mine", "tunedModels/mine"),
        ("publishers/google/models/m", "publishers/google/models/m"),
        ("a b?c", "models/a%20b%3Fc"),
    ],
)
def test_a_model_may_be_a_path(model, path):
    """What has a slash is one; nothing in it leaves the path."""
    assert f"{path}:generateContent" == DIALECT.buffered({"model": model}).path


@pytest.mark.parametrize("request_", [{}, {"model": ""}, {"model": 3}])
def test_a_call_needs_a_model(request_):
    """It is said what was missing, before anything is sent."""
    for ask in (DIALECT.streaming, DIALECT.buffered):
        with pytest.raises(MisuseError, match="expected 'model' in the request"):
            ask(request_)


def test_the_key_goes_into_a_header_of_its_own():
    """Never into the query."""
    assert {"x-goog-api-key": "k"} == DIALECT.authorization("k")


def test_it_is_found_by_its_name():
    """As every dialect is."""
    assert isinstance(get_dialect("gemini"), Gemini)


# -- what it reads


def test_a_stream_is_told_in_order():
    """Start, reasoning, text, a call, usage and the end."""
    events = streamed(
        chunk(thought("Hm")),
        chunk(text("Hel"), text("lo")),
        chunk(call("tide", {"day": 2}, id="c1"), reason="STOP", usage=USAGE),
    )
    assert [
        ResponseStarted("r-1", "g-1"),
        ReasoningDelta("Hm"),
        TextDelta("Hel"),
        TextDelta("lo"),
        ToolCallStarted(0, "c1", "tide"),
        ToolCallDelta(0, '{"day":2}'),
        Finished(0, "STOP"),
        UsageReported(Usage(5, 2, 7), USAGE),
        END,
    ] == events


def test_a_stream_adds_up_to_the_body():
    """Texts in a row are one part; what has fields of its own stays apart; usage is the last."""
    events = streamed(
        chunk(thought("Hm"), usage={"promptTokenCount": 5}),
        chunk(text("Hel")),
        chunk(text("lo"), text("!", **SIGNED), text(" Bye")),
        chunk({"inlineData": {"mimeType": "image/png", "data": "AA=="}}),
        chunk(text("."), call("tide", {"day": 2}, part=SIGNED, odd=1)),
        chunk(text("", **SIGNED), reason="STOP", usage=USAGE, finishMessage="done"),
    )
    assert chunk(
        thought("Hm"),
        text("Hello"),
        text("!", **SIGNED),
        text(" Bye"),
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
        text("."),
        call("tide", {"day": 2}, part=SIGNED, odd=1),
        text("", **SIGNED),
        reason="STOP",
        usage=USAGE,
        finishMessage="done",
    ) == raw_of(events)


BODIES = {
    "text": chunk(text("Hi"), reason="STOP", usage=USAGE),
    "thoughts": chunk(thought("Hm", **SIGNED), text("Hi"), reason="STOP"),
    "calls": chunk(text("So:"), call("f", {"a": [1, None]}), call("g", {}, id="2"), reason="STOP"),
    "signed": chunk(text("a", **SIGNED), text("b"), text("", **SIGNED), reason="STOP"),
    "two signed": chunk(text("a", **SIGNED), text("b", **SIGNED), thought("c"), reason="STOP"),
    "parts": chunk(
        {"executableCode": {"code": "1", "language": "PYTHON"}, **SIGNED},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        text("one"),
        {"toolCall": {"id": "t"}},
        {"toolResponse": {"id": "t"}},
        {"fileData": {"fileUri": "u"}, "thought": True},
        reason="STOP",
    ),
    "two candidates": {
        "candidates": [candidate(text("a"), reason="STOP"), candidate(text("b"), index=1)],
        **HEAD,
    },
    "fields": {
        **chunk(
            text("a"),
            reason="MAX_TOKENS",
            avgLogprobs=-0.5,
            safetyRatings=[{"category": "HARM_CATEGORY_HARASSMENT", "probability": "LOW"}],
            citationMetadata={"citationSources": [{"uri": "u"}, {"uri": "v"}], "more": 1},
            groundingMetadata={"groundingChunks": [{"web": {"uri": "u"}}], "webSearchQueries": []},
        ),
        "createTime": "t",
        "promptFeedback": {"safetyRatings": []},
        "unheardOf": {"deep": [None]},
    },
    "another role": {
        "candidates": [{"content": {"role": "tool", "odd": 1}, "index": 0}],
        **HEAD,
    },
    "nothing but an end": STOP,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_comes_back_exactly(body):
    """Read to events and folded again, not a field is lost, changed or invented."""
    before = json.dumps(body)
    assert body == raw_of(buffered(body))
    assert before == json.dumps(body)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_whole_frame_is_a_buffered_body(body):
    """Whether it was asked for or not, one body gives the same events."""
    events = list(DIALECT.decoder().feed(Frame(json.dumps(body), whole=True)))
    assert buffered(body) == events
    assert ResponseCompleted(evidence="buffered") == events[-1]


@pytest.mark.parametrize(
    "body", [None, 3, "words", [], {}, {"id": 1}, {"candidates": []}, {"usageMetadata": {}}]
)
def test_what_is_no_answer_is_malformed(body):
    """And says what was expected."""
    with pytest.raises(MalformedStream, match="expected an answer with candidates"):
        DIALECT.read_buffered(body)


def test_a_page_as_a_body_is_malformed():
    """It quotes its beginning."""
    with pytest.raises(MalformedStream, match="<html>"):
        DIALECT.decoder().feed(Frame("<html>no</html>", whole=True))


def test_unknown_frames_are_kept():
    """Whatever they are, they are no error, and the answer goes on."""
    events = streamed({"ping": 1}, "[1]", '"word"', "null", "{}", chunk(text("a"), reason="STOP"))
    assert [Unknown({"ping": 1}), Unknown([1]), Unknown("word")] == events[:3]
    assert "a" == "".join(event.text for event in only(TextDelta, events))


def test_a_frame_that_is_not_json_is_malformed():
    """Behind what came before it, and with its words where it says that it is an error."""
    with pytest.raises(MalformedStream):
        decoded("{no json")
    with pytest.raises(InBandError, match="overloaded"):
        decoded(frame("overloaded", "error"))
    with pytest.raises(InBandError, match="too much"):
        decoded(frame({"message": "too much"}, "error"))


def test_a_frame_cut_by_the_end_is_truncated():
    """It is not the provider's fault."""
    with pytest.raises(TruncatedStream):
        list(DIALECT.decoder().feed(Frame('{"candidates": [{"con', cut=True)))


def test_odd_shapes_are_passed_over():
    """Nulls, words and numbers where lists and objects should be are nothing."""
    odd = [
        {"candidates": None, **HEAD},
        {"candidates": [{"content": None}, "no"]},
        {"candidates": [{"content": {"parts": None}, "index": None}]},
        {"candidates": [{"content": {"parts": "no"}}]},
        {"candidates": [{"content": {"parts": ["no", {}, {"text": 3}]}}]},
        {"candidates": [{"content": "no"}], "usageMetadata": "no"},
        {"candidates": [{"citationMetadata": {"citations": "no"}, "groundingMetadata": None}]},
        {"candidates": [{"groundingMetadata": {"groundingChunks": 3}}]},
    ]
    events = streamed(*odd, chunk(text("a")), STOP)
    assert ("a", "stop") == (response_of(events).text, response_of(events).finish)


# -- how it ends


def test_an_end_without_a_reason_is_truncated():
    """Text, usage and a clean close prove nothing."""
    for values in ([chunk(text("a"), usage=USAGE)], [{"usageMetadata": USAGE, **HEAD}], []):
        decoder = DIALECT.decoder()
        decoded(*values, decoder=decoder)
        assert decoder.evidence is None
        with pytest.raises(TruncatedStream, match="expected a finishReason"):
            decoder.eof()


def test_every_candidate_needs_its_reason():
    """One of two that ended is half an answer."""
    decoder = DIALECT.decoder()
    both = {"candidates": [candidate(text("a"), reason="STOP"), candidate(text("b"), index=1)]}
    decoded(both, decoder=decoder)
    assert (None, True) == (decoder.evidence, decoder.said)
    decoded(chunk(reason="STOP", index=1), decoder=decoder)
    assert "finish_reason" == decoder.evidence
    assert (END,) == tuple(decoder.eof())


def test_a_call_cut_in_its_arguments_is_truncated():
    """It says so, and is no call to act upon."""
    decoder = DIALECT.decoder()
    decoded(
        chunk(call("f", willContinue=True)),
        chunk(piece("$.a", True, stringValue="x")),
        decoder=decoder,
    )
    with pytest.raises(TruncatedStream, match="the arguments of a function call broke off"):
        decoder.eof()
    with pytest.raises(InBandError, match="quota"):
        decoder.eof('{"error": {"message": "quota", "code": 429}}')


def test_an_error_beside_the_stream_is_the_reason():
    """A bare JSON error behind the chunks is the provider's word; other lines are quoted."""
    decoder = DIALECT.decoder()
    decoded(chunk(text("a")), decoder=decoder)
    with pytest.raises(InBandError, match="gone") as caught:
        decoder.eof('{\n "error": {"message": "gone", "status": "UNAVAILABLE"}\n}')
    assert (503, "UNAVAILABLE") == (caught.value.status, caught.value.provider_code)
    with pytest.raises(TruncatedStream, match="the body also held 'so it is'"):
        decoder.eof("so it is")


def test_an_answer_that_ended_pardons_what_is_beside_it():
    """The reason counts more."""
    decoder = DIALECT.decoder()
    decoded(chunk(text("a"), reason="STOP"), decoder=decoder)
    assert (END,) == tuple(decoder.eof('{"error": {"message": "late"}}'))


def test_an_error_among_the_chunks_is_raised_behind_them():
    """With its own code, in an object or in a list, as it comes without SSE."""
    error = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}
    for value in (error, [error]):
        told = []
        with pytest.raises(InBandError, match="overloaded") as caught:
            for event in DIALECT.decoder().feed(frame(value)):
                told.append(event)  # noqa: PERF402
        assert (503, []) == (caught.value.status, told)
    with pytest.raises(InBandError, match="overloaded"):
        DIALECT.read_buffered(error)


@pytest.mark.parametrize(
    ("reason", "called", "finish"),
    [
        ("STOP", False, "stop"),
        ("STOP", True, "tool_calls"),
        ("MAX_TOKENS", True, "length"),
        ("SAFETY", False, "content_filter"),
        ("IMAGE_SAFETY", False, "content_filter"),
        ("PROHIBITED_CONTENT", False, "content_filter"),
        ("MALFORMED_FUNCTION_CALL", False, "other"),
        ("OTHER", False, "other"),
        ("BRAND_NEW", False, "other"),
    ],
)
def test_the_neutral_word_for_the_end(reason, called, finish):
    """Calls end in STOP, too; a filter is one under any of its names."""
    parts = [call("f", {})] if called else [text("a")]
    response = response_of(streamed(chunk(*parts, reason=reason)))
    assert (reason, finish) == (response.finish_reason, response.finish)


def test_a_buffered_answer_without_a_reason_has_ended():
    """It is whole because it is there."""
    assert "stop" == response_of(buffered(chunk(text("a")))).finish


def test_usage_in_neutral_words():
    """Thoughts are output, what tools were given is input; nothing is counted twice."""
    raw = {
        "promptTokenCount": 10,
        "toolUsePromptTokenCount": 5,
        "candidatesTokenCount": 7,
        "thoughtsTokenCount": 3,
        "cachedContentTokenCount": 4,
        "totalTokenCount": 25,
    }
    assert Usage(15, 10, 25, 4, 3) == DIALECT.usage(raw)
    assert Usage(output_tokens=3, reasoning_tokens=3) == DIALECT.usage({"thoughtsTokenCount": 3})
    assert Usage() == DIALECT.usage({"promptTokenCount": True, "trafficType": "ON_DEMAND"})


def test_reasoning_is_content_but_says_nothing():
    """An error behind it is worth asking again."""
    decoder = DIALECT.decoder()
    decoded(chunk(thought("Hm"), reason="STOP"), decoder=decoder)
    assert (False, "finish_reason") == (decoder.said, decoder.evidence)


def test_metadata_is_told_where_it_is_new():
    """Fields that every chunk repeats are told once."""
    ratings = [{"category": "C", "probability": "LOW"}]
    events = streamed(
        {**chunk(text("a"), safetyRatings=ratings), "createTime": "t"},
        {**chunk(text("b"), safetyRatings=ratings), "createTime": "t"},
        {**chunk(text("c"), reason="STOP", safetyRatings=[]), "createTime": "u"},
    )
    assert [
        Metadata(0, {"safetyRatings": ratings}),
        Metadata(None, {"createTime": "u"}),
        Metadata(0, {"safetyRatings": []}),
    ] == only(Metadata, events)
    assert ratings == raw_of(events)["candidates"][0]["safetyRatings"]


def test_a_text_that_is_null_is_none():
    """The part is what else it is, and announces nothing."""
    sent = [{"text": None, "inlineData": {"data": "AA=="}}, {"text": None}, text("a")]
    assert [{"inlineData": {"data": "AA=="}}, text("a")] == parts_of(streamed(chunk(*sent), STOP))


def test_a_text_that_was_taken_away_leaves_no_part():
    """A stage may take the text that fields were announced for; then they go with it."""
    events = [
        e
        for e in streamed(chunk(text("a", **SIGNED)), chunk(call("f", {})), STOP)
        if not isinstance(e, TextDelta)
    ]
    assert [call("f", {})] == parts_of(events)
