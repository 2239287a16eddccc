"""The dialect openai-responses: how it asks, reads and judges."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamkit.dialects import ChoiceFold, HttpCall, OpenAIResponses, get_dialect
from streamkit.errors import InBandError, MalformedStream, ProviderError, TruncatedStream
from streamkit.events import (
    AwaitingInput,
    Citation,
    Finished,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
    ResponseCompleted,
    ResponseStarted,
    StepCompleted,
    StepStarted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
    Unknown,
    UsageReported,
)
from streamkit.framing import Frame
from streamkit.response import ToolCall, Usage
from streamkit.stages import Accumulator

from .responses import (
    DIALECT,
    HEAD,
    USAGE,
    accumulated,
    added,
    arguments_delta,
    body,
    call,
    called,
    completed,
    created,
    custom,
    decoded,
    delta,
    done,
    event,
    frame,
    message,
    raw_of,
    reasoning,
    response_of,
    said,
    search,
    streamed,
    summary_delta,
    text_part,
)
from .spoken import only

REQUEST = {"model": "m-1", "input": "hello", "stream_options": {"include_obfuscation": False}}

# -- how it asks


def test_it_is_found_by_its_name():
    """As every dialect is."""
    assert OpenAIResponses() == get_dialect("openai-responses")


def test_a_stream_is_asked_for():
    """With the caller's own stream options, and none of ours: usage comes unasked."""
    assert HttpCall("responses", {**REQUEST, "stream": True}) == DIALECT.streaming(REQUEST)
    assert "stream" not in REQUEST


def test_a_buffered_call_has_no_flags_of_a_stream():
    """Some servers reject the options without the flag."""
    asked = DIALECT.buffered({**REQUEST, "stream": True})
    assert HttpCall("responses", {"model": "m-1", "input": "hello"}) == asked


def test_the_key_is_a_bearer_token():
    """As in every API of OpenAI's."""
    assert {"authorization": "Bearer k"} == DIALECT.authorization("k")


# -- how it reads


def test_a_text_answer():
    """Its events, from the first to the last."""
    begun = {k: v for k, v in HEAD.items() if k not in ("id", "model", "output")}
    whole = message("Hello")
    skeleton = {**whole, "content": [{"type": "output_text", "annotations": [], "told": [0, 5]}]}
    assert [
        ResponseStarted("resp_1", "m-1", begun),
        Metadata(None, {"output.0": message(status="in_progress")}),
        TextDelta("Hel"),
        TextDelta("lo"),
        Metadata(None, {"output.0": skeleton}),
        Metadata(None, {"status": "completed"}),
        UsageReported(Usage(5, 2, 7, 1, 0), USAGE),
        Finished(0, "completed"),
        ResponseCompleted(evidence="finish_reason"),
    ] == streamed(created(), *said("Hel", "lo"), completed(whole))


def test_a_function_call():
    """Begins with its name, grows, and is whole with the answer."""
    events = accumulated(streamed(created(), *called('{"a"', ":1}"), completed(call('{"a":1}'))))
    extra = {"output_index": 0, "item_id": "fc_1", "status": "in_progress"}
    assert [
        ToolCallStarted(0, "call_1", "look", 0, extra),
        ToolCallDelta(0, '{"a"'),
        ToolCallDelta(0, ":1}"),
        ToolCallDelta(0, extra={"status": "completed"}),
        ToolCallCompleted(0, ToolCall("call_1", "look", '{"a":1}', valid=True)),
    ] == [e for e in events if e.channel == "tool_calls"]
    assert "tool_calls" == events[-1].response.finish


def test_a_custom_tools_input_is_any_text():
    """It is never read as JSON, and never cut."""
    pieces = [arguments_delta(p, 0, "ctc_1", "custom_tool_call_input") for p in ("x", " = {")]
    events = streamed(created(), added(custom("")), *pieces, done(custom("x = {")), completed())
    response = response_of(events)
    assert (ToolCall("call_c", "run", "x = {", valid=False),) == response.tool_calls
    assert [custom("x = {")] == response.raw["output"]


