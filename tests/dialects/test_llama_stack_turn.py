"""
The dialect llama-stack-turn: how it asks, reads and judges.

What is read is built from the types of llama-stack-client and written by them.
"""

import copy
import json
from datetime import UTC, datetime

import pytest
from llama_stack_client.types import (
    InferenceStep,
    MemoryRetrievalStep,
    ShieldCallStep,
    ToolExecutionStep,
    ToolResponse,
)
from llama_stack_client.types.agents import AgentTurnResponseStreamChunk, Turn, TurnResponseEvent
from llama_stack_client.types.agents import turn_response_event_payload as payloads
from llama_stack_client.types.shared import (
    CompletionMessage,
    SafetyViolation,
    ToolCall,
    UserMessage,
    content_delta,
    interleaved_content,
    interleaved_content_item,
)

from streamkit.dialects import LlamaStackTurn, get_dialect
from streamkit.dialects.answer import CallFold, ChoiceFold
from streamkit.errors import InBandError, MalformedStream, MisuseError, TruncatedStream
from streamkit.events import (
    AwaitingInput,
    Finished,
    Metadata,
    ResponseCompleted,
    ResponseStarted,
    StepCompleted,
    StepStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    Unknown,
)
from streamkit.framing import Frame
from streamkit.response import Usage

from .spoken import Spoken, answer_of, frame, only

DIALECT = LlamaStackTurn()
THEN = datetime(2025, 7, 18, 8, 15, 20, tzinfo=UTC)
TIMES = {"started_at": "2025-07-18T08:15:20Z", "completed_at": "2025-07-18T08:15:20Z"}
REQUEST = {
    "agent_id": "a-1",
    "session_id": "c-1",
    "messages": [{"role": "user", "content": "What is Ansible?"}],
    "toolgroups": ["builtin::rag"],
}


def as_json(model):
    """A value of the client's, as the server writes it."""
    return json.loads(model.model_dump_json(by_alias=True))


def envelope(payload):
    """One event of the stream."""
    chunk = AgentTurnResponseStreamChunk(event=TurnResponseEvent(payload=payload))
    return as_json(chunk)


def turn_start():
    """The turn begins."""
    return envelope(
        payloads.AgentTurnResponseTurnStartPayload(event_type="turn_start", turn_id="t1")
    )


def step_start(kind, id_, metadata=None):
    """A step begins."""
    return envelope(
        payloads.AgentTurnResponseStepStartPayload(
            event_type="step_start", step_type=kind, step_id=id_, metadata=metadata
        )
    )


def progress(delta, kind="inference", id_="s1"):
    """A step goes on."""
    return envelope(
        payloads.AgentTurnResponseStepProgressPayload(
            event_type="step_progress", step_type=kind, step_id=id_, delta=delta
        )
    )


def words(text, id_="s1"):
    """A piece of text."""
    return progress(content_delta.TextDelta(type="text", text=text), id_=id_)


def calling(call, status, kind="inference", id_="s1"):
    """A piece of a tool call, or all of it."""
    delta = content_delta.ToolCallDelta(type="tool_call", tool_call=call, parse_status=status)
    return progress(delta, kind, id_)


def step_complete(step):
    """A step ended."""
    return envelope(
        payloads.AgentTurnResponseStepCompletePayload(
            event_type="step_complete",
            step_type=step.step_type,
            step_id=step.step_id,
            step_details=step,
        )
    )


def turn_complete(turn):
    """The turn ended."""
    return envelope(
        payloads.AgentTurnResponseTurnCompletePayload(event_type="turn_complete", turn=turn)
    )


def turn_awaiting(turn):
    """The turn waits for its caller."""
    return envelope(
        payloads.AgentTurnResponseTurnAwaitingInputPayload(
            event_type="turn_awaiting_input", turn=turn
        )
    )


def tool_call(id_="call_7", name="knowledge_search", arguments=None, **fields):
    """A tool call; the text the model wrote goes with its arguments."""
    arguments = {"query": "ansible"} if arguments is None else arguments
    fields = {"arguments_json": json.dumps(arguments, separators=(",", ":")), **fields}
    return ToolCall(call_id=id_, tool_name=name, arguments=arguments, **fields)


def message(content="", calls=(), stop="end_of_turn"):
    """What the model said."""
    return CompletionMessage(
        role="assistant", content=content, stop_reason=stop, tool_calls=list(calls)
    )


def details(kind, id_, **fields):
    """A step that ended."""
    step_type = kind.__annotations__["step_type"].__args__[0]
    base = {"step_id": id_, "turn_id": "t1", "started_at": THEN, "completed_at": THEN}
    return kind(step_type=step_type, **base, **fields)


def inference(content="", calls=(), stop="end_of_turn", id_="s1"):
    """A step of the model's that ended."""
    return details(InferenceStep, id_, model_response=message(content, calls, stop))


def execution(calls, responses, id_="s2"):
    """A step of tools that ended."""
    return details(ToolExecutionStep, id_, tool_calls=calls, tool_responses=responses)


