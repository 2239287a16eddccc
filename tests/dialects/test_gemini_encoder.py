"""Events as chunks: what the decoder reads back, and what the official client makes of them."""

import json

import httpx
import pytest
from google import genai
from google.genai import errors, types
from hypothesis import given
from hypothesis import strategies as st

from streamkit.errors import InBandError, Rejected, Stalled
from streamkit.events import (
    Citation,
    Finished,
    Heartbeat,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    ResponseStarted,
    Retracted,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    UsageReported,
)
from streamkit.framing import Frame
from streamkit.response import Response, Usage
from streamkit.testing import FaultProvider, Reply

from . import test_openai_round_trip as chats
from .chat import DIALECT as CHAT
from .gemini import (
    DIALECT,
    SIGNED,
    USAGE,
    accumulated,
    buffered,
    calls_of,
    chunk,
    decoded,
    frames,
    opened,
    parts_of,
    raw_of,
    response_of,
    streamed,
    text,
)
from .spoken import only
from .test_gemini import BODIES

STARTED = ResponseStarted("r-1", "g-1")
STOP = Finished(0, "STOP")
END = ResponseCompleted()
HEAD = {"responseId": "r-1", "modelVersion": "g-1"}


def told(*events):
    """What these events are told as."""
    return [json.loads(frame.data) for frame in frames(*events)]


def reread(events):
    """What the decoder makes of what was told of these events."""
    return streamed(*[Frame(frame.data) for frame in frames(*events)])


def last(*events):
    """The last candidate that was told."""
    return told(*events)[-1]["candidates"][-1]


# -- the contract


def test_what_it_cannot_take_back():
    """Calls wait for the end, so they can; it has a heartbeat, and nobody comes back."""
    encoder = opened()
    assert {"text", "reasoning", "refusal"} == encoder.irrevocable
    assert encoder.remembers
    assert None is encoder.farewell()
    assert [] == decoded(Frame(encoder.heartbeat().data))


def test_a_text_is_a_chunk():
    """Whole, with the head; the second is the first with other words."""
    chunks = told(STARTED, TextDelta("Hel"), TextDelta("łó"), TextDelta("b", 1))
    head = {key: HEAD[key] for key in HEAD}
    one = {"content": {"parts": [{"text": "Hel"}], "role": "model"}, "index": 0}
    assert {"candidates": [one], **head} == chunks[0]
    assert ["Hel", "łó", "b"] == [c["candidates"][0]["content"]["parts"][0]["text"] for c in chunks]
    assert 1 == chunks[2]["candidates"][0]["index"]
    assert all(frame.data.isascii() for frame in frames(STARTED, TextDelta("ł"), TextDelta("ó")))


def test_an_answer_without_an_id_has_the_runs():
    """Clients want one."""
    assert "r-1" == told(ResponseStarted(), TextDelta("a"))[0]["responseId"]


def test_fields_of_the_answer_are_told_once():
    """With the next chunk; an id or a model that comes late fills an empty one."""
    began = ResponseStarted("", "", {"createTime": "t", "object": "no"})
    chunks = told(began, Metadata(None, {"id": "x", "model": "m"}), TextDelta("a"), TextDelta("b"))
    assert ["t", None] == [one.get("createTime") for one in chunks]
    assert {("x", "m")} == {(one["responseId"], one["modelVersion"]) for one in chunks}
    assert "object" not in chunks[0]


def test_fields_of_the_responses_api_are_not_told():
    """They echo the request, and hold the answer a second time."""
    began = ResponseStarted("r", "m", {"object": "response", "instructions": "Be brief."})
    chunks = told(began, Metadata(None, {"output.0": {"type": "message"}}), TextDelta("a"))
    assert {"candidates", "responseId", "modelVersion"} == chunks[0].keys()


def test_calls_and_reasons_wait_for_the_end():
    """Nothing is told of them before the answer is whole."""
    call = [ToolCallStarted(0, "c", "f"), ToolCallDelta(0, '{"a":'), ToolCallDelta(0, " 1}")]
    assert [] == told(*call, STOP)
    assert {
        "content": {
            "parts": [{"functionCall": {"id": "c", "name": "f", "args": {"a": 1}}}],
            "role": "model",
        },
        "index": 0,
        "finishReason": "STOP",
    } == last(*call, STOP, END)


def test_calls_can_be_taken_back():
    """They were not told yet."""
    events = [ToolCallStarted(0, "c", "f"), ToolCallDelta(0, "{}"), Retracted("tool_calls")]
    again = [ToolCallStarted(0, "d", "g"), ToolCallDelta(0, "{}")]
    assert [("g", {})] == calls_of(reread([STARTED, *events, *again, STOP, END]))
    assert [] == calls_of(reread([STARTED, *events, Retracted("citations"), STOP, END]))


