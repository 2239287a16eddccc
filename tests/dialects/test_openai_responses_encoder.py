"""Events as a response's stream: any run's, and what the official client makes of them."""

import json

import openai
import pytest
from hypothesis import given

from streamkit.errors import InBandError, RetractedAnswer, Stalled
from streamkit.events import (
    AwaitingInput,
    Citation,
    Finished,
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
from streamkit.framing import Frame
from streamkit.response import Response, ToolCall, Usage
from streamkit.serving.encoders import fresh_encoder
from streamkit.testing import FaultProvider, Reply

from ..leftovers import LEFT_BY_SDKS
from . import chat
from . import test_llama_stack_turn as agents
from .responses import (
    DIALECT,
    USAGE,
    accumulated,
    added,
    body,
    call,
    called,
    completed,
    created,
    custom,
    decoded,
    delta,
    done,
    frames,
    message,
    reasoning,
    response_of,
    said,
    search,
    streamed,
    text_part,
)
from .test_openai_responses_sdk import as_json
from .test_openai_round_trip import answers as chat_answers

STARTED = ResponseStarted("chatcmpl-1", "m-1", {"created": 17, "system_fingerprint": "fp"})
OWN = ResponseStarted("resp_1", "m-1", {"object": "response", "created_at": 17})
END = ResponseCompleted()
CITED = {"type": "url_citation", "url_citation": {"url": "u", "title": "T"}}

on_every_loop = [pytest.mark.anyio, LEFT_BY_SDKS]


def told(*events):
    """What these events are told as."""
    return [json.loads(frame.data) for frame in frames(*events)]


def kinds(*events):
    """The names of what these events are told as, without their prefix."""
    return [value["type"].removeprefix("response.") for value in told(*events)]


def last(*events):
    """The response at the end of what these events are told as."""
    return told(*events)[-1]["response"]


def output(*events):
    """The items of the answer these events are told as."""
    return last(*events)["output"]


def reread(*events):
    """What the decoder makes of what these events are told as."""
    return response_of(streamed(*[Frame(frame.data.decode("ascii")) for frame in frames(*events)]))


def sse(*events):
    """The bytes a client gets."""
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (f.event.encode(), f.data) for f in frames(*events)
    )


# -- the contract


def test_it_is_an_encoder_of_the_house():
    """By its name, for whoever serves a run."""
    assert isinstance(fresh_encoder("openai-responses"), type(DIALECT.encoder()))


def test_the_format_cannot_take_back():
    """It says nothing first, has no heartbeat of its own, and nobody comes back."""
    encoder = DIALECT.encoder()
    assert {"text", "reasoning", "refusal", "tool_calls"} == encoder.irrevocable
    assert (None, None, True) == (encoder.heartbeat(), encoder.farewell(), encoder.remembers)


def test_a_failure_before_the_first_frame_is_the_envelope_of_errors():
    """Its message is ours: what a provider says may hold secrets."""
    failure = DIALECT.encoder().failure(InBandError("sk-secret"))
    assert "in_band" == failure["error"]["code"]
    assert "secret" not in str(failure)
    assert "error" == DIALECT.encoder().failure(ValueError("x"))["error"]["code"]


# -- any run


def test_text_of_another_api():
    """Is a message, with everything around it that clients wait for."""
    values = told(
        STARTED, TextDelta("Hel"), TextDelta("lo"), TextDelta(""), Finished(0, "stop"), END
    )
    assert [
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ] == [value["type"] for value in values]
    whole = values[-1]["response"]
    assert ("chatcmpl-1", "m-1", 17, "completed", None) == tuple(
        whole[key] for key in ("id", "model", "created_at", "status", "usage")
    )
    assert "system_fingerprint" not in whole
    assert "Hello" == whole["output"][0]["content"][0]["text"]


def test_an_answer_of_nothing():
    """Begins, and ends; its id is the run's."""
    assert ["created", "completed"] == kinds(END)
    assert ("resp_r-1", []) == (last(END)["id"], last(END)["output"])