def test_reasoning_has_two_ways():
    """A summary and the model's own words are told apart by the field, in `raw` by the list."""
    item = reasoning("Sum", "med", content=["raw"], encrypted_content="gAAA")
    events = streamed(
        created(),
        added(reasoning(content=[])),
        summary_delta("S"),
        summary_delta("um"),
        summary_delta("med", place=1),
        delta("raw", 0, "rs_1", "reasoning_text"),
        done(item),
        completed(),
    )
    assert [
        ReasoningDelta("S", 0, "reasoning"),
        ReasoningDelta("um", 0, "reasoning"),
        ReasoningDelta("med", 0, "reasoning"),
        ReasoningDelta("raw", 0, "reasoning_content"),
    ] == only(ReasoningDelta, events)
    assert [item] == raw_of(events)["output"]


def test_a_refusal():
    """Is a channel of its own, and ends the answer as one."""
    item = message({"type": "refusal", "refusal": "I cannot."})
    deltas = [delta(piece, kind="refusal") for piece in ("I ", "cannot.")]
    whole = event(
        "refusal.done", item_id="msg_1", output_index=0, content_index=0, refusal="I cannot."
    )
    events = streamed(created(), added(message()), *deltas, whole, done(item), completed(item))
    response = response_of(events)
    assert [RefusalDelta("I "), RefusalDelta("cannot.")] == only(RefusalDelta, events)
    assert ("I cannot.", "", "refusal") == (response.refusal, response.text, response.finish)
    assert [item] == response.raw["output"]


def test_annotations_are_citations():
    """Each is told once, whether it came on the way or only in the whole part."""
    one, two = {"type": "url_citation", "url": "u"}, {"type": "file_citation", "file_id": "f"}
    item = message(text_part("Hi", annotations=[one, two, "odd"]))
    note = event(
        "output_text.annotation.added",
        item_id="msg_1",
        output_index=0,
        content_index=0,
        annotation_index=0,
        annotation=one,
    )
    odd = {**note, "annotation": None}
    events = streamed(
        created(), added(message()), delta("Hi"), note, odd, done(item), completed(item)
    )
    assert [Citation(one), Citation(two)] == only(Citation, events)
    assert [item] == raw_of(events)["output"]


def test_what_the_provider_runs_is_a_step():
    """Its kind is the item's type; on its way it is unknown, in the end it is whole."""
    begun, whole = search(status="in_progress"), search(results=[{"url": "u"}])
    way = event("web_search_call.searching", item_id="ws_1", output_index=0)
    events = streamed(created(), added(begun), way, done(whole), *said("Hi", index=1), completed())
    assert [
        StepStarted("web_search_call", "ws_1", 0, {"output_index": 0, "item": begun}),
        Unknown(way, way["type"]),
        StepCompleted("web_search_call", "ws_1", 0, {"output_index": 0, "item": whole}),
    ] == only((StepStarted, StepCompleted, Unknown), events)
    assert [whole, message("Hi")] == raw_of(events)["output"]
    assert () == response_of(events).tool_calls


def test_a_call_of_an_mcp_server_is_a_tool_that_ran():
    """Asked again it would run twice; a search would only search again."""
    item = {"id": "mcp_1", "type": "mcp_call", "name": "n", "arguments": "{}", "output": "o"}
    for kind, ran in ((item, True), (search(), False)):
        stage = Accumulator()
        for each in decoded(created(), added({**kind, "status": "in_progress"})):
            stage(each)
        assert not stage.tools_ran
        for each in decoded(created(), added(kind), done(kind)):
            stage(each)
        assert ran == stage.tools_ran


@pytest.mark.parametrize(
    "item",
    [
        {"id": "mcpr_1", "type": "mcp_approval_request", "name": "n", "arguments": "{}"},
        {"id": "lsh_1", "type": "local_shell_call", "call_id": "c", "action": {}},
        {"id": "cu_1", "type": "computer_call", "call_id": "c", "action": {}},
    ],
    ids=lambda item: item["type"],
)
def test_some_items_wait_for_the_caller(item):
    """Then the answer is paused, unless the provider ran it itself."""
    events = streamed(created(), added(item), done(item), completed(item))
    waiting = {"awaiting": [item["id"]]}
    assert [AwaitingInput(waiting)] == only(AwaitingInput, events)
    assert [Finished(0, "completed", waiting)] == only(Finished, events)
    assert "paused" == response_of(events).finish
    assert "awaiting" not in str(raw_of(events))