def result(content, id_="call_7", name="knowledge_search", metadata=None):
    """What a tool gave back."""
    return ToolResponse(call_id=id_, tool_name=name, content=content, metadata=metadata)


def shield(user_message=None, id_="s0"):
    """A check that ended; with a message, in a violation."""
    violation = user_message and SafetyViolation(
        violation_level="error", user_message=user_message, metadata={"violation_type": "S9"}
    )
    return details(ShieldCallStep, id_, violation=violation)


def retrieval(id_="s3"):
    """A look into memory that ended."""
    return details(MemoryRetrievalStep, id_, vector_db_ids="docs", inserted_context="Context.")


def text_item(text, of=interleaved_content_item):
    """Content of text, as an item: of a list, or alone (two types with the same fields)."""
    return of.TextContentItem(type="text", text=text)


def image_item(of=interleaved_content_item):
    """Content that is an image, as an item: of a list, or alone."""
    image = of.ImageContentItemImage(data="iVBORw0KGgo=")
    return of.ImageContentItem(type="image", image=image)


def turn(output, steps=(), **fields):
    """A whole turn."""
    asked = UserMessage(role="user", content="What is Ansible?")
    base = {"turn_id": "t1", "session_id": "c1", "started_at": THEN, "completed_at": THEN}
    return Turn(
        input_messages=[asked], output_message=output, steps=list(steps), **{**base, **fields}
    )


SPOKEN = Spoken(DIALECT, frame)
decoded = SPOKEN.decoded
raw_of = SPOKEN.raw_of
accumulated = SPOKEN.accumulated
opened = SPOKEN.opened
frames = SPOKEN.frames


def whole(value):
    """A frame that is one JSON body."""
    return Frame(value if isinstance(value, str) else json.dumps(value), whole=True)


def text_of(events):
    """The text, joined."""
    return "".join(event.text for event in only(TextDelta, events))


def beside(sent):
    """What is told of a turn beside its steps and its message."""
    told = ("turn_id", "steps", "output_message")
    return {key: value for key, value in as_json(sent).items() if key not in told}


SEARCH = tool_call()
FOUND = result([text_item("found 5 chunks\n"), text_item("Result 1\n")], metadata={"ids": ["d"]})
SAID = "Ansible is a tool."
STEPS = [
    shield(),
    inference(calls=[SEARCH], id_="s1"),
    execution([SEARCH], [FOUND]),
    retrieval(),
    inference(SAID, id_="s4"),
]
TURN = turn(message(SAID), STEPS, output_attachments=[])
STREAM = [
    turn_start(),
    step_start("shield_call", "s0", {"touchpoint": "user-input"}),
    step_complete(STEPS[0]),
    step_start("inference", "s1", {}),
    calling("", "started"),
    calling("knowledge_search(", "in_progress"),
    calling('{"query":"ansible"}', "in_progress"),
    calling(")", "in_progress"),
    calling(SEARCH, "succeeded"),
    step_complete(STEPS[1]),
    step_start("tool_execution", "s2"),
    calling(SEARCH, "in_progress", "tool_execution", "s2"),
    step_complete(STEPS[2]),
    step_start("memory_retrieval", "s3"),
    step_complete(STEPS[3]),
    step_start("inference", "s4"),
    words("Ansible ", "s4"),
    words("is a tool.", "s4"),
    step_complete(STEPS[4]),
    turn_complete(TURN),
]
CLIENT_CALL = tool_call("call_9", "client_tool", {})
WAITING = turn(
    message(calls=[CLIENT_CALL], stop="end_of_message"),
    [inference(calls=[CLIENT_CALL], stop="end_of_message")],
)


def ended(**fields):
    """What is told of a step beside its own fields."""
    return {"turn_id": "t1", **TIMES, **fields}


def said(stop="end_of_turn", **fields):
    """What is told of a step of the model's, where events tell its message."""
    return ended(model_response={"stop_reason": stop, **fields})


# How it asks


def test_the_dialect_is_found_by_its_name():
    """As every dialect is."""
    assert LlamaStackTurn() == get_dialect("llama-stack-turn")


@pytest.mark.parametrize(("ask", "stream"), [("streaming", True), ("buffered", False)])
def test_a_turn_is_asked_for_in_a_session_of_an_agent(ask, stream):
    """Both ids go into the path, and not into the JSON; the rest is the caller's."""
    before = copy.deepcopy(REQUEST)
    call = getattr(DIALECT, ask)({**REQUEST, "stream": not stream})
    rest = {k: v for k, v in REQUEST.items() if k not in ("agent_id", "session_id")}
    assert "v1/agents/a-1/session/c-1/turn" == call.path
    assert {**rest, "stream": stream} == call.body
    assert before == REQUEST


def test_an_id_cannot_leave_its_place_in_the_path():
    """Whatever it holds is one segment."""
    call = DIALECT.streaming({**REQUEST, "agent_id": "a/../b", "session_id": "c?d#e"})
    assert "v1/agents/a%2F..%2Fb/session/c%3Fd%23e/turn" == call.path


