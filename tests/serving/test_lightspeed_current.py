"""Lightspeed's vocabulary of today: what of an answer is told, and what is taken back."""

import json

import attrs
import pytest

from streamkit.dialects import Encoder
from streamkit.errors import InBandError, MisuseError, Rejected, StageError, Stalled
from streamkit.events import (
    AwaitingInput,
    Citation,
    Finished,
    Gap,
    Heartbeat,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
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
from streamkit.response import Response, ToolCall, Usage
from streamkit.serving.encoders.lightspeed import LightspeedCurrent

from ..dialects import chat
from ..dialects.test_llama_stack_turn import (
    SAID,
    SEARCH,
    STREAM,
    WAITING,
    calling,
    execution,
    inference,
    message,
    result,
    shield,
    step_complete,
    step_start,
    text_item,
    tool_call,
    turn,
    turn_awaiting,
    turn_complete,
    turn_start,
)
from .test_lightspeed_seed import META, events_of, openai, read, told_by

CALL = {
    "event": "tool_call",
    "data": {
        "id": "call_7",
        "name": "knowledge_search",
        "args": {"query": "ansible"},
        "type": "tool_call",
    },
}
DOCUMENT = {
    "doc_url": "https://example.org/a",
    "doc_title": "A",
    "source": None,
    "document_id": "doc-1",
}


def told(*events, **settings):
    """What a client reads of *events*."""
    return told_by(LightspeedCurrent(**settings), events)


def token(id_, text):
    """The frame of a piece of text."""
    return {"event": "token", "data": {"id": id_, "token": text}}


def gave(content, id_="call_7", *, status="success", turn=1):
    """The frame of a tool's result."""
    data = {"id": id_, "status": status, "content": content, "type": "tool_result", "round": turn}
    return {"event": "tool_result", "data": data}


def end(documents=(), **fields):
    """The last frame of an answer."""
    counts = {"truncated": None, "input_tokens": 0, "output_tokens": 0, **fields}
    data = {"referenced_documents": list(documents), **counts}
    return {"event": "end", "data": data, "available_quotas": {}}


def anew(conversation="run-7"):
    """The frame that takes all text back."""
    return {"event": "assistant_answer", "answer": "", "conversation_id": conversation}


def tools_of(frames):
    """The frames of calls and results."""
    return [frame for frame in frames if frame["event"].startswith("tool_")]


# An answer


@pytest.mark.parametrize(
    ("settings", "conversation", "request_id"),
    [
        ({}, "run-7", "run-7"),
        ({"conversation_id": "c"}, "c", "run-7"),
        ({"conversation_id": "c", "request_id": "r"}, "c", "r"),
    ],
)
def test_a_stream_begins_with_its_conversation_and_its_request(settings, conversation, request_id):
    """Their ids are the run's, unless there are others."""
    data = {"conversation_id": conversation, "request_id": request_id}
    assert [{"event": "start", "data": data}] == read(
        LightspeedCurrent(**settings).opening("run-7")
    )


def test_an_answer_is_told():
    """Its pieces, each with an id of its own; then all of it, and its end."""
    events = openai(
        chat.chunk({"content": "Hel"}),
        chat.chunk({"content": "lo"}),
        chat.chunk({}, "stop"),
        chat.usage_chunk(),
        chat.DONE,
    )
    assert [
        token(0, "Hel"),
        token(1, "lo"),
        {"event": "turn_complete", "data": {"id": 2, "token": "Hello"}},
        end(input_tokens=5, output_tokens=2),
    ] == told(*events)


def test_a_refusal_is_the_answer():
    """It is what the user must read."""
    events = openai(chat.chunk({"refusal": "I can't."}), chat.chunk({}, "stop"), chat.DONE)
    assert [
        token(0, "I can't."),
        {"event": "turn_complete", "data": {"id": 1, "token": "I can't."}},
        end(),
    ] == told(*events)


def test_an_answer_that_nobody_accumulated_has_an_end():
    """Nothing is known of it."""
    assert [{"event": "turn_complete", "data": {"id": 0, "token": ""}}, end()] == told(
        ResponseCompleted()
    )


def test_an_agents_turn_is_told():
    """Its text and its tools; steps and shields are nobody's."""
    answer = gave("found 5 chunks\n Result 1\n")
    assert [
        CALL,
        answer,
        token(0, "Ansible "),
        token(1, "is a tool."),
        {"event": "turn_complete", "data": {"id": 2, "token": SAID}},
        end(),
    ] == told(*events_of(*STREAM))


def test_a_violation_is_the_answer_that_stands_in_its_place():
    """It is text as any other."""
    steps = [shield("I can't answer that.")]
    sent = turn(message("I can't answer that."), steps)
    frames = told(*events_of(turn_start(), step_complete(steps[0]), turn_complete(sent)))
    assert token(0, "I can't answer that.") == frames[0]


@pytest.mark.parametrize(
    "event",
    [
        ResponseStarted("t1"),
        Rerouted("stalled"),
        Metadata(None, {"session_id": "c"}),
        UsageReported(Usage(1, 2)),
        Finished(0, "end_of_turn"),
        Heartbeat(),
        ReasoningDelta("Hm."),
        AwaitingInput(),
        Unknown({}),
        StepStarted("inference"),
        StepCompleted("shield_call", extra={"violation": {"user_message": "No."}}),
        TextDelta("Hi", choice=1),
        Retracted("text", choice=1),
        Retracted("reasoning"),
        Retracted("steps"),
    ],
    ids=repr,
)
def test_what_the_vocabulary_has_no_word_for_is_not_told(event):
    """Its models forbid what they do not know; only the first choice is told."""
    assert [] == told(event)


# Tool calls and their results


def test_a_call_is_told_when_it_runs():
    """Not while it is written, nor when the model's step ends: then it is not sure yet to run."""
    written = [calling("f(", "in_progress"), calling(SEARCH, "succeeded")]
    before = events_of(turn_start(), *written, step_complete(inference(calls=[SEARCH])))
    assert [] == told(*before)
    running = [
        step_start("tool_execution", "s2"),
        calling(SEARCH, "in_progress", "tool_execution", "s2"),
    ]
    wire = [turn_start(), *written, step_complete(inference(calls=[SEARCH])), *running]
    assert [CALL] == told(*events_of(*wire))
    assert [CALL] == told(*events_of(*wire, running[-1]))


def test_a_call_is_told_with_its_result_at_the_latest():
    """Once, before it."""
    wire = [turn_start(), step_complete(execution([SEARCH], [result("found")]))]
    assert [CALL, gave("found")] == told(*events_of(*wire))


def test_a_call_that_has_no_result_is_told_at_the_end_of_its_step():
    """With those that have none of their own id, by their name; and none that did not run."""
    named = tool_call("", "f", {})
    wire = [
        turn_start(),
        step_complete(inference(calls=[SEARCH, named, tool_call("call_8", "g", {})])),
        step_complete(execution([SEARCH, named], [])),
    ]
    nameless = {"id": "call_1", "name": "f", "args": {}, "type": "tool_call"}
    assert [CALL, {"event": "tool_call", "data": nameless}] == told(*events_of(*wire))


def test_a_call_that_only_was_asked_for_is_not_told():
    """Neither by a note that is no tool's at work, nor by the end of a step that runs none."""
    asked = {"tool_calls": [{"call_id": "a", "tool_name": "f"}]}
    note = {"tool_call": asked["tool_calls"][0], "parse_status": "in_progress"}
    events = [
        StepStarted("tool_execution"),
        StepCompleted("tool_execution"),
        ToolCallStarted(0, "a", "f"),
        ToolCallDelta(0, extra=note),
        StepCompleted("inference", extra=asked),
    ]
    assert [] == told(*events)


def test_a_call_for_the_caller_is_told_with_the_whole_answer():
    """The turn waits for it, and has no text."""
    data = {"id": "call_9", "name": "client_tool", "args": {}, "type": "tool_call"}
    assert [
        {"event": "tool_call", "data": data},
        {"event": "turn_complete", "data": {"id": 0, "token": ""}},
        end(),
    ] == told(*events_of(turn_start(), turn_awaiting(WAITING)))


def test_a_chat_call_is_told_with_the_whole_answer():
    """Its pieces are not."""
    pieces = [
        {"index": 0, "id": "call_1", "function": {"name": "get_pods", "arguments": '{"ns":'}},
        {"index": 0, "function": {"arguments": '"x"}'}},
    ]
    chunks = [chat.chunk({"tool_calls": [piece]}) for piece in pieces]
    data = {"id": "call_1", "name": "get_pods", "args": {"ns": "x"}, "type": "tool_call"}
    assert [{"event": "tool_call", "data": data}] == tools_of(
        told(*openai(*chunks, chat.chunk({}, "tool_calls"), chat.DONE))
    )


def test_a_call_is_told_once():
    """Whoever says it again."""
    call = ToolCall("call_7", "knowledge_search", '{"query":"ansible"}', valid=True)
    wire = [
        turn_start(),
        calling(SEARCH, "in_progress", "tool_execution", "s2"),
        step_complete(execution([SEARCH], [result("found")])),
    ]
    assert [CALL, gave("found")] == told(*events_of(*wire), ToolCallCompleted(0, call))
    assert [CALL] == told(ToolCallCompleted(0, call), ToolCallCompleted(0, call))


@pytest.mark.parametrize(
    ("arguments", "args"),
    [
        ('{"ns":"x","n":1}', {"ns": "x", "n": 1}),
        ("", {}),
        (" ", {}),
        ("{}", {}),
        ('{"ns":', {"args": '{"ns":'}),
        ('"ns": "x"', {"args": '"ns": "x"'}),
        ("[1]", {"args": "[1]"}),
        ("SELECT 1", {"args": "SELECT 1"}),
    ],
)
def test_arguments_are_an_object(arguments, args):
    """What is none stands in ``args``, as it was sent; nothing is invented."""
    call = ToolCall("1", "f", arguments, valid=True)
    (frame,) = told(ToolCallCompleted(0, call))
    assert args == frame["data"]["args"]


def test_a_call_without_an_id_is_known_by_its_number():
    """Its result by the same."""
    events = [
        ToolCallStarted(0, "", "f"),
        ToolCallStarted(1, "", "f"),
        ToolCallDelta(1, '{"a":'),
        ToolCallDelta(1, "1}"),
        ToolResult(1, "one"),
        ToolResult(0, "zero"),
    ]
    calls = [
        {"id": f"call_{number}", "name": "f", "args": args, "type": "tool_call"}
        for number, args in ((1, {"a": 1}), (0, {}))
    ]
    assert [
        {"event": "tool_call", "data": calls[0]},
        gave("one", "call_1"),
        {"event": "tool_call", "data": calls[1]},
        gave("zero", "call_0"),
    ] == told(*events)


def test_a_result_whose_call_was_never_heard_of_tells_both():
    """By its own id and name."""
    data = {"id": "ws_1", "name": "web_search", "args": {}, "type": "tool_call"}
    assert [{"event": "tool_call", "data": data}, gave("", "ws_1")] == told(
        ToolResult(0, None, id="ws_1", name="web_search")
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [("pods: 3", "pods: 3"), ([text_item("a").model_dump(), {"n": 3}], 'a {"n":3}'), (None, "")],
)
def test_the_content_of_a_result_is_text(content, text):
    """Its model says so."""
    assert gave(text, "1") == told(ToolResult(0, content, id="1", name="f"))[-1]


@pytest.mark.parametrize(
    "extra",
    [
        {"is_error": True},
        {"error": "timeout"},
        {"metadata": {"error_message": "timeout"}},
        {"metadata": {"error_code": 1}},
    ],
)
def test_a_tool_that_failed_is_a_failure(extra):
    """As its provider says beside the result."""
    frame = told(ToolResult(0, "timeout", id="1", name="f", extra=extra))[-1]
    assert gave("timeout", "1", status="failure") == frame


@pytest.mark.parametrize(
    "extra", [None, {"metadata": None}, {"metadata": {"error_code": None}}, {"is_error": False}]
)
def test_a_tool_that_did_not_fail_is_a_success(extra):
    """Nobody said otherwise."""
    assert gave("3", "1") == told(ToolResult(0, "3", id="1", name="f", extra=extra))[-1]


@pytest.mark.parametrize("asked_anew", [True, False])
def test_results_are_counted_in_rounds_of_steps(asked_anew):
    """All of one step are of one round, also where its calls are first heard of there."""
    calls = [tool_call(f"call_{number}", "f", {}) for number in range(3)]
    results = [result("r", f"call_{number}", "f") for number in range(3)]
    wire = [
        turn_start(),
        step_complete(execution([], results[:2], id_="s1")),
        *([step_complete(inference(calls=calls[2:], id_="s2"))] if asked_anew else []),
        step_complete(execution(calls[2:], results[2:], id_="s3")),
    ]
    frames = told(*events_of(*wire))
    assert [1, 1, 2] == [f["data"]["round"] for f in frames if f["event"] == "tool_result"]


def test_results_without_steps_are_counted_in_rounds_of_calls():
    """A round is over where the model asks anew."""
    events = [
        ToolCallStarted(0, "a", "f"),
        ToolCallStarted(1, "b", "f"),
        ToolResult(0, "r"),
        ToolResult(1, "r"),
        ToolCallStarted(2, "c", "f"),
        ToolResult(2, "r"),
    ]
    assert [1, 1, 2] == [f["data"]["round"] for f in told(*events) if f["event"] == "tool_result"]


# Documents


def test_documents_of_searches_and_citations_are_referred_to():
    """With all that is known of each, and null for the rest."""
    other = "Metadata: {'title': 'B', 'document_id': 'doc-2', 'source': 'handbook'}"
    cited = Citation({"url_citation": {"url": "https://example.org/c", "title": "C"}})
    events = events_of(
        turn_start(), step_complete(execution([SEARCH], [result(f"\n{META}{other}")]))
    )
    assert (
        end(
            [
                DOCUMENT,
                {"doc_url": None, "doc_title": "B", "source": "handbook", "document_id": "doc-2"},
                {
                    "doc_url": "https://example.org/c",
                    "doc_title": "C",
                    "source": None,
                    "document_id": None,
                },
            ]
        )
        == told(*events, cited, ResponseCompleted(Response()))[-1]
    )


# What is taken back


def with_conversation(*events, **settings):
    """What is told of *events* behind the beginning of a stream."""
    encoder = LightspeedCurrent(**settings)
    encoder.opening("run-7")
    return told_by(encoder, events)


def test_text_is_taken_back():
    """The client's tokens are replaced by none; the next go on, each with an id of its own."""
    assert [token(0, "Hel"), anew(), token(1, "Bye")] == with_conversation(
        TextDelta("Hel"), Retracted("text"), TextDelta("Bye")
    )
    assert [anew("c")] == with_conversation(Retracted("text"), conversation_id="c")


def test_a_gap_takes_text_back():
    """What follows it is the answer so far, from its beginning."""
    assert [token(0, "Hel"), anew(), token(1, "Hello")] == with_conversation(
        TextDelta("Hel"), Gap("1-4"), TextDelta("Hello")
    )


def test_a_refusal_is_taken_back_where_no_text_would_go_with_it():
    """To the client both are one answer."""
    assert [token(0, "I can't."), anew()] == with_conversation(
        RefusalDelta("I can't."), Retracted("refusal")
    )
    assert [token(0, "Hi"), token(1, "No.")] == with_conversation(
        TextDelta("Hi"), RefusalDelta("No."), Retracted("refusal")
    )
    assert [token(0, "Hi"), anew(), token(1, "No."), anew()] == with_conversation(
        TextDelta("Hi"), Retracted("text"), RefusalDelta("No."), Retracted("refusal")
    )


@pytest.mark.parametrize("taken_back", [Retracted("tool_calls"), Gap("1-4")], ids=repr)
def test_a_call_that_was_not_told_can_be_taken_back(taken_back):
    """The calls that count are told, from their beginning."""
    data = {"id": "b", "name": "g", "args": {}, "type": "tool_call"}
    frames = told(
        ToolCallStarted(0, "a", "f"),
        ToolCallDelta(0, '{"a":'),
        taken_back,
        ToolCallStarted(0, "b", "g"),
        ToolCallDelta(0, "{}"),
        ToolResult(0, "r"),
    )
    assert [{"event": "tool_call", "data": data}, gave("r", "b")] == tools_of(frames)


def test_a_call_that_was_told_stays_told():
    """There is no word that takes it back: it stays with the client, beside those that count."""
    events = [ToolCallStarted(0, "a", "f"), ToolResult(0, "r")]
    again = [ToolCallStarted(0, "b", "f"), ToolResult(0, "r")]
    frames = told(*events, Retracted("tool_calls"), *again)
    assert [("a", None), ("a", 1), ("b", None), ("b", 1)] == [
        (frame["data"]["id"], frame["data"].get("round")) for frame in frames
    ]


def test_a_step_goes_on_while_its_calls_are_taken_back():
    """The calls of the next attempt may be first heard of while they run."""
    running = events_of(turn_start(), calling(SEARCH, "in_progress", "tool_execution", "s2"))
    began, *rest = [event for event in running if event.channel is not None]
    assert StepStarted("tool_execution", "s2") == began
    assert [CALL] == told(began, Retracted("tool_calls"), *rest)


@pytest.mark.parametrize(
    ("channel", "kept"), [("tool_calls", ["c"]), ("citations", ["doc-1"]), ("text", ["doc-1", "c"])]
)
def test_documents_are_taken_back_with_what_named_them(channel, kept):
    """A search that was taken back found nothing; a citation that was is none."""
    frames = told(
        ToolResult(0, META, id="1", name="knowledge_search"),
        Citation({"url": "c", "title": "C"}),
        Retracted(channel),
        ResponseCompleted(Response()),
    )
    documents = frames[-1]["data"]["referenced_documents"]
    assert kept == [one["document_id"] or one["doc_url"] for one in documents]


def test_a_gap_takes_all_documents_back():
    """They come again, where they count."""
    found = ToolResult(0, META, id="1", name="knowledge_search")
    cited = Citation({"url": "c", "title": "C"})
    frames = told(found, cited, Gap("1-4"), found, ResponseCompleted(Response()))
    assert [DOCUMENT] == frames[-1]["data"]["referenced_documents"]


# The end


@pytest.mark.parametrize(
    ("error", "status", "response", "cause"),
    [
        (Rejected("…", status=413), 413, "The model did not take the request.", "rejected"),
        (Rejected("key sk-1", status=401), 502, "The model did not take the request.", "rejected"),
        (InBandError("…", status=200), 502, "The model could not finish its answer.", "in_band"),
        (Stalled("idle", 5.0), 504, "The model did not answer in time.", "stalled"),
        (StageError("mine", "raised"), 500, "The answer could not be processed.", "stage"),
        (MisuseError("…"), 500, "The request could not be sent.", "misuse"),
        (ValueError("secret"), 500, "The answer could not be had.", "error"),
    ],
    ids=repr,
)
def test_a_failure_is_one_frame_that_says_nothing_of_the_provider(error, status, response, cause):
    """A status, a sentence of ours and a stable code; and the same before the stream began."""
    data = {"response": response, "cause": cause}
    assert [{"event": "error", "data": {"status_code": status, **data}}] == told(
        ResponseFailed(error, Response("Hi"))
    )
    assert {"detail": data} == LightspeedCurrent().failure(error)


def test_a_failure_can_be_told_otherwise():
    """In words and a status of yours."""
    settings = {"explain": lambda error: "Sorry", "status": lambda error: 418}
    data = {"status_code": 418, "response": "Sorry", "cause": "stalled"}
    assert [{"event": "error", "data": data}] == told(
        ResponseFailed(Stalled("idle", 5.0), Response()), **settings
    )


@pytest.mark.parametrize(("settings", "id_"), [({}, "run-7"), ({"request_id": "r"}, "r")])
def test_a_cancelled_answer_is_interrupted(settings, id_):
    """And has no end but that."""
    assert [{"event": "interrupted", "data": {"request_id": id_}}] == with_conversation(
        ResponseCancelled(Response("Hi")), **settings
    )


def test_quotas_are_told_with_the_end():
    """As they are then."""
    quotas = {"UserQuotaLimiter": 999}
    encoder = LightspeedCurrent(available_quotas=quotas)
    quotas["UserQuotaLimiter"] = 998
    frames = told_by(encoder, [ResponseCompleted(Response())])
    assert {"UserQuotaLimiter": 998} == frames[-1]["available_quotas"]


# What it is


def test_every_stream_is_told_by_an_encoder_of_its_own():
    """Settings are copied, state is not."""
    used: Encoder = LightspeedCurrent(conversation_id="c")
    used.opening("run-7")
    told_by(used, events_of(*STREAM))
    fresh = attrs.evolve(used)
    assert [{"event": "start", "data": {"conversation_id": "c", "request_id": "run-8"}}] == read(
        fresh.opening("run-8")
    )
    assert [token(0, "Hi"), end()] == [
        frame
        for frame in told_by(fresh, [TextDelta("Hi"), ResponseCompleted(Response("Hi"))])
        if frame["event"] != "turn_complete"
    ]


def test_what_it_can_do():
    """It can take back, counts its frames, beats in comments, and nobody can come back to it."""
    encoder: Encoder = LightspeedCurrent()
    assert (frozenset(), True) == (encoder.irrevocable, encoder.remembers)
    assert (None, None) == (encoder.heartbeat(), encoder.farewell())


def test_frames_have_no_name_and_are_ascii():
    """The event's name is in the JSON; no decoder can cut a character, or end a line in one."""
    frames = LightspeedCurrent().encode(TextDelta("Käse\u2028\N{CHEESE WEDGE}"))
    assert ["message"] == [frame.event for frame in frames]
    assert frames[0].data.isascii()
    assert "Käse\u2028\N{CHEESE WEDGE}" == json.loads(frames[0].data)["data"]["token"]
