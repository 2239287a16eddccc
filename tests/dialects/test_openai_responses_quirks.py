"""What the world makes of the Responses API, quirk by quirk (numbers: docs/reference/quirks.md)."""

import json

import pytest

from streamkit.errors import InBandError, MalformedStream
from streamkit.events import (
    Finished,
    Metadata,
    ReasoningDelta,
    ResponseStarted,
    StepCompleted,
    StepStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Unknown,
    UsageReported,
)
from streamkit.response import ToolCall, Usage

from .responses import (
    DIALECT,
    HEAD,
    USAGE,
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

FAILED = {"code": "rate_limit_exceeded", "message": "too large"}


def whole_call(arguments, index=0, id_="fc_1", kind="function_call_arguments"):
    """All the arguments of a call, as its last event has them."""
    field = "arguments" if kind == "function_call_arguments" else "input"
    return event(f"{kind}.done", item_id=id_, output_index=index, **{field: arguments})


# -- errors and ends


@pytest.mark.parametrize(
    "error",
    [
        event("error", error={"type": "tokens", **FAILED, "param": None}),
        event("error", **FAILED, param=None, sequence_number=2),
        event("failed", response={**HEAD, "status": "failed", "error": FAILED}),
        event("completed", response={**HEAD, "status": "failed", "error": FAILED}),
        frame({"error": FAILED}),
        frame(FAILED, "error"),
    ],
    ids=["nested", "flat", "failed", "failed inside", "bare", "named"],
)
def test_an_error_may_come_behind_the_beginning(error):
    """Quirk 68: it is raised with the provider's words and code, and is no visible content."""
    decoder = DIALECT.decoder()
    decoded(created(), decoder=decoder)
    events = iter(decoder.feed(error if not isinstance(error, dict) else frame(error)))
    told = []
    with pytest.raises(InBandError, match="too large") as caught:
        told.extend(events)
    assert ("rate_limit_exceeded", 429) == (caught.value.provider_code, caught.value.status)
    assert (False, None) == (decoder.said, decoder.evidence)


def test_an_error_that_is_no_json():
    """Quirk 68: the event's name alone says what it is."""
    with pytest.raises(InBandError, match="upstream"):
        decoded(created(), frame("upstream gone", "error"))


def test_a_failure_keeps_what_came():
    """Quirk 69: text, usage and status are told before the error is raised."""
    last = event("failed", response={**HEAD, "status": "failed", "error": FAILED, "usage": USAGE})
    decoder, told = DIALECT.decoder(), []
    decoded(created(), added(message()), delta("He"), decoder=decoder)
    with pytest.raises(InBandError):
        told.extend(decoder.feed(frame(last)))
    assert [UsageReported(Usage(5, 2, 7, 1, 0), USAGE)] == only(UsageReported, told)
    assert [Finished(0, "failed")] == only(Finished, told)
    assert decoder.said


def test_an_incomplete_answer_is_an_answer():
    """Quirk 69: with its reason, its usage and its text."""
    item = message("He", status="incomplete")
    why = {"reason": "max_output_tokens"}
    last = completed(item, status="incomplete", incomplete_details=why)
    response = response_of(streamed(created(), added(message()), delta("He"), done(item), last))
    assert ("He", "incomplete:max_output_tokens", "length") == (
        response.text,
        response.finish_reason,
        response.finish,
    )
    assert (7, "incomplete", [item]) == (
        response.usage.total_tokens,
        response.raw["status"],
        response.raw["output"],
    )


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("completed", "incomplete", "incomplete:content_filter"),
        ("incomplete", "completed", "completed"),
        ("done", None, "completed"),
        ("incomplete", "in_progress", "incomplete:content_filter"),
        ("cancelled", "cancelled", "cancelled"),
    ],
)
def test_the_status_inside_counts(kind, status, reason):
    """Quirk 70: not the event's name, unless the status says nothing of an end."""
    response = body(message("a"), status=status, incomplete_details={"reason": "content_filter"})
    last = event(kind, response=response)
    assert reason == response_of(streamed(created(), *said("a"), last)).finish_reason


def test_a_last_event_without_a_response():
    """Quirk 70: its name is all there is, and counts."""
    response = response_of(streamed(created(), *said("a"), event("completed")))
    assert ("completed", "a", [message("a")]) == (
        response.finish_reason,
        response.text,
        response.raw["output"],
    )