@pytest.mark.parametrize("key", ["agent_id", "session_id"])
@pytest.mark.parametrize("ask", ["streaming", "buffered"])
@pytest.mark.parametrize("value", [None, "", 7])
def test_a_request_without_an_id_is_misuse(key, ask, value):
    """There is nowhere to send it."""
    with pytest.raises(MisuseError, match=key):
        getattr(DIALECT, ask)({**REQUEST, key: value})


def test_the_key_is_a_bearer_token():
    """It travels in the one header the API reads."""
    assert {"authorization": "Bearer key"} == DIALECT.authorization("key")


def test_a_turn_does_not_say_what_it_cost():
    """So nothing is said of it."""
    assert Usage() == DIALECT.usage({})
    assert answer_of(decoded(*STREAM)).usage is None


# How it reads: a turn


def test_a_stream_is_a_turn():
    """It begins once, every step is told in order, and it ends once, with its reason."""
    extra = {"tool_call": as_json(SEARCH), "parse_status": "in_progress"}
    fragments = [
        ("", "started"),
        ("knowledge_search(", "in_progress"),
        ('{"query":"ansible"}', "in_progress"),
        (")", "in_progress"),
    ]
    assert [
        ResponseStarted("t1"),
        StepStarted("shield_call", "s0", extra={"metadata": {"touchpoint": "user-input"}}),
        StepCompleted("shield_call", "s0", extra=ended(violation=None)),
        StepStarted("inference", "s1"),
        *(
            ToolCallDelta(0, extra={"tool_call": text, "parse_status": status})
            for text, status in fragments
        ),
        ToolCallStarted(0, "call_7", "knowledge_search"),
        ToolCallDelta(0, '{"query":"ansible"}'),
        StepCompleted("inference", "s1", extra=said()),
        StepStarted("tool_execution", "s2"),
        ToolCallDelta(0, extra=extra),
        ToolResult(
            0,
            [as_json(item) for item in FOUND.content],
            id="call_7",
            name="knowledge_search",
            extra={"metadata": {"ids": ["d"]}},
        ),
        StepCompleted("tool_execution", "s2", extra=ended(tool_calls=[as_json(SEARCH)])),
        StepStarted("memory_retrieval", "s3"),
        StepCompleted(
            "memory_retrieval",
            "s3",
            extra=ended(vector_db_ids="docs", inserted_context="Context."),
        ),
        StepStarted("inference", "s4"),
        TextDelta("Ansible "),
        TextDelta("is a tool."),
        StepCompleted("inference", "s4", extra=said()),
        Metadata(choice=None, extra=beside(TURN)),
        Finished(0, "end_of_turn"),
        ResponseCompleted(evidence="finish_reason"),
    ] == decoded(*STREAM)


def test_a_turn_that_waits_is_at_its_end():
    """It says so, with what it takes to go on, and that is proof of a whole answer."""
    events = decoded(*STREAM[:1], turn_awaiting(WAITING))
    assert [
        Finished(0, "end_of_message", {"event_type": "turn_awaiting_input"}),
        AwaitingInput({"turn_id": "t1", "session_id": "c1"}),
        ResponseCompleted(evidence="finish_reason"),
    ] == events[-3:]
    assert "paused" == DIALECT.finish(answer_of(events).choice(0))
    assert [("call_9", "client_tool", "{}")] == [
        (call.id, call.name, "".join(call.fragments)) for call in answer_of(events).choice(0).calls
    ]


def test_nothing_waits_for_the_start_of_a_turn():
    """The reference server never sends it: the turn's id is told when it is known."""
    assert [ResponseStarted(""), StepStarted("inference", "s1")] == decoded(
        step_start("inference", "s1")
    )
    events = decoded(words("Hi"), turn_complete(turn(message("Hi"))))
    assert "t1" == only(Metadata, events)[-1].extra["id"] == answer_of(events).id
    assert "t1" == raw_of(events)["turn_id"]
    assert [ResponseStarted("t1")] == decoded(step_complete(shield()))[:1]


def test_a_turn_starts_once():
    """A second start tells nothing."""
    assert [ResponseStarted("t1")] == decoded(turn_start(), turn_start())


def test_a_step_that_was_not_started_is_started_by_what_is_heard_of_it():
    """Be it a delta or its end; a resumed turn begins so."""
    assert [StepStarted("inference", "s1"), TextDelta("Hi")] == decoded(words("Hi"))[1:]
    events = decoded(step_complete(shield()))
    assert StepStarted("shield_call", "s0") == events[1]


def test_a_step_starts_and_ends_once():
    """What is said again tells nothing; a delta behind the end is no part of it."""
    start, end = step_start("inference", "s1"), step_complete(inference("Hi"))
    once = decoded(start, words("Hi"), end)
    assert once == decoded(start, start, words("Hi"), end, end, start)
    late = words("there")
    assert [Unknown(late)] == decoded(start, words("Hi"), end, late)[len(once) :]


