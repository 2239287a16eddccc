"""Events as a turn's stream: what the decoder reads back, each frame of the client's own types."""

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_stack_client.types.agents import AgentTurnResponseStreamChunk

from streamkit.dialects import OpenAIChat
from streamkit.errors import InBandError, Stalled
from streamkit.events import (
    AwaitingInput,
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
    StepCompleted,
    StepStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    Unknown,
    UsageReported,
)
from streamkit.response import Response, Usage

from .spoken import only
from .test_llama_stack_turn import (
    CLIENT_CALL,
    DIALECT,
    SAID,
    STREAM,
    accumulated,
    as_json,
    calling,
    decoded,
    envelope,
    execution,
    inference,
    message,
    opened,
    payloads,
    raw_of,
    result,
    step_complete,
    step_start,
    text_of,
    tool_call,
    turn,
    turn_complete,
    turn_start,
    words,
)
from .test_llama_stack_turn_twin import TURNS, comparable, stream_of, turns

STARTED = ResponseStarted("t1")
STOP, END = Finished(0, "stop"), ResponseCompleted()
STEPLESS = {"no steps", "waiting, no steps"}


def told(*events):
    """What these events are told as: JSON values, each of the client's type."""
    encoder = opened()
    values = [json.loads(frame.data) for event in events for frame in encoder.encode(event)]
    for value in values:
        if "event" in value:
            AgentTurnResponseStreamChunk.model_validate(value)
    return values


def inner(*events):
    """The payloads that were told."""
    return [value["event"]["payload"] for value in told(*events)]


def kinds(*events):
    """What was told, in short: each payload's type, and its step's."""
    return [(p["event_type"], p.get("step_type")) for p in inner(*events)]


def deltas(*events):
    """The deltas that were told, without their type."""
    found = [p["delta"] for p in inner(*events) if p["event_type"] == "step_progress"]
    return [tuple(delta.values())[1:] for delta in found]


def reread(events):
    """What the decoder makes of what was told of these events."""
    return decoded(*told(*events))


def calls_of(events):
    """The calls of an answer, as a watcher gets them."""
    (end,) = only(ResponseCompleted, accumulated(events))
    return [attrs.astuple(call) for call in end.response.tool_calls]


# -- the contract


def test_the_format_cannot_take_back():
    """It says nothing first, has no heartbeat of its own, and nobody comes back."""
    encoder = opened()
    assert {"text", "refusal", "tool_calls", "steps"} == encoder.irrevocable
    assert (None, None, True) == (encoder.heartbeat(), encoder.farewell(), encoder.remembers)


def test_a_turn_begins_with_the_first_that_is_known_of_it():
    """Its id; where there is none yet nothing is said, as the reference server has it."""
    assert [turn_start()] == told(STARTED)
    assert [] == told(ResponseStarted("", "m-1", {"created": 17}))


def test_what_the_api_has_no_word_for_is_not_told():
    """Reasoning, citations, usage, other choices, frames nobody knows, our own heartbeats."""
    unknown = Unknown({"a": 1})
    others = (ReasoningDelta("hm"), Citation({"url": "u"}), UsageReported(Usage()), unknown)
    assert [] == told(*others, Heartbeat(), TextDelta("b", 1), ToolCallStarted(0, choice=1))


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (ResponseFailed(InBandError("secret"), Response()), "in_band"),
        (ResponseFailed(Stalled("idle", 5), Response()), "stalled"),
        (ResponseFailed(KeyError("secret"), Response()), "error"),
        (ResponseCancelled(Response()), "cancelled"),
    ],
)
def test_a_failure_is_one_frame_and_the_last(end, code):
    """No end of a step or turn before it, nothing of what the provider said."""
    *_, last = told(STARTED, TextDelta("a"), end)
    assert code == last["error"]["code"]
    assert "secret" not in last["error"]["message"]
    with pytest.raises(InBandError):
        decoded(last)