# -- items


@pytest.mark.parametrize("output", [[], None], ids=["empty", "null"])
def test_the_last_event_may_have_no_output(output):
    """Quirk 106: then the items are what was told."""
    items = [reasoning(encrypted_content="g"), call("{}"), search(), message("Hi", id_="msg_9")]
    stream = [created(), done(items[0]), *called("{}", index=1), done(items[2], 2)]
    last = completed()
    last["response"]["output"] = output
    response = response_of(streamed(*stream, *said("Hi", index=3, id_="msg_9"), last))
    assert items == response.raw["output"]
    assert ("Hi", "tool_calls") == (response.text, response.finish)
    assert "completed" == response.raw["status"]


def test_deltas_alone_are_an_answer():
    """Quirk 106: no item was ever whole, and the last event has none."""
    stream = [created(), added(message(), 0), delta("Hel"), delta("lo"), added(call(""), 1)]
    stream += [arguments_delta("{}", 1), added(search(status="searching"), 2)]
    response = response_of(streamed(*stream, completed()))
    output = [message("Hello"), call("{}"), search(status="searching")]
    assert output == response.raw["output"]


def test_ids_may_change_from_event_to_event():
    """Quirk 107: then the place counts, and for a call its own id; the last ids are kept."""
    stream = [
        created(),
        added(message(id_="a"), 0),
        delta("Hel", 0, "b"),
        delta("lo", 0, "c"),
        done(message("Hello", id_="d"), 0),
        added(call("", id_="e"), 1),
        arguments_delta('{"a"', 1, "f"),
        arguments_delta(":1}", 1, "g"),
        whole_call('{"a":1}', 1, "h"),
        done(call('{"a":1}', id_="i"), 1),
        event("in_progress", response={**HEAD, "id": "resp_2"}),
    ]
    output = [message("Hello", id_="j"), call('{"a":1}', id_="k")]
    response = response_of(streamed(*stream, completed(*output, id="resp_3")))
    assert ("Hello", 1) == (response.text, len(response.tool_calls))
    assert output == response.raw["output"]
    assert "resp_3" == response.raw["id"]


def test_ids_and_places_may_be_missing():
    """Quirk 107: what names no item is about the last of its kind, until it is whole."""
    stream = [created(), event("output_item.added", item=message()), delta("a", None, None)]
    stream += [event("output_item.done", item=message("a"))]
    stream += [event("output_item.added", item=message(id_="msg_2")), delta("b", None, None)]
    stream += [event("output_item.added", item=call("")), arguments_delta("{}", None, None)]
    stream += [event("output_item.done", item=call("{}"))]
    response = response_of(streamed(*stream, completed()))
    output = [message("a"), message("b", id_="msg_2"), call("{}")]
    assert output == response.raw["output"]


def test_one_place_may_be_said_of_every_item():
    """Quirk 107: then ids count; places are made up."""
    stream = [created(), *said("a"), *said("b", id_="msg_2"), *called("{}"), added(call(""))]
    response = response_of(streamed(*stream, completed()))
    assert [message("a"), message("b", id_="msg_2"), call("{}")] == response.raw["output"]


def test_another_call_id_is_another_call():
    """Quirk 107: whatever its place; the same one again is the same call."""
    two = [call('{"a":1}'), call('{"a":2}', "fc_2", "call_2")]
    stream = [created(), done(two[0], 0), done(two[1], 0), done(call('{"a":1}', "fc_9"), 5)]
    events = streamed(*stream, completed(*two))
    assert [("call_1", '{"a":1}'), ("call_2", '{"a":2}')] == [
        (c.id, c.arguments) for c in response_of(events).tool_calls
    ]
    assert two == raw_of(events)["output"]


def test_a_calls_own_id_may_change():
    """Quirk 107: its item or its place says that it is the same; the first id is the call's."""
    for last in (call("{}", call_id=""), call("{}", call_id="call_9"), call("{}", "x", "call_9")):
        stream = [created(), *called("{}")[:-1], done(last)]
        response = response_of(streamed(*stream, completed()))
        assert ["call_1"] == [told.id for told in response.tool_calls]
        assert [{**last, "call_id": last["call_id"] or "call_1"}] == response.raw["output"]


