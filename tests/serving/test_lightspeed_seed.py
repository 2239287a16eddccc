"""
Lightspeed's first vocabulary: each row of the seed's ``stream_build_event``, and the whole of it.

What is told comes off the wire: JSON of llama-stack-client's types, through
the dialect and the accumulator.
"""

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_stack_client.lib.agents.event_logger import interleaved_content_as_str
from llama_stack_client.types.shared import content_delta, interleaved_content

from streamkit.dialects import Encoder, LlamaStackTurn, OpenAIChat
from streamkit.errors import MisuseError, Rejected, Stalled, StreamkitError
from streamkit.events import (
    AwaitingInput,
    Citation,
    Finished,
    Gap,
    Heartbeat,
    Metadata,
    ReasoningDelta,
    Rerouted,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    ResponseStarted,
    Retracted,
    StepCompleted,
    StepStarted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    Unknown,
    UsageReported,
)
from streamkit.framing import Frame
from streamkit.response import Response, ToolCall, Usage
from streamkit.serving.encoders.lightspeed import LightspeedSeed
from streamkit.stages.accumulator import Accumulator

from ..dialects import chat
from ..dialects.test_llama_stack_turn import (
    FOUND,
    SAID,
    SEARCH,
    STREAM,
    WAITING,
    as_json,
    calling,
    execution,
    frame,
    image_item,
    inference,
    message,
    progress,
    result,
    retrieval,
    shield,
    step_complete,
    step_start,
    text_item,
    tool_call,
    turn,
    turn_awaiting,
    turn_complete,
    turn_start,
    words,
)

NO_END = {"truncated": None, "input_tokens": 0, "output_tokens": 0}
META = "Metadata: {'docs_url': 'https://example.org/a', 'title': 'A', 'document_id': 'doc-1'}\n"


def events_of(*wire, dialect=None):
    """What a dialect makes of a wire, an answer on its terminal."""
    dialect = dialect or LlamaStackTurn()
    decoder, accumulator = dialect.decoder(), Accumulator()
    accumulator.bind(dialect)
    frames = [value if isinstance(value, Frame) else frame(value) for value in wire]
    events = [event for one in frames for event in decoder.feed(one)]
    return [out for event in events for out in accumulator(event)]


def read(frames):
    """What ``JSON.parse`` gives a client, frame by frame."""
    return [json.loads(frame.data, parse_constant=pytest.fail) for frame in frames]


def told_by(encoder, events):
    """What a client reads of *events*."""
    return read([frame for event in events for frame in encoder.encode(event)])


def told(*events, **settings):
    """What a client of the seed reads of *events*."""
    return told_by(LightspeedSeed(**settings), events)


def rows(*wire, **settings):
    """What is told of a wire behind the start of its turn: event, role and token."""
    frames = told(*events_of(turn_start(), *wire), **settings)
    assert ("token", None, "") == row(frames[0])
    return [row(frame) for frame in frames[1:]]


def row(frame):
    """A frame without its id."""
    return frame["event"], frame["data"].get("role"), frame["data"].get("token")


def transcript(frames):
    """The answer, as a client of the seed puts it together."""
    return "".join(
        frame["data"]["token"]
        for frame in frames
        if frame["event"] == "token" and frame["data"].get("role", "inference") == "inference"
    )


def ran(*responses, calls=(SEARCH,)):
    """What is told of tools that ran, behind the beginning of their step."""
    first, *rest = rows(step_complete(execution(list(calls), list(responses))))
    assert ("tool_call", "tool_execution", "") == first
    assert {("tool_call", "tool_execution")} == {row[:2] for row in rest}
    return [token for *_, token in rest]


# The rows of the table


def test_a_stream_begins_with_its_conversation():
    """Its id is the run's, unless there is another."""
    assert [{"event": "start", "data": {"conversation_id": "run-7"}}] == read(
        LightspeedSeed().opening("run-7")
    )
    assert [{"event": "start", "data": {"conversation_id": "c"}}] == read(
        LightspeedSeed(conversation_id="c").opening("run-7")
    )


