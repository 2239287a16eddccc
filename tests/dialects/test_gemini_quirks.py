"""What Gemini's streams do in the wild, each by its name."""

import json

import pytest

from streamkit.errors import InBandError, MalformedStream
from streamkit.events import (
    Citation,
    Finished,
    Metadata,
    ResponseStarted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
)
from streamkit.framing import Frame
from streamkit.replay import replay

from .gemini import (
    DIALECT,
    HEAD,
    SIGNED,
    STOP,
    USAGE,
    accumulated,
    buffered,
    call,
    calls_of,
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

on_asyncio = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]
CHUNKS = [
    chunk(thought("Hm"), usage={"promptTokenCount": 5}),
    chunk(text("Łódź "), usage=USAGE),
    chunk(text('}]"\r\n'), call("f", {"a": "]"}), reason="STOP", usage=USAGE),
]


class TestFraming:
    """The same answer, however it is framed."""

    pytestmark = on_asyncio

    @pytest.mark.parametrize("size", [None, 1, 7, 64])
    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            ("".join(f"data: {json.dumps(c)}\r\n\r\n" for c in CHUNKS), "text/event-stream"),
            ("".join(f"data: {json.dumps(c)}\n\n" for c in CHUNKS), "text/event-stream"),
            ("".join(f"data: {json.dumps(c)}\r\n\r\n" for c in CHUNKS).rstrip(), ""),
            ("[" + "\r\n,\r\n".join(json.dumps(c, indent=2) for c in CHUNKS) + "]", ""),
            (json.dumps(CHUNKS), "application/json; charset=UTF-8"),
        ],
        ids=["crlf", "lf", "no end", "array", "compact array"],
    )
    async def test_sse_and_json_arrays_say_the_same(self, body, content_type, size):
        """With CRLF, without a last blank line, or as an array sent piecewise. Quirk 99."""
        response = (
            await replay(body.encode(), "gemini", chunk=size, content_type=content_type)
        ).response
        assert ('Łódź }]"\r\n', "Hm") == (response.text, response.reasoning)
        assert raw_of(streamed(*CHUNKS)) == response.raw

    async def test_an_array_that_is_cut_is_truncated(self):
        """Its bracket is no evidence, nor is the lack of it."""
        body = json.dumps(CHUNKS[:2])
        for cut in (body, body[:-1], body[:-9]):
            summary = (await replay(cut.encode(), "gemini")).summary("f")
            assert ("failed", "truncated") == (summary["outcome"], summary["error"]["code"])

    async def test_an_error_may_come_in_an_array(self):
        """As errors do where a stream was asked for without SSE. Quirk 99."""
        body = json.dumps([{"error": {"code": 429, "message": "slow down"}}])
        summary = (await replay(body.encode(), "gemini")).summary("f")
        assert ("in_band", "slow down") == (summary["error"]["code"], summary["error"]["message"])


# -- candidates


def test_several_candidates_are_several_choices():
    """In one chunk or in turns, with an index or by their place. Quirk 100."""
    both = {"candidates": [candidate(text("a0")), candidate(text("b0"), index=1)], **HEAD}
    for one in both["candidates"][:1]:
        one.pop("index")
    events = streamed(
        both, chunk(text("b1"), index=1, reason="MAX_TOKENS"), chunk(text("a1"), reason="STOP")
    )
    first, second = response_of(events).choices
    assert ("a0a1", "stop", "b0b1", "length") == (
        first.text,
        first.finish,
        second.text,
        second.finish,
    )


def test_a_candidate_may_have_no_content_and_no_parts():
    """It still has its reason. Quirk 100."""
    bare = {"candidates": [{"finishReason": "STOP"}], **HEAD}
    for end in (bare, STOP, {"candidates": [{"content": {}, "finishReason": "STOP"}]}):
        response = response_of(streamed(chunk(text("a")), end))
        assert ("a", "stop") == (response.text, response.finish)


def test_an_empty_text_is_nothing():
    """Unless it carries a signature."""
    assert [ResponseStarted("r-1", "g-1")] == decoded(chunk(text("")), chunk(thought("")))


# -- signatures


def test_a_signature_stays_with_its_part():
    """On a text, on a thought, on a call, on an empty text. Quirks 57 and 65."""
    sent = [
        thought("Hm", **SIGNED),
        text("a"),
        text("b", thoughtSignature="x"),
        text("c"),
        call("f", {}, part={"thoughtSignature": "y"}),
        text("", thoughtSignature="z"),
    ]
    assert sent == parts_of(streamed(*map(chunk, sent), STOP))
    assert sent == parts_of(buffered(chunk(*sent, reason="STOP")))