def test_arguments_may_come_without_deltas():
    """Quirk 108: in their last event, in the whole item, or only in the whole answer."""
    begun, whole = added(call("")), call('{"a":1}')
    for stream in (
        [begun, whole_call('{"a":1}'), done(whole)],
        [begun, done(whole)],
        [done(whole)],
        [begun],
        [],
        [begun, arguments_delta('{"a"'), done(whole)],
        [begun, arguments_delta('{"a":1}'), whole_call(""), done(whole)],
        [begun, arguments_delta('{"a" : 1}'), done(whole)],
    ):
        response = response_of(streamed(created(), *stream, completed(whole)))
        (told,) = response.tool_calls
        assert {"a": 1} == json.loads(told.arguments)
        assert ("call_1", "look", True) == (told.id, told.name, told.valid)


def test_arguments_may_be_an_object():
    """Quirk 108: it is written as JSON text, once."""
    response = response_of(streamed(created(), done(call({"a": 1})), completed()))
    assert ToolCall("call_1", "look", '{"a":1}', valid=True) == response.tool_calls[0]


def test_arguments_may_come_with_the_beginning():
    """Quirk 108: they count where nothing else is said of them."""
    for rest in ([], [arguments_delta("{}"), done(call("{}"))]):
        response = response_of(streamed(created(), added(call("{}")), *rest, completed()))
        assert ("{}",) == tuple(c.arguments for c in response.tool_calls)


def test_an_input_may_be_whole_before_its_item():
    """Quirk 108: nothing of it is cut, though the item has no end."""
    kind = "custom_tool_call_input"
    stream = [added(custom("")), arguments_delta("x = {", 0, "ctc_1", kind)]
    stream += [whole_call("x = {", 0, "ctc_1", kind)]
    (told,) = response_of(streamed(created(), *stream, completed())).tool_calls
    assert "x = {" == told.arguments


def test_a_call_may_be_named_late():
    """Quirk 108: a piece of one that never began is one of a call that is named in the end."""
    events = streamed(created(), arguments_delta("{}"), done(call("{}")), completed())
    assert (ToolCall("call_1", "look", "{}", valid=True),) == response_of(events).tool_calls
    assert [call("{}")] == raw_of(events)["output"]
    assert "" == only(ToolCallStarted, events)[0].name


def test_lost_arguments_are_not_made_up_for():
    """Quirk 109: pieces that add up to another call than the whole one break the stream."""
    for stream in (
        [added(call("")), arguments_delta('{"a":2}'), done(call('{"a":12}'))],
        [
            added(custom("")),
            arguments_delta("ac", 0, "ctc_1", "custom_tool_call_input"),
            whole_call("abc", 0, "ctc_1", "custom_tool_call_input"),
        ],
    ):
        with pytest.raises(MalformedStream, match="pieces were lost"):
            streamed(created(), *stream)


def test_arguments_may_grow():
    """Quirk 109: pieces that each hold all so far are the last of them."""
    stream = [added(call("")), arguments_delta('{"a"'), arguments_delta('{"a":1}')]
    for last in ([], [done(call('{"a":1}'))]):
        (told,) = response_of(streamed(created(), *stream, *last, completed())).tool_calls
        assert ('{"a":1}', True) == (told.arguments, told.valid)


def test_broken_pieces_give_way_to_the_whole():
    """Quirk 109: what is no JSON, and no beginning of any, is replaced by what is."""
    stream = [added(call("")), arguments_delta("}{"), done(call('{"a":1}'))]
    (told,) = response_of(streamed(created(), *stream, completed())).tool_calls
    assert ('{"a":1}', True) == (told.arguments, told.valid)


def test_parts_may_count_from_elsewhere():
    """Quirk 110: an index is a name; in the whole item the parts are in order."""
    item = message("Hel", "lo")
    pieces = [delta("Hel", content_index=1), delta("lo", content_index=2)]
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 1}
    whole = event("output_text.done", **where, text="Hel")
    events = streamed(created(), added(message()), *pieces, whole, done(item), completed(item))
    assert "Hello" == response_of(events).text
    assert [item] == raw_of(events)["output"]


