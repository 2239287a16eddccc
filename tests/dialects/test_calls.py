"""Which tool call a piece belongs to: each rule by name."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.dialects import Answer
from streamkit.dialects.calls import CallTracker
from streamkit.events import ToolCallDelta, ToolCallStarted

ABSENT = object()


def piece(arguments=ABSENT, name=ABSENT, *, id=ABSENT, index=ABSENT, **extra):  # noqa: A002
    """One entry of ``tool_calls``; what is not given is not there."""
    body = {"name": name, "arguments": arguments}
    body = {key: value for key, value in body.items() if value is not ABSENT}
    made = {"index": index, "id": id, "type": "function", "function": body, **extra}
    return {key: value for key, value in made.items() if value is not ABSENT}


def fed(*entries, choice=0):
    """All events of these entries."""
    tracker = CallTracker(choice)
    return [event for entry in entries for event in tracker.feed(entry)]


def assembled(*entries):
    """The calls these entries add up to: id, name, arguments."""
    answer = Answer()
    for event in fed(*entries):
        answer.add(event)
    calls = [call.tool_call() for choice in answer.ordered() for call in choice.calls]
    return [(call.id, call.name, call.arguments) for call in calls]


def test_a_call_begins_and_then_grows():
    """The first piece starts it; what is only arguments is a delta."""
    events = fed(piece("", "f", id="c1", index=0), piece("{", index=0), piece("}", index=0))
    assert [ToolCallStarted(0, "c1", "f"), ToolCallDelta(0, "{"), ToolCallDelta(0, "}")] == events


def test_a_first_piece_with_arguments_is_two_events():
    """A call that comes whole begins, and then has its arguments."""
    events = fed(piece("{}", "f", id="c1", index=0), choice=1)
    assert [ToolCallStarted(0, "c1", "f", 1), ToolCallDelta(0, "{}", 1)] == events


def test_a_piece_that_tells_nothing_is_no_event():
    """An entry of a known call without anything new is silent."""
    assert 1 == len(fed(piece("", "f", id="c1", index=0), piece("", index=0), piece(index=0)))


def test_by_its_id_first():
    """A known id wins over whatever the index says."""
    assert [("c1", "f", "{}"), ("c2", "g", "[]")] == assembled(
        piece("{", "f", id="c1", index=0),
        piece("[", "g", id="c2", index=1),
        piece("}", id="c1", index=1),
        piece("]", id="c2", index=0),
    )


def test_by_its_index_where_it_has_no_id():
    """A piece without an id goes to the call of its index."""
    assert [("c1", "f", "{}"), ("c2", "g", "[]")] == assembled(
        piece("{", "f", id="c1", index=0),
        piece("[", "g", id="c2", index=1),
        piece("}", index=0),
        piece("]", index=1),
    )


def test_else_to_the_call_that_spoke_last():
    """A piece with neither goes on with the latest open call."""
    assert [("c1", "f", '{"a":1}'), ("c2", "g", "{}")] == assembled(
        piece("{", "f", id="c1"),
        piece('"a"'),
        piece(":1}"),
        piece("{", "g", id="c2"),
        piece("}"),
    )


def test_the_latest_call_is_the_one_that_spoke_last():
    """Not the one that was opened last."""
    assert [("c1", "f", "{}"), ("c2", "g", "[")] == assembled(
        piece("{", "f", id="c1"),
        piece("[", "g", id="c2"),
        piece("", id="c1"),
        piece("}"),
    )


def test_a_new_id_at_a_known_index_is_a_new_call():
    """All calls at index 0 are told apart by their ids. Quirk 42."""
    assert [("c1", "f", "{}"), ("c2", "f", "[]")] == assembled(
        piece("{}", "f", id="c1", index=0),
        piece("[", "f", id="c2", index=0),
        piece("]", index=0),
    )


def test_a_new_id_without_an_index_is_a_new_call():
    """Where ids are all there is, each is a call."""
    assert [("c1", "f", "{}"), ("c2", "g", "{}")] == assembled(
        piece("{}", "f", id="c1"), piece("{}", "g", id="c2")
    )


def test_an_id_may_come_late():
    """A call without an id takes the one that comes at its index."""
    entries = [piece("{", "f", index=0), piece("}", id="c1", index=0), piece(" ", id="c1")]
    assert [("c1", "f", "{} ")] == assembled(*entries)
    assert ToolCallDelta(0, "}", id="c1") in fed(*entries)


def test_an_index_may_come_late():
    """A call known by its id is known by its index from then on."""
    assert [("c1", "f", "{}")] == assembled(
        piece("{", "f", id="c1"), piece("", id="c1", index=3), piece("}", index=3)
    )


@pytest.mark.parametrize("absent", [ABSENT, None, ""], ids=["missing", "null", "empty"])
def test_an_absent_id_is_none(absent):
    """Missing, null and empty ids say nothing. Quirk 46."""
    assert [("c1", "f", "{}")] == assembled(
        piece("{", "f", id="c1", index=0), piece("}", id=absent, index=0)
    )
    assert [("", "f", "{}")] == assembled(
        piece("{", "f", id=absent, index=0), piece("}", id=absent, index=0)
    )


@pytest.mark.parametrize("absent", [ABSENT, None, ""], ids=["missing", "null", "empty"])
def test_an_absent_index_is_none(absent):
    """Missing, null and empty indexes say nothing. Quirk 41."""
    assert [("c1", "f", "{}"), ("c2", "g", "{}")] == assembled(
        piece("{", "f", id="c1", index=absent),
        piece("}", index=absent),
        piece("{", "g", id="c2", index=absent),
        piece("}", index=absent),
    )


def test_ids_may_be_integers():
    """An integer is an id like any other, 0 included, and given as text."""
    assert [("0", "f", "{}"), ("7", "g", "[]")] == assembled(
        piece("{", "f", id=0), piece("[", "g", id=7), piece("}", id=0), piece("]", id="7")
    )


def test_indexes_may_be_strings():
    """The text of an index is the index."""
    assert [("", "f", "{}"), ("", "g", "[]")] == assembled(
        piece("{", "f", index="0"),
        piece("[", "g", index="1"),
        piece("}", index=0),
        piece("]", index="1"),
    )


def test_indexes_may_begin_anywhere_and_have_gaps():
    """An index is a name, never a place in a list. Quirk 43."""
    assert [("", "f", "{}"), ("", "g", "[]")] == assembled(
        piece("{", "f", index=4),
        piece("[", "g", index=9),
        piece("]", index=9),
        piece("}", index=4),
    )


def test_an_id_repeated_goes_on():
    """The same id on every piece is one call. Quirk 47."""
    assert [("c1", "f", "{}")] == assembled(
        piece("{", "f", id="c1", index=0), piece("}", id="c1", index=0)
    )


def test_a_name_repeated_is_ignored():
    """The same name on every piece is one name. Quirk 48."""
    assert [("c1", "search", '{"q":1}')] == assembled(
        piece('{"q"', "search", id="c1", index=0),
        piece(":", "search", index=0),
        piece("1}", "search", index=0),
    )


def test_a_name_that_goes_on_replaces():
    """One that starts with the old is the whole name so far."""
    entries = [piece("", "get", id="c1", index=0), piece("{}", "get_weather", index=0)]
    assert [("c1", "get_weather", "{}")] == assembled(*entries)
    assert ToolCallDelta(0, "{}", name="_weather") == fed(*entries)[-1]


def test_a_name_in_pieces_is_joined():
    """One that is neither equal nor longer is appended. Quirk 49."""
    assert [("c1", "get_weather", "{}")] == assembled(
        piece("", "get", id="c1", index=0), piece("", "_weather", index=0), piece("{}", index=0)
    )


def test_a_name_may_come_late():
    """A call without a name takes the one that comes. Quirk 49."""
    assert [("c1", "f", "{}")] == assembled(piece("", id="c1", index=0), piece("{}", "f", index=0))


@pytest.mark.parametrize("absent", [ABSENT, None, 7])
def test_arguments_and_names_may_be_absent(absent):
    """What is missing or null is empty. Quirk 50."""
    arguments = None if absent == 7 else absent
    assert [("c1", "", "{}")] == assembled(
        piece(arguments, absent, id="c1", index=0), piece("{}", absent, index=0)
    )


def test_arguments_that_are_an_object_are_written_once():
    """A dict is one compact JSON text, also beside an empty first piece. Quirk 51."""
    assert [("c1", "f", '{"city":"Zürich","n":[1,null]}')] == assembled(
        piece("", "f", id="c1", index=0),
        piece({"city": "Zürich", "n": [1, None]}, index=0),
    )
    assert [("", "f", "{}")] == assembled(piece({}, "f"))


def test_calls_may_be_interleaved():
    """Pieces of two calls may come in any order, each call in its own."""
    assert [("c1", "f", '{"a":1}'), ("c2", "g", '{"b":2}')] == assembled(
        piece("", "f", id="c1", index=0),
        piece("", "g", id="c2", index=1),
        piece('{"b"', index=1),
        piece('{"a"', index=0),
        piece(":2}", index=1),
        piece(":1}", index=0),
    )


def test_whole_calls_need_neither_id_nor_index():
    """A new name behind a whole call is a new call. Quirk 42."""
    assert [("", "f", "{}"), ("", "g", '{"a":1}')] == assembled(
        piece("{}", "f"), piece({"a": 1}, "g")
    )


def test_the_same_tool_twice_is_two_calls():
    """Another whole object behind a whole call of that name is a call of its own."""
    assert [("", "f", '{"q":1}'), ("", "f", '{"q":2}')] == assembled(
        piece({"q": 1}, "f"), piece({"q": 2}, "f")
    )


def test_the_same_call_twice_is_a_repeat():
    """The same object under the same name, however spaced, is the call said again. Quirk 52."""
    assert [("", "f", '{"q": 1}')] == assembled(
        piece('{"q":', "f"), piece("1}", "f"), piece('{"q": 1}', "f")
    )


def test_a_new_name_while_arguments_are_open_is_the_name():
    """Before its arguments are whole, a call's name may still grow."""
    assert [("", "fg", "{}")] == assembled(piece("{", "f"), piece("}", "g"))