def test_an_item_that_has_its_output_waits_for_nobody():
    """A shell in a container runs by itself."""
    shell = {"id": "sh", "type": "shell_call", "call_id": "c", "action": {}}
    output = {"id": "sho", "type": "shell_call_output", "call_id": "c", "output": []}
    events = DIALECT.read_buffered(body(shell, output, message("Hi")))
    assert ([], "stop") == (only(AwaitingInput, events), response_of(events).finish)


def test_a_frame_nobody_knows_is_kept():
    """An error is none of these; nor do they begin an answer."""
    odd = {"type": "codex.rate_limits", "plan": "pro"}
    assert [Unknown(odd, "codex.rate_limits")] == decoded(odd)
    assert [Unknown([1], "message")] == decoded("[1]")
    assert [] == decoded(": keep-alive", "null")
    assert [Unknown({"type": None}, "x")] == decoded(frame({"type": None}, "x"))


def test_a_delta_that_is_no_text_is_kept():
    """Older versions of the API sent an object."""
    odd = delta({"text": "a"}, kind="reasoning")
    worse = event("function_call_arguments.delta", item_id="f", output_index=0, delta=5)
    assert [Unknown(odd), Unknown(worse)] == decoded(created(), odd, worse)[1:]


def test_an_event_may_be_named_outside_alone():
    """The frame's own name serves where the JSON has no type."""
    nameless = {k: v for k, v in delta("Hi").items() if k != "type"}
    told = decoded(created(), added(message()), frame(nameless, "response.output_text.delta"))
    assert TextDelta("Hi") == told[-1]


def test_fields_nobody_knows_are_kept():
    """Beside an event they are told where they are new; in the last, they are the answer's."""
    odd = {"provider": "p"}
    events = streamed(
        {**created(), **odd},
        {**added(message()), **odd},
        {**delta("a"), "trace": 1},
        {**delta("b"), "trace": 1},
        {**delta("c"), "trace": 2},
        {**done(message("abc", vendor={"x": 1})), **odd},
        {**completed(), "copilot_usage": {"n": 3}},
    )
    assert [odd, {"trace": 1}, {"trace": 2}] == [
        e.extra for e in only(Metadata, events) if e.choice == 0
    ]
    raw = raw_of(events)
    assert {"n": 3} == raw["copilot_usage"]
    assert {"x": 1} == raw["output"][0]["vendor"]


def test_logprobs_are_kept():
    """In the whole part; where none comes, those of the pieces."""
    probs = [{"token": t, "logprob": -0.5, "bytes": None, "top_logprobs": []} for t in "ab"]
    pieces = [delta(p["token"], logprobs=[p]) for p in probs]
    item = message(text_part("ab", logprobs=probs))
    for last in ([done(item)], []):
        raw = raw_of(streamed(created(), added(message()), *pieces, *last, completed()))
        assert probs == raw["output"][0]["content"][0]["logprobs"]


def test_parts_nobody_knows_are_kept():
    """A part of a type of its own has no words, and is in the answer as it came."""
    audio = {"type": "output_audio", "data": "AA==", "transcript": "t"}
    item = message("Hi", audio, 7)
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 1}
    part = event("content_part.added", **where, part=audio)
    events = streamed(created(), added(message()), delta("Hi"), part, done(item), completed())
    assert "Hi" == response_of(events).text
    assert [message("Hi", audio)] == raw_of(events)["output"]


def test_text_in_several_parts_and_messages():
    """Is one text, and each part has its own again."""
    output = [
        message("I will ", "look.", id_="msg_1", phase="commentary"),
        call("{}"),
        message("Done.", id_="msg_2", phase="final_answer"),
    ]
    for events in (
        DIALECT.read_buffered(body(*output)),
        streamed(
            created(),
            added(message(id_="msg_1", phase="commentary")),
            delta("I will "),
            delta("look.", content_index=1),
            done(output[0]),
            *called("{}", index=1),
            added(message(id_="msg_2", phase="final_answer"), 2),
            delta("Done.", 2, "msg_2"),
            done(output[2], 2),
            completed(*output),
        ),
    ):
        assert "I will look.Done." == response_of(events).text
        assert output == raw_of(events)["output"]


