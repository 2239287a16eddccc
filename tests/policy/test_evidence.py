"""What proves the end of an answer."""

from itertools import product

import pytest

from streamkit.policy import completion_evidence

SEEN = {"answered": True, "finished": 0, "unfinished": 1, "done": False, "usage": False}


@pytest.mark.parametrize(
    ("evidence", "seen"),
    [
        ("finish_reason", {"finished": 1, "unfinished": 0}),
        ("finish_reason", {"finished": 3, "unfinished": 0}),
        ("finish_reason", {"finished": 1, "unfinished": 0, "done": True, "usage": True}),
        ("done_marker", {"done": True}),
        ("done_marker", {"done": True, "usage": True}),
        ("done_marker", {"done": True, "finished": 1, "unfinished": 1}),
        ("usage", {"usage": True}),
        ("usage", {"usage": True, "finished": 2, "unfinished": 1}),
        (None, {}),
        (None, {"finished": 1, "unfinished": 1}),
        (None, {"answered": False, "unfinished": 0}),
        (None, {"answered": False, "unfinished": 0, "done": True}),
        (None, {"answered": False, "unfinished": 0, "usage": True}),
        (None, {"answered": False, "unfinished": 0, "done": True, "usage": True}),
    ],
)
def test_the_strongest_evidence_counts(evidence, seen):
    """A finish reason for every choice, else a done marker, else usage; none without an answer."""
    assert evidence == completion_evidence(**{**SEEN, **seen})


def test_nothing_less_than_a_whole_choice_proves_itself():
    """Over every row: a choice without its reason needs a marker or usage, and an answer."""
    for answered, finished, unfinished, done, usage in product(
        (False, True), (0, 1, 2), (0, 1, 2), (False, True), (False, True)
    ):
        evidence = completion_evidence(
            answered=answered, finished=finished, unfinished=unfinished, done=done, usage=usage
        )
        whole = bool(finished and not unfinished)
        assert whole == (evidence == "finish_reason")
        assert (whole or (answered and (done or usage))) == (evidence is not None)