def test_signed_texts_are_never_joined():
    """Nor is a signed one with one that is not."""
    sent = [text("a", **SIGNED), text("b", **SIGNED), text("c"), thought("d", **SIGNED)]
    sent += [thought("e"), {"inlineData": {"data": "AA=="}, **SIGNED}, text("f")]
    assert sent == parts_of(streamed(*map(chunk, sent), STOP))


# -- calls


def test_a_call_may_have_no_id():
    """None is invented; one that is there is kept. Quirk 46."""
    calls = response_of(streamed(chunk(call("f", {}), call("g", {}, id="7")), STOP)).tool_calls
    assert [("", "f"), ("7", "g")] == [(one.id, one.name) for one in calls]


def test_several_calls_may_come_in_one_chunk():
    """Also of the same name, and with the same arguments. Quirk 45."""
    events = streamed(chunk(call("f", {"a": 1}), call("f", {"a": 1}), call("f", {"a": 2})), STOP)
    assert [("f", {"a": 1}), ("f", {"a": 1}), ("f", {"a": 2})] == calls_of(events)


def test_a_call_may_have_no_arguments():
    """It takes none: an empty object. Quirk 50."""
    assert [("f", {})] == calls_of(streamed(chunk(call("f")), STOP))


def test_arguments_are_an_object_written_once():
    """As JSON text. Quirk 51."""
    (delta,) = only(ToolCallDelta, streamed(chunk(call("f", {"city": "Łódź", "n": 1.0})), STOP))
    assert '{"city":"Łódź","n":1.0}' == delta.arguments


def test_calls_end_in_stop():
    """The neutral word goes by what came. Quirk 54."""
    assert "tool_calls" == response_of(streamed(chunk(call("f", {}), reason="STOP"))).finish


def test_arguments_may_come_by_path():
    """Text in pieces, numbers, nested; ended by an empty call. Quirk 101."""
    pieces = [
        chunk(call("cook", part=SIGNED, willContinue=True, id="9")),
        chunk(piece("$.dish.name", True, stringValue="Las")),
        chunk(piece("$.dish.name", True, stringValue='ag"na')),
        chunk(piece("$.dish.name", stringValue="")),
        chunk(call(willContinue=True)),
        chunk(piece("$.dish.steps[0].minutes", numberValue=5)),
        chunk(piece("$.dish.steps[1].hot", boolValue=True)),
        chunk(piece("$['to go']", nullValue="NULL_VALUE")),
        chunk(call(part={"odd": 1})),
        chunk(call("next", {})),
        STOP,
    ]
    events = streamed(*pieces)
    args = {"dish": {"name": 'Lasag"na', "steps": [{"minutes": 5}, {"hot": True}]}, "to go": None}
    assert [("cook", args), ("next", {})] == calls_of(events)
    cooked, _ = parts_of(events)
    assert call("cook", args, id="9", part={**SIGNED, "odd": 1}) == cooked
    deltas = [d.arguments for d in only(ToolCallDelta, events) if d.call == 0]
    assert ['{"dish":{"name":"Las', 'ag\\"na', '"'] == deltas[:3]


@pytest.mark.parametrize("split", [True, False])
def test_the_end_of_a_call_may_not_be_said(split):
    """The next call ends it, or the reason STOP, with it or behind it. Quirk 101."""
    one, two = call("f", willContinue=True), piece("$.a", stringValue="x")
    ends = [chunk(two), STOP] if split else [chunk(two, reason="STOP")]
    events = streamed(chunk(one), chunk(two), chunk(one), *ends)
    assert [("f", {"a": "x"})] * 2 == calls_of(events)
    assert 2 == len(only(ToolCallCompleted, accumulated(events)))


def test_a_call_that_was_cut_off_is_none_to_act_upon():
    """Where the model ran out of tokens within its arguments. Quirk 56."""
    events = streamed(
        chunk(call("f", willContinue=True)),
        chunk(piece("$.a", True, stringValue="x"), reason="MAX_TOKENS"),
    )
    assert [] == only(ToolCallCompleted, accumulated(events))
    assert (("f", '{"a":"x', False),) == tuple(
        (c.name, c.arguments, c.valid) for c in response_of(events).tool_calls
    )
    assert '{"a":"x' == parts_of(events)[0]["functionCall"]["args"]


def test_arguments_by_path_may_go_back():
    """Then the whole object is told once more, and counts. Quirk 101."""
    events = streamed(
        chunk(call("f", willContinue=True)),
        chunk(piece("$.a.b", stringValue="x")),
        chunk(piece("$.c", numberValue=1)),
        chunk(piece("$.a.d", stringValue="y")),
        chunk(piece("$.e", True, stringValue="z")),
        chunk(piece("$.e", True, stringValue="z")),
        chunk(call()),
        STOP,
    )
    assert [("f", {"a": {"b": "x", "d": "y"}, "c": 1, "e": "zz"})] == calls_of(events)