def test_steps_without_ids_are_told_all_the_same():
    """They are told one from the other by their ends."""
    steps = [{**as_json(inference(text)), "step_id": None} for text in "ab"]
    ends = [{"event_type": "step_complete", "step_details": step} for step in steps]
    events = decoded(*({"event": {"payload": payload}} for payload in ends))
    assert "ab" == text_of(events)
    assert 2 == len(only(StepCompleted, events))


# How it reads: text and images


@pytest.mark.parametrize(
    "content",
    [
        "Hello",
        text_item("Hello", interleaved_content),
        [text_item("Hel"), text_item("lo")],
        [text_item("Hello")],
    ],
    ids=["string", "item", "list", "list of one"],
)
def test_content_is_a_string_an_item_or_a_list(content):
    """Its text is the same; its shape is kept."""
    one = inference(content)
    events = decoded(turn_start(), step_complete(one), turn_complete(turn(message(content), [one])))
    assert "Hello" == text_of(events)
    assert as_json(one)["model_response"] == raw_of(events)["steps"][0]["model_response"]
    assert as_json(message(content)) == raw_of(events)["output_message"]


def test_an_image_is_told():
    """The delta's bytes and the message's item are one image."""
    delta = content_delta.ImageDelta(type="image", image="iVBORw0KGgo=")
    item = {"type": "image", "image": {"data": "iVBORw0KGgo="}}
    image = Metadata(choice=0, extra={"content_parts": [item]}, message=True)
    events = decoded(progress(delta))
    assert [StepStarted("inference", "s1"), image] == events[1:]

    sent = step_complete(inference([text_item("See: "), image_item()]))
    sent["event"]["payload"]["step_details"]["model_response"]["content"][1]["image"].pop("url")
    assert [image] == only(Metadata, decoded(progress(delta), sent))
    assert [image] == only(Metadata, decoded(sent))


def test_an_image_alone_is_content():
    """A message may be one item, and no text."""
    events = decoded(step_complete(inference(image_item(interleaved_content))))
    assert "" == text_of(events)
    assert 1 == len(only(Metadata, events))


def test_an_empty_delta_tells_nothing():
    """It does start the step."""
    assert [StepStarted("inference", "s1")] == decoded(words(""))[1:]


@pytest.mark.parametrize(
    ("deltas", "content"),
    [
        (["Ansible ", "is"], "Ansible is"),
        (["Ansible "], "Ansible is"),
        ([], "Ansible is"),
        (["Ansible is", ""], "Ansible is"),
        ([], " "),
        ([" ", "Ansible is "], "Ansible is"),
        (["<think>Hm.</think>", "Ansible is"], "Ansible is"),
        (["Ansible is"], ""),
        (["Ansible is"], "Ansible, is"),
        (["Ansible is"], "Terraform"),
    ],
)
def test_the_end_of_a_step_tells_what_the_deltas_did_not_bring(deltas, content):
    """Text with a stop reason is not streamed: it comes here; nothing is told twice."""
    step = step_complete(inference(content))
    told = "".join(deltas)
    expected = content if content.startswith(told) else told
    events = decoded(*(words(text) for text in deltas), step)
    assert expected == text_of(events)
    assert content == raw_of(events)["steps"][0]["model_response"]["content"]


@pytest.mark.parametrize("steps", [[], [inference("Ansible is")]], ids=["none", "all"])
@pytest.mark.parametrize(
    ("deltas", "content"),
    [(["Ansible ", "is"], "Ansible is"), (["Ansible "], "Ansible is"), ([], "Ansible is")],
)
def test_the_end_of_a_turn_tells_what_no_step_brought(steps, deltas, content):
    """The message of the turn is the answer again, or for the first time."""
    sent = turn(message(content), steps)
    events = decoded(turn_start(), *(words(text) for text in deltas), turn_complete(sent))
    assert content == text_of(events)
    assert as_json(message(content)) == raw_of(events)["output_message"]


def test_the_answer_of_a_turn_is_the_text_of_all_its_inference():
    """The message of the turn is that of the last."""
    look = inference("Let me look. ", [SEARCH], id_="s1")
    steps = [look, execution([SEARCH], [FOUND]), inference(SAID, id_="s4")]
    events = decoded(*(step_complete(one) for one in steps), turn_complete(TURN))
    assert "Let me look. " + SAID == text_of(events)
    assert as_json(message(SAID)) == raw_of(events)["output_message"]


@pytest.mark.parametrize("output", ["Let me look. Ansible is a tool.", "is a tool.", SAID + "\n"])
def test_a_message_that_says_the_answer_in_other_blanks_is_not_told_again(output):
    """Be it all of the turn's text, or the end of the last step's."""
    first = inference("Let me look. ", id_="s1")
    steps = [first, inference(SAID, id_="s4")]
    events = decoded(
        *(step_complete(one) for one in steps), turn_complete(turn(message(output), steps))
    )
    assert "Let me look. " + SAID == text_of(events).rstrip()
    assert output == raw_of(events)["output_message"]["content"]


def test_a_message_that_says_something_else_is_no_answer():
    """It stays in the turn; nobody violated anything."""
    steps = [inference(SAID)]
    events = decoded(step_complete(steps[0]), turn_complete(turn(message("Other."), steps)))
    assert SAID == text_of(events)
    assert "Other." == raw_of(events)["output_message"]["content"]


