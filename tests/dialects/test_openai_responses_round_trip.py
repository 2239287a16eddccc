"""A response read and written again is the same; a stream of it is the same answer."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response

from streamkit.events import Metadata, ReasoningDelta, RefusalDelta, ResponseStarted, TextDelta
from streamkit.framing import Frame
from streamkit.logs.fold import Fold

from .responses import (
    DIALECT,
    HEAD,
    accumulated,
    added,
    arguments_delta,
    body,
    call,
    completed,
    created,
    custom,
    delta,
    done,
    event,
    message,
    raw_of,
    reasoning,
    response_of,
    search,
    streamed,
    summary_delta,
    text_part,
)

SHARED = Path(__file__).parent.parent.parent.parent / "shared"
MISSING = f"no recordings: {SHARED.name}/ is not beside the checkout"

REFUSAL = {"type": "refusal", "refusal": "No."}
CITED = {"type": "url_citation", "url": "u", "title": "T", "start_index": 0, "end_index": 1}
PROBS = [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}]
MCP = {
    "id": "mcp_1",
    "type": "mcp_call",
    "name": "ask",
    "arguments": "{}",
    "server_label": "s",
    "output": "o",
    "error": None,
}
CODE = {
    "id": "ci_1",
    "type": "code_interpreter_call",
    "status": "completed",
    "code": "1 + 1",
    "container_id": "cntr_1",
    "outputs": [{"type": "logs", "logs": "2"}],
}
CUT = {"reason": "max_output_tokens"}

BODIES = {
    "text": body(message("Hello")),
    "no text": body(message("")),
    "no parts": body(message()),
    "nothing": body(),
    "two parts": body(message("Hel", "lo")),
    "two messages": body(message("a", id_="m1", phase="commentary"), message("b", id_="m2")),
    "a refusal": body(message(REFUSAL)),
    "text and a refusal": body(message("I think: ", REFUSAL)),
    "annotations": body(message(text_part("Hi", annotations=[CITED, {**CITED, "url": "v"}]))),
    "logprobs": body(message(text_part("Hi", logprobs=PROBS))),
    "a summary": body(reasoning("One.", "Two."), message("Hi")),
    "the model's own words": body(reasoning(content=["hm", "so"]), message("Hi")),
    "both": body(reasoning("S", content=["r"], encrypted_content="gAAA", status=None)),
    "encrypted reasoning": body(reasoning(encrypted_content="gAAA"), message("Hi")),
    "a call": body(call('{"city": "Łódź"}')),
    "a call with spaces": body(call('{\n  "a": [1, 2]\n}')),
    "two calls": body(call("{}"), call('{"a":1}', "fc_2", "call_2", "other", namespace="n")),
    "no arguments": body(call("")),
    "text and a call": body(message("Let me see."), call("{}")),
    "a custom tool": body(custom("x = {")),
    "steps": body(search(), MCP, CODE, message("Hi")),
    "a step alone": body({"id": "cmp", "type": "compaction", "encrypted_content": "g"}),
    "incomplete": body(message("He", status="incomplete"), status="incomplete"),
    "cut off": body(call('{"a', status="incomplete"), status="incomplete", incomplete_details=CUT),
    "cancelled": body(message("He"), status="cancelled"),
    "unknown fields": body(
        message("Hi", vendor={"deep": [None]}),
        call("{}", extra_content={"google": {"sig": "c2ln"}}),
        service_tier="default",
        content_filters=[{"blocked": False}],
    ),
    "no usage": {k: v for k, v in body(message("Hi")).items() if k != "usage"},
    "usage is null": body(message("Hi"), usage=None),
    "usage of its own": body(message("Hi"), usage={"input_tokens": 1, "cost_in_usd_ticks": 12}),
    "no id": {k: v for k, v in body(message("Hi")).items() if k != "id"} | {"id": ""},
}


def framed(stream):
    """The frames an encoder gave, as they are read."""
    return [Frame(f.data.decode("ascii"), f.event) for f in stream]


def told(events):
    """What is told of these events, in the API's own stream."""
    encoder = DIALECT.encoder()
    frames = list(encoder.opening("r-1"))
    for each in events:
        frames += encoder.encode(each)
    return framed(frames)


def merged(events):
    """What events say, however they were cut: words joined, items as they ended."""
    fold, whole = Fold(), {}
    for each in events:
        if isinstance(each, Metadata):
            whole |= {k: v for k, v in each.extra.items() if k.startswith("output.")}
        elif not isinstance(each, ResponseStarted):
            fold.absorb((each,))
    return fold.events(), whole