def test_arguments_may_come_whole_behind_pieces():
    """They are more of the same call."""
    events = streamed(
        chunk(call("f", partialArgs=[{"jsonPath": "$.a", "numberValue": 1}], willContinue=True)),
        chunk(call(args={"b": 2})),
        STOP,
    )
    assert [("f", {"a": 1, "b": 2})] == calls_of(events)


def test_an_end_without_a_call_is_nothing():
    """An empty call that ends none."""
    events = streamed(chunk(call(), text("a"), reason="STOP"))
    assert ([], "a") == (only(ToolCallStarted, events), response_of(events).text)


@pytest.mark.parametrize(
    "path", [None, "", "$", "a.b", "$.", "$[0]", "$.a[", "$.a[999999]", "$.a.b..c", "$.a[-1]"]
)
def test_a_path_that_cannot_be_read_is_malformed(path):
    """No argument is guessed at, and none costs memory by its index alone."""
    with pytest.raises(MalformedStream, match="expected the path of an argument"):
        decoded(chunk(call("f", willContinue=True)), chunk(piece(path, stringValue="x")))


@pytest.mark.parametrize("path", ["$.a.b.c", "$.a.b[0]", "$.a[0]", "$.d.e"])
def test_a_path_through_what_is_no_object_is_malformed(path):
    """What was a text cannot become an object."""
    begun = chunk(call("f", willContinue=True)), chunk(piece("$.a.b", stringValue="x"))
    begun = (*begun, chunk(piece("$.d[0]", numberValue=1)))
    with pytest.raises(MalformedStream, match="to lead through objects and arrays"):
        decoded(*begun, chunk(piece(path, stringValue="x")))


# -- reasons


def test_a_reason_may_come_with_every_chunk():
    """The last one counts, and the text goes on. Quirk 102."""
    events = streamed(
        chunk(text("a"), reason="STOP"),
        chunk(text("b"), reason="STOP"),
        chunk(reason="RECITATION"),
    )
    assert ["STOP", "RECITATION"] == [event.reason for event in only(Finished, events)]
    response = response_of(events)
    assert ("ab", "RECITATION", "content_filter") == (
        response.text,
        response.finish_reason,
        response.finish,
    )


@pytest.mark.parametrize(
    ("number", "word"),
    [(1, "STOP"), (2, "MAX_TOKENS"), (10, "MALFORMED_FUNCTION_CALL"), (99, "99")],
)
def test_a_reason_may_be_a_number(number, word):
    """It is the word of that number; one that is not known stays a number. Quirk 102."""
    assert word == response_of(streamed(chunk(text("a"), reason=number))).finish_reason


@pytest.mark.parametrize("reason", [0, "FINISH_REASON_UNSPECIFIED", "", None, True, {}])
def test_a_reason_that_says_nothing_is_none(reason):
    """It proves no end."""
    decoder = DIALECT.decoder()
    decoded({"candidates": [{"finishReason": reason}]}, decoder=decoder)
    assert decoder.evidence is None


def test_a_malformed_call_is_no_stop():
    """The provider's word is kept, with what it says about it. Quirk 71."""
    said = {"finishMessage": "Malformed function call: print(1)"}
    events = streamed(chunk(reason="MALFORMED_FUNCTION_CALL", **said))
    response = response_of(events)
    assert ("MALFORMED_FUNCTION_CALL", "other") == (response.finish_reason, response.finish)
    assert said["finishMessage"] == response.raw["candidates"][0]["finishMessage"]


def test_a_message_may_be_said_again():
    """With a reason that is no news it is a field like others."""
    events = streamed(chunk(reason="STOP"), chunk(reason="STOP", finishMessage="m"))
    assert [Metadata(0, {"finishMessage": "m"})] == only(Metadata, events)


def test_a_call_that_was_malformed_halfway_is_not_closed():
    """Only STOP makes whole what is open."""
    events = streamed(
        chunk(call("f", willContinue=True)),
        chunk(piece("$.a", True, stringValue="x")),
        chunk(reason="MALFORMED_FUNCTION_CALL"),
    )
    assert [] == only(ToolCallCompleted, accumulated(events))


# -- prompts


BLOCKED = {"promptFeedback": {"blockReason": "SAFETY", "safetyRatings": []}, **HEAD}


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ({"blockReason": "SAFETY"}, "the prompt is blocked: SAFETY"),
        ({"blockReason": 2, "blockReasonMessage": "no"}, "the prompt is blocked: 2, no"),
    ],
)
def test_a_blocked_prompt_is_the_providers_word(reason, message):
    """It is an error, behind what the chunk tells; streamed or whole. Quirk 103."""
    told, body = [], {"promptFeedback": reason, **HEAD}
    with pytest.raises(InBandError, match=f"^{message}$") as caught:
        for event in DIALECT.decoder().feed(frame(body)):
            told.append(event)  # noqa: PERF402
    assert [ResponseStarted("r-1", "g-1", {"promptFeedback": reason})] == told
    assert str(reason["blockReason"]) == caught.value.provider_code
    with pytest.raises(InBandError, match=message):
        buffered(body)
    with pytest.raises(InBandError, match=message):
        list(DIALECT.decoder().feed(Frame(json.dumps(body), whole=True)))