def test_two_parts_may_have_one_index():
    """Quirk 110: then their kind says which is meant."""
    part = event("content_part.added", item_id="msg_1", output_index=0, part=text_part(""))
    pieces = [delta("Hm. "), delta("N", kind="refusal"), delta("So. "), delta("o.", kind="refusal")]
    for begun in ([], [part]):
        events = streamed(created(), added(message()), *begun, *pieces, completed())
        response = response_of(events)
        assert ("Hm. So. ", "No.") == (response.text, response.refusal)
        assert [text_part("Hm. So. "), {"type": "refusal", "refusal": "No."}] == response.raw[
            "output"
        ][0]["content"]
    events = streamed(created(), added(message()), part, *pieces[1::2], completed())
    assert [{"type": "refusal", "refusal": "No."}] == raw_of(events)["output"][0]["content"]


def test_items_may_count_from_elsewhere():
    """Quirk 110: one that is said again is the first of its kind that may be it."""
    items = [message("a", id_="x"), search(id_="y"), message("b", id_="z")]
    stream = [created(), *said("a", index=3, id_="1"), done(search(id_="2"), 5)]
    stream += said("b", index=8, id_="3")
    events = streamed(*stream, completed(*items))
    assert "ab" == response_of(events).text
    assert items == raw_of(events)["output"]
    assert (1, 1) == (len(only(StepStarted, events)), len(only(StepCompleted, events)))


def test_an_item_the_answer_leaves_out_is_not_in_it():
    """Quirk 110: it was told, and stays told; the answer's own JSON is the provider's."""
    stream = [created(), done(search(), 0), *said("a", index=1)]
    events = streamed(*stream, completed(message("a")))
    assert [message("a")] == raw_of(events)["output"]
    assert [Metadata(None, {"output.0": {}})] == [
        e for e in events if e == Metadata(None, {"output.0": {}})
    ]


def test_reasoning_may_be_the_models_own_words():
    """Quirk 111: with parts of a name of their own, or of another's, or with none."""
    item = reasoning(content=["think"])
    where = {"item_id": "rs_1", "output_index": 0, "content_index": 0}
    part = {"type": "reasoning_text", "text": ""}
    for kind in ("reasoning_part", "content_part", None):
        begun = [event(f"{kind}.added", **where, part=part)] if kind else []
        ended = [event(f"{kind}.done", **where, part={**part, "text": "think"})] if kind else []
        pieces = [delta(p, 0, "rs_1", "reasoning_text") for p in ("th", "ink")]
        stream = [created(), added(reasoning()), *begun, *pieces, *ended, done(item)]
        events = streamed(*stream, completed(item))
        assert ["th", "ink"] == [e.text for e in only(ReasoningDelta, events)]
        assert [item] == raw_of(events)["output"]


def test_reasoning_may_come_whole():
    """Quirk 111: without a delta, in the part or in the item."""
    part = {"type": "summary_text", "text": "Sum"}
    where = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
    for last in ([event("reasoning_summary_part.done", **where, part=part)], []):
        events = streamed(created(), added(reasoning()), *last, done(reasoning("Sum")), completed())
        assert [ReasoningDelta("Sum", 0, "reasoning")] == only(ReasoningDelta, events)


def test_text_may_come_whole():
    """Quirk 111: in one last event, in the part, in the item, or in the answer."""
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    for stream in (
        [added(message()), event("output_text.done", **where, text="Hi")],
        [added(message()), event("content_part.done", **where, part=text_part("Hi"))],
        [added(message("Hi"))],
        [done(message("Hi"))],
        [],
    ):
        events = streamed(created(), *stream, completed(message("Hi")))
        assert [TextDelta("Hi")] == only(TextDelta, events)
        assert [message("Hi")] == raw_of(events)["output"]


def test_a_whole_text_may_be_another():
    """Quirk 111: what was told stays told; in `raw` are the provider's words, blanks apart."""
    for whole, text in (("Hi ", "Hi "), ("Ho", "Hi"), ("", "Hi"), ("H", "Hi")):
        events = streamed(
            created(), added(message()), delta("Hi"), done(message(whole)), completed()
        )
        response = response_of(events)
        assert text == response.text
        assert [message(whole or "Hi")] == response.raw["output"]


def test_a_whole_text_may_lack_blanks():
    """Quirk 111: then it is what was told."""
    pieces = [delta("\n Hi"), delta(" ")]
    for last in ([], [message("\nHi")]):
        stream = [created(), added(message()), *pieces, done(message("Hi")), completed(*last)]
        assert [message("\n Hi ")] == raw_of(streamed(*stream))["output"]


