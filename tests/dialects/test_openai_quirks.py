"""What the world makes of openai-chat, quirk by quirk (numbers: docs/reference/quirks.md)."""

import pytest

from streamkit.errors import TruncatedStream
from streamkit.events import (
    Citation,
    Finished,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
    ResponseCompleted,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from streamkit.response import Usage
from streamkit.stages import Suppressor

from .chat import (
    DIALECT,
    DONE,
    HEAD,
    USAGE,
    chunk,
    decoded,
    message_of,
    raw_of,
    reasoning_of,
    refusal_of,
    streamed,
    text_of,
    usage_chunk,
)
from .spoken import answer_of, only

STOP = chunk({}, "stop")
FILTERED = {"hate": {"filtered": False, "severity": "safe"}}


def tool(arguments="", name=None, *, id=None, index=0, **fields):  # noqa: A002
    """A chunk of one piece of a tool call."""
    piece = {"function": {"arguments": arguments, **({"name": name} if name else {})}, **fields}
    piece |= {k: v for k, v in {"index": index, "id": id}.items() if v is not None}
    return chunk({"tool_calls": [piece]})


def calls_of(events):
    """The calls of the first choice, settled: id, name, arguments."""
    calls = [call.tool_call() for call in answer_of(events).choices[0].calls]
    return [(call.id, call.name, call.arguments) for call in calls]


def test_usage_comes_in_a_chunk_without_choices():
    """Quirk 26: ``choices: []`` and usage at the end is a report, and no content."""
    events = streamed(chunk({"content": "a"}), STOP, usage_chunk())
    assert [UsageReported(Usage(5, 2, 7), USAGE)] == only(UsageReported, events)
    assert USAGE == raw_of(events)["usage"]


def test_usage_comes_without_a_choices_key():
    """Quirk 27: a missing list is an empty one, with or without an envelope."""
    for late in ({"usage": USAGE}, {**HEAD, "usage": USAGE}):
        events = streamed(chunk({"content": "a"}), STOP, late)
        assert ("a", USAGE) == (text_of(events), raw_of(events)["usage"])


def test_choices_may_be_null():
    """Quirk 28: null is an empty list."""
    events = streamed({**HEAD, "choices": None}, chunk({"content": "a"}), STOP)
    assert "a" == text_of(events)
    assert 1 == len(only(ResponseStarted, events))


def test_a_delta_may_be_null():
    """Quirk 29: a choice without a delta still has its other fields."""
    annotated = {"index": 0, "delta": None, "content_filter_offsets": {"start": 1}}
    events = streamed(chunk({"content": "a"}), chunk(choices=[annotated]), STOP)
    assert "a" == text_of(events)
    assert {"start": 1} == raw_of(events)["choices"][0]["content_filter_offsets"]


def test_azures_first_chunk_is_metadata():
    """Quirk 30: an empty envelope with filter results is no content, no id and no model."""
    empty = {"id": "", "object": "", "created": 0, "model": "", "choices": []}
    results = [{"prompt_index": 0, "content_filter_results": FILTERED}]
    azure = {**empty, "prompt_filter_results": results}
    events = streamed(azure, chunk({"content": "a"}), STOP)
    assert isinstance(events[0], Metadata)
    assert [(HEAD["id"], "m-1")] == [(e.id, e.model) for e in only(ResponseStarted, events)]
    raw = raw_of(events)
    assert (results, HEAD["id"], "m-1", 17, "chat.completion") == (
        raw["prompt_filter_results"], raw["id"], raw["model"], raw["created"], raw["object"],
    )  # fmt: skip


def test_azures_late_filter_chunks_are_metadata():
    """Quirk 30: ``object: ""`` and an empty id change nothing of what is known."""
    late = {"index": 0, "delta": {}, "finish_reason": None, "content_filter_results": FILTERED}
    head = {"id": "", "object": "", "created": 0, "model": ""}
    events = streamed(chunk({"content": "a"}), STOP, chunk(choices=[late], head=head))
    raw = raw_of(events)
    assert (HEAD["id"], "m-1", 17) == (raw["id"], raw["model"], raw["created"])
    assert FILTERED == raw["choices"][0]["content_filter_results"]


@pytest.mark.parametrize("role", ["assistant", "", None])
def test_a_role_may_come_with_every_chunk(role):
    """Quirk 31: a repeated, empty or missing role tells nothing new."""
    events = streamed(*[chunk({"role": role, "content": c}) for c in "abc"], STOP)
    assert {"role": "assistant", "content": "abc"} == message_of(events)
    assert not only(Metadata, events)


def test_another_role_is_kept():
    """Quirk 31: a role that is not the usual one is the message's."""
    assert "tool" == message_of(streamed(chunk({"role": "tool", "content": "a"}), STOP))["role"]


def test_the_first_id_and_model_count():
    """Quirk 32: a router may change them on the way, or leave them out."""
    others = [{**HEAD, "id": "", "model": ""}, {**HEAD, "id": "b", "model": "n", "created": 99}]
    events = streamed(
        chunk({"content": "a"}), *[chunk({"content": "a"}, head=h) for h in others], STOP
    )
    raw = raw_of(events)
    assert (HEAD["id"], "m-1", 17, "aaa") == (
        raw["id"],
        raw["model"],
        raw["created"],
        text_of(events),
    )
    assert 1 == len(only(ResponseStarted, events))


def test_an_empty_first_id_is_filled():
    """Quirk 32: the first that is not empty counts."""
    empty = {**HEAD, "id": "", "model": ""}
    events = streamed(chunk({"content": "a"}, head=empty), chunk({"content": "b"}), STOP)
    raw = raw_of(events)
    assert (HEAD["id"], "m-1") == (raw["id"], raw["model"])


def test_an_empty_finish_reason_is_none():
    """Quirk 33: a reason of no letters ends nothing."""
    with pytest.raises(TruncatedStream):
        streamed(*[chunk({"content": c}, "") for c in "ab"])
    events = streamed(*[chunk({"content": c}, "") for c in "ab"], STOP)
    assert [Finished(0, "stop")] == only(Finished, events)


def test_usage_in_every_chunk_is_replaced():
    """Quirk 34: each report replaces the one before, field by field, and none is summed."""
    reports = [{"prompt_tokens": 5, "completion_tokens": n, "cost": n} for n in (1, 2, 3)]
    chunks = [chunk({"content": "a"}, usage=report) for report in reports]
    events = streamed(*chunks, chunk({}, "stop", usage={"total_tokens": 8, "cost": None}))
    assert {**reports[-1], "total_tokens": 8} == raw_of(events)["usage"]


@pytest.mark.parametrize("nothing", [None, {}])
def test_a_later_chunk_without_usage_erases_none(nothing):
    """Quirk 34: what was reported stays."""
    events = streamed(chunk({"content": "a"}, usage=USAGE), chunk({}, "stop", usage=nothing))
    assert USAGE == raw_of(events)["usage"]


def test_usage_may_stand_in_an_envelopes_own_field():
    """Quirk 34: older streams of Groq's report it beside their own id."""
    events = streamed(
        chunk({"content": "a"}, x_groq={"id": "r"}), chunk({}, "stop", x_groq={"usage": USAGE})
    )
    assert USAGE == raw_of(events)["usage"]
    alone = streamed(chunk({"content": "a"}), chunk(choices=[], x_groq={"usage": USAGE}))
    assert ResponseCompleted(evidence="usage") == alone[-1]


def test_usage_may_come_after_the_finish_reason():
    """Quirk 35: the stream is read on, and its usage is not lost."""
    decoder = DIALECT.decoder()
    assert not only(ResponseCompleted, decoded(chunk({"content": "a"}), STOP, decoder=decoder))
    assert "finish_reason" == decoder.evidence
    assert 1 == len(only(UsageReported, decoded(usage_chunk(), decoder=decoder)))


def test_a_stream_may_never_close():
    """Quirk 36: at the done marker the answer is complete."""
    assert (
        ResponseCompleted(evidence="finish_reason")
        == decoded(chunk({"content": "a"}), STOP, DONE)[-1]
    )


def test_content_may_be_a_list_of_parts():
    """Quirk 38: parts are reasoning or text, in whatever shape they say it."""
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "h"}, "m", {"text": None}, 7]},
        {"type": "thinking", "thinking": "m"},
        {"type": "thinking", "thinking": []},
        {"type": "text", "text": "a"},
        {"type": "text", "text": ""},
        "b",
        7,
        {"type": "image", "url": "u"},
    ]
    events = streamed(chunk({"content": parts}), STOP)
    assert ("hmm", "ab") == (reasoning_of(events), text_of(events))
    assert "" not in [event.text for event in only(TextDelta, events)]
    assert [parts[-1]] == message_of(events)["content_parts"]