def test_the_whole_said_again_is_said_once():
    """All fragments, and then all of them in one. Quirk 52."""
    assert [("c1", "f", '{"a":1}')] == assembled(
        piece('{"a"', "f", id="c1", index=0), piece(":1}", index=0), piece('{"a":1}', index=0)
    )


def test_fragments_that_grow_are_the_last():
    """Each fragment all so far. Quirk 53."""
    assert [("c1", "f", '{"a":1}')] == assembled(
        piece('{"a"', "f", id="c1", index=0),
        piece('{"a":', index=0),
        piece('{"a":1}', index=0),
    )


def test_unknown_fields_are_kept_where_they_stood():
    """Beside the call, and inside its function. Quirk 57."""
    signature = {"google": {"thought_signature": "s"}}
    entry = piece("{}", "f", id="c1", index=0, extra_content=signature)
    entry["function"]["strict"] = True
    (started, _) = fed(entry)
    assert {"extra_content": signature, "function": {"strict": True}} == started.extra


def test_unknown_fields_may_come_late():
    """A later piece's are a delta, even without arguments."""
    late = fed(piece("{}", "f", id="c1", index=0), piece(index=0, note="n"))[-1]
    assert ToolCallDelta(0, extra={"note": "n"}) == late


def test_a_custom_tools_input_is_any_text():
    """It is joined and never settled, and its kind is kept."""
    custom = {"index": 0, "id": "c1", "custom": {"name": "run", "input": "x = "}}
    entries = [{**custom, "type": "custom"}, {"index": 0, "custom": {"input": '{"a":1}'}}]
    assert [("c1", "run", 'x = {"a":1}')] == assembled(*entries)
    assert {"type": "custom"} == fed(custom)[0].extra