def test_a_stream_may_begin_in_its_midst():
    """Quirk 112: resumed, it has no beginning; the answer is whole in the end."""
    output = [message("Hello"), call('{"a":1}', status="completed")]
    stream = [delta("lo"), done(output[0]), arguments_delta('{"a":1}', 1), done(output[1], 1)]
    events = streamed(*stream, completed(*output))
    response = response_of(events)
    assert ResponseStarted() == events[0]
    assert ("lo", ("call_1",)) == (response.text, tuple(c.id for c in response.tool_calls))
    assert output == response.raw["output"]
    assert ("resp_1", "m-1", 17) == tuple(response.raw[k] for k in ("id", "model", "created_at"))


def test_the_first_event_may_be_the_last():
    """Quirk 112: everything is in it."""
    response = response_of(streamed(completed(message("Hi"))))
    assert ("Hi", body(message("Hi"))) == (response.text, response.raw)


def test_an_item_may_never_be_whole():
    """Quirk 113: the answer's end ends it."""
    tools = {"id": "mcpl_1", "type": "mcp_list_tools", "server_label": "s", "tools": []}
    whole = {**tools, "tools": [{"name": "ask"}]}
    for output in ([whole], []):
        events = streamed(created(), added(tools), completed(*output))
        assert 1 == len(only(StepCompleted, events))
        assert (output or [tools]) == raw_of(events)["output"]


def test_an_item_may_be_told_as_begun_twice():
    """Quirk 113: it began once; what begins without an item is nothing."""
    stream = [
        created(),
        added(search()),
        added(search()),
        added(None),
        done(None),
        *said("a", index=1),
    ]
    events = streamed(*stream, completed(search(), message("a")))
    assert 1 == len(only(StepStarted, events))
    assert [search(), message("a")] == raw_of(events)["output"]


def test_numbers_and_padding_say_nothing():
    """Quirk 114: with and without them the events are the same."""
    plain = [created(), *said("Hel", "lo"), *called("{}", index=1), completed()]
    padded = [{**e, "sequence_number": n, "obfuscation": "x" * n} for n, e in enumerate(plain)]
    assert streamed(*plain) == streamed(*padded)


def test_a_done_marker_may_come_behind_the_end():
    """Quirk 114: nobody waits for it."""
    events = streamed(created(), *said("a"), completed(message("a")), "[DONE]")
    assert "finish_reason" == events[-1].evidence


def test_strangers_may_come_before_the_beginning():
    """Quirk 115: they begin nothing; an error among them is one."""
    limits = {"type": "codex.rate_limits", "plan_type": "plus"}
    events = streamed(limits, created(), *said("a"), completed(message("a")))
    assert [Unknown(limits, "codex.rate_limits")] == events[:1]
    assert "a" == response_of(events).text
    with pytest.raises(InBandError, match="too large"):
        decoded(limits, event("error", error=FAILED))


def test_usage_may_come_before_the_end():
    """Quirk 116: it is replaced per field; a later null erases none."""
    early = {**USAGE, "output_tokens": 1, "cost": 3}
    stream = [event("in_progress", response={**HEAD, "usage": early}), *said("a")]
    events = streamed(created(), *stream, completed(message("a"), usage={"output_tokens": 2}))
    assert {**early, "output_tokens": 2} == raw_of(events)["usage"]
    last = completed(message("a"), usage=None)
    assert early == raw_of(streamed(created(), *stream, last))["usage"]


def test_reasoning_is_not_mixed_up_with_text():
    """Quirk 111: told by turns, each has its own again."""
    output = [reasoning("ac"), message("bd")]
    stream = [created(), added(reasoning()), summary_delta("a"), added(message(), 1)]
    stream += [delta("b", 1), summary_delta("c"), delta("d", 1), done(output[1], 1)]
    events = streamed(*stream, done(output[0]), completed(*output))
    assert ("bd", "ac") == (response_of(events).text, response_of(events).reasoning)
    assert output == raw_of(events)["output"]


def test_a_piece_behind_the_whole_is_told():
    """Quirk 113: late, but told."""
    events = streamed(created(), *called("{}"), arguments_delta(" "), completed())
    assert "{} " == response_of(events).tool_calls[0].arguments
    assert ToolCallDelta(0, " ") in events