@pytest.mark.parametrize("sent", BODIES.values(), ids=BODIES)
def test_a_body_comes_back_exactly(sent):
    """Read to events and folded again, not a field is lost, changed or invented."""
    assert sent == raw_of(DIALECT.read_buffered(sent))


@pytest.mark.parametrize("sent", BODIES.values(), ids=BODIES)
def test_a_body_that_comes_back_is_a_response(sent):
    """The official client's type dumps the same."""
    model = Response.model_construct(**raw_of(DIALECT.read_buffered(sent)))
    assert sent == model.model_dump(mode="json", exclude_unset=True, warnings=False)


@pytest.mark.parametrize("sent", BODIES.values(), ids=BODIES)
def test_a_body_written_as_a_stream_comes_back(sent):
    """Every field of it; an answer without an id gets the run's."""
    events = accumulated(DIALECT.read_buffered(sent))
    again = accumulated(streamed(*told(events)))
    assert {**sent, "id": sent["id"] or "resp_r-1"} == again[-1].response.raw
    first, second = events[-1].response, again[-1].response
    for field in ("text", "reasoning", "refusal", "tool_calls", "finish_reason", "finish", "usage"):
        assert getattr(first, field) == getattr(second, field)


def pieces(draw, text):
    """Cut *text* anywhere, into pieces that are not empty."""
    places = draw(st.lists(st.integers(0, len(text)), max_size=4))
    return [text[a:b] for a, b in pairwise(sorted({0, len(text), *places}))]


WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
ARGUMENTS = st.dictionaries(WORDS, st.integers() | WORDS, max_size=3).map(json.dumps)
PARTS = st.one_of(
    WORDS.map(text_part),
    WORDS.map(lambda words: {"type": "refusal", "refusal": words}),
)
ITEMS = st.one_of(
    st.lists(PARTS, max_size=3).map(lambda parts: message(*parts)),
    st.lists(WORDS, max_size=3).map(lambda words: reasoning(*words)),
    st.lists(WORDS, max_size=2).map(lambda words: reasoning(content=words)),
    ARGUMENTS.map(call),
    WORDS.map(custom),
    st.just(search()),
    st.just(MCP),
)


@st.composite
def responses(draw):
    """A whole response of any items, each with ids of its own."""
    output = []
    for n, item in enumerate(draw(st.lists(ITEMS, max_size=4))):
        own = {**item, "id": f"{item['id']}_{n}"}
        if item["type"] in ("function_call", "custom_tool_call"):
            own["call_id"] = f"call_{n}"
        output.append(own)
    return body(*output)


@st.composite
def streams(draw):
    """A whole response, and a stream of it that is cut anywhere and says as little as it may."""
    whole = draw(responses())
    events = [created()]
    for n, item in enumerate(whole["output"]):
        events += _told_of(draw, n, item)
    empty = draw(st.booleans())
    return whole, [*events, completed(*([] if empty else whole["output"]))]


def _told_of(draw, n, item):
    """The events of one item: some leave its deltas out, others its beginning."""
    whole = [done(item, n)]
    if not draw(st.booleans()):
        return whole if draw(st.booleans()) else [added(item, n), *whole]
    kind, id_ = item["type"], item["id"]
    deltas = []
    if kind == "message":
        item = {**item, "content": []}
        for k, part in enumerate(whole[0]["item"]["content"]):
            refused = part["type"] == "refusal"
            for piece in pieces(draw, part["refusal" if refused else "text"]):
                named = "refusal" if refused else "output_text"
                deltas.append(delta(piece, n, id_, named, content_index=k))
    elif kind == "reasoning":
        item = {**item, "summary": []}
        for k, part in enumerate(whole[0]["item"]["summary"]):
            deltas += [summary_delta(piece, n, id_, k) for piece in pieces(draw, part["text"])]
    elif kind in ("function_call", "custom_tool_call"):
        field = "arguments" if kind == "function_call" else "input"
        named = "function_call_arguments" if kind == "function_call" else "custom_tool_call_input"
        deltas = [arguments_delta(piece, n, id_, named) for piece in pieces(draw, item[field])]
        item = {**item, field: ""}
    return [added(item, n), *deltas, *whole]


@given(streams())
def test_a_stream_adds_up_to_the_body(answer):
    """However the answer was cut, and whatever was left out, it is the buffered one."""
    whole, stream = answer
    events = streamed(*stream)
    assert whole == raw_of(events)
    assert "completed" == response_of(events).finish_reason


