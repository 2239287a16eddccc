"""A turn that was streamed and a turn that was not are one turn, however both were cut."""

import json
from itertools import pairwise

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_stack_client.types.agents import Turn

from streamkit.dialects import HttpCall, LlamaStackTurn
from streamkit.events import (
    Metadata,
    ResponseCompleted,
    ResponseStarted,
    StepStarted,
    TextDelta,
    ToolCallDelta,
)
from streamkit.replay import replay

from .test_llama_stack_turn import (
    CLIENT_CALL,
    DIALECT,
    FOUND,
    SAID,
    SEARCH,
    STREAM,
    TURN,
    WAITING,
    as_json,
    calling,
    decoded,
    execution,
    image_item,
    inference,
    message,
    raw_of,
    result,
    retrieval,
    shield,
    step_complete,
    step_start,
    text_item,
    text_of,
    tool_call,
    turn,
    turn_awaiting,
    turn_complete,
    turn_start,
    words,
)

CHUNKS = [None, 1, 7, 64]
RAW = 'knowledge_search({"query":)'

TURNS = {
    "a turn": TURN,
    "text alone": turn(message(SAID), [inference(SAID)]),
    "no text": turn(message(""), [inference("")]),
    "no steps": turn(message(SAID)),
    "no steps, no text": turn(message("")),
    "out of tokens": turn(message("Ans", stop="out_of_tokens"), [inference("Ans")]),
    "waiting": WAITING,
    "waiting, no steps": turn(message(calls=[CLIENT_CALL], stop="end_of_message")),
    "waiting for one call of two": turn(
        message(calls=[CLIENT_CALL], stop="end_of_message"),
        [
            inference(calls=[SEARCH, CLIENT_CALL], id_="s1"),
            execution([SEARCH], [FOUND]),
        ],
    ),
    "text beside a call": turn(
        message(SAID),
        [
            inference("Let me look. ", [SEARCH], "end_of_message"),
            execution([SEARCH], [FOUND]),
            inference(SAID, id_="s4"),
        ],
    ),
    "two tools": turn(
        message(SAID),
        [
            inference(calls=[tool_call("c1", "f", {"a": [1, "x", None]}), tool_call("c2", "g")]),
            execution([tool_call("c1", "f")], [result("1", "c1", "f")], "s2"),
            execution([tool_call("c2", "g", arguments_json=None)], [], "s3"),
            inference(SAID, id_="s4"),
        ],
    ),
    "a call that failed": turn(message(RAW), [inference(RAW)]),
    "a question refused": turn(message("No."), [shield("No.")]),
    "an answer refused": turn(message("No."), [inference(SAID), shield("No.")]),
    "shields": turn(
        message(SAID), [shield(), inference(SAID), shield(id_="s5")], output_attachments=[]
    ),
    "memory": turn(message(SAID), [retrieval(), inference(SAID)]),
    "lists": turn(
        message([text_item("See: "), image_item()]),
        [inference([text_item("See: "), image_item()])],
    ),
    "another message": turn(message("Other."), [inference(SAID)]),
    "attachments": turn(
        message(SAID),
        [inference(SAID)],
        output_attachments=[{"content": "a,b", "mime_type": "text/csv"}],
        completed_at=None,
    ),
}
each_turn = pytest.mark.parametrize("sent", TURNS.values(), ids=TURNS)


@attrs.frozen
class Taped(LlamaStackTurn):
    """The dialect of a recording: nothing is sent, so nobody has an agent."""

    def streaming(self, _request, /):
        """Say nothing."""
        return HttpCall("", {})


def cut(text, places):
    """*text*, in pieces."""
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[a:b] for a, b in pairwise(ends)]


def step_stream(step, places, unsent):
    """The events of one step, as the reference server sends them."""
    yield step_start(step.step_type, step.step_id, {"touchpoint": "x"})
    if step.step_type == "inference":
        spoken = as_json(step)["model_response"]["content"]
        pieces = cut(spoken, places) if isinstance(spoken, str) else []
        calls = step.api_model_response.tool_calls
        streamed = pieces if calls else pieces[: max(0, len(pieces) - unsent)]
        yield from (words(piece, step.step_id) for piece in streamed)
        for call in calls:
            yield calling("", "started", id_=step.step_id)
            for piece in cut(f"{call.tool_name}({call.arguments_json})", places):
                yield calling(piece, "in_progress", id_=step.step_id)
            yield calling(call, "succeeded", id_=step.step_id)
    elif step.step_type == "tool_execution":
        for call in step.tool_calls:
            yield calling(call, "in_progress", "tool_execution", step.step_id)
    yield step_complete(step)