def test_a_turn_begins_with_a_token_that_says_nothing():
    """And has no role."""
    assert [{"event": "token", "data": {"id": 0, "token": ""}}] == told(*events_of(turn_start()))


def test_a_turn_that_waits_says_so_with_a_token_that_says_nothing():
    """And the stream ends; there is no ``turn_complete``, for the turn goes on."""
    events = events_of(turn_start(), turn_awaiting(WAITING))
    assert [
        ("token", None, ""),
        ("token", "inference", ""),
        ("tool_call", "inference", "client_tool"),
        ("token", None, ""),
        ("end", None, None),
    ] == [row(frame) for frame in told(*events)]


def test_the_model_begins_with_a_token_that_says_nothing():
    """And has a role."""
    assert [("token", "inference", "")] == rows(step_start("inference", "s1"))


def test_text_is_a_token():
    """Of the model's."""
    assert [("token", "inference", ""), ("token", "inference", "Ansible ")] == rows(
        words("Ansible ")
    )


@pytest.mark.parametrize(
    ("written", "status"),
    [("", "started"), ("f(", "in_progress"), ('{"q":', "in_progress"), ("f({)", "failed")],
)
def test_a_call_being_written_is_told_raw(written, status):
    """Whatever comes of it."""
    assert [("tool_call", "inference", written)] == rows(calling(written, status))[1:]


def test_a_whole_call_is_its_name():
    """Its arguments are told when it ran."""
    assert [("tool_call", "inference", "knowledge_search")] == rows(calling(SEARCH, "succeeded"))[
        1:
    ]


@pytest.mark.parametrize("status", ["started", "in_progress", "failed"])
def test_a_call_that_is_named_before_it_is_whole_is_named_once(status):
    """Its name is not said again when it is."""
    told = rows(calling(SEARCH, status), calling(SEARCH, "succeeded"))
    assert [("tool_call", "inference", "knowledge_search")] == told[1:]


def test_a_call_that_the_deltas_did_not_bring_is_named_at_the_steps_end():
    """Once, as those that they did."""
    end = step_complete(inference(calls=[SEARCH]))
    assert [("tool_call", "inference", "knowledge_search")] == rows(end)[1:]
    assert rows(calling(SEARCH, "succeeded")) == rows(calling(SEARCH, "succeeded"), end)


def test_an_image_is_not_told():
    """There is no word for it."""
    delta = content_delta.ImageDelta(type="image", image="iVBORw0KGgo=")
    assert [("token", "inference", "")] == rows(progress(delta))


def test_the_end_of_the_models_step_is_not_told():
    """What it brings and the deltas did not is."""
    assert rows(words("Hi")) == rows(words("Hi"), step_complete(inference("Hi")))
    assert rows(words("Hi")) == rows(step_complete(inference("Hi")))


def test_a_shield_that_found_nothing_says_so():
    """In a token, whose role keeps it out of the answer."""
    assert [("token", "shield_call", "No Violation")] == rows(step_complete(shield()))


def test_a_shield_that_found_something_says_what():
    """With its metadata as Python writes it."""
    violation = "Violation: No. (Metadata: {'violation_type': 'S9'})"
    assert [("token", "shield_call", violation)] == rows(step_complete(shield("No.")))


def test_the_beginning_and_progress_of_a_shield_are_not_told():
    """Its verdict is."""
    start = step_start("shield_call", "s0", {"touchpoint": "user-input"})
    assert [] == rows(start)
    assert [("token", "shield_call", "No Violation")] == rows(start, step_complete(shield()))


def test_tools_begin_with_a_call_that_says_nothing():
    """Of their own role."""
    assert [("tool_call", "tool_execution", "")] == rows(step_start("tool_execution", "s2"))


