"""What proves the end of an answer: the table, walked from corner to corner."""

from itertools import product

import attrs
import pytest

from streamkit.policy import RULES, Ruling, Seen, Verdict, judge

FIELDS = [field.name for field in attrs.fields(Seen)]
NOTHING = dict.fromkeys(FIELDS, False)
ROWS = [dict(zip(FIELDS, row, strict=True)) for row in product((False, True), repeat=len(FIELDS))]


@pytest.mark.parametrize(
    ("seen", "verdict", "evidence"),
    [
        ("", "NOTHING", None),
        ("done", "NOTHING", None),
        ("usage", "NOTHING", None),
        ("done usage", "NOTHING", None),
        ("residue", "ERROR", None),
        ("done residue", "ERROR", None),
        ("answered", "TRUNCATED", None),
        ("answered content", "TRUNCATED", None),
        ("answered residue", "ERROR", None),
        ("answered content residue", "ERROR", None),
        ("answered finished", "EMPTY", "finish_reason"),
        ("answered content finished", "COMPLETE", "finish_reason"),
        ("answered content finished done usage", "COMPLETE", "finish_reason"),
        ("answered content finished residue", "COMPLETE", "finish_reason"),
        ("answered done", "EMPTY", "done_marker"),
        ("answered content done", "COMPLETE", "done_marker"),
        ("answered content done usage", "COMPLETE", "done_marker"),
        ("answered usage", "EMPTY", "usage"),
        ("answered content usage", "COMPLETE", "usage"),
        ("answered content usage residue", "COMPLETE", "usage"),
        ("answered content open_call", "CUT_CALL", None),
        ("answered content open_call done", "CUT_CALL", None),
        ("answered content open_call residue", "ERROR", None),
        ("answered content open_call finished done residue", "ERROR", None),
        ("answered content open_call usage", "CUT_CALL", None),
        ("answered content open_call finished done usage", "CUT_CALL", None),
    ],
)
def test_what_was_seen_has_one_meaning(seen, verdict, evidence):
    """Rows by hand, each a way in which a stream was seen to end."""
    found = judge(Seen(**{**NOTHING, **dict.fromkeys(seen.split(), True)}))

    assert Ruling(Verdict[verdict], evidence) == found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(k for k, v in row.items() if v))
def test_the_rules_hold_for_everything_that_can_be_seen(row):
    """In words, independent of the table: what is whole, what is proven, what is empty."""
    found = judge(Seen(**row))
    proven = row["finished"] or (row["answered"] and (row["done"] or row["usage"]))

    assert found.verdict.whole == (proven and not row["open_call"])
    assert found.verdict.whole == (found.evidence is not None)
    if found.verdict.whole:
        assert row["content"] == (found.verdict is Verdict.COMPLETE)
    if row["open_call"]:
        expected = Verdict.ERROR if row["residue"] else Verdict.CUT_CALL
        assert found.verdict is expected


def test_every_row_of_the_table_is_reached():
    """No rule stands in the shadow of one above it."""
    reached = set()
    for row in ROWS:
        told = {name for name, value in row.items() if value}
        reached.add(next(number for number, (needed, _) in enumerate(RULES) if needed <= told))

    assert set(range(len(RULES))) == reached