def test_text_that_a_server_drops_beside_its_calls_is_in_the_answer():
    """It was told; the turn says what the server says."""
    step = inference("", [SEARCH])
    events = decoded(words("Let me look."), calling(SEARCH, "succeeded"), step_complete(step))
    assert "Let me look." == text_of(events)
    assert as_json(step) == raw_of(events)["steps"][0]


# How it reads: tool calls


def test_a_call_begins_when_it_is_known():
    """Fragments cannot be told apart by call; the ones before it are told as they are."""
    events = decoded(calling("f(", "in_progress"), calling("{}", "in_progress"))
    assert not only(ToolCallStarted, events)
    assert all(event.progress for event in events[1:])
    assert [] == answer_of(events).choice(0).calls


def test_calls_of_one_message_are_told_apart():
    """Each by its id, with the arguments as the model wrote them."""
    calls = [tool_call("call_1", "f", {"a": 1}), tool_call("call_2", "f", {"a": 1})]
    events = decoded(
        calling("f(", "in_progress"),
        calling(calls[0], "succeeded"),
        calling("f(", "in_progress"),
        calling(calls[1], "succeeded"),
        step_complete(inference(calls=calls)),
    )
    assert [(0, "call_1"), (1, "call_2")] == [
        (event.call, event.id) for event in only(ToolCallStarted, events)
    ]
    assert [0, 0, 1, 1] == [event.call for event in only(ToolCallDelta, events)]
    assert ['{"a":1}'] * 2 == [
        call.tool_call().arguments for call in answer_of(events).choice(0).calls
    ]


@pytest.mark.parametrize("status", ["started", "in_progress", "failed"])
def test_a_call_that_is_not_whole_is_not_begun(status):
    """Even where it has an id already."""
    events = decoded(calling(SEARCH, status))
    extra = {"tool_call": as_json(SEARCH), "parse_status": status}
    assert [ToolCallDelta(0, extra=extra)] == events[2:]


def test_a_call_that_failed_is_text():
    """The server makes it the content of the message, and no call."""
    raw = 'knowledge_search({"query":)'
    events = decoded(calling("", "started"), calling(raw, "failed"), step_complete(inference(raw)))
    assert raw == text_of(events)
    assert [] == answer_of(events).choice(0).calls


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (tool_call(), '{"query":"ansible"}'),
        (tool_call(arguments_json=None), '{"query":"ansible"}'),
        (tool_call(arguments='{"query": "a"}', arguments_json=None), '{"query": "a"}'),
        (tool_call(arguments={}, arguments_json='{"q": }'), '{"q": }'),
        (tool_call(arguments="", arguments_json=""), ""),
    ],
)
def test_arguments_are_the_text_the_model_wrote(call, arguments):
    """Where that is not sent, they are the object; and the turn has them as they were sent."""
    step = inference(calls=[call])
    events = decoded(calling(call, "succeeded"), step_complete(step))
    assert arguments == answer_of(events).choice(0).calls[0].tool_call().arguments
    assert as_json(step) == raw_of(events)["steps"][0]


def test_arguments_that_were_not_sent_are_none():
    """Nothing is invented."""
    sent = step_complete(inference(calls=[SEARCH]))
    call = sent["event"]["payload"]["step_details"]["model_response"]["tool_calls"][0]
    del call["arguments"], call["arguments_json"]
    assert [] == only(ToolCallDelta, decoded(sent))


def test_unknown_fields_of_a_call_stay_with_it():
    """And come back in the turn."""
    sent = step_complete(inference(calls=[SEARCH]))
    step = sent["event"]["payload"]["step_details"]
    step["model_response"]["tool_calls"][0]["signature"] = "c2ln"
    events = decoded(sent)
    assert {"signature": "c2ln"} == only(ToolCallStarted, events)[0].extra
    assert step == raw_of(events)["steps"][0]


def test_a_call_without_an_id_is_known_by_what_it_says():
    """The same again is the same call."""
    call = tool_call(id_="")
    events = decoded(
        calling(call, "succeeded"), step_complete(inference(calls=[call, tool_call("", "other")]))
    )
    assert ["knowledge_search", "other"] == [e.name for e in only(ToolCallStarted, events)]


def test_a_tool_that_is_run_shows_progress():
    """The call is not begun again, and its turn is as before."""
    step = inference(calls=[SEARCH])
    running = calling(SEARCH, "in_progress", "tool_execution", "s2")
    events = decoded(step_complete(step), running)
    assert events[-1].progress
    assert 1 == len(only(ToolCallStarted, events))
    assert as_json(step) == raw_of(events)["steps"][0]


def test_a_call_first_heard_of_when_it_runs_is_told():
    """Whether by a delta, by the end of its step, or by its result alone."""
    running = calling(SEARCH, "in_progress", "tool_execution", "s2")
    assert [("call_7", "knowledge_search")] == started(decoded(running))
    assert [("call_7", "knowledge_search")] == started(
        decoded(step_complete(execution([SEARCH], [FOUND])))
    )
    assert [("call_7", "knowledge_search")] == started(
        decoded(step_complete(execution([], [FOUND])))
    )