def stream_of(sent, places=(), unsent=0, *, starts=True):
    """
    The events of a turn, as the reference server sends them.

    The last *unsent* pieces of a text come with a stop reason, so they are not sent.
    """
    events = [turn_start()] if starts else []
    for step in sent.steps:
        events += step_stream(step, places, unsent)
    end = turn_awaiting if sent.output_message.tool_calls else turn_complete
    return [*events, end(sent)]


def body_of(events):
    """The body of a stream."""
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()


def comparable(events):
    """Events without what only a stream can tell: its cuts, fragments, metadata of a start."""
    out = []
    for event in events:
        if isinstance(event, ToolCallDelta) and event.extra:
            continue
        if isinstance(event, TextDelta) and out and isinstance(out[-1], TextDelta):
            out[-1] = TextDelta(out[-1].text + event.text)
        elif isinstance(event, StepStarted | ResponseCompleted):
            out.append(attrs.evolve(event, **{LOOSE[type(event)]: None}))
        elif isinstance(event, ResponseStarted):
            out.append(ResponseStarted())
        elif isinstance(event, Metadata):
            rest = {key: value for key, value in event.extra.items() if key != "id"}
            out.append(attrs.evolve(event, extra=rest))
        else:
            out.append(event)
    return out


LOOSE = {StepStarted: "extra", ResponseCompleted: "evidence"}


# One turn, two ways


@each_turn
@pytest.mark.parametrize("starts", [True, False])
@pytest.mark.parametrize("unsent", [0, 1, 9])
def test_a_stream_gives_the_events_of_its_turn(sent, starts, unsent):
    """Whether or not it says that it starts, and however much of it is not streamed."""
    events = decoded(*stream_of(sent, (3, 5), unsent, starts=starts))
    assert comparable(DIALECT.read_buffered(as_json(sent))) == comparable(events)


@each_turn
def test_a_turn_comes_back_exactly(sent):
    """Read to events and folded again, not a field is lost, changed or invented."""
    assert as_json(sent) == raw_of(DIALECT.read_buffered(as_json(sent)))
    assert as_json(sent) == raw_of(decoded(*stream_of(sent, (1, 4))))


@each_turn
def test_a_turn_that_comes_back_is_a_turn(sent):
    """The client's type accepts it, and is the one it was made of."""
    assert sent == Turn.model_validate(raw_of(DIALECT.read_buffered(as_json(sent))))


@each_turn
def test_a_turn_ends_once_with_its_proof(sent):
    """A buffered one is complete because it is there."""
    events = DIALECT.read_buffered(as_json(sent))
    assert ResponseCompleted(evidence="buffered") == events[-1]
    assert 1 == sum(event.terminal for event in events)


def test_a_turn_is_not_changed_by_being_read():
    """What was passed in is the caller's."""
    body = as_json(TURN)
    DIALECT.read_buffered(body)
    assert as_json(TURN) == body


texts = st.text(max_size=12)
values = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3)
arguments = st.dictionaries(st.text(max_size=3), values, max_size=3)


@st.composite
def turns(draw):
    """A turn of any steps, its message the last that was said, or a shield's."""
    steps, output = [], message(draw(texts))
    for number in range(draw(st.integers(0, 5))):
        id_ = f"s{number}"
        kind = draw(st.sampled_from(["inference", "inference", "tools", "shield", "memory"]))
        if kind == "inference":
            calls = [
                tool_call(f"call_{number}{n}", draw(st.sampled_from("fg")), draw(arguments))
                for n in range(draw(st.integers(0, 2)))
            ]
            output = message(draw(texts), calls)
            steps.append(inference(output.content, calls, id_=id_))
        elif kind == "tools":
            ran = tool_call(f"call_{draw(st.integers(0, 4))}0", "f", draw(arguments))
            steps.append(execution([ran], [result(draw(texts), ran.call_id, "f")], id_))
        elif kind == "shield":
            refusal = draw(st.none() | st.text(min_size=1, max_size=12))
            output = output if refusal is None else message(refusal)
            steps.append(shield(refusal, id_))
        else:
            steps.append(retrieval(id_))
    return turn(output, steps)


@given(turns(), st.lists(st.integers(0, 40), max_size=5), st.integers(0, 2))
def test_a_stream_of_any_turn_gives_its_events(sent, places, unsent):
    """Wherever its text and its calls were cut, and whatever was not streamed."""
    events = decoded(*stream_of(sent, places, unsent))
    assert comparable(DIALECT.read_buffered(as_json(sent))) == comparable(events)


@given(turns(), st.lists(st.integers(0, 40), max_size=5))
def test_any_turn_comes_back_exactly(sent, places):
    """From its stream, and from itself."""
    assert as_json(sent) == raw_of(DIALECT.read_buffered(as_json(sent)))
    assert as_json(sent) == raw_of(decoded(*stream_of(sent, places)))