def test_the_progress_of_tools_is_not_told():
    """What they do is told at the end; be the call heard of before, or not."""
    running = calling(SEARCH, "in_progress", "tool_execution", "s2")
    assert [("tool_call", "tool_execution", "")] == rows(running)
    before = step_complete(inference(calls=[SEARCH]))
    assert [*rows(before), ("tool_call", "tool_execution", "")] == rows(before, running)


def test_what_is_written_while_tools_run_is_not_told():
    """Nor are names and arguments that come late."""
    pieces = [
        ToolCallDelta(0, extra={"tool_call": "f(", "parse_status": "in_progress"}),
        ToolCallDelta(0, "{}", name="f"),
    ]
    assert [("tool_call", "tool_execution", "")] == [
        row(frame) for frame in told(StepStarted("tool_execution"), *pieces)
    ]


def test_what_ran_is_told_before_what_it_gave():
    """Every call, then every response, in their order."""
    calls = [tool_call("call_1", "f", {"a": "1", "b": None}), tool_call("call_2", "g", {})]
    responses = [result("two", "call_2", "g"), result("one", "call_1", "f")]
    assert [
        "Tool:f arguments:{'a': '1', 'b': None}",
        "Tool:g arguments:{}",
        "Tool:g response:two",
        "Tool:f response:one",
    ] == ran(*responses, calls=calls)


@pytest.mark.parametrize(
    ("arguments", "token"),
    [
        ({"query": "it's"}, "{'query': \"it's\"}"),
        ('{"query": "a"}', '{"query": "a"}'),
        ("", ""),
    ],
)
def test_arguments_are_told_as_python_writes_them(arguments, token):
    """An object as a dict, text as it is."""
    call = tool_call(arguments=arguments, arguments_json=None)
    assert [f"Tool:knowledge_search arguments:{token}"] == ran(calls=[call])


@pytest.mark.parametrize("absent", [{}, {"arguments": None}])
def test_arguments_that_were_not_sent_are_none(absent):
    """And nothing is invented."""
    step = StepCompleted("tool_execution", extra={"tool_calls": [{"tool_name": "f", **absent}]})
    assert [("tool_call", "tool_execution", "Tool:f arguments:")] == [
        row(frame) for frame in told(step)
    ]


def test_memory_is_counted():
    """In bytes, as they travel: characters are another count; half of one has three."""
    content = [text_item("Käse"), text_item("\N{CHEESE WEDGE}")]
    assert ["Fetched 10 bytes from memory"] == ran(
        result(content, name="query_from_memory"), calls=[]
    )
    assert ["Fetched 3 bytes from memory"] == [
        frame["data"]["token"] for frame in told(ToolResult(0, "\ud83e", name="query_from_memory"))
    ]


@pytest.mark.parametrize(
    ("content", "summary"),
    [
        ("found 5 chunks\nBEGIN", "found 5 chunks"),
        (text_item("found 5 chunks\nBEGIN", interleaved_content), "found 5 chunks"),
        ([text_item("found 5 chunks\n"), text_item("Result 1\n")], "found 5 chunks"),
        ("\nfound 5 chunks", "found 5 chunks"),
        ("found 5 chunks", "found 5 chunks"),
        ([text_item("")], ""),
    ],
    ids=["string", "item", "list", "blank line first", "one line", "blank"],
)
def test_a_search_is_summed_up_in_its_first_line(content, summary):
    """Its content is a string, an item or a list."""
    assert [f"Tool:knowledge_search summary:{summary}"] == ran(result(content), calls=[])


@pytest.mark.parametrize("content", ["", []])
def test_a_search_that_found_nothing_has_no_summary(content):
    """It gave an empty response, as any other tool might."""
    assert ["Tool:knowledge_search response:"] == ran(result(content), calls=[])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "pods: 3",
        text_item("pods: 3", interleaved_content),
        image_item(interleaved_content),
        [text_item("pods:"), image_item(), text_item("3")],
    ],
    ids=["empty", "string", "item", "image", "list"],
)
def test_what_any_other_tool_gave_is_told_as_text(content):
    """As the seed's own library writes it."""
    text = interleaved_content_as_str(content)
    assert [f"Tool:get_pods response:{text}"] == ran(result(content, name="get_pods"), calls=[])