def test_another_type_is_kept():
    """Whatever a provider calls its kinds of call."""
    entry = {**piece("{}", "f", id="c1"), "type": "builtin_function"}
    assert {"type": "builtin_function"} == fed(entry)[0].extra


@pytest.mark.parametrize("body", [None, "f", [], ABSENT])
def test_a_call_without_a_body_is_a_call(body):
    """What is no object tells no name and no arguments."""
    entry = {"id": "c1", "index": 0} | ({} if body is ABSENT else {"function": body})
    assert [("c1", "", "")] == assembled(entry)


def test_a_piece_is_not_changed():
    """Nothing mutates what it was given."""
    entry = piece({"a": 1}, "f", id="c1", index=0, note={"k": 1})
    before = json.dumps(entry)
    fed(entry, entry)
    assert before == json.dumps(entry)


names = st.sampled_from(["f", "g"])
objects = st.dictionaries(st.text("ab", max_size=2), st.integers(0, 3), max_size=2)


@given(st.lists(st.tuples(names, objects), max_size=4), st.sampled_from("in"), st.data())
def test_calls_are_assembled_however_they_are_cut_and_mixed(calls, known_by, data):
    """By index or by id, any interleaving of any pieces gives the calls that were sent."""
    lanes = []
    for number, (name, arguments) in enumerate(calls):
        text = json.dumps(arguments)
        at = data.draw(st.integers(1, len(text)))
        key = {"index": number} if known_by == "n" else {"id": f"c{number}"}
        lanes.append([piece(text[:at], name, **key), piece(text[at:], **key)])
    order = []
    while lanes := [lane for lane in lanes if lane]:
        order.append(data.draw(st.sampled_from(lanes)).pop(0))
    sent = [(name, json.dumps(arguments)) for name, arguments in calls]
    assert sorted(sent) == sorted((name, arguments) for _, name, arguments in assembled(*order))