def test_text_may_come_with_and_after_the_finish_reason():
    """Quirk 39: a delta is read before its reason, and late text is text."""
    events = streamed(chunk({"content": "a"}, "stop"), chunk({"content": "b"}), DONE)
    assert "ab" == text_of(events)
    kept = [event for event in events if isinstance(event, TextDelta | Finished)]
    assert [TextDelta("a"), Finished(0, "stop"), TextDelta("b")] == kept


@pytest.mark.parametrize(
    ("reasons", "kept"),
    [
        (["tool_calls", "stop"], "tool_calls"),
        (["stop", "stop"], "stop"),
        (["stop", "length"], "length"),
        (["stop", "content_filter", "stop"], "content_filter"),
    ],
)
def test_the_first_finish_reason_counts(reasons, kept):
    """Quirk 40: unless a later one tells of a cut or a filter."""
    raw = raw_of(streamed(chunk({"content": "a"}), *[chunk({}, reason) for reason in reasons]))
    assert kept == raw["choices"][0]["finish_reason"]


def test_fields_beside_a_second_finish_reason_are_kept():
    """Quirk 40: a reason said twice may bring what the first did not."""
    late = {"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "</s>"}
    raw = raw_of(streamed(chunk({"content": "a"}, "stop"), chunk(choices=[late])))
    assert "</s>" == raw["choices"][0]["stop_reason"]


@pytest.mark.parametrize("index", [{}, {"index": None}])
def test_a_tool_index_may_be_missing(index):
    """Quirk 41: pieces without one go on with the open call."""
    first = {"id": "c1", "function": {"name": "f", "arguments": "{"}, **index}
    more = {"function": {"arguments": "}"}, **index}
    events = streamed(chunk({"tool_calls": [first]}), chunk({"tool_calls": [more]}), STOP)
    assert [("c1", "f", "{}")] == calls_of(events)


def test_all_calls_may_have_index_0():
    """Quirk 42: another id is another call, and so is another name behind a whole one."""
    for ids in (("c1", "c2"), (None, None)):
        events = streamed(tool("{}", "f", id=ids[0]), tool('{"a":1}', "g", id=ids[1]), STOP)
        assert [("f", "{}"), ("g", '{"a":1}')] == [call[1:] for call in calls_of(events)]


def test_the_first_index_may_not_be_0():
    """Quirk 43: calls are counted in the order they began, whatever their indexes."""
    events = streamed(tool("{}", "f", id="c1", index=3), tool("[]", "g", id="c2", index=7), STOP)
    assert [0, 1] == [event.call for event in only(ToolCallStarted, events)]


def test_one_index_may_come_twice_in_one_delta():
    """Quirk 44: pieces of one call in one chunk are joined in order."""
    pieces = [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{"}}]
    pieces += [{"index": 0, "function": {"arguments": "}"}}]
    assert [("c1", "f", "{}")] == calls_of(streamed(chunk({"tool_calls": pieces}), STOP))


def test_several_calls_may_come_in_one_delta():
    """Quirk 45: each is a call."""
    pieces = [
        {"index": n, "id": f"c{n}", "function": {"name": "f", "arguments": "{}"}} for n in (0, 1)
    ]
    events = streamed(chunk({"tool_calls": pieces}), STOP)
    assert [("c0", "f", "{}"), ("c1", "f", "{}")] == calls_of(events)


@pytest.mark.parametrize("absent", [{}, {"id": None}, {"id": ""}])
def test_a_call_may_have_no_id(absent):
    """Quirk 46: a call without one is not lost, and is given none."""
    piece = {"index": 0, "function": {"name": "f", "arguments": "{}"}, **absent}
    events = streamed(chunk({"tool_calls": [piece]}), STOP)
    assert [("", "f", "{}")] == calls_of(events)
    assert "" == message_of(events)["tool_calls"][0]["id"]


def test_an_id_may_come_with_every_delta():
    """Quirk 47: it goes on with the call."""
    events = streamed(tool("{", "f", id="c1"), tool("}", id="c1"), STOP)
    assert [("c1", "f", "{}")] == calls_of(events)


def test_a_name_may_come_with_every_delta():
    """Quirk 48: it is set once."""
    assert [("c1", "f", "{}")] == calls_of(streamed(tool("{", "f", id="c1"), tool("}", "f"), STOP))


def test_a_name_may_come_in_pieces():
    """Quirk 49: they are one name."""
    assert [("c1", "fg", "{}")] == calls_of(streamed(tool("", "f", id="c1"), tool("{}", "g"), STOP))


@pytest.mark.parametrize("function", [{"name": "f"}, {"name": "f", "arguments": None}])
def test_arguments_may_be_absent(function):
    """Quirk 50: null is an empty text."""
    piece = {"index": 0, "id": "c1", "function": function}
    assert [("c1", "f", "{}")] == calls_of(
        streamed(chunk({"tool_calls": [piece]}), tool("{}"), STOP)
    )


def test_a_call_without_arguments_gets_none():
    """Quirk 50: nothing is invented where nothing was sent."""
    assert [("c1", "f", "")] == calls_of(streamed(tool("", "f", id="c1"), STOP))


def test_arguments_may_be_an_object():
    """Quirk 51: it is written once, as JSON text."""
    assert [("c1", "f", '{"a":1}')] == calls_of(streamed(tool({"a": 1}, "f", id="c1"), STOP))


def test_arguments_may_be_sent_again():
    """Quirk 52: partial ones and then the whole are the whole."""
    events = streamed(tool('{"a"', "f", id="c1"), tool(":1}"), tool('{"a":1}'), STOP)
    assert [("c1", "f", '{"a":1}')] == calls_of(events)


def test_arguments_may_be_cumulative():
    """Quirk 53: each all so far, the last one is the whole."""
    events = streamed(tool('{"a"', "f", id="c1"), tool('{"a":'), tool('{"a":1}'), STOP)
    assert [("c1", "f", '{"a":1}')] == calls_of(events)


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("tool_calls", "stop"), ("length", "length"), ("content_filter", "content_filter")],
)
def test_calls_may_end_in_stop(finish, reason):
    """Quirk 54: the neutral word is judged by what came, the provider's own is kept."""
    (choice,) = answer_of(streamed(tool("{}", "f", id="c1"), chunk({}, reason))).ordered()
    assert (finish, reason) == (DIALECT.finish(choice), choice.finish_reason)


def test_calls_may_end_without_a_reason():
    """Quirk 55: the done marker ends them, and the neutral word is inferred."""
    events = streamed(tool("{}", "f", id="c1"), DONE)
    (choice,) = answer_of(events).ordered()
    assert (ResponseCompleted(evidence="done_marker"), "tool_calls", None) == (
        events[-1], DIALECT.finish(choice), choice.finish_reason,
    )  # fmt: skip


def test_arguments_may_be_cut():
    """Quirk 56: a stream that ends inside them is truncated, and they are not valid."""
    chunks = [tool('{"a', "f", id="c1"), tool('":')]
    with pytest.raises(TruncatedStream):
        streamed(*chunks)
    (call,) = answer_of(decoded(*chunks)).choices[0].calls
    assert ('{"a":', False) == (call.tool_call().arguments, call.tool_call().valid)


def test_a_thought_signature_is_kept():
    """Quirk 57: what the next turn must send back is in the answer."""
    signature = {"google": {"thought_signature": "c2ln"}}
    events = streamed(tool("{", "f", id="c1", extra_content=signature), tool("}"), STOP)
    assert signature == message_of(events)["tool_calls"][0]["extra_content"]


def test_arguments_may_come_in_one_piece():
    """Quirk 59: a long silence and then all of it is a call like any other."""
    events = streamed(tool("", "f", id="c1"), tool('{"a":[1,2]}'), STOP)
    assert [ToolCallDelta(0, '{"a":[1,2]}')] == only(ToolCallDelta, events)


@pytest.mark.parametrize("pieces", [None, [], ["x"], [None], {}])
def test_no_calls_are_none(pieces):
    """A list without an object in it opens nothing."""
    events = streamed(chunk({"content": "a", "tool_calls": pieces}), STOP)
    assert not only(ToolCallStarted, events)
    assert {"role": "assistant", "content": "a"} == message_of(events)


def test_one_call_may_stand_without_its_list():
    """An object where the list should be is one call."""
    events = streamed(chunk({"tool_calls": {"id": "c", "function": {"name": "f"}}}), STOP)
    assert [("c", "f", "")] == calls_of(events)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_has_several_names(field):
    """Quirk 60: each is read, and the answer has it where the provider puts it."""
    events = streamed(chunk({field: "h"}), chunk({field: "m"}), chunk({"content": "a"}), STOP)
    assert [ReasoningDelta("h", field=field), ReasoningDelta("m", field=field)] == only(
        ReasoningDelta, events
    )
    assert {"role": "assistant", "content": "a", field: "hm"} == message_of(events)


def test_reasoning_under_both_names_is_one():
    """Quirk 60: the same text twice is told once, and kept under both."""
    events = streamed(chunk({"reasoning": "hm", "reasoning_content": "hm"}), STOP)
    assert "hm" == reasoning_of(events)
    message = message_of(events)
    assert ("hm", "hm") == (message["reasoning"], message["reasoning_content"])


@pytest.mark.parametrize("nothing", [None, ""])
def test_reasoning_that_is_always_there_tells_nothing(nothing):
    """Quirk 60: an empty field in each chunk is no delta, and told of once at most."""
    chunks = [chunk({"content": c, "reasoning_content": nothing, "reasoning": "r"}) for c in "abc"]
    events = streamed(*chunks, STOP)
    assert ("rrr", "abc") == (reasoning_of(events), text_of(events))
    assert 1 == len(only(Metadata, events))
    assert nothing == message_of(events)["reasoning_content"]


def test_reasoning_details_are_reasoning():
    """Quirk 60: where nothing else says it, their text is told; they are kept as they are."""
    details = [
        {"type": "reasoning.summary", "summary": "h", "index": 0},
        {"type": "reasoning.text", "text": "m", "index": 1},
        {"type": "reasoning.encrypted", "data": "x", "index": 2},
        "?",
    ]
    events = streamed(chunk({"reasoning_details": details}), STOP)
    assert ("hm", details) == (reasoning_of(events), message_of(events)["reasoning_details"])
    assert [] == only(ReasoningDelta, streamed(chunk({"reasoning_details": details[2:]}), STOP))


def test_reasoning_details_beside_reasoning_are_kept_apart():
    """Quirk 60: they say the same again, in pieces that are joined."""
    pieces = [{"type": "reasoning.text", "text": c, "index": 0} for c in "hm"]
    events = streamed(
        *[chunk({"reasoning": p["text"], "reasoning_details": [p]}) for p in pieces], STOP
    )
    assert "hm" == reasoning_of(events)
    assert [{**pieces[0], "text": "hm"}] == message_of(events)["reasoning_details"]


def test_reasoning_that_is_no_text_is_kept():
    """Quirk 60: what cannot be told is not lost."""
    events = streamed(chunk({"reasoning": {"effort": "low"}, "content": "a"}), STOP)
    assert ({"effort": "low"}, []) == (
        message_of(events)["reasoning"],
        only(ReasoningDelta, events),
    )


def test_reasoning_and_text_may_come_in_one_delta():
    """Quirk 61: reasoning first, then text."""
    events = streamed(chunk({"content": "a", "reasoning_content": "h"}), STOP)
    kept = [event for event in events if isinstance(event, TextDelta | ReasoningDelta)]
    assert [ReasoningDelta("h"), TextDelta("a")] == kept


def test_an_empty_answer_may_be_whole():
    """Quirk 72: nothing, with a reason, is an answer of nothing."""
    events = streamed(chunk({"role": "assistant", "content": ""}), STOP)
    assert ("", ResponseCompleted(evidence="finish_reason")) == (text_of(events), events[-1])


def test_reasoning_alone_is_no_end():
    """Quirk 74: a stream cut behind its reasoning is truncated."""
    with pytest.raises(TruncatedStream):
        streamed(chunk({"reasoning_content": "hm"}))


def test_a_done_marker_may_be_missing():
    """Quirk 75: a finish reason is proof enough."""
    assert (
        ResponseCompleted(evidence="finish_reason") == streamed(chunk({"content": "a"}), STOP)[-1]
    )


def test_a_refusal_comes_in_pieces():
    """It has a channel of its own, and the message has it beside no content."""
    chunks = [chunk({"role": "assistant", "content": "", "refusal": None})]
    chunks += [chunk({"refusal": piece}) for piece in ("I ", "won't")]
    events = streamed(*chunks, STOP)
    assert "I won't" == refusal_of(events)
    assert all(isinstance(event, RefusalDelta) for event in only(RefusalDelta, events))
    assert {"role": "assistant", "content": None, "refusal": "I won't"} == message_of(events)


def test_log_probabilities_accumulate():
    """Each chunk's are those of its own tokens."""

    def logged(token):
        logprobs = {"content": [{"token": token, "logprob": -0.5}], "refusal": None}
        choice = {"index": 0, "delta": {"content": token}, "logprobs": logprobs}
        return chunk(choices=[{**choice, "finish_reason": None}])

    events = streamed(logged("a"), logged("b"), chunk({}, "stop"))
    logprobs = raw_of(events)["choices"][0]["logprobs"]
    assert ["a", "b"] == [entry["token"] for entry in logprobs["content"]]
    assert logprobs["refusal"] is None


def test_citations_are_events():
    """Annotations of a delta are told one by one, and the message has them all."""
    notes = [{"type": "url_citation", "url_citation": {"url": u}} for u in "uv"]
    events = streamed(*[chunk({"content": "a", "annotations": [note]}) for note in notes], STOP)
    assert [Citation(note) for note in notes] == only(Citation, events)
    assert notes == message_of(events)["annotations"]


@pytest.mark.parametrize("odd", [None, [], {"u": 1}])
def test_annotations_that_are_no_list_are_no_citations(odd):
    """Null, empty, or an object: nothing is told as a citation."""
    events = streamed(chunk({"content": "a", "annotations": odd}), STOP)
    assert not only(Citation, events)
    assert (odd or None) == message_of(events).get("annotations")


def test_unknown_fields_are_kept_on_every_level():
    """Of the envelope, the choice, the message, the call and its function."""
    piece = {"index": 0, "id": "c1", "k4": 4, "function": {"name": "f", "arguments": "{}", "k5": 5}}
    delta = {"tool_calls": [piece], "k3": {"a": [3]}}
    choice = {"index": 0, "delta": delta, "finish_reason": None, "k2": [2]}
    raw = raw_of(streamed(chunk(choices=[choice], k1={"x": 1}), STOP))
    (choice,) = raw["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert [{"x": 1}, [2], {"a": [3]}, 4, 5] == [
        raw["k1"], choice["k2"], choice["message"]["k3"], call["k4"], call["function"]["k5"],
    ]  # fmt: skip


def test_fields_that_change_are_told_when_they_do():
    """What is the same in each chunk is told once."""
    tiers = [None, "flex", "flex", "default"]
    chunks = [chunk({"content": "a"}, service_tier=tier) for tier in tiers]
    events = streamed(*chunks, chunk({}, "stop", service_tier="default"))
    assert ["flex", "default"] == [e.extra["service_tier"] for e in only(Metadata, events)]
    assert "default" == raw_of(events)["service_tier"]


def test_padding_is_no_part_of_an_answer():
    """Random fields against traffic analysis tell nothing, and cost no event."""
    chunks = [chunk({"content": c}, obfuscation=c * 3, p=c) for c in "abc"]
    events = streamed(*chunks, STOP)
    assert not only(Metadata, events)
    assert not {"obfuscation", "p"} & raw_of(events).keys()


def test_cumulative_twins_of_a_delta_are_dropped():
    """A message or text beside the delta says again what was said."""
    choices = [
        {"index": 0, "delta": {"content": c}, "message": {"content": so_far}, "text": so_far}
        for c, so_far in (("a", "a"), ("b", "ab"))
    ]
    events = streamed(*[chunk(choices=[choice]) for choice in choices], STOP)
    assert {"role": "assistant", "content": "ab"} == message_of(events)
    assert not only(Metadata, events)


def test_a_message_may_stand_for_a_delta():
    """A chunk that has a message instead is read as one."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}
    assert "a" == text_of(streamed(chunk(choices=[choice])))


def test_a_choice_that_is_no_object_is_skipped():
    """Nothing can be read of it, and nothing is broken by it."""
    good = {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}
    assert "a" == text_of(streamed(chunk(choices=["?", None, good])))


def test_the_old_function_call_is_kept():
    """The field before tool calls is joined as it comes, and no event of its own."""
    parts = [{"name": "f", "arguments": "{"}, {"arguments": "}"}]
    events = streamed(
        *[chunk({"function_call": part}) for part in parts], chunk({}, "function_call")
    )
    assert {"name": "f", "arguments": "{}"} == message_of(events)["function_call"]


def test_a_null_delta_among_known_chunks_is_nothing():
    """Quirk 29: also where every other field is what it was in the chunk before."""
    chunks = [
        chunk({"content": "a"}),
        chunk({"content": "b"}),
        chunk(None),
        chunk({"content": "c"}),
    ]
    events = streamed(*chunks, STOP)
    assert ["a", "b", "c"] == [event.text for event in only(TextDelta, events)]


def test_a_finish_reason_said_twice_is_told_once():
    """Quirk 40: the same reason again, and nothing beside it, is no event."""
    last = {"index": 0, "finish_reason": "stop"}
    events = streamed(chunk({"content": "a"}), *[chunk(choices=[last])] * 2)
    assert 1 == len(only(Finished, events))
    assert not only(Metadata, events)


def test_arguments_may_leak_into_the_text():
    """Quirk 58: the server's fault is kept as it was sent, and shown to nobody behind the call."""
    events = streamed(tool('{"a":', "f", id="c1"), chunk({"content": "1}"}), tool("1}"), STOP)
    assert ("1}", [("c1", "f", '{"a":1}')]) == (text_of(events), calls_of(events))
    hide = Suppressor()
    shown = [event for given in events for event in hide(given)]
    assert not only(TextDelta, shown)
    assert only(ToolCallDelta, events) == only(ToolCallDelta, shown)


def test_a_malformed_call_is_no_stop():
    """Quirk 71: a reason nobody knows is kept in the provider's word, and its finish is other."""
    events = streamed(chunk({"role": "assistant"}), chunk({}, "MALFORMED_FUNCTION_CALL"))
    (choice,) = answer_of(events).ordered()
    assert ("other", "MALFORMED_FUNCTION_CALL") == (DIALECT.finish(choice), choice.finish_reason)