def test_what_is_no_text_is_told_as_json():
    """Other providers' tools give objects, or nothing."""
    assert ["Tool:f response:", 'Tool:f response:{"pods":3} x'] == [
        frame["data"]["token"]
        for frame in told(
            ToolResult(0, None, name="f"), ToolResult(0, [{"pods": 3}, "x"], name="f")
        )
    ]


@pytest.mark.parametrize(
    "wire",
    [
        step_start("memory_retrieval", "s3"),
        {"event": {"payload": {"event_type": "turn_paused"}}},
        {"event": {"payload": {"event_type": "step_start", "step_type": "prayer"}}},
        7,
    ],
    ids=["memory", "event", "step", "junk"],
)
def test_what_is_unknown_is_a_heartbeat(wire):
    """It says that something is there, and no more."""
    assert [("heartbeat", None, "heartbeat")] == rows(wire)


def test_a_look_into_memory_is_two_heartbeats():
    """One at each of its ends."""
    assert [("heartbeat", None, "heartbeat")] * 2 == rows(
        step_start("memory_retrieval", "s3"), step_complete(retrieval())
    )


def test_a_clock_beats_in_the_same_words():
    """During silence, which the seed never filled; its id is its own, too."""
    encoder = LightspeedSeed()
    beats = [*encoder.encode(Unknown({})), encoder.heartbeat(), *encoder.encode(Unknown({}))]
    assert [
        {"event": "heartbeat", "data": {"id": id_, "token": "heartbeat"}} for id_ in range(3)
    ] == read(beats)


def test_a_turn_ends_with_its_answer_and_then_its_end():
    """The answer once more, all of it; then what it refers to, and what it cost."""
    answer = Response("Hi", usage=Usage(12, 34))
    assert [
        {"event": "turn_complete", "data": {"id": 0, "token": "Hi"}},
        {
            "event": "end",
            "data": {
                "referenced_documents": [],
                "truncated": None,
                "input_tokens": 12,
                "output_tokens": 34,
            },
            "available_quotas": {},
        },
    ] == told(ResponseCompleted(answer))


@pytest.mark.parametrize("response", [None, Response(), Response(usage=Usage())])
def test_counts_that_nobody_knows_are_none(response):
    """As the seed's were, always."""
    assert [
        {"event": "turn_complete", "data": {"id": 0, "token": ""}},
        {"event": "end", "data": {"referenced_documents": [], **NO_END}, "available_quotas": {}},
    ] == told(ResponseCompleted(response))


def test_a_failure_is_one_frame_that_says_nothing_of_the_provider():
    """A sentence of ours, by the error's code; nothing comes behind it."""
    error = Rejected("401: key sk-0123456789abcdef is not valid", status=401)
    assert [
        {"event": "error", "data": {"id": 0, "token": "The model did not take the request."}}
    ] == (told(ResponseFailed(error, Response("Hi"))))


def test_a_cancelled_turn_is_truncated():
    """It has an end, and no answer."""
    end = {"referenced_documents": [], **NO_END, "truncated": True, "output_tokens": 3}
    assert [{"event": "end", "data": end, "available_quotas": {}}] == told(
        ResponseCancelled(Response("Hi", usage=Usage(None, 3)))
    )