def test_a_failure_before_the_first_frame_is_a_body():
    """The same words; a code that is none of ours is left out."""
    odd = OSError("secret")
    odd.code = 404
    assert told(ResponseFailed(odd, Response())) == [opened().failure(odd)]
    assert "error" == opened().failure(odd)["error"]["code"]


# -- an agent's turn


def test_a_stream_is_told_as_it_came():
    """Event by event, so that a watcher of ours reads what a watcher of theirs would."""
    events = decoded(*STREAM)
    assert events == reread(accumulated(events))
    assert len(STREAM) == len(told(*accumulated(events)))


@pytest.mark.parametrize("name", sorted(TURNS.keys() - STEPLESS))
@pytest.mark.parametrize("streamed", [True, False])
def test_a_turn_comes_back_exactly(name, streamed):
    """Told and read again, not a field is lost, changed or invented."""
    sent = TURNS[name]
    events = decoded(*stream_of(sent, (2, 5))) if streamed else DIALECT.read_buffered(as_json(sent))
    again = reread(accumulated(events))
    assert as_json(sent) == raw_of(again)
    assert comparable(list(events)) == comparable(again)


@given(turns().filter(lambda sent: sent.steps), st.lists(st.integers(0, 40), max_size=5))
def test_any_turn_comes_back_exactly(sent, places):
    """From its stream, and from itself."""
    for events in (decoded(*stream_of(sent, places)), DIALECT.read_buffered(as_json(sent))):
        again = reread(accumulated(events))
        assert as_json(sent) == raw_of(again)
        assert comparable(list(events)) == comparable(again)


@pytest.mark.parametrize("name", sorted(STEPLESS))
def test_a_turn_without_steps_is_one_of_one_step(name):
    """Its text, its calls and how it ended are the same."""
    events = DIALECT.read_buffered(as_json(TURNS[name]))
    again = reread(accumulated(events))
    (step,) = raw_of(again)["steps"]
    assert "inference" == step["step_type"]
    assert raw_of(events)["output_message"] == raw_of(again)["output_message"]
    assert raw_of(events) == raw_of(again) | {"steps": []}
    assert (text_of(events), calls_of(events)) == (text_of(again), calls_of(again))


def test_an_image_is_told_as_a_delta():
    """As the deltas of the API have it; one that its step tells whole is not told before."""
    data = {"type": "image", "image": {"data": "iVBORw0KGgo="}}
    delta = {"type": "image", "image": "iVBORw0KGgo="}
    head = {"event_type": "step_progress", "step_type": "inference", "step_id": "s1"}
    progress = envelope(payloads.AgentTurnResponseStepProgressPayload(**head, delta=delta))
    events = decoded(step_start("inference", "s1"), progress)
    assert Metadata(0, {"content_parts": [data]}, message=True) == events[-1]
    assert events == reread(events)
    assert ["step_start"] == [p["event_type"] for p in inner(events[1], Metadata(0, {}, True))]
    assert [] == told(events[-1])


def test_steps_may_lie_side_by_side():
    """Each ends with its own id; one that never began does not end."""
    one, two = StepStarted("inference", "s1"), StepStarted("tool_execution", "s2")
    ends = StepCompleted("inference", "s1"), StepCompleted("tool_execution", "s2")
    assert ["s1", "s2", "s1", "s2"] == [p["step_id"] for p in inner(one, two, *ends)]
    assert [] == told(StepCompleted("inference", "s1"))


def test_a_step_that_did_not_end_is_not_in_the_turn():
    """Nothing is told of it that did not happen; its text is in the message."""
    *_, end = inner(STARTED, StepStarted("inference", "s1"), TextDelta("Hi"), STOP, END)
    assert ([], "Hi") == (end["turn"]["steps"], end["turn"]["output_message"]["content"])