def test_reasoning_goes_by_its_field():
    """``reasoning`` is a summary, as OpenRouter has it; any other is the model's own words."""
    events = [ReasoningDelta("a", 0, "reasoning"), ReasoningDelta("b"), ReasoningDelta("")]
    (item,) = output(STARTED, *events, END)
    assert ["a"] == [part["text"] for part in item["summary"]]
    assert ["b"] == [part["text"] for part in item["content"]]
    assert "ab" == reread(STARTED, *events, END).reasoning


def test_text_and_reasoning_by_turns():
    """Each turn is an item of its own: nobody said which go together."""
    events = [ReasoningDelta("r1"), TextDelta("t1"), ReasoningDelta("r2"), TextDelta("t2")]
    kinds_ = [item["type"] for item in output(STARTED, *events, END)]
    assert ["reasoning", "message", "reasoning", "message"] == kinds_
    again = reread(STARTED, *events, END)
    assert ("t1t2", "r1r2") == (again.text, again.reasoning)


def test_a_refusal_is_a_part_of_the_message():
    """Behind the text before it."""
    events = [TextDelta("Hm. "), RefusalDelta("No."), RefusalDelta("")]
    (item,) = output(STARTED, *events, END)
    assert ["output_text", "refusal"] == [part["type"] for part in item["content"]]
    again = reread(STARTED, *events, END)
    assert ("Hm. ", "No.", "refusal") == (again.text, again.refusal, again.finish)


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        ("stop", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        ("weird", "completed", None),
        (None, "completed", None),
        ("incomplete:max_output_tokens", "incomplete", "max_output_tokens"),
        ("cancelled", "cancelled", None),
    ],
)
def test_how_it_ended(reason, status, why):
    """In the API's words, whosever the word was; the event's name goes by it."""
    events = [STARTED, TextDelta("a")] + ([Finished(0, reason)] if reason else [])
    value = told(*events, END)[-1]
    assert (status, {"reason": why} if why else None) == (
        value["response"]["status"],
        value["response"]["incomplete_details"],
    )
    expected = "response.completed" if status == "completed" else "response.incomplete"
    assert expected == value["type"]


def test_the_neutral_word_counts_more_than_a_strangers():
    """Where the answer was accumulated."""
    end = ResponseCompleted(Response(finish="length"))
    assert "incomplete" == last(STARTED, Finished(0, "MAX_TOKENS"), end)["status"]


def test_usage_of_another_api_is_counted_in_this_ones_words():
    """What the provider said stands beside."""
    report = UsageReported(Usage(5, 2, None, 1), {"prompt_tokens": 5, "cost": 0.5})
    assert {
        "prompt_tokens": 5,
        "cost": 0.5,
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 1},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 7,
    } == last(STARTED, report, END)["usage"]
    assert USAGE == last(OWN, UsageReported(Usage(), USAGE), END)["usage"]


# -- calls


def test_a_call_is_told_as_whole_behind_the_evidence():
    """A client that sees it done acts upon it."""
    begun = [
        STARTED,
        ToolCallStarted(0, "c", "f"),
        ToolCallDelta(0, '{"a"'),
        ToolCallDelta(0, ":1}"),
    ]
    whole = ToolCallCompleted(0, ToolCall("c", "f", '{"a":1}', valid=True))
    assert [
        "created",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
    ] == kinds(*begun)
    assert ["function_call_arguments.done", "output_item.done", "completed"] == kinds(
        *begun, whole, END
    )[4:]
    (item,) = output(*begun, whole, END)
    assert ("completed", "c", "f", '{"a":1}') == tuple(
        item[key] for key in ("status", "call_id", "name", "arguments")
    )


def test_a_call_without_an_accumulator_is_whole_at_the_end():
    """It is told once."""
    events = [STARTED, ToolCallStarted(0, "c", "f"), ToolCallDelta(0, "{}"), END]
    assert 1 == kinds(*events).count("output_item.done")
    assert "completed" == output(*events)[0]["status"]


def test_a_cut_call_is_none_to_act_upon():
    """It is incomplete, and its arguments are not said to be whole."""
    events = [STARTED, ToolCallStarted(0, "c", "f"), ToolCallDelta(0, '{"a'), Finished(0, "length")]
    assert "function_call_arguments.done" not in kinds(*events, END)
    assert "incomplete" == output(*events, END)[0]["status"]


