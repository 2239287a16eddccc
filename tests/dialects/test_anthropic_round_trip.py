"""A stream adds up to the body it is a stream of; what is told of it again is the same."""

import json
from itertools import groupby, pairwise

import attrs
import pytest
from anthropic.types import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from streamkit.events import (
    Finished,
    Metadata,
    ResponseCompleted,
    ResponseStarted,
    ToolCallDelta,
    UsageReported,
)
from streamkit.framing import Frame

from .messages import (
    DIALECT,
    HEAD,
    STOP,
    accumulated,
    begin,
    decoded,
    delta,
    end,
    finish,
    json_piece,
    raw_of,
    start,
    streamed,
    text,
    think,
)

CITED = {
    "type": "char_location",
    "cited_text": "x",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 1,
    "file_id": None,
}
SEARCH = {"type": "web_search_result", "title": "t", "url": "u", "encrypted_content": "e"}
SEARCHED = {"tool_use_id": "srvtoolu_0", "content": [{**SEARCH, "page_age": None}]}


def body(*content, reason="end_turn", **fields):
    """A message of these blocks; a string is one of text."""
    blocks = [{"type": "text", "text": b} if isinstance(b, str) else b for b in content]
    return {**HEAD, "content": blocks, "stop_reason": reason, **fields}


def use(kind="tool_use", id_="toolu_1", **fields):
    """A block of a call."""
    return {"type": kind, "id": id_, "name": "look", "input": {"q": "ż"}, **fields}


BODIES = {
    "text": body("Hello"),
    "no text": body(""),
    "nothing": body(),
    "two blocks": body("Hel", "lo"),
    "thinking": body({"type": "thinking", "thinking": "hm", "signature": "c2ln"}, "Hi"),
    "thinking left out": body({"type": "thinking", "thinking": "", "signature": "c2ln"}, "Hi"),
    "redacted thinking": body({"type": "redacted_thinking", "data": "AAEC"}, "Hi"),
    "citations": body({"type": "text", "text": "See", "citations": [CITED]}, "that."),
    "a call": body("Let me see.", use(), reason="tool_use"),
    "two calls": body(use(), use(id_="toolu_2", input={}), reason="tool_use"),
    "a tool of the provider's": body(
        use("server_tool_use", "srvtoolu_0"),
        {"type": "web_search_tool_result", **SEARCHED},
        "Found.",
    ),
    "one that is still to run": body(use("server_tool_use"), reason="pause_turn"),
    "a tool of a server": body(
        use("mcp_tool_use", server_name="s"),
        {"type": "mcp_tool_result", "tool_use_id": "toolu_1", "content": [], "is_error": False},
    ),
    "the limit": body("Hel", reason="max_tokens"),
    "a stop sequence": body("Hel", reason="stop_sequence", stop_sequence="END"),
    "a refusal": body("No.", reason="refusal"),
    "unknown fields": body(
        {"type": "text", "text": "Hi", "vendor": {"deep": [None]}},
        {"type": "future_block", "x": {"y": None}},
        container={"id": "c", "expires_at": None},
        stop_details=None,
    ),
    "usage of its own": body("Hi", usage={"input_tokens": 1, "output_tokens": 2, "ticks": 12}),
}


def pieces(draw, whole):
    """Cut text anywhere, into pieces that are not empty."""
    places = draw(st.lists(st.integers(0, len(whole)), max_size=4))
    return [whole[a:b] for a, b in pairwise(sorted({0, len(whole), *places}))]


inputs = st.dictionaries(
    st.text(max_size=3), st.integers(-9, 9) | st.text(max_size=3) | st.none(), max_size=3
)


@st.composite
def texts(draw):
    """A block of text, cited or not, and its deltas."""
    words, cited = draw(st.text(max_size=9)), draw(st.sampled_from([None, [], [CITED]]))
    block = {"type": "text", "text": words}
    deltas = [text(piece) for piece in pieces(draw, words)]
    if cited is None:
        return block, {**block, "text": ""}, deltas
    deltas += [delta("citations_delta", citation=each) for each in cited]
    return {**block, "citations": cited}, {**block, "text": "", "citations": []}, deltas


@st.composite
def thoughts(draw):
    """A block of thinking, with its signature."""
    words, signature = draw(st.text(max_size=9)), draw(st.sampled_from(["", "c2ln"]))
    deltas = [think(piece) for piece in pieces(draw, words)]
    if signature:
        deltas.append(delta("signature_delta", signature=signature))
    empty = {"type": "thinking", "thinking": "", "signature": ""}
    return {**empty, "thinking": words, "signature": signature}, empty, deltas


@st.composite
def calls(draw):
    """A call, the caller's or the provider's, its input whole at the start or in pieces."""
    kind = draw(st.sampled_from(["tool_use", "server_tool_use", "mcp_tool_use"]))
    block = {"type": kind, "id": f"toolu_{draw(st.integers(1, 999))}", "name": "look"}
    block |= draw(st.sampled_from([{}, {"caller": {"type": "direct"}}]))
    value = draw(inputs)
    if draw(st.booleans()):
        return {**block, "input": value}, {**block, "input": value}, []
    deltas = [json_piece(piece) for piece in pieces(draw, json.dumps(value))]
    return {**block, "input": value}, {**block, "input": {}}, deltas


whole = st.sampled_from(
    [
        {"type": "redacted_thinking", "data": "AAEC"},
        {"type": "web_search_tool_result", **SEARCHED},
        {"type": "mcp_tool_result", **SEARCHED, "is_error": False},
        {"type": "future_block", "x": {"y": None}},
    ]
).map(lambda block: (block, block, []))