def test_what_a_step_lacks_is_made_up_empty():
    """The client's types want it: a turn, a reason, the calls that ran, a context."""
    events = [
        STARTED,
        StepStarted("inference", "s1"),
        ToolCallStarted(0, "c", "f"),
        ToolCallDelta(0, "{}"),
        StepCompleted("inference", "s1"),
        StepStarted("tool_execution", "s2"),
        ToolResult(0, "42", id="c", name="f"),
        StepCompleted("tool_execution", "s2"),
        StepStarted("memory_retrieval", "s3"),
        StepCompleted("memory_retrieval", "s3"),
        StepStarted("inference", "s4"),
        TextDelta("Hi"),
        StepCompleted("inference", "s4"),
    ]
    steps = [p["step_details"] for p in inner(*events) if p["event_type"] == "step_complete"]
    assert ["t1"] * 4 == [step["turn_id"] for step in steps]
    assert ["end_of_message", "end_of_turn"] == [
        step["model_response"]["stop_reason"] for step in (steps[0], steps[3])
    ]
    assert steps[0]["model_response"]["tool_calls"] == steps[1]["tool_calls"]
    assert [{"call_id": "c", "tool_name": "f", "content": "42"}] == steps[1]["tool_responses"]
    assert ("", "") == (steps[2]["vector_db_ids"], steps[2]["inserted_context"])


def test_what_comes_between_an_agents_steps_is_told_in_one_of_ours():
    """A footer, say, that a stage added; before the next step begins, or at the end."""
    first = decoded(step_start("inference", "s1"), words("Hi. "), step_complete(inference("Hi. ")))
    then = decoded(step_start("inference", "s4"), words("So.", "s4"))[1:]
    last = [StepCompleted("inference", "s4"), TextDelta("(the end)"), STOP, END]
    events = [*first, TextDelta("(cut) "), *then, *last]
    again = reread(accumulated(events))
    assert ["s1", "step-1", "s4", "step-2"] == [e.id for e in only(StepCompleted, again)]
    assert "Hi. (cut) So.(the end)" == text_of(again)
    assert "(the end)" == raw_of(again)["output_message"]["content"]


def test_content_in_a_step_without_room_for_it_waits_for_one_of_ours():
    """No shield has text, no inference a result."""
    events = [
        StepStarted("shield_call", "s0"),
        TextDelta("Hi"),
        ToolCallStarted(0, "c", "f"),
        StepCompleted("shield_call", "s0"),
        StepStarted("inference", "s1"),
        ToolResult(0, "42", id="c", name="f"),
        StepCompleted("inference", "s1"),
        END,
    ]
    steps = raw_of(reread(events))["steps"]
    assert ["shield_call", "inference", "inference", "tool_execution"] == [
        step["step_type"] for step in steps
    ]
    assert "42" == steps[3]["tool_responses"][0]["content"]


def test_a_call_that_the_provider_spelled_out_is_not_spelled_twice():
    """Its own fragments are told as they came; a second call waits for its own."""
    two = tool_call("call_8", "add", {"a": 1})
    events = decoded(
        step_start("inference", "s1"),
        calling("", "started"),
        calling("knowledge", "in_progress"),
        calling(tool_call(), "succeeded"),
        calling("add", "in_progress"),
        calling(two, "succeeded"),
        step_complete(inference(calls=[tool_call(), two])),
    )
    assert events == reread(events)


def test_a_resumed_turn_runs_a_call_that_was_made_before():
    """It is told by the step that ran it, once."""
    ran = execution([CLIENT_CALL], [result("42", "call_9", "client_tool")])
    plain = decoded(step_complete(ran), turn_complete(turn(message(SAID), [ran])))
    told_of = decoded(
        step_start("tool_execution", "s2"),
        calling(CLIENT_CALL, "in_progress", "tool_execution", "s2"),
        step_complete(ran),
    )
    assert comparable(plain) == comparable(reread(accumulated(plain)))
    assert told_of == reread(told_of)


def test_a_turn_that_waits_says_so():
    """Whether an event says it or a field."""
    waits = [StepStarted("inference", "s1"), StepCompleted("inference", "s1")]
    field = Metadata(0, {"event_type": "turn_awaiting_input"})
    for event in (AwaitingInput({"turn_id": "t1"}), field):
        assert ("turn_awaiting_input", None) == kinds(*waits, event, END)[-1]
    assert ("turn_complete", None) == kinds(*waits, END)[-1]