def test_a_call_waits_for_its_name_and_its_id():
    """Clients keep the first they hear; the pieces before are told in one."""
    events = [
        ToolCallStarted(0),
        ToolCallDelta(0, '{"a"'),
        ToolCallDelta(0, ":", name="f"),
        ToolCallDelta(0, "1", id="c"),
        ToolCallDelta(0, "}"),
    ]
    values = told(STARTED, *events)
    assert ["c", "f"] == [values[1]["item"][key] for key in ("call_id", "name")]
    assert ['{"a":1', "}"] == [value["delta"] for value in values[2:]]


def test_a_call_that_never_got_an_id_gets_one():
    """The client must send it back with the result."""
    whole = ToolCallCompleted(1, ToolCall("", "f", "{}", valid=True))
    (item,) = output(STARTED, ToolCallStarted(1, "", "f"), whole, END)
    assert ("call_1", "f", "{}") == (item["call_id"], item["name"], item["arguments"])
    (unheard,) = output(STARTED, ToolCallCompleted(0, ToolCall("c", "f", "{}", valid=True)), END)
    assert "c" == unheard["call_id"]


def test_a_call_that_the_provider_runs_is_not_told():
    """Of another API: it is nobody's to make."""
    runs = [ToolCallStarted(0, "s", "search", hosted=True), ToolCallDelta(0, '{"q": 1}')]
    assert [] == output(STARTED, *runs, END)


def test_a_custom_call_has_an_input():
    """As the chat API's has."""
    events = [
        STARTED,
        ToolCallStarted(0, "c", "run", 0, {"type": "custom"}),
        ToolCallDelta(0, "x = {"),
    ]
    assert "custom_tool_call_input.delta" in kinds(*events, END)
    (item,) = output(*events, END)
    assert ("custom_tool_call", "x = {") == (item["type"], item["input"])
    assert (ToolCall("c", "run", "x = {", valid=False),) == reread(*events, END).tool_calls


def test_calls_grow_side_by_side():
    """Each in its own place."""
    events = [
        STARTED,
        ToolCallStarted(0, "a", "f"),
        ToolCallStarted(1, "b", "g"),
        ToolCallDelta(0, "{"),
        ToolCallDelta(1, "[]"),
        ToolCallDelta(0, "}"),
        END,
    ]
    assert [("a", "{}"), ("b", "[]")] == [(c.id, c.arguments) for c in reread(*events).tool_calls]


@pytest.mark.parametrize("turn", [agents.TURN, agents.WAITING], ids=["ended", "waiting"])
def test_an_agents_turn_tells_what_is_the_callers(turn):
    """No step of it, and no call that the agent made itself."""
    events = accumulated(agents.DIALECT.read_buffered(agents.as_json(turn)), agents.DIALECT)
    response, again = events[-1].response, reread(*events)
    asked = [e.tool_call for e in events if isinstance(e, ToolCallCompleted)]
    assert (response.text, asked) == (again.text, list(again.tool_calls))
    kinds_ = {item["type"] for item in again.raw["output"]}
    assert kinds_ <= {"message", "function_call"}


# -- citations


def test_citations_stand_in_the_text():
    """Those before it wait for it; the chat API's are one level deeper."""
    flat = {"type": "url_citation", "url": "u", "title": "T"}
    other = {"type": "file_citation", "file_id": "f"}
    events = [STARTED, Citation(CITED), TextDelta("a"), Citation(other), TextDelta("b"), END]
    assert [0, 1] == [v["annotation_index"] for v in told(*events) if "annotation" in v]
    assert [flat, other] == output(*events)[0]["content"][0]["annotations"]
    assert "ab" == reread(*events).text


def test_a_citation_without_text_has_no_place():
    """A refusal has none, and what is whole gets none."""
    refused = [STARTED, RefusalDelta("No."), Citation(CITED), END]
    assert "annotations" not in output(*refused)[0]["content"][0]
    assert ["created", "completed"] == kinds(STARTED, Citation(CITED), END)