def started(events):
    """The calls that began."""
    return [(event.id, event.name) for event in only(ToolCallStarted, events)]


@pytest.mark.parametrize(
    "content",
    ["plain", text_item("item", interleaved_content), [text_item("a"), image_item()]],
    ids=["string", "item", "list"],
)
def test_every_response_of_a_tool_is_a_result(content):
    """Its content as it came, with its call; a call that ran is nobody's to run."""
    calls = [tool_call("call_1", "f", {}), tool_call("call_2", "g", {})]
    responses = [result(content, "call_2", "g"), result("b", "call_1", "f")]
    step = execution(calls, responses)
    events = decoded(step_complete(inference(calls=calls)), step_complete(step))
    sent = as_json(step)["tool_responses"]
    assert [
        ToolResult(1, sent[0]["content"], id="call_2", name="g", extra={"metadata": None}),
        ToolResult(0, "b", id="call_1", name="f", extra={"metadata": None}),
    ] == only(ToolResult, events)
    assert all(call.ran for call in answer_of(events).choice(0).calls)
    assert as_json(step) == raw_of(events)["steps"][1]


# How it reads: shields


def test_a_shield_that_found_nothing_says_so():
    """There is a violation, and it is null."""
    assert StepCompleted("shield_call", "s0", extra=ended(violation=None)) == last_of(shield())


def test_a_shield_that_found_something_says_what():
    """Its level, its message and its metadata."""
    violation = {
        "violation_level": "error",
        "user_message": "No.",
        "metadata": {"violation_type": "S9"},
    }
    assert StepCompleted("shield_call", "s0", extra=ended(violation=violation)) == last_of(
        shield("No.")
    )


def last_of(step):
    """The last event of a step that ended."""
    return decoded(step_complete(step))[-1]


def test_a_question_that_is_refused_is_answered_with_the_refusal():
    """There was no inference: the turn's message is all there is."""
    steps = [shield("I can't answer that.")]
    sent = turn(message("I can't answer that."), steps)
    events = decoded(step_complete(steps[0]), turn_complete(sent))
    assert "I can't answer that." == text_of(events)
    assert as_json(sent) == {**raw_of(events), "output_attachments": None}


def test_an_answer_that_is_refused_is_followed_by_the_refusal():
    """It was told; what the server puts in its place is told behind it."""
    steps = [inference(SAID), shield("I take that back.")]
    sent = turn(message("I take that back."), steps)
    events = decoded(*(step_complete(step) for step in steps), turn_complete(sent))
    assert SAID + "I take that back." == text_of(events)
    assert as_json(sent) == {**raw_of(events), "output_attachments": None}


# How it reads: what it does not know


ODD = [
    7,
    "[DONE]",
    ["event"],
    {},
    {"event": None},
    {"event": {}},
    {"event": {"payload": "x"}},
    {"event": {"payload": {"event_type": "turn_paused"}}},
    {"event": {"payload": {"event_type": ["turn_start"]}}},
    {"event": {"payload": {"event_type": "step_start", "step_type": "reflection"}}},
    {"event": {"payload": {"event_type": "step_progress", "step_type": "reflection"}}},
    {"event": {"payload": {"event_type": "step_progress", "step_type": "inference"}}},
    {
        "event": {
            "payload": {
                "event_type": "step_progress",
                "step_type": "inference",
                "step_id": "s9",
                "delta": {"type": "audio"},
            }
        }
    },
    {
        "event": {
            "payload": {
                "event_type": "step_progress",
                "step_type": "inference",
                "step_id": "s9",
                "delta": {"type": "text", "text": None},
            }
        }
    },
    {
        "event": {
            "payload": {
                "event_type": "step_progress",
                "step_type": "shield_call",
                "step_id": "s9",
                "delta": {"type": "text", "text": "x"},
            }
        }
    },
    {
        "event": {
            "payload": {
                "event_type": "step_progress",
                "step_type": "tool_execution",
                "step_id": "s9",
                "delta": {"type": "tool_call", "tool_call": "f("},
            }
        }
    },
    {"event": {"payload": {"event_type": "step_complete", "step_type": "inference"}}},
    {
        "event": {
            "payload": {
                "event_type": "step_complete",
                "step_type": "reflection",
                "step_details": {},
            }
        }
    },
]


@pytest.mark.parametrize("odd", [pytest.param(odd, id=json.dumps(odd)[:70]) for odd in ODD])
def test_what_is_not_known_is_kept(odd):
    """Wherever it comes, it is Unknown, and the rest of the turn is as it was."""
    plain = decoded(*STREAM)
    for at in range(len(STREAM)):
        events = decoded(*STREAM[:at], odd, *STREAM[at:])
        assert plain == [event for event in events if event != Unknown(odd)]
        assert len(plain) + 1 == len(events)


def test_a_null_frame_is_nothing():
    """Nor is a comment sent as data."""
    assert [] == decoded("null", ": keep-alive")