def test_what_the_provider_ran_is_not_told():
    """A client would run it again."""
    ran = [ToolCallStarted(0, "c", "f"), ToolCallDelta(0, "{}"), ToolResult(0, "done")]
    runs = [ToolCallStarted(0, "c", "f", hosted=True), ToolCallDelta(0, "{}")]
    assert "parts" not in last(*ran, END)["content"]
    assert "parts" not in last(*runs, END)["content"]


def test_a_call_that_broke_off_is_not_told():
    """Nobody may act on it; the reason says why it did."""
    cut = [ToolCallStarted(0, "c", "f"), ToolCallDelta(0, '{"a": '), Finished(0, "MAX_TOKENS")]
    assert ("MAX_TOKENS", {"role": "model"}) == (
        last(*cut, END)["finishReason"],
        last(*cut, END)["content"],
    )


@pytest.mark.parametrize("arguments", ["[1]", "a b", '{"a": 1} x', "7"])
def test_a_call_that_the_model_got_wrong_is_malformed(arguments):
    """Arguments are an object here."""
    wrong = [ToolCallStarted(0, "c", "f"), ToolCallDelta(0, arguments), Finished(0, "tool_calls")]
    told_last = last(*wrong, END)
    assert ("MALFORMED_FUNCTION_CALL", "Malformed function call: f") == (
        told_last["finishReason"],
        told_last["finishMessage"],
    )
    assert "parts" not in told_last["content"]


def test_any_text_is_an_argument():
    """Of a tool that takes any text; one that happens to be an object is no other."""
    for given_ in ("x = 1", '{"a": 1}'):
        begun = ToolCallStarted(0, "c", "run", 0, {"type": "custom"})
        events = [begun, ToolCallDelta(0, given_), END]
        assert [("run", {"input": given_})] == calls_of(reread([STARTED, *events]))


def test_a_refusal_is_told_as_text():
    """The API has no word for it."""
    assert "No." == response_of(reread([STARTED, RefusalDelta("No."), STOP, END])).text


def test_sources_are_told_by_the_fields_they_came_in():
    """And once."""
    grounding = {"groundingChunks": [{"web": {"uri": "u"}}]}
    events = streamed(chunk(text("a"), groundingMetadata=grounding, reason="STOP"))
    again = reread(events)
    assert [Citation(*grounding["groundingChunks"])] == only(Citation, again)
    assert raw_of(events) == raw_of(again)
    assert [] == told(Citation({"url": "u"}))


def test_usage_is_told_at_the_end():
    """In the provider's own words, or in ours where its words are others."""
    own = UsageReported(Usage(5, 2, 7), USAGE)
    other = UsageReported(Usage(5, 9, 14, 1, 4), {"prompt_tokens": 5})
    thin = UsageReported(Usage(5, 2), None)
    assert USAGE == told(TextDelta("a"), own, STOP, END)[-1]["usageMetadata"]
    assert {
        "promptTokenCount": 5,
        "candidatesTokenCount": 5,
        "totalTokenCount": 14,
        "cachedContentTokenCount": 1,
        "thoughtsTokenCount": 4,
    } == told(other, END)[-1]["usageMetadata"]
    counts = {"promptTokenCount": 5, "candidatesTokenCount": 2}
    assert counts == told(thin, END)[-1]["usageMetadata"]
    assert "usageMetadata" not in told(END)[-1]


def test_every_choice_has_its_end():
    """In the order of their numbers; an answer of nothing has one."""
    ends = told(TextDelta("b", 1), TextDelta("a"), END)[-2:]
    assert [(0, "STOP"), (1, "STOP")] == [
        (one["candidates"][0]["index"], one["candidates"][0]["finishReason"]) for one in ends
    ]
    assert "STOP" == last(END)["finishReason"]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("length", "MAX_TOKENS"),
        ("content_filter", "SAFETY"),
        ("stop", "STOP"),
        ("odd", "OTHER"),
        (None, "STOP"),
    ],
)
def test_another_apis_reason_is_put_into_words_of_this_one(reason, word):
    """By the neutral word of the answer."""
    events = accumulated([TextDelta("a"), *([Finished(0, reason)] if reason else []), END], CHAT)
    assert word == last(*events)["finishReason"]