# -- an answer of another API


def test_an_answer_without_steps_is_one_inference_step():
    """It begins with the first text, and ends before the turn, whose times nobody knows."""
    started = ResponseStarted("", "m-1", {"created": 17})
    events = [started, TextDelta("Hel"), TextDelta(""), TextDelta("lo"), STOP, END]
    values = inner(*accumulated(events, OpenAIChat()))
    step, turn_ = values[-2]["step_details"], values[-1]["turn"]
    assert [
        ("step_start", "inference"),
        ("step_progress", "inference"),
        ("step_progress", "inference"),
        ("step_complete", "inference"),
        ("turn_complete", None),
    ] == [(value["event_type"], value.get("step_type")) for value in values]
    assert ("Hello", "end_of_turn") == (
        step["model_response"]["content"],
        step["model_response"]["stop_reason"],
    )
    assert {
        "turn_id": "r-1",
        "session_id": "",
        "input_messages": [],
        "started_at": "1970-01-01T00:00:00Z",
        "steps": [step],
        "output_message": step["model_response"],
    } == turn_
    assert "created" not in turn_


def test_an_answer_of_nothing_has_no_step():
    """There is a turn all the same."""
    assert [("turn_complete", None)] == kinds(STOP, END)


def test_a_refusal_is_text():
    """There is no other word for it, and nothing at all would be an answer of nothing."""
    assert [("I ",), ("cannot.",)] == deltas(RefusalDelta("I "), RefusalDelta("cannot."))


def test_a_call_is_spelled_out_and_then_told_whole():
    """As its arguments come; the caller is to make it, so the turn waits for that."""
    events = [
        TextDelta("Let me look. "),
        ToolCallStarted(0, "c1", "f", extra={"type": "function"}),
        ToolCallDelta(0, '{"a":'),
        ToolCallDelta(0, " 1}"),
        Finished(0, "tool_calls"),
        END,
    ]
    whole = {
        "call_id": "c1",
        "tool_name": "f",
        "arguments": {"a": 1},
        "arguments_json": '{"a": 1}',
    }
    assert [
        ("Let me look. ",),
        ("", "started"),
        ('{"a":', "in_progress"),
        (" 1}", "in_progress"),
        (whole, "succeeded"),
    ] == deltas(*accumulated(events, OpenAIChat()))
    (*_, end) = inner(*accumulated(events, OpenAIChat()))
    assert "turn_awaiting_input" == end["event_type"]
    assert ([whole], "end_of_message") == (
        end["turn"]["output_message"]["tool_calls"],
        end["turn"]["output_message"]["stop_reason"],
    )


def test_calls_are_told_whole_in_their_order():
    """Where their pieces come by turns, the first is told once nothing more can come of it."""
    events = [
        ToolCallStarted(0),
        ToolCallDelta(0, id="c1", name="f"),
        ToolCallStarted(1, "c2", "g"),
        ToolCallDelta(1, "{}"),
        TextDelta("x"),
        ToolCallDelta(0, "{}"),
        TextDelta("y"),
    ]
    statuses = [d[-1] for d in deltas(*events)]
    assert [
        "started",
        "started",
        "in_progress",
        "x",
        "in_progress",
        "succeeded",
        "succeeded",
        "y",
    ] == statuses


def test_a_call_that_broke_off_is_told_as_failed():
    """It is in no message: nobody may act on it. One that is whole is."""
    events = [
        ToolCallStarted(0, "c1", "f"),
        ToolCallDelta(0, "{}"),
        ToolCallStarted(1, "c2", "g"),
        ToolCallDelta(1, '{"a": '),
        Finished(0, "length"),
        END,
    ]
    told_as = accumulated(events, OpenAIChat())
    *_, end = inner(*told_as)
    assert ('{"a": ', "failed") == deltas(*told_as)[-1]
    assert ["c1"] == [call["call_id"] for call in end["turn"]["output_message"]["tool_calls"]]
    assert "out_of_tokens" == end["turn"]["output_message"]["stop_reason"]