@st.composite
def answers(draw):
    """One body, and the events of a stream of it, cut anywhere."""
    body = dict(HEAD)
    if draw(st.booleans()):
        body["stop_details"] = None
    stream = [start(**{key: body[key] for key in body if key not in ("type", "content")})]
    body["content"] = []
    for index, (block, empty, deltas) in enumerate(
        draw(st.lists(texts() | thoughts() | calls() | whole, max_size=5))
    ):
        body["content"].append(block)
        stream.append(begin(empty, index))
        stream += [{**each, "index": index} for each in deltas]
        stream.append(end(index))
    reason = draw(st.sampled_from(["end_turn", "tool_use", "max_tokens", "stop_sequence"]))
    last = finish(reason, {"output_tokens": 9, "cache_read_input_tokens": 0})
    if reason == "stop_sequence":
        last["delta"]["stop_sequence"] = body["stop_sequence"] = "END"
    beside = draw(st.sampled_from([{}, {"context_management": {"applied_edits": []}}]))
    behind = draw(st.sampled_from([{}, {"amazon-bedrock-invocationMetrics": {"n": 1}}]))
    body |= {"stop_reason": reason, **beside, **behind}
    body["usage"] = {**body["usage"], "output_tokens": 9, "cache_read_input_tokens": 0}
    return body, [*stream, {**last, **beside}, {**STOP, **behind}]


@given(answers())
def test_a_stream_adds_up_to_the_body(answer):
    """However it was cut, it is the buffered one, field by field."""
    body, stream = answer
    assert body == raw_of(streamed(*stream))


@pytest.mark.parametrize("sent", BODIES.values(), ids=BODIES)
def test_a_body_of_each_kind_comes_back_exactly(sent):
    """Each by its name."""
    assert sent == raw_of(DIALECT.read_buffered(sent))


@given(answers())
def test_a_body_comes_back_exactly(answer):
    """Read to events and folded again, not a field is lost, changed or invented."""
    body, _ = answer
    before = json.dumps(body)
    assert body == raw_of(DIALECT.read_buffered(body))
    assert before == json.dumps(body)


@given(answers())
def test_a_body_that_comes_back_is_a_message(answer):
    """The official client's type takes it, and dumps the same."""
    body, _ = answer
    message = Message.construct(**raw_of(DIALECT.read_buffered(body)))
    assert body == message.to_dict(mode="json", warnings=False)


def merged(events):
    """Events without what streams say alone; adjacent deltas of a kind are one, in order."""
    told = [event for event in events if not isinstance(event, UsageReported | ResponseCompleted)]
    out = []
    for (kind, channel, call), run in groupby(
        told, lambda event: (type(event), event.channel, getattr(event, "call", None))
    ):
        same = list(run)
        if channel in ("text", "reasoning"):
            same = [kind("".join(event.text for event in same))]
        elif kind is ToolCallDelta:
            arguments = "".join(event.arguments for event in same)
            same = [ToolCallDelta(call, json.loads(arguments))]
        out += same
    return out


def placed(events):
    """Merged events, without the fields that a stream tells in another place than a body."""
    return [
        bare(event)
        for event in merged(events)
        if not (isinstance(event, Metadata) and (event.choice is None or "delta" in only_of(event)))
    ]


def only_of(event):
    """The one part that a mark is of."""
    (part,) = event.extra["content"]
    return part


def bare(event):
    """An event without fields that come early in a body, or late in a stream."""
    if isinstance(event, Metadata):
        fields = {key: value for key, value in only_of(event).items() if key != "signature"}
        return Metadata(0, fields, message=True)
    if isinstance(event, ResponseStarted | Finished):
        return attrs.evolve(event, extra=None)
    return event


@given(answers())
def test_a_buffered_answer_gives_the_events_of_its_stream(answer):
    """The same events in the same order, each delta whole; only where fields stand differs."""
    body, stream = answer
    assert placed(DIALECT.read_buffered(body)) == placed(streamed(*stream))


def told_again(events):
    """What the decoder makes of what the encoder tells of these events."""
    encoder = DIALECT.encoder()
    frames = [frame for event in accumulated(events) for frame in encoder.encode(event)]
    return decoded(*(Frame(frame.data, frame.event) for frame in frames))


@given(answers())
def test_events_told_again_are_the_same_events(answer):
    """Every delta, every field, in the order they came."""
    _, stream = answer
    events = streamed(*stream)
    assert events == told_again(events)


@given(answers())
def test_a_buffered_answer_is_told_as_a_stream(answer):
    """Whoever asked for a stream gets one, whatever the provider gave."""
    body, _ = answer
    events = DIALECT.read_buffered(body)
    assert body == raw_of(told_again(events))


@pytest.mark.interop  # it takes long
def test_the_strategy_reaches_every_event():
    """Else the properties above say little."""
    reached = set()

    @settings(max_examples=400, derandomize=True, database=None, deadline=None)  # not by luck
    @given(answers())
    def collect(answer):
        reached.update(type(event).__name__ for event in accumulated(streamed(*answer[1])))

    collect()
    assert {
        "ResponseStarted",
        "TextDelta",
        "ReasoningDelta",
        "ToolCallStarted",
        "ToolCallDelta",
        "ToolCallCompleted",
        "ToolResult",
        "Citation",
        "UsageReported",
        "Metadata",
        "Finished",
        "ResponseCompleted",
    } == reached


@pytest.mark.parametrize("blank", ["", " ", "\n", "\t  "])
def test_blank_text_is_text(blank):
    """Nothing is stripped."""
    stream = [start(), begin({"type": "text", "text": blank}), end(), finish(), STOP]
    assert [{"type": "text", "text": blank}] == raw_of(streamed(*stream))["content"]