def test_a_reason_in_capitals_may_be_another_apis():
    """Only an answer of this API is believed to speak it."""
    events = accumulated([TextDelta("a"), Finished(0, "COMPLETE"), END], CHAT)
    assert "OTHER" == last(*events)["finishReason"]
    assert "BRAND_NEW" == last(Finished(0, "BRAND_NEW"), END)["finishReason"]


@pytest.mark.parametrize(
    ("error", "status", "number"),
    [
        (InBandError("secret"), "INTERNAL", 500),
        (Stalled("idle", 1.0), "DEADLINE_EXCEEDED", 504),
        (Rejected("secret", status=400), "FAILED_PRECONDITION", 400),
        (ValueError("secret"), "INTERNAL", 500),
    ],
)
def test_a_failure_is_the_apis_error(error, status, number):
    """In its envelope, with a sentence of ours, and nothing of what the provider said."""
    envelope = told(TextDelta("a"), ResponseFailed(error, Response()))[-1]
    assert (number, status) == (envelope["error"]["code"], envelope["error"]["status"])
    assert "secret" not in json.dumps(envelope)
    assert envelope == opened().failure(error)
    with pytest.raises(InBandError) as caught:
        decoded(envelope)
    assert number == caught.value.status


def test_a_cancelled_run_is_an_error_too():
    """Its end is none."""
    assert "CANCELLED" == told(ResponseCancelled(Response()))[-1]["error"]["status"]


def test_what_it_has_no_word_for_is_not_told():
    """Nor does it change anything."""
    assert [] == told(Heartbeat(), Citation({"u": 1}), Metadata(None, {"a": 1}))


def test_a_part_takes_the_place_of_what_was_announced():
    """Fields whose text never came go with it."""
    header = Metadata(0, {"parts": [{"text": None, **SIGNED}]}, message=True)
    part = Metadata(0, {"parts": [{"inlineData": {}}]}, message=True)
    assert [{"inlineData": {}}, text("a")] == parts_of(
        reread([STARTED, header, part, TextDelta("a"), STOP, END])
    )
    odd = Metadata(0, {"parts": None, "role": "tool"}, message=True)
    assert "tool" == raw_of(reread([STARTED, odd, END]))["candidates"][0]["content"]["role"]


# -- there and back


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_an_answer_of_the_api_comes_back_whole(body):
    """Field by field; a reason that was missing is added."""
    raw = raw_of(reread(accumulated(buffered(body))))
    assert _parts(body) == _parts(raw)
    assert _without_parts(body) == _without_parts(raw)


def _parts(raw):
    """All parts, in an order of ours: calls are told last."""
    parts = [p for one in raw["candidates"] for p in one["content"].get("parts", [])]
    return sorted(parts, key=lambda part: json.dumps(part, sort_keys=True))


def _without_parts(raw):
    """All that is not in the order that calls change; a reason that was missing is there."""
    candidates = [{"finishReason": "STOP", **one, "content": None} for one in raw["candidates"]]
    roles = [{**one["content"], "parts": None} for one in raw["candidates"]]
    return {**raw, "candidates": candidates}, roles


words = st.text(min_size=1, max_size=5)
choices = st.integers(0, 1)
arguments = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=3)
contents = st.one_of(
    st.builds(TextDelta, words, choices),
    st.builds(ReasoningDelta, words, choices),
    st.builds(
        lambda value, index: Metadata(index, {"parts": [{"inlineData": value}]}, message=True),
        arguments,
        choices,
    ),
    st.builds(lambda value, index: Metadata(index, {"tokenCount": value}), st.integers(), choices),
)


def _news(event):
    """What a field repeats is told once; text may say the same again."""
    return str(event) if isinstance(event, Metadata) and not event.message else object()


@st.composite
def answers(draw):
    """The events of an answer as the decoder gives them: calls behind all else."""
    events = [ResponseStarted(draw(words), draw(words)), TextDelta("a"), TextDelta("b", 1)]
    events += draw(st.lists(contents, max_size=8, unique_by=_news))
    for number in range(draw(st.integers(0, 2))):
        begun = draw(st.sampled_from([None, SIGNED, {"functionCall": {"odd": 1}}]))
        events.append(ToolCallStarted(number, draw(st.sampled_from(["", "c1"])), "f", 0, begun))
        events.append(ToolCallDelta(number, json.dumps(draw(arguments))))
    reason = st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY"])
    events += [Finished(0, draw(reason)), Finished(1, draw(reason))]
    if draw(st.booleans()):
        events.append(UsageReported(Usage(5, 2, 7), USAGE))
    return [*events, ResponseCompleted(evidence="finish_reason")]