def test_what_is_retracted_is_not_in_the_answer():
    """Citations, and steps that another attempt took; text cannot be."""
    steps = [
        StepStarted("web_search_call", "ws_1", 0, {"output_index": 0, "item": search()}),
        StepCompleted("web_search_call", "ws_1", 0, {"output_index": 0, "item": search()}),
    ]
    again = {"output_index": 0, "item": search("ws_2")}
    events = [
        OWN,
        *steps,
        Citation(CITED),
        Retracted("citations"),
        TextDelta("a"),
        Citation(CITED),
        Retracted("citations"),
        Retracted("steps"),
        Rerouted("truncated"),
        StepCompleted("web_search_call", "ws_2", 0, again),
        Finished(0, "completed"),
        END,
    ]
    spoken, step = output(*events)
    assert [] == spoken["content"][0]["annotations"]
    assert search("ws_2") == step


# -- what comes twice, late, or not at all


def test_another_attempts_items_go_on_with_these():
    """The rest of a text is told in its message, under the id it has."""
    first = decoded(created(), *said("Hel")[:3])
    second = DIALECT.read_buffered(body(message("Hello", id_="msg_9"), id="resp_9"))
    events = [*first, Rerouted("truncated"), *second[1:2], TextDelta("lo"), *second[3:]]
    whole = last(*events)
    assert ("resp_1", ["msg_1"]) == (whole["id"], [item["id"] for item in whole["output"]])
    assert "Hello" == whole["output"][0]["content"][0]["text"]


def test_another_attempts_item_of_another_kind_is_another():
    """Where a message was, there may be reasoning."""
    first = decoded(created(), *said("He")[:3])
    second = DIALECT.read_buffered(body(reasoning("S"), message("Hello", id_="msg_9")))
    output_ = output(*first, *second[1:])
    assert ["msg_1", "rs_1", "msg_9"] == [item["id"] for item in output_]


def test_text_that_a_stage_held_back_is_told_in_its_message():
    """Though the message was said to be whole by then."""
    events = streamed(created(), *said("Hel", "lo"), completed(message("Hello")))
    late = [e for e in events if e != TextDelta("lo")]
    late.insert(-2, TextDelta("lo"))
    assert ["Hello"] == [item["content"][0]["text"] for item in output(*late)]


def test_text_of_a_message_that_is_over_gets_another():
    """Nothing is lost."""
    stream = [created(), *said("a"), *called("{}", index=1)]
    events = [*decoded(*stream), TextDelta("b"), *streamed(*stream, completed())[-3:]]
    texts = [item["content"][0]["text"] for item in output(*events) if "content" in item]
    assert ["a", "b"] == texts


def test_an_item_may_get_other_fields_at_the_end():
    """They are in the answer, under the id that was told."""
    step = {"output_index": 0, "item": search(status="in_progress")}
    fuller = search("ws_9", results=[1])
    events = [
        OWN,
        StepStarted("web_search_call", "ws_1", 0, step),
        StepCompleted("web_search_call", "ws_1", 0, {**step, "item": search()}),
        Metadata(None, {"output.0": fuller}),
        Metadata(None, {"output.7": {"type": "what"}, "output.7.content.0": {}}),
        END,
    ]
    assert [{**fuller, "id": "ws_1"}] == output(*events)


def test_an_item_left_out_is_not_in_the_answer():
    """One that was told, and one that never was."""
    events = [OWN, Metadata(None, {"output.0": message(id_="m")}), Metadata(None, {"output.0": {}})]
    assert [] == output(*events, Metadata(None, {"output.5": {}}), END)


def test_an_item_may_have_no_id():
    """Then none is made up for it."""
    item = {key: value for key, value in reasoning("S").items() if key != "id"}
    stream = [created(), done(item), completed(item)]
    assert [item] == output(*streamed(*stream))


def test_a_part_that_a_stage_emptied():
    """Is empty, and still there."""
    events = DIALECT.read_buffered(body(message("secret")))
    kept = [e for e in events if not isinstance(e, TextDelta)]
    assert [text_part("")] == output(*kept)[0]["content"]