@given(streams())
def test_a_stream_gives_the_events_of_the_body(answer):
    """The buffered twin: the same words, calls, steps and citations in the same order."""
    whole, stream = answer
    words = (TextDelta, RefusalDelta, ReasoningDelta)
    for kind in words:
        one, other = (
            [e.text for e in merged(events)[0] if isinstance(e, kind)]
            for events in (streamed(*stream), DIALECT.read_buffered(whole))
        )
        assert "".join(one) == "".join(other)
    assert merged(streamed(*stream))[1] == merged(DIALECT.read_buffered(whole))[1]


@given(streams())
def test_a_stream_written_again_is_the_same_answer(answer):
    """Events, the API's stream, events: the same, field by field."""
    whole, stream = answer
    events = accumulated(streamed(*stream))
    again = streamed(*told(events))
    assert whole == raw_of(again)
    assert response_of(events).tool_calls == response_of(again).tool_calls
    assert events[-1].response.text == response_of(again).text


RECORDINGS = [
    pytest.param(SHARED / "wire" / recording["file"], id=path.stem)
    for path in sorted(SHARED.glob("wire/*/*.json"))
    if (recording := json.loads(path.read_text("utf-8")))["dialect"] == "openai-responses"
    and recording["expect"]["complete"]
    and not recording["expect"]["error"]
]
ROTATING = {
    "rig-reasoning-roundtrip-streaming-i1",
    "pydantic-openai-responses-raw-cot-stream-openrouter",
}
"""Ids change from event to event: what is written keeps the first, `raw` has the last."""


def read(path):
    """The events of a recorded stream."""
    lines = path.read_text("utf-8").splitlines()
    data = (line.removeprefix("data:").strip() for line in lines if line.startswith("data:"))
    return accumulated(streamed(*data))


@pytest.mark.skipif(not RECORDINGS, reason=MISSING)
@pytest.mark.parametrize("path", RECORDINGS)
def test_a_recording_written_again_is_the_same_answer(path):
    """Field by field, but for ids that no client could follow."""
    first, second = read(path)[-1].response, response_of(streamed(*told(read(path))))
    for field in ("text", "reasoning", "refusal", "tool_calls", "finish_reason", "finish", "usage"):
        assert getattr(first, field) == getattr(second, field)
    if path.stem in ROTATING:
        first, second = (without_ids(response.raw) for response in (first, second))
        assert first == second
    else:
        assert first.raw == second.raw


def without_ids(value):
    """JSON without the ids in it."""
    if isinstance(value, dict):
        return {k: without_ids(v) for k, v in value.items() if k != "id"}
    return [without_ids(item) for item in value] if isinstance(value, list) else value


@pytest.mark.skipif(not RECORDINGS, reason=MISSING)
@pytest.mark.parametrize("path", RECORDINGS)
def test_a_recording_has_a_buffered_twin(path):
    """Its own JSON, asked for in one, gives the same response and the same events."""
    events = read(path)
    raw = {k: v for k, v in events[-1].response.raw.items() if k != "copilot_usage"}
    twin = accumulated(DIALECT.read_buffered(raw))
    assert raw == twin[-1].response.raw
    for field in ("text", "reasoning", "refusal", "tool_calls", "finish_reason", "finish", "usage"):
        assert getattr(events[-1].response, field) == getattr(twin[-1].response, field)


def test_an_unknown_event_of_a_step_is_written_again():
    """Under the step's own place; of anything else nothing is."""
    way = event("web_search_call.searching", item_id="ws_1", output_index=3, sequence_number=9)
    odd = event("web_search_call.searching", item_id="ws_9", output_index=7)
    stream = [created(), added(search(status="in_progress"), 3), way, odd, done(search(), 3)]
    kinds = [json.loads(f.data) for f in told(streamed(*stream, completed(search())))]
    (again,) = [value for value in kinds if value["type"] == way["type"]]
    assert {**way, "output_index": 0, "sequence_number": 2} == again


def test_every_event_has_its_number_and_its_name():
    """From 0, none left out; the frame is named as the event."""
    frames = told(accumulated(DIALECT.read_buffered(BODIES["unknown fields"])))
    values = [json.loads(frame.data) for frame in frames]
    assert list(range(len(values))) == [value["sequence_number"] for value in values]
    assert [value["type"] for value in values] == [frame.event for frame in frames]
    assert HEAD.keys() - {"usage"} <= values[0]["response"].keys()