def test_parts_told_by_turns():
    """What cannot be cut out of the text is kept as it was said."""
    output = [message("ac", id_="msg_1"), message("bd", id_="msg_2")]
    begun = [added(message(id_=f"msg_{n + 1}"), n) for n in (0, 1)]
    turns = [delta(t, n % 2, f"msg_{n % 2 + 1}") for n, t in enumerate("abcd")]
    events = streamed(created(), *begun, *turns, completed(*output))
    assert "abcd" == response_of(events).text
    assert output == raw_of(events)["output"]


def test_what_is_empty_says_nothing():
    """A piece of nothing, a part that is none, an event that is an error and says no more."""
    empty = [delta(""), arguments_delta("", 1), event("content_part.added", output_index=0, part=1)]
    events = decoded(created(), added(message()), added(call(""), 1), *empty)
    assert [] == only((TextDelta, ToolCallDelta), events)
    with pytest.raises(InBandError, match="odd"):
        decoded(created(), frame({"odd": 1}, "error"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(0, 1) | st.sampled_from(["", "a"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=3,
)
GOOD = [
    created(),
    *said("Hel", "lo"),
    *called('{"a"', ":1}", index=1),
    done(reasoning("S", content=["r"]), 2),
    *[each for kind in (added, done) for each in [kind(search(), 3)]],
    done({"id": "sh", "type": "shell_call", "call_id": "c"}, 4),
    done({"id": "so", "type": "shell_call_output", "call_id": "c"}, 5),
    event("output_text.annotation.added", item_id="msg_1", output_index=0, annotation={"a": 1}),
    event("error", error={"message": "m"}),
    completed(message("Hello"), call('{"a":1}'), reasoning("S"), search(), custom("x")),
]


def paths(value, path=()):
    """The places in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from paths(item, (*path, key))


@st.composite
def nonsense(draw):
    """A stream whose events have anything anywhere."""
    stream = []
    for one in draw(st.lists(st.sampled_from(GOOD), max_size=8)):
        odd = json.loads(json.dumps(one))
        *where, key = draw(st.sampled_from(list(paths(odd))))
        at = odd
        for step in where:
            at = at[step]
        if draw(st.booleans()):
            at[key] = draw(JSON)
        stream.append(odd)
    return stream


@settings(max_examples=3 * settings.default.max_examples)
@given(nonsense())
def test_nonsense_is_the_providers_fault(stream):
    """Whatever JSON comes, what is raised is an error of the provider's, and `raw` is JSON."""
    decoder, events = DIALECT.decoder(), []
    for value in stream:
        try:
            events.extend(decoder.feed(frame(value, "message")))
        except ProviderError:
            break
    json.dumps(raw_of(events))
    encoder = DIALECT.encoder()
    for told in accumulated(events):
        encoder.encode(told)
    with suppress(ProviderError):
        decoder.eof()
    for value in stream:
        with suppress(ProviderError):
            DIALECT.read_buffered(value.get("response", value))


# -- how it judges


@pytest.mark.parametrize(
    ("status", "details", "reason", "finish"),
    [
        ("completed", None, "completed", "stop"),
        ("incomplete", {"reason": "max_output_tokens"}, "incomplete:max_output_tokens", "length"),
        ("incomplete", {"reason": "content_filter"}, "incomplete:content_filter", "content_filter"),
        ("incomplete", None, "incomplete", "other"),
        ("cancelled", None, "cancelled", "cancelled"),
    ],
)
def test_the_reason_is_the_status(status, details, reason, finish):
    """And the neutral word is what it means."""
    last = completed(message("Hi"), status=status, incomplete_details=details)
    for events in (
        streamed(created(), *said("Hi"), last),
        DIALECT.read_buffered(last["response"]),
    ):
        response = response_of(events)
        assert (reason, finish) == (response.finish_reason, response.finish)
        assert USAGE == response.raw["usage"]


def test_the_neutral_word_without_a_reason():
    """Nothing is known but that the answer is whole."""
    assert "stop" == DIALECT.finish(ChoiceFold(0))


def test_an_end_without_proof_is_truncated():
    """Text, a whole item, a connection that simply ends: nothing of it is an end."""
    with pytest.raises(TruncatedStream, match=r"response\.completed .* the answer had begun"):
        streamed(created(), *said("Hi"))


def test_nothing_at_all_is_no_answer():
    """Nor is a done marker alone."""
    for values in ((), ("[DONE]",), ({"type": "ping"},)):
        with pytest.raises(TruncatedStream, match="no answer came at all"):
            streamed(*values)


def test_a_done_marker_completes_where_the_last_event_is_missing():
    """It proves the end, of an answer without a reason."""
    events = streamed(created(), *said("Hi"), "[DONE]")
    response = response_of(events)
    assert ("done_marker", None, "stop") == (
        response.evidence,
        response.finish_reason,
        response.finish,
    )


def test_an_answer_of_nothing_is_one():
    """With its last event."""
    response = response_of(streamed(created(), completed()))
    assert ("", "stop", []) == (response.text, response.finish, response.raw["output"])


@pytest.mark.parametrize("last", ["[DONE]", completed()], ids=["marker", "completed"])
def test_a_call_that_broke_off_is_never_whole(last):
    """Whatever comes behind it; a custom tool's input is whole only where it is said to be."""
    with pytest.raises(TruncatedStream, match="the arguments of a call broke off"):
        streamed(created(), added(call("")), arguments_delta('{"a"'), last)


def test_a_model_cut_off_in_a_call_is_incomplete():
    """That is an answer; the call is none to act upon."""
    item = call('{"a"', status="incomplete")
    why = {"reason": "max_output_tokens"}
    last = completed(item, status="incomplete", incomplete_details=why)
    events = accumulated(
        streamed(created(), added(call("")), arguments_delta('{"a"'), done(item), last)
    )
    assert [] == only(ToolCallCompleted, events)
    assert "length" == events[-1].response.finish
    assert not events[-1].response.tool_calls[0].valid


def test_residue_says_why():
    """An error among the lines that are no framing is told; behind the end it is nothing."""
    decoder = DIALECT.decoder()
    decoded(created(), decoder=decoder)
    with pytest.raises(InBandError, match="too much"):
        decoder.eof('{"error": {"message": "too much"}}')
    with pytest.raises(TruncatedStream, match="the body also held 'abc'"):
        decoder.eof("abc")


def test_what_was_said():
    """Reasoning is not: only text, a refusal, or a call."""
    decoder = DIALECT.decoder()
    decoded(created(), added(reasoning()), summary_delta("S"), decoder=decoder)
    assert (False, None) == (decoder.said, decoder.evidence)
    decoded(added(message(), 1), delta("T", 1), decoder=decoder)
    assert decoder.said
    caller = DIALECT.decoder()
    decoded(added(call("")), decoder=caller)
    assert caller.said


# -- whole bodies


def test_a_whole_frame_is_a_buffered_body():
    """A provider that ignored the flag has answered."""
    whole = body(message("Hi"))
    events = list(DIALECT.decoder().feed(Frame(json.dumps(whole), whole=True)))
    assert list(DIALECT.read_buffered(whole)) == events
    assert ResponseCompleted(evidence="buffered") == events[-1]


def test_a_stream_of_one_event_may_look_like_a_body():
    """It is read as the event it is, and judged as a stream."""
    one = Frame(json.dumps(completed(message("Hi"))), whole=True)
    assert "Hi" == response_of(DIALECT.decoder().feed(one)).text
    with pytest.raises(TruncatedStream):
        list(DIALECT.decoder().feed(Frame(json.dumps(created()), whole=True)))


def test_a_page_as_a_body_is_malformed():
    """Its beginning is quoted."""
    with pytest.raises(MalformedStream, match="<html>"):
        list(DIALECT.decoder().feed(Frame("<html>", whole=True)))


@pytest.mark.parametrize("odd", [{}, [], "x", {"output": None}, {"choices": []}])
def test_a_body_that_is_no_response_is_malformed(odd):
    """The message says what to check."""
    with pytest.raises(MalformedStream, match="openai-responses"):
        DIALECT.read_buffered(odd)


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_response_still_to_come_is_no_answer(status):
    """As one that runs in the background."""
    with pytest.raises(MalformedStream, match=f"'{status}'"):
        DIALECT.read_buffered(body(status=status))


def test_an_error_as_a_body_is_raised():
    """Of a failed response, and without one."""
    error = {"code": "server_error", "message": "no luck"}
    for whole in ({"error": error}, body(status="failed", error=error)):
        with pytest.raises(InBandError, match="no luck") as caught:
            list(DIALECT.read_buffered(whole))
        assert ("server_error", 500) == (caught.value.provider_code, caught.value.status)
    with pytest.raises(InBandError, match="the response failed"):
        list(DIALECT.read_buffered(body(status="failed")))


def test_usage_is_read():
    """What is no count is none."""
    assert Usage(5, 2, 7, 1, 0) == DIALECT.usage(USAGE)
    assert Usage() == DIALECT.usage({"input_tokens": "5", "output_tokens_details": None})


# -- what stages change


def test_what_a_stage_changes_is_changed_in_the_answer():
    """Of several parts, too; what was cut out of the text stands nowhere else."""
    events = DIALECT.read_buffered(body(message("my secret ", "is out"), message("!", id_="m2")))
    changed = [
        TextDelta(e.text.replace("secret", "s")) if isinstance(e, TextDelta) else e for e in events
    ]
    output = raw_of(changed)["output"]
    texts = [part["text"] for item in output for part in item["content"]]
    assert "my s is out!" == "".join(texts)
    assert "secret" not in json.dumps(output)


def test_text_that_a_stage_takes_for_reasoning_gets_an_item():
    """As tags do; the message keeps what is left."""
    events = [
        ReasoningDelta("hm", 0, "reasoning_content") if e == TextDelta("hm") else e
        for e in streamed(created(), *said("hm", "Hi"), completed(message("hmHi")))
    ]
    thought, spoken = raw_of(events)["output"]
    assert [{"type": "reasoning_text", "text": "hm"}] == thought["content"]
    assert "Hi" == spoken["content"][0]["text"]


def test_an_answer_that_broke_off_has_what_came():
    """In the items that were begun, or in one of its own."""
    begun = decoded(
        created(), added(reasoning()), summary_delta("S"), added(message(), 1), delta("He", 1)
    )
    assert [reasoning("S"), message("He")] == raw_of(begun)["output"]
    assert "in_progress" == raw_of(begun)["status"]
    parts = [summary_delta("S"), summary_delta("T", place=1), summary_delta("U", place=2)]
    thinking = decoded(created(), added(reasoning()), *parts)
    assert [reasoning("S", "TU")] == raw_of(thinking)["output"]
    running = decoded(created(), added(search(status="searching")))
    assert [search(status="searching")] == raw_of(running)["output"]
    refused = [RefusalDelta("No"), TextDelta("a"), ReasoningDelta("b", 0, "reasoning")]
    thought, spoken = raw_of(refused)["output"]
    assert [{"type": "summary_text", "text": "b"}] == thought["summary"]
    assert ["output_text", "refusal"] == sorted(part["type"] for part in spoken["content"])


def test_reasoning_that_is_in_no_item_gets_one():
    """Of the model's own words; a refusal too."""
    thought, spoken = raw_of([RefusalDelta("No."), ReasoningDelta("hm"), Finished(0, "length")])[
        "output"
    ]
    assert [{"type": "reasoning_text", "text": "hm"}] == thought["content"]
    assert [{"type": "refusal", "refusal": "No."}] == spoken["content"]


def test_a_strangers_word_is_a_status():
    """Where nobody said one in this API's words."""
    cut = raw_of([TextDelta("He"), Finished(0, "length")])
    assert ("incomplete", {"reason": "max_output_tokens"}) == (
        cut["status"],
        cut["incomplete_details"],
    )
    assert "completed" == raw_of([TextDelta("Hi"), Finished(0, "stop")])["status"]


def test_a_field_may_be_called_like_an_item():
    """It is none."""
    response = body(message("Hi"), **{"output.x": 1})
    assert response == raw_of(DIALECT.read_buffered(response))


def test_text_behind_what_was_said_otherwise():
    """Is in no part: the provider's own words are the answer's."""
    events = streamed(created(), added(message()), delta("Ho"), done(message("Hi")), completed())
    events.insert(-1, TextDelta("!"))
    assert [message("Hi")] == raw_of(events)["output"]


def test_a_call_of_another_api_is_an_item():
    """Behind those whose place was told."""
    step = StepStarted("inference", "s")
    raw = raw_of([step, ToolCallStarted(0, "c", "f"), ToolCallDelta(0, "{}")])
    assert [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}] == raw[
        "output"
    ]
