"""Arguments are joined, and guessed at only where nothing else is left."""

import json
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamkit.dialects.arguments import is_json, is_object, same_json, settle

json_objects = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
        max_leaves=5,
    ),
    max_size=4,
)


def pieces(data, text):
    """Cut *text* anywhere, into pieces that are not empty."""
    places = data.draw(st.lists(st.integers(1, len(text)), max_size=5))
    edges = sorted({0, len(text), *places})
    return [text[a:b] for a, b in pairwise(edges)]


@given(json_objects, st.booleans(), st.data())
def test_fragments_are_joined_however_they_were_cut(value, ascii_only, data):
    """Whole JSON, cut anywhere, is that JSON."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert text == settle(pieces(data, text))


@given(json_objects, st.data())
def test_a_whole_repeat_is_one(value, data):
    """All fragments, and then all of it again in one, is sent once."""
    text = json.dumps(value)
    assert text == settle([*pieces(data, text), text])


@given(json_objects, st.data())
def test_cumulative_fragments_are_the_last(value, data):
    """Each fragment all so far: the last one is the arguments."""
    text, so_far = json.dumps(value), []
    for piece in pieces(data, text):
        so_far.append("".join(so_far[-1:]) + piece)
    assert text == settle(so_far)


@given(json_objects, st.data())
def test_a_cut_is_never_mended(value, data):
    """What was cut off is given as it came, whatever its last fragment looks like."""
    text = json.dumps({"a": value, "b": [value]})
    fragments = pieces(data, text[: data.draw(st.integers(1, len(text) - 1))])
    assume(len(fragments) < 2 or not fragments[-1].startswith(fragments[-2]))
    assert "".join(fragments) == settle(fragments)


@given(st.lists(st.text('{}[]":,a1 ', min_size=1, max_size=4), max_size=6))
def test_nothing_is_ever_invented(fragments):
    """What comes out is all that was sent, or the last fragment of it."""
    assert settle(fragments) in ("".join(fragments), *fragments[-1:])


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ("", []),
        ("{", ["{"]),
        ("{}", ["{}"]),
        ("{}", ["{", "}"]),
        ('{"a":1}', ['{"a"', ":1}"]),
        ("{'a': 1}", ["{'a'", ": 1}"]),
    ],
)
def test_arguments_stay_as_sent(arguments, fragments):
    """No fragments are no arguments, and broken ones stay broken."""
    assert arguments == settle(fragments)


@pytest.mark.parametrize(
    "fragments",
    [
        ['{"a":', '{"b":1}'],
        ['{"a":[', '{"b":1}'],
        ['{"a":[{"b":1}', ",", '{"c":2}'],
        ['{"a":{"b":2},"c":', '{"b":2}'],
    ],
)
def test_a_cut_behind_an_inner_object_is_no_repeat(fragments):
    """JSON that could go on was cut, even where its last fragment is whole by itself."""
    assert "".join(fragments) == settle(fragments)
    assert not is_json(settle(fragments))


def test_arguments_nested_without_end_are_a_cut():
    """However deep, they are kept as they were sent, and nothing overflows."""
    fragments = ['{"a":' * 100_000, "{}"]
    assert "".join(fragments) == settle(fragments)


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ('{"a":1}', ['{"a"', '{"a":1}']),
        ('{"a":1}', ['{"a', '":1}', '{"a":1}']),
        ('{"a": 1}', ['{"a":', "1}", '{"a": 1}']),
        ('{"b":2,"a":1}', ['{"a":1,', '"b":2}', '{"b":2,"a":1}']),
        ('{"a":1}', ["{", '{"a"', '{"a":1}']),
        (' {"a":1}', ['{"a":1}', ' {"a":1}']),
    ],
)
def test_a_repeat_in_other_words_is_a_repeat(arguments, fragments):
    """The last fragment is taken where it says again all that came before."""
    assert arguments == settle(fragments)


@pytest.mark.parametrize(
    "fragments",
    [
        ['{"a":1}', "{}"],
        ['{"a":1}', '{"b":2}'],
        ["{}", '{"a":1}', "2"],
        ["x = ", "1"],
        ["{'a': ", "1"],
        ['say "', "no", '"yes"'],
    ],
)
def test_what_says_something_else_is_no_repeat(fragments):
    """Two objects, or words that end in JSON, are kept as they were sent, all of them."""
    assert "".join(fragments) == settle(fragments)


@pytest.mark.parametrize("text", ["{}", "[1]", "1", '"a"', "null", " {} ", '{"a": NaN}'])
def test_one_value_is_json(text):
    """Blanks around it, and what providers send, included."""
    assert is_json(text)


@pytest.mark.parametrize("text", ["", " ", "{", "{}{}", "a", "{'a': 1}"])
def test_all_else_is_not(text):
    """Nothing, a part, two, or words."""
    assert not is_json(text)


def test_arguments_are_an_object():
    """A number or a list is JSON, but no arguments of a call."""
    assert [True, True, False, False, False] == [
        is_object(text) for text in ("{}", ' {"a":1}', "[1]", "1", "{")
    ]


def test_two_texts_say_the_same_in_any_order():
    """Spacing and the order of the fields tell nothing."""
    assert same_json('{"a":1,"b":2}', ' {"b": 2, "a": 1}')
    assert not same_json('{"a":1}', '{"a":2}')