def test_other_events_say_nothing():
    """Other choices, fields of another API, what is for readers of a log alone."""
    silent = [
        Heartbeat(),
        AwaitingInput(),
        ToolResult(0, "x"),
        Unknown({"type": "ping"}),
        Unknown("x"),
        Metadata(None, {"service_tier": "default"}),
        Metadata(0, {"logprobs": None}),
        TextDelta("other", 1),
        Finished(1, "stop"),
    ]
    assert ["created"] == kinds(STARTED, *silent)
    assert "service_tier" not in last(STARTED, *silent, END)


def test_fields_of_a_stream_that_began_in_its_midst():
    """Are told in the end."""
    response = body(message("a"))
    events = streamed(delta("a"), done(message("a")), completed(message("a")))
    whole = last(*events)
    assert {**response, "id": "resp_r-1"} == whole


# -- the two other ends


@pytest.mark.parametrize(
    ("end", "status", "code"),
    [
        (ResponseFailed(InBandError("sk-secret"), Response()), "failed", "in_band"),
        (ResponseFailed(Stalled("idle", 5.0), Response()), "failed", "stalled"),
        (ResponseFailed(RetractedAnswer("x"), Response()), "failed", RetractedAnswer.code),
        (ResponseCancelled(Response()), "cancelled", "cancelled"),
    ],
)
def test_a_failure_is_an_error_and_then_an_end(end, status, code):
    """With what was told; nothing of the provider's words, and no call is said to be whole."""
    events = [STARTED, TextDelta("He"), ToolCallStarted(0, "c", "f"), ToolCallDelta(0, "{}"), end]
    *_, error, whole = told(*events)
    assert ("error", code) == (error["type"], error["error"]["code"])
    assert ("response.failed", status) == (whole["type"], whole["response"]["status"])
    assert ["message", "function_call"] == [i["type"] for i in whole["response"]["output"]]
    ended = [v["item"]["type"] for v in told(*events) if v["type"].endswith("item.done")]
    assert ["message"] == ended
    assert "secret" not in str(told(*events))


def test_our_decoder_reads_a_failure():
    """As the provider's error."""
    end = ResponseFailed(InBandError("x"), Response())
    for events in ((STARTED, TextDelta("He"), end), (end,)):
        with pytest.raises(InBandError, match="could not"):
            streamed(*[Frame(frame.data.decode("ascii")) for frame in frames(*events)])


# -- other APIs' answers, any of them


@given(chat_answers())
def test_a_chat_answer_is_the_same_in_this_api(answer):
    """Text, reasoning, calls and the end; it has no word for calls that are none."""
    events = accumulated(chat.streamed(*answer[1]), chat.DIALECT)
    response, again = events[-1].response, reread(*events)
    for field in ("text", "reasoning", "tool_calls"):
        assert getattr(response, field) == getattr(again, field)
    none = response.finish == "tool_calls" and not response.tool_calls
    assert ("stop" if none else response.finish) == again.finish


def test_this_apis_answer_is_the_same_in_chat():
    """Its fields stay behind: they hold the request's, its instructions among them."""
    items = [reasoning("S"), message("Hi"), call('{"a":1}'), custom("x")]
    response = body(*items, instructions="a secret")
    events = accumulated(DIALECT.read_buffered(response))
    encoder = chat.DIALECT.encoder()
    data = [frame.data for event in events for frame in encoder.encode(event)]
    text = [d if isinstance(d, str) else d.decode("ascii") for d in data]
    again = response_of(chat.streamed(*map(Frame, text)), chat.DIALECT)
    for field in ("text", "reasoning", "tool_calls", "finish", "usage"):
        assert getattr(events[-1].response, field) == getattr(again, field)
    assert "secret" not in str(text)


def test_this_apis_answer_is_an_agents_turn():
    """What the provider ran is a step; why it ended is said in the turn's words."""
    events = accumulated(DIALECT.read_buffered(body(search(), message("Hi"))))
    encoder = agents.DIALECT.encoder()
    data = [frame.data.decode("ascii") for event in events for frame in encoder.encode(event)]
    again = response_of(agents.decoded(*map(Frame, data)), agents.DIALECT)
    assert ("Hi", "stop") == (again.text, again.finish)