def test_an_end_without_a_turn_before_it_is_no_answer():
    """It is not even an end."""
    bare = {"event": {"payload": {"event_type": "turn_complete"}}}
    decoder = DIALECT.decoder()
    assert [Unknown(bare)] == decoded(bare, decoder=decoder)
    assert decoder.evidence is None


def test_an_end_that_has_no_turn_is_an_end():
    """It proves what a done marker would; there is no finish reason."""
    bare = {"event": {"payload": {"event_type": "turn_complete", "turn": None}}}
    events = decoded(words("Hi"), bare)
    assert [TextDelta("Hi"), ResponseCompleted(evidence="done_marker")] == events[2:]
    assert "stop" == DIALECT.finish(answer_of(events).choice(0))


def test_a_turn_that_waits_without_a_reason_waits():
    """That it does is said all the same."""
    bare = {"event": {"payload": {"event_type": "turn_awaiting_input", "turn": {}}}}
    events = decoded(words("Hi"), bare)
    assert [
        Metadata(choice=0, extra={"event_type": "turn_awaiting_input"}),
        AwaitingInput(None),
        ResponseCompleted(evidence="done_marker"),
    ] == events[3:]
    assert "paused" == DIALECT.finish(answer_of(events).choice(0))


def test_a_step_of_a_turn_that_is_not_known_is_kept():
    """It comes back where it stood."""
    sent = as_json(turn(message(SAID), [inference(SAID)]))
    sent["steps"].insert(0, {"step_type": "reflection", "step_id": "s9"})
    events = DIALECT.read_buffered(sent)
    assert [Unknown(sent["steps"][0])] == only(Unknown, events)
    assert sent == raw_of(events)


def test_the_steps_of_a_turn_that_came_before_it_was_resumed_are_no_part_of_the_answer():
    """They are in the turn, and nowhere else."""
    before = inference("Let me ask. ", [CLIENT_CALL], id_="s1")
    now = [execution([CLIENT_CALL], [result("42", "call_9", "client_tool")]), inference(SAID)]
    now[1].step_id = "s5"
    sent = turn(message(SAID), [before, *now], output_attachments=[])
    events = decoded(*(step_complete(step) for step in now), turn_complete(sent))
    assert SAID == text_of(events)
    assert ["s2", "s5"] == [event.id for event in only(StepCompleted, events)]
    assert as_json(sent) == raw_of(events)


def test_a_step_left_open_is_ended_by_the_turn():
    """The turn has what its end would have told."""
    step = inference("Ansible is")
    events = decoded(words("Ansible "), turn_complete(turn(message("Ansible is"), [step])))
    assert "Ansible is" == text_of(events)
    assert [as_json(step)] == raw_of(events)["steps"]


def test_a_step_without_a_message_is_told():
    """Whatever its details lack."""
    sent = {"event_type": "step_complete", "step_type": "inference", "step_id": "s1"}
    events = decoded({"event": {"payload": {**sent, "step_details": {}}}})
    assert [StepCompleted("inference", "s1")] == events[2:]


def test_lists_that_are_none_are_empty():
    """A null where a list belongs tells nothing."""
    step = as_json(execution([], [])) | {"tool_calls": None, "tool_responses": None}
    payload = {"event_type": "step_complete", "step_details": step}
    events = decoded({"event": {"payload": payload}})
    assert [] == only(ToolResult, events)
    assert step == raw_of(events)["steps"][0]


# Errors, and ends


@pytest.mark.parametrize(
    ("error", "said_"),
    [
        ({"error": {"message": "500: Internal server error"}}, "500: Internal server error"),
        ({"error": "boom"}, "boom"),
        ({"error": {"message": "late"}, "event": None}, "late"),
    ],
)
def test_an_error_without_an_event_is_raised(error, said_):
    """Wherever it comes, behind what was told before it."""
    for at in range(len(STREAM)):
        decoder = DIALECT.decoder()
        decoded(*STREAM[:at], decoder=decoder)
        with pytest.raises(InBandError, match=said_):
            decoded(error, decoder=decoder)


@pytest.mark.parametrize(
    ("value", "said_"), [({"message": "down"}, "down"), ("down", "down"), ({}, "{}")]
)
def test_a_frame_named_error_is_one(value, said_):
    """Whatever is in it."""
    with pytest.raises(InBandError, match=said_):
        decoded(frame(json.dumps(value), "error"))


def test_an_error_leaves_what_stood_before_it_in_its_frame():
    """Two lines of one frame: the first is told, the second raised."""
    two = "\n".join(json.dumps(value) for value in (turn_start(), {"error": "boom"}))
    events = iter(DIALECT.decoder().feed(Frame(two)))
    assert ResponseStarted("t1") == next(events)
    with pytest.raises(InBandError, match="boom"):
        next(events)


def test_a_frame_that_is_not_json_is_malformed():
    """And is no event."""
    with pytest.raises(MalformedStream):
        decoded(Frame("<html>"))