@pytest.mark.parametrize(
    "event",
    [
        Rerouted("stalled"),
        Metadata(None, {"session_id": "c"}),
        UsageReported(Usage(1, 2)),
        Finished(0, "end_of_turn"),
        Heartbeat(),
        ReasoningDelta("Hm."),
        ToolCallCompleted(0, ToolCall("call_1", "f", "{}", valid=True)),
        Citation({}),
        Retracted("text"),
        Gap("1-4"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_the_vocabulary_has_no_word_for_is_not_told(event):
    """Reasoning is no answer; a completed call was told."""
    assert [] == told(event)


# The whole of it


def test_a_turn_of_many_steps_is_told():
    """Every frame of it, in its order, with an id of its own."""
    frames = told(*events_of(*STREAM))
    assert [
        ("token", None, ""),
        ("token", "shield_call", "No Violation"),
        ("token", "inference", ""),
        ("tool_call", "inference", ""),
        ("tool_call", "inference", "knowledge_search("),
        ("tool_call", "inference", '{"query":"ansible"}'),
        ("tool_call", "inference", ")"),
        ("tool_call", "inference", "knowledge_search"),
        ("tool_call", "tool_execution", ""),
        ("tool_call", "tool_execution", "Tool:knowledge_search arguments:{'query': 'ansible'}"),
        ("tool_call", "tool_execution", "Tool:knowledge_search summary:found 5 chunks"),
        ("heartbeat", None, "heartbeat"),
        ("heartbeat", None, "heartbeat"),
        ("token", "inference", ""),
        ("token", "inference", "Ansible "),
        ("token", "inference", "is a tool."),
        ("turn_complete", None, SAID),
        ("end", None, None),
    ] == [row(frame) for frame in frames]
    assert list(range(len(frames) - 1)) == [frame["data"]["id"] for frame in frames[:-1]]


def test_the_transcript_is_the_answer():
    """Also where a turn speaks, looks, and speaks again: no chatter of tools, nothing twice."""
    steps = [
        shield(),
        inference("Let me look. ", [SEARCH], id_="s1"),
        execution([SEARCH], [FOUND]),
        inference(SAID, id_="s4"),
    ]
    ends = [step_complete(step) for step in steps]
    events = events_of(turn_start(), *ends, turn_complete(turn(message(SAID), steps)))
    frames = told(*events)
    assert "Let me look. " + SAID == transcript(frames) == events[-1].response.text
    assert ["Let me look. " + SAID] == [
        frame["data"]["token"] for frame in frames if frame["event"] == "turn_complete"
    ]


def test_a_violation_is_in_the_answer_as_far_as_it_is_the_answer():
    """What the shield says is its own; the refusal in the answer's place is the answer."""
    steps = [shield("I can't answer that.")]
    sent = turn(message("I can't answer that."), steps)
    events = events_of(turn_start(), step_complete(steps[0]), turn_complete(sent))
    assert "I can't answer that." == transcript(told(*events)) == events[-1].response.text


@given(
    st.lists(
        st.sampled_from(
            [
                *(event for event in events_of(*STREAM) if not event.terminal),
                TextDelta("\N{CHEESE WEDGE}\u2028\ud800"),
                TextDelta("not told", choice=1),
                ReasoningDelta("Hm."),
                ToolCallDelta(3, '{"a":'),
                AwaitingInput(),
                Unknown(None),
            ]
        )
    ),
    st.sampled_from([ResponseCompleted, ResponseFailed, ResponseCancelled]),
)
def test_whatever_happens_there_is_one_end_and_the_transcript_is_the_text(events, kind):
    """And every id is an int of its own, counted from 0."""
    text = "".join(e.text for e in events if isinstance(e, TextDelta) and e.choice == 0)
    answer = Response(text)
    terminal = kind(Rejected("no"), answer) if kind is ResponseFailed else kind(answer)
    frames = told(*events, terminal)
    ids = [frame["data"]["id"] for frame in frames if "id" in frame["data"]]
    assert text == transcript(frames)
    assert list(range(len(ids))) == ids
    assert ["error" if kind is ResponseFailed else "end"] == [
        frame["event"] for frame in frames if frame["event"] in ("error", "end")
    ]
    assert frames[-1]["event"] in ("error", "end")


def test_only_the_first_choice_is_told():
    """Clients put whatever comes into one answer."""
    assert [] == told(TextDelta("Hi", choice=1), ToolCallStarted(0, "call_1", "f", choice=1))


def test_frames_have_no_name_and_are_ascii():
    """The event's name is in the JSON; no decoder can cut a character, or end a line in one."""
    frames = LightspeedSeed().encode(TextDelta("Käse\u2028\N{CHEESE WEDGE}"))
    assert ["message"] == [frame.event for frame in frames]
    assert frames[0].data.isascii()
    assert ["Käse\u2028\N{CHEESE WEDGE}"] == [frame["data"]["token"] for frame in read(frames)]


# Answers without steps


def openai(*chunks):
    """The events of a chat answer."""
    return events_of(*(chat.frame(chunk) for chunk in chunks), dialect=OpenAIChat())


def test_an_answer_without_steps_is_the_models():
    """Its tokens, its answer and its counts."""
    events = openai(
        chat.chunk({"content": "Hel"}),
        chat.chunk({"content": "lo"}),
        chat.chunk({}, "stop"),
        chat.usage_chunk(),
        chat.DONE,
    )
    frames = told(*events)
    assert [
        ("token", None, ""),
        ("token", "inference", "Hel"),
        ("token", "inference", "lo"),
        ("turn_complete", None, "Hello"),
        ("end", None, None),
    ] == [row(frame) for frame in frames]
    counts = frames[-1]["data"]
    assert (5, 2) == (counts["input_tokens"], counts["output_tokens"])


def test_a_call_without_steps_is_told_as_it_is_written():
    """Its name once known, then the pieces of its arguments; nobody else will tell them."""
    pieces = [
        {"index": 0, "id": "call_1", "function": {"name": "get_", "arguments": ""}},
        {"index": 0, "function": {"name": "get_pods", "arguments": '{"ns":'}},
        {"index": 0, "function": {"arguments": '"x"}'}},
        {"index": 1, "id": "call_2", "function": {"arguments": ""}},
        {"index": 1, "function": {"name": "get_nodes", "arguments": "{}"}},
    ]
    chunks = [chat.chunk({"tool_calls": [piece]}) for piece in pieces]
    frames = told(*openai(*chunks, chat.chunk({}, "tool_calls"), chat.DONE))
    assert [
        ("token", None, ""),
        ("tool_call", "inference", "get_"),
        ("tool_call", "inference", "pods"),
        ("tool_call", "inference", '{"ns":'),
        ("tool_call", "inference", '"x"}'),
        ("tool_call", "inference", "get_nodes"),
        ("tool_call", "inference", "{}"),
        ("turn_complete", None, ""),
        ("end", None, None),
    ] == [row(frame) for frame in frames]


def test_a_refusal_is_the_answer():
    """It is what the user must read."""
    events = openai(chat.chunk({"refusal": "I can't."}), chat.chunk({}, "stop"), chat.DONE)
    assert [
        ("token", None, ""),
        ("token", "inference", "I can't."),
        ("turn_complete", None, "I can't."),
        ("end", None, None),
    ] == [row(frame) for frame in told(*events)]


def test_a_result_outside_a_step_is_told_at_once():
    """Under its call's name, all of it, where it has none itself."""
    call = [ToolCallStarted(0, "1", "get_"), ToolCallDelta(0, name="pods")]
    assert [
        ("tool_call", "inference", "get_"),
        ("tool_call", "inference", "pods"),
        ("tool_call", "tool_execution", "Tool:get_pods response:3"),
    ] == [row(frame) for frame in told(*call, ToolResult(0, "3"))]


def test_a_result_whose_step_never_ended_is_told_before_the_answer():
    """Nothing that was given is lost; and a call first heard of there lends its name."""
    events = [
        StepStarted("tool_execution"),
        ToolCallStarted(0, "1", "get_pods"),
        ToolResult(0, "3"),
        StepStarted("tool_execution"),
        ResponseCompleted(Response("Hi")),
    ]
    assert [
        ("tool_call", "tool_execution", ""),
        ("tool_call", "tool_execution", ""),
        ("tool_call", "tool_execution", "Tool:get_pods response:3"),
        ("turn_complete", None, "Hi"),
        ("end", None, None),
    ] == [row(frame) for frame in told(*events)]


# Documents


def documents(*events, **settings):
    """What the end of these events refers to."""
    (*_, end) = told(*events, ResponseCompleted(Response()), **settings)
    return end["data"]["referenced_documents"]


def found(*texts):
    """The events of a search that found these."""
    step = execution([SEARCH], [result([text_item(text) for text in texts])])
    return events_of(turn_start(), step_complete(step))


A = {"doc_url": "https://example.org/a", "doc_title": "A"}


def test_the_documents_of_a_search_are_referred_to():
    """Each once, however many of its parts were found."""
    other = META.replace("example.org/a", "example.org/b").replace("doc-1", "doc-2")
    text = f"Result 1\nContent: …\n{META}Result 2\n{META}{other}"
    assert [A, {**A, "doc_url": "https://example.org/b"}] == documents(
        *found("found 3 chunks\n", text, META)
    )


@pytest.mark.parametrize(
    "line",
    [
        "Metadata: {'docs_url': 'https://example.org/a', 'title': \"It's A\", 'document_id': 'd'}",
        'Metadata: {"docs_url":"https://example.org/a","title":"It\'s A","document_id":7}',
        "Metadata: {'docs_url': 'https://example.org/a', 'title': 'It\\'s A', 'x': None, 'y': 1.5}",
        'Metadata: {"url":"https://example.org/a","title":"It\'s A","x":null,"y":true}\r',
    ],
    ids=["python", "json", "no id", "no id, json"],
)
def test_metadata_may_be_python_or_json(line):
    """With an apostrophe in the title, where the seed lost the document."""
    assert [{**A, "doc_title": "It's A"}] == documents(*found(f"Result 1\n{line}\n"))


@pytest.mark.parametrize(
    "line",
    [
        "Metadata: {'title': 'A', 'document_id': 'doc-1'}",
        "Metadata: {'docs_url': 'https://example.org/a', 'document_id': 'doc-1'}",
        "Metadata: {'docs_url': '', 'title': 'A', 'document_id': 'doc-1'}",
        "Metadata: {'docs_url': 7, 'title': 'A', 'document_id': 'doc-1'}",
        "Metadata: {'title': 'A'}",
        "Metadata: {'docs_url': 'https://example.org/a', 'title': 'A'",
        "Metadata: {'a', 'b'}",
        "Metadata: {[]: 1}",
        "Metadata: {open('/'): 1}",
        "Metadata: " + "{1:" * 300 + "1" + "}" * 300,
        "Metadata: {'docs_url': 'https://example.org/a', 'title': '" + "A" * 66_000 + "'}",
        "My Metadata: {'docs_url': 'https://example.org/a', 'title': 'A'}",
    ],
    ids=range(12),
)
def test_metadata_without_url_and_title_is_no_document(line):
    """Nor is what nobody can read, or is longer than any metadata."""
    assert [] == documents(*found(f"Result 1\n{line}\n"))


def test_only_a_search_finds_documents():
    """What another tool says is its own."""
    assert [] == documents(ToolResult(0, f"\n{META}", name="get_pods"))


def test_a_cited_document_is_referred_to():
    """In the shape of the chat API, or flat; that of another choice is not."""
    cited = {"url": "https://example.org/a", "title": "A"}
    citations = [Citation({"type": "url_citation", "url_citation": cited}), Citation(cited)]
    assert [A] == documents(citations[0]) == documents(citations[1])
    assert [] == documents(Citation(cited, choice=1), Citation({"cited_text": "…"}))


# Settings


def test_every_stream_is_told_by_an_encoder_of_its_own():
    """Settings are copied, state is not."""
    used: Encoder = LightspeedSeed(conversation_id="c", no_violation="Fine")
    told_by(used, events_of(*STREAM))
    fresh = attrs.evolve(used)
    events = events_of(turn_start(), step_complete(shield()))
    assert [("token", None, ""), ("token", "shield_call", "Fine")] == [
        row(frame) for frame in told_by(fresh, events)
    ]
    assert 2 == read([fresh.heartbeat()])[0]["data"]["id"]


def test_roles_can_be_called_otherwise():
    """Those that are not named stay the step's own."""
    assert [("token", "assistant", ""), ("token", "shield_call", "No Violation")] == rows(
        step_start("inference", "s1"), step_complete(shield()), roles={"inference": "assistant"}
    )


@pytest.mark.parametrize(
    ("violation", "token"),
    [
        ("{violation_level}: {user_message}", "error: No."),
        ("Blocked", "Blocked"),
        ("{{}} {metadata:.5}", "{} {'vio"),
    ],
)
def test_a_violation_can_be_told_otherwise(violation, token):
    """In a format of what a shield says."""
    told = rows(step_complete(shield("No.")), violation=violation)
    assert [("token", "shield_call", token)] == told


@pytest.mark.parametrize(
    "violation", ["{reason}", "{}", "{", "{metadata[a]}", "{metadata.a}", "{user_message:d}"]
)
def test_a_format_that_cannot_be_filled_is_misuse(violation):
    """Said when it is set, not in the middle of an answer."""
    with pytest.raises(MisuseError, match="expected violation with no places but"):
        LightspeedSeed(violation=violation)


def test_what_a_shield_left_out_is_none():
    """As the seed wrote it; the user's own braces are text."""
    step = StepCompleted("shield_call", extra={"violation": {"user_message": "{metadata}"}})
    assert [("token", "shield_call", "Violation: {metadata} (Metadata: None)")] == [
        row(frame) for frame in told(step)
    ]


def test_quotas_are_told_as_they_are_at_the_end():
    """The mapping may be written to while the answer is told."""
    quotas = {"UserQuotaLimiter": 999}
    encoder = LightspeedSeed(available_quotas=quotas)
    quotas["UserQuotaLimiter"] = 998
    (end,) = told_by(encoder, [ResponseCancelled(Response())])
    assert {"UserQuotaLimiter": 998} == end["available_quotas"]


def test_errors_can_be_explained_otherwise():
    """In a stream, and before it."""
    encoder = LightspeedSeed(explain=lambda error: f"Sorry: {type(error).__name__}")
    error = Stalled("idle", 5.0)
    assert {"detail": {"response": "Sorry: Stalled", "cause": "stalled"}} == encoder.failure(error)
    assert (
        "Sorry: Stalled"
        == told_by(encoder, [ResponseFailed(error, Response())])[0]["data"]["token"]
    )


@pytest.mark.parametrize(
    ("error", "response", "cause"),
    [
        (Rejected("key sk-0123456789abcdef"), "The model did not take the request.", "rejected"),
        (StreamkitError("secret"), "The answer could not be had.", "error"),
        (ValueError("secret"), "The answer could not be had.", "error"),
    ],
)
def test_an_early_failure_is_a_body(error, response, cause):
    """As the service wrote those of its statuses; a stranger's error says nothing at all."""
    said = {"detail": {"response": response, "cause": cause}}
    assert said == LightspeedSeed().failure(error)


def test_what_it_can_do():
    """It cannot take back, counts its frames, and nobody can come back to it."""
    encoder: Encoder = LightspeedSeed()
    assert {"text", "refusal", "tool_calls"} == encoder.irrevocable
    assert (True, None) == (encoder.remembers, encoder.farewell())


def test_the_wire_of_these_tests_is_the_clients():
    """As its own types write it."""
    assert {"tool_name": "knowledge_search", "call_id": "call_7"}.items() <= as_json(SEARCH).items()
    assert ResponseStarted("t1") == events_of(turn_start())[0]