def test_a_prompt_that_was_rated_is_not_blocked():
    """Ratings beside an answer are its metadata. Quirk 103."""
    for feedback in ({"safetyRatings": []}, {"blockReason": "BLOCKED_REASON_UNSPECIFIED"}, None):
        body = {**chunk(text("a"), reason="STOP"), "promptFeedback": feedback}
        assert "a" == response_of(streamed(body)).text
        assert "a" == response_of(streamed({"promptFeedback": feedback}, body)).text


# -- what stands beside


def test_code_and_its_result_are_parts():
    """No call of the caller's. Quirk 104."""
    sent = [
        {"executableCode": {"language": "PYTHON", "code": "print(1)", "id": "x"}, **SIGNED},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n", "id": "x"}},
        text("one"),
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
    ]
    events = streamed(*map(chunk, sent), STOP)
    assert ((), "one") == (response_of(events).tool_calls, response_of(events).text)
    assert sent == parts_of(events)


def test_usage_is_replaced_per_field():
    """Never summed, and never wiped by a chunk without it. Quirk 34."""
    events = streamed(
        chunk(text("a"), usage={"promptTokenCount": 5, "candidatesTokenCount": 1}),
        chunk(text("b"), usage={"promptTokenCount": 4, "thoughtsTokenCount": None}),
        chunk(text("c"), reason="STOP"),
    )
    usage = {"promptTokenCount": 4, "candidatesTokenCount": 1, "thoughtsTokenCount": None}
    assert usage == raw_of(events)["usageMetadata"]
    assert (4, 1) == (
        response_of(events).usage.input_tokens,
        response_of(events).usage.output_tokens,
    )


def test_the_first_id_and_model_count():
    """An empty one is filled. Quirk 32."""
    events = streamed(
        {**chunk(text("a")), "responseId": "", "modelVersion": "m"},
        {**chunk(text("b"), reason="STOP"), "responseId": "r", "modelVersion": "n"},
    )
    assert ("r", "m") == (raw_of(events)["responseId"], raw_of(events)["modelVersion"])


def test_grounding_grows_and_is_never_wiped():
    """An empty object says nothing; lists come whole; each source is told once. Quirk 105."""
    web = [{"web": {"uri": "u"}}, {"web": {"uri": "v"}}]
    events = streamed(
        chunk(text("a"), groundingMetadata={}),
        chunk(text("b"), groundingMetadata={"groundingChunks": web[:1], "webSearchQueries": ["q"]}),
        chunk(text("c"), groundingMetadata={"groundingChunks": web}),
        chunk(text("d"), groundingMetadata={}, reason="STOP"),
    )
    assert {"groundingChunks": web, "webSearchQueries": ["q"]} == (
        raw_of(events)["candidates"][0]["groundingMetadata"]
    )
    assert web == [event.citation for event in only(Citation, events)]


@pytest.mark.parametrize("name", ["citationSources", "citations"])
def test_citations_come_in_pieces_or_again(name):
    """Each is told once and kept once, by either of its names. Quirk 105."""
    one, two = {"uri": "u", "startIndex": 1}, {"uri": "v"}
    events = streamed(
        chunk(text("a"), citationMetadata={name: [one]}),
        chunk(text("b"), citationMetadata={name: [one, two]}),
        chunk(text("c"), citationMetadata={name: [two]}, reason="STOP"),
    )
    assert [one, two] == [event.citation for event in only(Citation, events)]
    assert {name: [one, two]} == raw_of(events)["candidates"][0]["citationMetadata"]


def test_logprobs_are_joined():
    """They come for each piece of text."""
    events = streamed(
        chunk(text("a"), logprobsResult={"chosenCandidates": [{"token": "a"}]}),
        chunk(text("b"), logprobsResult={"chosenCandidates": [{"token": "b"}]}, reason="STOP"),
    )
    joined = {"chosenCandidates": [{"token": "a"}, {"token": "b"}]}
    assert joined == raw_of(events)["candidates"][0]["logprobsResult"]


def test_an_error_may_follow_the_text():
    """The text comes first, then the provider's word. Quirk 66."""
    error = {"error": {"code": 500, "message": "internal", "status": "INTERNAL"}}
    decoder = DIALECT.decoder()
    assert [TextDelta("a")] == decoded(chunk(text("a")), decoder=decoder)[1:]
    with pytest.raises(InBandError, match="internal"):
        decoded(error, decoder=decoder)