def test_a_tool_that_the_provider_ran_has_a_step_of_its_own():
    """Between two inference steps; nobody else has to run it."""
    events = [
        ToolCallStarted(0, "c1", "f"),
        ToolCallDelta(0, "{}"),
        ToolResult(0, "42", id="c1", name="f"),
        ToolResult(0, "43", id="c1", name="f"),
        TextDelta("It is 42."),
        STOP,
        END,
    ]
    again = reread(accumulated(events, OpenAIChat()))
    steps = raw_of(again)["steps"]
    assert ["inference", "tool_execution", "inference"] == [step["step_type"] for step in steps]
    assert "end_of_message" == steps[0]["model_response"]["stop_reason"]
    assert (1, ["42", "43"]) == (
        len(steps[1]["tool_calls"]),
        [response["content"] for response in steps[1]["tool_responses"]],
    )
    assert [] == only(AwaitingInput, again)


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "end_of_turn"),
        ("length", "out_of_tokens"),
        ("max_tokens", "out_of_tokens"),
        ("tool_calls", "end_of_message"),
        ("content_filter", "end_of_turn"),
        ("eos", "end_of_turn"),
        ("end_of_message", "end_of_message"),
        (None, "end_of_turn"),
    ],
)
def test_the_reason_is_a_word_of_the_api(reason, word):
    """Its own is kept; another's is told by what it means."""
    finished = [Finished(0, reason)] if reason else []
    events = accumulated([TextDelta("a"), *finished, END], OpenAIChat())
    *_, end = inner(*events)
    assert word == end["turn"]["output_message"]["stop_reason"]


def test_a_reason_is_a_word_of_the_api_where_nobody_accumulated():
    """A foreign one that says nothing to us is the plainest."""
    *_, end = inner(TextDelta("a"), Finished(0, "eos"), END)
    assert "end_of_turn" == end["turn"]["output_message"]["stop_reason"]


def test_a_word_of_one_that_speaks_the_api_is_kept():
    """Though its types do not know it."""
    sent = as_json(turn(message("Hi"), [inference("Hi")]))
    sent["output_message"]["stop_reason"] = "moderated"
    events = accumulated(DIALECT.read_buffered(sent))
    encoder = opened()
    frames = [frame for event in events for frame in encoder.encode(event)]
    end = json.loads(frames[-1].data)["event"]["payload"]
    assert "moderated" == end["turn"]["output_message"]["stop_reason"]


pieces = st.text(min_size=1, max_size=4)
objects = st.dictionaries(pieces, st.integers(0, 9), max_size=2).map(json.dumps)


@st.composite
def runs(draw):
    """The events of an answer without steps: text, refusals, and calls in pieces, by turns."""
    arguments = draw(st.lists(objects, max_size=3))
    queues = [
        [ToolCallStarted(n, f"c{n}", f"f{n}"), *(ToolCallDelta(n, p) for p in text)]
        for n, text in enumerate(arguments)
    ]
    events = []
    for at in draw(st.lists(st.integers(0, 4), max_size=30)):
        queue = queues[at] if at < len(queues) else None
        begun = all(isinstance(q[0], ToolCallDelta) for q in queues[:at] if q)
        if queue and begun:
            events.append(queue.pop(0))
        elif queue is None:
            events.append(draw(st.builds(TextDelta, pieces) | st.builds(RefusalDelta, pieces)))
    events += [event for queue in queues for event in queue]
    return [ResponseStarted("", "m"), *events, STOP, END]


@given(runs())
def test_whatever_was_told_is_read_back(events):
    """The text and the calls of any answer, whatever API it came from, and one end."""
    seen = accumulated(events, OpenAIChat())
    again = reread(seen)
    spoken = "".join(e.text for e in events if isinstance(e, TextDelta | RefusalDelta))
    assert spoken == text_of(again)
    assert calls_of(events) == calls_of(again)
    assert 1 == sum(event.terminal for event in again)
    assert bool(calls_of(events)) == bool(only(AwaitingInput, again))