# -- the official client

STREAMS = {
    "everything": [
        created(),
        done(reasoning("One.", "Two.", encrypted_content="g")),
        added(search(status="in_progress"), 1),
        done(search(), 1),
        *said("Hel", "lo", index=2, id_="msg_2"),
        *called('{"a"', ":1}", index=3),
        done(custom("x = {"), 4),
        completed(
            reasoning("One.", "Two.", encrypted_content="g"),
            search(),
            message("Hello", id_="msg_2"),
            call('{"a":1}'),
            custom("x = {"),
        ),
    ],
    "incomplete": [
        created(),
        done(message("He", status="incomplete")),
        completed(
            message("He", status="incomplete"),
            status="incomplete",
            incomplete_details={"reason": "max_output_tokens"},
        ),
    ],
    "refused": [created(), done(message({"type": "refusal", "refusal": "No."})), completed()],
}
CHATS = {
    "chat": [chat.chunk({"role": "assistant", "content": "Hi"}), chat.chunk({}, "stop")],
    "chat calls": [
        chat.chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]}),
        chat.chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        chat.chunk({"reasoning_content": "hm"}, "tool_calls"),
    ],
}
REAL = {name: accumulated(streamed(*stream)) for name, stream in STREAMS.items()} | {
    name: accumulated(chat.streamed(*stream), chat.DIALECT) for name, stream in CHATS.items()
}


class client_of:  # noqa: N801
    """The real client in front of a provider that sends these bytes."""

    def __init__(self, stream):
        self.provider = FaultProvider(stream=Reply(stream))

    async def __aenter__(self):
        await self.provider.__aenter__()
        self.client = openai.AsyncOpenAI(base_url=self.provider.url, api_key="k", max_retries=0)
        return self.client.responses

    async def __aexit__(self, *exc):
        await self.client.close()
        await self.provider.__aexit__(*exc)


@pytest.mark.parametrize("name", REAL)
class TestTheOfficialClient:
    """What it makes of the bytes, raw and with its helper."""

    pytestmark = on_every_loop

    async def test_reads_the_events(self, name):
        """Its plain iteration gives the pieces, and the whole at the end."""
        events = REAL[name]
        async with client_of(sse(*events)) as responses:
            stream = await responses.create(model="m-1", input="hello", stream=True)
            got = [event async for event in stream]
        response = events[-1].response
        deltas = [e.delta for e in got if e.type == "response.output_text.delta"]
        assert response.text == "".join(deltas)
        assert list(range(len(got))) == [event.sequence_number for event in got]
        assert response.text == got[-1].response.output_text

    async def test_accumulates_the_answer(self, name):
        """Its helper gives the answer the provider gave; of one cut off it has none."""
        events = REAL[name]
        response, whole = events[-1].response, last(*events)
        async with client_of(sse(*events)) as responses:
            async with responses.stream(model="m-1", input="hello") as stream:
                if whole["status"] != "completed":
                    with pytest.raises(RuntimeError, match=r"response\.completed"):
                        await stream.get_final_response()
                    return
                answer = await stream.get_final_response()
        assert whole == as_json(answer)
        assert response.text == answer.output_text
        calls = [i for i in answer.output if i.type in ("function_call", "custom_tool_call")]
        assert [(c.id, c.name) for c in response.tool_calls] == [(i.call_id, i.name) for i in calls]
        if name in STREAMS:
            assert response.raw == as_json(answer)


class TestTheOfficialClientIsNotFooled:
    """By an end that is none."""

    pytestmark = on_every_loop

    async def test_a_failure_is_an_error_behind_the_text(self):
        """It raises in the midst of the iteration, with our code."""
        end = ResponseFailed(InBandError("secret"), Response())
        async with client_of(sse(STARTED, TextDelta("Hel"), end)) as responses:
            stream = await responses.create(model="m-1", input="hello", stream=True)
            got = [await anext(stream) for _ in range(4)]
            with pytest.raises(openai.APIError, match="could not") as caught:
                await anext(stream)
        assert ("response.output_text.delta", "Hel") == (got[-1].type, got[-1].delta)
        assert "in_band" == caught.value.code
