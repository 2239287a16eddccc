"""A stream, cut at a point."""

import re
from typing import Final

import attrs

from streamkit.testing import answers

from .answers import Answer
from .points import Point

__all__ = ["Until", "up_to"]

_USAGE: Final = answers.usage_chunk(10, 5)
_CHARACTER: Final = re.compile(rb"[\xc2-\xf4]")
"""The first byte of a character of several bytes."""


@attrs.frozen
class Until:
    """A stream up to a point."""

    frames: tuple[bytes, ...]
    """What was sent, the last perhaps the beginning of a frame."""
    pieces: int
    """How many pieces of the answer are whole by then (a count)."""
    finished: bool = False
    """Whether the finish reasons were told."""
    rest: tuple[bytes, ...] = ()
    """What would have followed."""


def up_to(answer: Answer, point: Point) -> Until:
    """Cut the stream of *answer* at *point*."""
    role, content, finish = answer.role, answer.content, answer.finish
    frames = (*role, *content, *finish, _USAGE, answers.done())
    start, middle, all_ = len(role), len(content) // 2, len(content)
    if point in (Point.FRAME, Point.CHARACTER):
        number = middle if point is Point.FRAME else _first_with_character(content)
        return _within(frames, start + number, number, point)
    told = {Point.CONTENT: middle}.get(point, all_)
    sent = {
        Point.HEAD: 0,
        Point.BYTE: 0,
        Point.ROLE: start,
        Point.CONTENT: start + middle,
        Point.CONTENTS_END: start + all_,
        Point.FINISH: start + all_ + len(finish),
        Point.USAGE: len(frames) - 1,
        Point.DONE: len(frames),
    }[point]
    return Until(
        frames[:sent],
        0 if sent <= start else told,
        sent >= start + all_ + len(finish),
        frames[sent:],
    )


def _within(frames: tuple[bytes, ...], number: int, pieces: int, point: Point) -> Until:
    frame = frames[number]
    cut = len(frame) // 2
    if point is Point.CHARACTER:
        found = _CHARACTER.search(frame)
        assert found is not None
        cut = found.end()
    rest = (frame[cut:], *frames[number + 1 :])
    return Until((*frames[:number], frame[:cut]), pieces, rest=rest)


def _first_with_character(content: tuple[bytes, ...]) -> int:
    return next(n for n, frame in enumerate(content) if _CHARACTER.search(frame))
