"""How fields that no event models are folded."""

import copy
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.dialects.merge import merge, overlay


def merged(*parts):
    """All parts folded."""
    into = {}
    for part in parts:
        merge(into, part)
    return into


def overlaid(*parts):
    """All parts laid over each other."""
    into = {}
    for part in parts:
        overlay(into, part)
    return into


@pytest.mark.parametrize("fold", [merged, overlaid])
@pytest.mark.parametrize(
    ("expected", "parts"),
    [
        ({}, [None]),
        ({"a": None}, [{"a": None}]),
        ({"a": 1}, [{"a": None}, {"a": 1}]),
        ({"a": 1}, [{"a": 1}, {"a": None}]),
        ({"a": 2}, [{"a": 1}, {"a": 2}]),
        ({"a": "later"}, [{"a": "first"}, {"a": "later"}]),
        ({"a": 0, "b": False}, [{"a": 1, "b": True}, {"a": 0, "b": False}]),
        ({"a": 1, "b": 2}, [{"a": 1}, {"b": 2}]),
    ],
)
def test_the_last_value_counts_but_never_a_null(fold, expected, parts):
    """A later value replaces, a null does not, and a null alone is kept."""
    assert expected == fold(*parts)


def test_overlay_replaces_values_and_wipes_no_field():
    """A list is what came last; an object keeps the fields that a later one does not have."""
    before = {"a": {"x": 1, "z": 1}, "l": [1]}
    assert {"a": {"x": 1, "y": 2, "z": 3}, "l": [2]} == overlaid(
        before, {"a": {"y": 2, "z": 3}, "l": [2]}
    )
    assert {"a": {"x": 1, "z": 1}, "l": [1]} == before


def test_merge_folds_objects_field_by_field():
    """What is inside an object stays when another field of it comes."""
    assert {"a": {"x": 1, "y": 2}} == merged({"a": {"x": 1}}, {"a": {"y": 2}})


def test_merge_extends_lists():
    """Items without an index are each an item of their own: log probabilities, for one."""
    assert {"logprobs": {"content": [{"t": 1}, {"t": 2}]}} == merged(
        {"logprobs": {"content": [{"t": 1}]}}, {"logprobs": {"content": [{"t": 2}]}}
    )


def test_merge_joins_text_that_comes_in_pieces():
    """Known fields inside an object are joined; at the top they replace."""
    assert {"audio": {"id": "a", "data": "xy", "transcript": "hi"}} == merged(
        {"audio": {"id": "a", "data": "x", "transcript": "h"}},
        {"audio": {"data": "y", "transcript": "i"}},
    )
    assert {"text": "b"} == merged({"text": "a"}, {"text": "b"})


def test_merge_knows_repeated_arguments():
    """The old function call, sent whole twice, is one."""
    assert {"function_call": {"name": "f", "arguments": "{}"}} == merged(
        {"function_call": {"name": "f", "arguments": "{}"}},
        {"function_call": {"arguments": "{}"}},
    )
    assert {"function_call": {"name": "f", "arguments": "{}"}} == merged(
        {"function_call": {"name": "f", "arguments": "{"}}, {"function_call": {"arguments": "}"}}
    )


def test_items_of_one_index_and_type_are_one_item():
    """Reasoning details come in pieces, told apart by their index. Quirk 60."""
    assert {"d": [{"index": 0, "type": "t", "text": "ab"}, {"index": 1, "type": "t"}]} == merged(
        {"d": [{"index": 0, "type": "t", "text": "a"}, {"index": 1, "type": "t"}]},
        {"d": [{"index": 0, "type": "t", "text": "b"}]},
    )


@pytest.mark.parametrize(
    "items",
    [
        [{"index": 0, "type": "a"}, {"index": 0, "type": "b"}],
        [{"type": "a"}, {"type": "a"}],
        ["x", "x"],
        ["x", {"index": 0}],
        [{"index": "0"}, {"index": "0"}],
    ],
)
def test_other_items_are_two(items):
    """Another type, no index, or no object: nothing is folded together."""
    assert {"d": items} == merged({"d": items[:1]}, {"d": items[1:]})


def test_values_of_other_kinds_replace():
    """An object where a list was, or text where an object was: the later counts."""
    assert {"a": [1]} == merged({"a": {"x": 1}}, {"a": [1]})
    assert {"a": "x"} == merged({"a": [1]}, {"a": "x"})
    assert {"o": {"text": "x"}} == merged({"o": {"text": 1}}, {"o": {"text": "x"}})


def dictionaries(inner):
    """Objects of a few telling field names."""
    return st.dictionaries(st.sampled_from(["index", "type", "text", "arguments", "k"]), inner)


values = st.recursive(
    st.none() | st.integers(0, 2) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | dictionaries(inner),
    max_leaves=6,
)


@given(st.lists(dictionaries(values), max_size=4))
def test_what_is_folded_is_never_changed(parts):
    """However parts share their insides, folding writes to none of them."""
    before = copy.deepcopy(parts)
    merged(*parts, *parts)
    overlaid(*parts, *parts)
    assert before == parts


@given(dictionaries(values))
def test_one_part_is_itself(part):
    """Folding into nothing gives the same."""
    assert part == merged(part) == overlaid(part)


@given(st.text("abc", max_size=8), st.lists(st.integers(0, 8), max_size=4))
def test_text_is_blind_to_the_cuts(text, places):
    """However a piecewise field is cut, it is the same in the end."""
    edges = sorted({0, len(text), *(min(place, len(text)) for place in places)})
    parts = [{"o": {"text": text[a:b]}} for a, b in pairwise(edges)] or [{"o": {"text": text}}]
    assert {"o": {"text": text}} == merged(*parts)


def test_lists_that_come_whole_are_replaced():
    """By the last that is not empty, also inside an object."""
    into = {}
    for ratings, chunks in ([[1, 2], ["a"]], [[3], ["a", "b"]], [[], []]):
        grounding = {"groundingChunks": chunks, "others": list(chunks)}
        merge(into, {"safetyRatings": ratings, "groundingMetadata": grounding})
    assert [3] == into["safetyRatings"]
    assert {"groundingChunks": ["a", "b"], "others": ["a", "a", "b"]} == into["groundingMetadata"]
