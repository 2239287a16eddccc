"""What proves that an answer is complete: a table, read from the top."""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Final, Literal

import attrs

__all__ = ["RULES", "Evidence", "Ruling", "Seen", "Verdict", "judge"]

Evidence = Literal["finish_reason", "done_marker", "usage", "buffered"]


class Verdict(Enum):
    """What the end of a body means."""

    COMPLETE = "complete"
    """The answer is whole."""
    EMPTY = "empty but valid"
    """So is this one; it just says nothing."""
    CUT_CALL = "a tool call was cut in its arguments"
    """Whatever else was seen, nobody may act on this answer."""
    TRUNCATED = "truncated"
    """It began, and nothing proves its end."""
    ERROR = "an error beside the stream"
    """No end was seen, and lines that are no part of the framing say why."""
    NOTHING = "no answer at all"
    """A done marker alone, pings, or not a byte."""

    @property
    def whole(self) -> bool:
        """Whether the answer may be given as complete."""
        return self in (Verdict.COMPLETE, Verdict.EMPTY)


@attrs.frozen(kw_only=True)
class Seen:
    """What was seen of an answer by the end of its body."""

    answered: bool
    """A chunk of the answer, with or without content."""
    content: bool
    """Text, reasoning, a refusal or a call."""
    finished: bool
    """Every choice that was seen has its finish reason, and there is one."""
    done: bool = False
    """The done marker."""
    usage: bool = False
    """A usage report of its own, without content."""
    open_call: bool = False
    """A call whose arguments are the beginning of something."""
    residue: bool = False
    """An error among the lines that are no part of the framing."""


@attrs.frozen
class Ruling:
    """What the end of a body means, and what proves it."""

    verdict: Verdict
    evidence: Evidence | None = None


_WHOLE: Final[dict[bool, Verdict]] = {True: Verdict.COMPLETE, False: Verdict.EMPTY}

RULES: Final[tuple[tuple[frozenset[str], Verdict | Evidence], ...]] = (
    (frozenset({"open_call", "residue"}), Verdict.ERROR),
    (frozenset({"open_call"}), Verdict.CUT_CALL),
    (frozenset({"finished"}), "finish_reason"),
    (frozenset({"answered", "done"}), "done_marker"),
    (frozenset({"answered", "usage"}), "usage"),
    (frozenset({"residue"}), Verdict.ERROR),
    (frozenset({"answered"}), Verdict.TRUNCATED),
    (frozenset(), Verdict.NOTHING),
)
"""
What must have been seen, and what it means; the first row that fits counts.

Evidence in a row's place of a verdict: the answer is whole, or empty where no
content came. A connection that simply ends proves nothing; a done marker or a
usage report does only behind an answer; and no evidence makes a cut call whole.

Source: docs/reference/quirks.md, 72 to 76; issues 2 and 5.
"""


@cache  # every answer ends in one of a few ways
def judge(seen: Seen) -> Ruling:
    """Find the row for what was *seen*."""
    told = {field for field in _FIELDS if getattr(seen, field)}
    found = next(meaning for needed, meaning in RULES if needed <= told)
    if isinstance(found, Verdict):
        return Ruling(found)
    return Ruling(_WHOLE[seen.content], found)


_FIELDS: Final = tuple(field.name for field in attrs.fields(Seen))