def test_a_stream_that_stops_is_truncated():
    """Nothing but the end of the turn proves it: not the end of every step."""
    for at in range(len(STREAM)):
        decoder = DIALECT.decoder()
        decoded(*STREAM[:at], decoder=decoder)
        assert decoder.evidence is None
        with pytest.raises(TruncatedStream, match="no turn came" if not at else "open steps"):
            decoder.eof()


def test_a_truncated_stream_says_which_steps_were_open():
    """And what else the body held."""
    decoder = DIALECT.decoder()
    decoded(*STREAM[:4], decoder=decoder)
    with pytest.raises(TruncatedStream, match=r"inference 's1'; the body also held 'gone'"):
        decoder.eof("gone")


def test_an_error_beside_the_frames_is_the_reason():
    """It tells more than that the stream was cut."""
    decoder = DIALECT.decoder()
    decoded(*STREAM[:4], decoder=decoder)
    with pytest.raises(InBandError, match="boom"):
        decoder.eof('{"error": {"message": "boom"}}\n')
    with pytest.raises(TruncatedStream):
        decoder.eof('{"fine": true}')


def test_a_whole_turn_is_not_undone_by_what_comes_behind_it():
    """The end of the body finds it complete."""
    decoder = DIALECT.decoder()
    decoded(*STREAM, decoder=decoder)
    assert (ResponseCompleted(evidence="finish_reason"),) == decoder.eof('{"error": "late"}')


@pytest.mark.parametrize(
    "body",
    [None, [], "turn", {}, {"turn_id": "t1"}, {"output_message": None}, {"output_message": "x"}],
)
def test_a_body_that_is_no_turn_is_malformed(body):
    """It says what was expected."""
    with pytest.raises(MalformedStream, match="output_message"):
        DIALECT.read_buffered(body)


def test_a_body_may_be_an_error():
    """Then it is raised."""
    with pytest.raises(InBandError, match="boom"):
        DIALECT.read_buffered({"error": {"message": "boom"}})


# A whole body


def test_a_whole_frame_is_a_buffered_turn():
    """A server that ignored the flag has answered."""
    assert list(DIALECT.read_buffered(as_json(TURN))) == decoded(whole(as_json(TURN)))


def test_a_stream_of_one_event_may_be_framed_as_a_document():
    """It is judged as a stream."""
    sent = turn_complete(turn(message("Hi")))
    assert decoded(sent) == decoded(whole(sent))
    with pytest.raises(TruncatedStream):
        decoded(whole(words("Hi")))


def test_a_whole_frame_that_is_not_json_is_malformed():
    """A login page is no turn."""
    with pytest.raises(MalformedStream, match="web page"):
        decoded(whole("<html>"))


# How it judges


def call_fold(*, ran):
    """A call, run or not."""
    return CallFold("call_1", "f", ["{}"], ran=ran)


@pytest.mark.parametrize(
    ("reason", "calls", "finish"),
    [
        ("end_of_turn", [], "stop"),
        ("end_of_turn", [False], "stop"),
        ("end_of_message", [], "stop"),
        ("end_of_message", [True], "stop"),
        ("end_of_message", [True, False], "tool_calls"),
        ("out_of_tokens", [], "length"),
        ("out_of_tokens", [False], "length"),
        ("moderated", [], "other"),
        (None, [], "stop"),
    ],
)
def test_the_neutral_word_for_an_end(reason, calls, finish):
    """By the reason, and by whether a call is left that nobody ran."""
    folds = [call_fold(ran=ran) for ran in calls]
    assert finish == DIALECT.finish(ChoiceFold(0, finish_reason=reason, calls=folds))


@pytest.mark.parametrize("reason", ["end_of_turn", "end_of_message", "out_of_tokens"])
def test_a_turn_that_waits_is_paused_whatever_its_reason(reason):
    """The caller has the next word."""
    sent = turn(message(calls=[CLIENT_CALL], stop=reason))
    for events in (decoded(turn_awaiting(sent)), DIALECT.read_buffered(as_json(sent))):
        choice = answer_of(events).choice(0)
        assert ("paused", reason) == (DIALECT.finish(choice), choice.finish_reason)


# The fold of steps


def test_a_step_that_ends_without_having_begun_adds_nothing():
    """A fold of what is left of a log is still a fold."""
    answer = answer_of(
        [StepStarted("inference", "s1"), StepCompleted("inference", "s2"), StepCompleted("x")]
    )
    assert [("s1", False)] == [(step.id, step.completed) for step in answer.steps]


def test_a_result_outside_of_any_step_says_that_its_call_ran():
    """And stands in no step."""
    answer = answer_of([ToolCallStarted(0, "call_1", "f"), ToolResult(0, "x", id="call_1")])
    assert (True, ()) == (answer.choice(0).calls[0].ran, answer.steps)


def test_what_did_not_end_is_in_the_message():
    """A partial answer has the text that was told, and no step that is not whole."""
    raw = raw_of(decoded(*STREAM[:17]))
    assert ("Ansible ", 4) == (raw["output_message"]["content"], len(raw["steps"]))
    assert "stop_reason" not in raw["output_message"]