@given(turns())
def test_no_text_is_told_twice(sent):
    """The answer is what inference said; behind it only what was put in its place."""
    messages = [s.api_model_response for s in sent.steps if s.step_type == "inference"]
    spoken = "".join(one.content for one in messages)
    instead = "" if sent.output_message in messages[-1:] else sent.output_message.content
    assert text_of(DIALECT.read_buffered(as_json(sent))) in (spoken, spoken + instead)


@pytest.mark.interop  # it takes long
def test_the_strategy_reaches_every_case():
    """Turns with each kind of step, refused ones, and ones that wait are among its turns."""
    seen = set()

    @settings(max_examples=400, derandomize=True, database=None, deadline=None)  # not by luck
    @given(turns())
    def look(sent):
        seen.update(step.step_type for step in sent.steps)
        seen.update("violation" for s in sent.steps if getattr(s, "violation", None))
        seen.add("waits" if sent.output_message.tool_calls else "ends")
        seen.add("bare" if not sent.steps else "steps")

    look()
    kinds = {"inference", "tool_execution", "shield_call", "memory_retrieval"}
    assert {*kinds, "violation", "waits", "ends", "bare", "steps"} == seen


# Through the pipeline

each_chunk = pytest.mark.parametrize("chunk", CHUNKS)


@pytest.fixture
def anyio_backend():
    """One backend: nothing here waits."""
    return "asyncio"


@pytest.mark.anyio
@each_chunk
async def test_a_recording_is_its_turn(chunk):
    """Whole, or a byte at a time."""
    replayed = await replay(body_of(STREAM), Taped(), chunk=chunk)
    response = replayed.response
    assert replayed.error is None
    assert (SAID, "stop", "end_of_turn", "finish_reason", None) == (
        response.text,
        response.finish,
        response.finish_reason,
        response.evidence,
        response.usage,
    )
    assert [("call_7", "knowledge_search", '{"query":"ansible"}', True)] == [
        attrs.astuple(call) for call in response.tool_calls
    ]
    assert as_json(TURN) == response.raw


@pytest.mark.anyio
@each_turn
@each_chunk
async def test_every_turn_is_blind_to_the_cuts(sent, chunk):
    """Streamed or in one body, it is the turn that was sent."""
    for body in (body_of(stream_of(sent, (2, 7))), json.dumps(as_json(sent)).encode()):
        replayed = await replay(body, Taped(), chunk=chunk)
        assert replayed.error is None
        assert as_json(sent) == replayed.response.raw


@pytest.mark.anyio
@each_chunk
async def test_a_recording_that_waits_is_complete(chunk):
    """It is paused: the caller has the next word."""
    replayed = await replay(body_of(stream_of(WAITING, (2,))), Taped(), chunk=chunk)
    response = replayed.response
    assert (None, "paused", "end_of_message", "finish_reason") == (
        replayed.error,
        response.finish,
        response.finish_reason,
        response.evidence,
    )
    assert [("call_9", "client_tool")] == [(call.id, call.name) for call in response.tool_calls]


@pytest.mark.anyio
@each_chunk
async def test_a_recording_without_the_end_of_its_turn_is_truncated(chunk):
    """Its last step was whole; the answer, as far as it came, is there."""
    replayed = await replay(body_of(STREAM[:-1]), Taped(), chunk=chunk)
    assert ("truncated", SAID) == (replayed.error.code, replayed.response.text)
    assert replayed.response.finish is None
    assert as_json(TURN)["steps"] == replayed.response.raw["steps"]


@pytest.mark.anyio
async def test_a_recording_cut_anywhere_is_truncated():
    """At every event, and inside of one; text that was told is a beginning of the answer."""
    for at in range(len(STREAM)):
        whole = body_of(STREAM[:at])
        for body in (whole, whole + body_of(STREAM[at : at + 1])[:-9]):
            replayed = await replay(body, Taped())
            assert "truncated" == replayed.error.code
            assert SAID.startswith(replayed.response.text)


@pytest.mark.anyio
@each_chunk
@pytest.mark.parametrize("at", [0, 1, 6, 17])
async def test_a_recorded_error_is_one(at, chunk):
    """Behind whatever was told before it."""
    error = {"error": {"message": "500: Internal server error"}}
    replayed = await replay(body_of([*STREAM[:at], error]), Taped(), chunk=chunk)
    assert "in_band" == replayed.error.code
    assert "500: Internal server error" in str(replayed.error)


@pytest.mark.anyio
@each_chunk
async def test_a_recording_with_events_nobody_knows_is_its_turn(chunk):
    """They are passed on, and add nothing."""
    unknown = {"event": {"payload": {"event_type": "step_paused", "step_id": "s1"}}}
    between = [event for one in STREAM for event in (unknown, one)]
    replayed = await replay(body_of(between), Taped(), chunk=chunk)
    assert as_json(TURN) == replayed.response.raw