def known(events):
    """Events, with what may differ put the same: how arguments are spaced, where usage stands."""
    calls = [
        ToolCallDelta(e.call, json.loads(e.arguments)) if isinstance(e, ToolCallDelta) else e
        for e in events
    ]
    return [e for e in calls if not isinstance(e, Finished | UsageReported)], sorted(
        (e for e in calls if isinstance(e, Finished | UsageReported)), key=str
    )


@given(answers())
def test_events_come_back_as_they_were(events):
    """Each of them, in its order; and so does the answer they add up to."""
    again = reread(accumulated(events))
    assert known(events) == known(again)
    assert raw_of(events) == raw_of(again)


@pytest.mark.parametrize("body", chats.BODIES.values(), ids=chats.BODIES)
def test_another_apis_answer_is_read_back_the_same(body):
    """Text, calls and the end; what this API cannot say aside."""
    events = accumulated(list(CHAT.read_buffered(body)), CHAT)
    given_, read = events[-1].response, response_of(reread(events))
    for one, other in zip(given_.choices, read.choices, strict=True):
        assert one.text + one.refusal == other.text
        assert one.reasoning == other.reasoning
        expected = [_args(c) for c in one.tool_calls if c.valid or c.arguments in ("", "x = 1")]
        assert expected == [(c.name, json.loads(c.arguments)) for c in other.tool_calls]
        assert {"refusal": "stop"}.get(one.finish, one.finish) == other.finish or not expected


def _args(call):
    if call.arguments == "x = 1":
        return call.name, {"input": call.arguments}
    return call.name, json.loads(call.arguments or "{}")


# -- the official client

on_asyncio = [
    pytest.mark.anyio,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]


def sse(*events):
    """The bytes a client gets, a heartbeat among them."""
    lines = [b"data: " + frame.data + b"\n\n" for frame in frames(*events)]
    return b"".join([lines[0], b"data: " + opened().heartbeat().data + b"\n\n", *lines[1:]])


async def asked(body, **settings):
    """The chunks that the client reads out of a stream of these bytes, and what was asked."""
    async with FaultProvider(stream=Reply(body)) as provider, httpx.AsyncClient() as http:
        base = provider.url.removesuffix("/v1")
        # Else it takes aiohttp where that is installed, in a way that aiohttp warns of.
        options = types.HttpOptions(base_url=base, api_version="v1", httpx_async_client=http)
        client = genai.Client(api_key="k", vertexai=False, http_options=options).aio
        chunks = []
        try:
            stream = await client.models.generate_content_stream(
                model="gemini-x", contents="hi", **settings
            )
            async for one in stream:
                chunks.append(one)  # noqa: PERF401 (what came before an error counts)
        except errors.APIError as error:
            chunks.append(error)
        finally:
            await client.aclose()
        return chunks, provider.requests[0]


class TestTheOfficialClient:
    """What it makes of the bytes."""

    pytestmark = on_asyncio

    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    async def test_reads_the_chunks(self, body):
        """Its types hold what was told: text, thoughts, calls, reasons, usage."""
        events = accumulated(buffered(body))
        response = events[-1].response
        chunks, _ = await asked(sse(*events))
        seen = [c for one in chunks for c in one.candidates or () if c.index == 0]
        parts = [p for c in seen if c.content for p in c.content.parts or ()]

        assert response.text == "".join(p.text for p in parts if p.text and not p.thought)
        assert response.reasoning == "".join(p.text for p in parts if p.text and p.thought)
        assert [(c.name, json.loads(c.arguments)) for c in response.tool_calls] == [
            (p.function_call.name, p.function_call.args) for p in parts if p.function_call
        ]
        assert (response.finish_reason or "STOP") == seen[-1].finish_reason.value
        counted = chunks[-1].usage_metadata
        assert (response.usage and response.usage.total_tokens) == (
            counted and counted.total_token_count
        )
        assert {"r-1"} == {one.response_id for one in chunks if one.candidates}

    async def test_asks_as_we_do(self):
        """The same path, query and header of the key."""
        _, request = await asked(sse(STARTED, TextDelta("a"), STOP, END))
        call = DIALECT.streaming({"model": "gemini-x"})
        assert (f"/v1/{call.path}", "alt=sse") == (request.path, request.query)
        assert {"k"} == {request.headers[name] for name in DIALECT.authorization("k")}

    async def test_a_failure_is_an_error_behind_the_text(self):
        """It raises in the midst of the iteration, and no reason came before."""
        end = ResponseFailed(InBandError("secret"), Response())
        chunks, _ = await asked(sse(STARTED, TextDelta("Hel"), STOP, end))
        first, *_, error = chunks
        assert "Hel" == first.text
        assert (500, "INTERNAL") == (error.code, error.status)
