"""The pieces of a body, and what happens between them, as the steps of a reply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final, TypeAlias

import attrs

from ...errors import MisuseError
from ...framing import encode
from ..steps import Drop, HalfClose, Hold, KeepAlive, NeverEnd, Pause, Reset, Step
from .act import Act
from .faults import Buffer, Drip, Duplicate, End, Garbage, Reorder
from .frames import Told
from .places import At, BeforeHead, Body

__all__ = ["before_of", "steps_of"]

_CLOSING: Final = (Drop, Reset, HalfClose)
_Steps: TypeAlias = list[bytes | Step]


@attrs.frozen
class _Piece:
    """What is sent as one piece, and its number."""

    number: int
    told: Told


@attrs.frozen
class _Mark:
    """What a line makes happen: where it stands, or behind so many bytes."""

    line: int
    step: Any
    at: int = 0


def before_of(act: Act) -> list[Step]:
    """Give what happens before the head."""
    early = (line for line in act.lines if isinstance(line, At) and line.place == BeforeHead())
    return [line.step for line in early]


def steps_of(act: Act, told: Sequence[Told]) -> _Steps:
    """
    Give the steps of a body.

    Args:
        act: what goes wrong with it.
        told: its pieces, by their lines; each is a frame with a number.

    Raises:
        MisuseError: a frame or place is not there.
    """
    order = _edited(_in_order(act, told), act, len(told))
    body = _body(order)
    marks = [*_standing(order), *_placed(act, body)]
    steps = _until_the_end(_cut(body, sorted(marks, key=lambda mark: (mark.at, mark.line))))
    if act.find(NeverEnd) is not None:
        steps.append(NeverEnd())
    if act.find(Buffer) is not None:
        steps = _buffered(steps)
    drip = act.find(Drip)
    return steps if drip is None else _dripping(steps, drip.seconds)


def _in_order(act: Act, told: Sequence[Told]) -> Iterator[_Piece | _Mark]:
    """Give the pieces, and between them what happens where its line stands."""
    pieces = [_Piece(number, one) for number, one in enumerate(told, 1)]
    for number, line in enumerate(act.lines):
        yield from (piece for piece in pieces if piece.told.line == number)
        if isinstance(line, Garbage | End) or (callable(line) and not isinstance(line, NeverEnd)):
            yield _Mark(number, line)


def _edited(order: Iterable[_Piece | _Mark], act: Act, count: int) -> list[_Piece | _Mark]:
    """Let frames change places, and send some twice."""
    edited = list(order)

    def find(number: int) -> int:
        if number > count:
            raise MisuseError(f"expected a frame from 1 to {count}; got {number}")
        return next(
            at for at, one in enumerate(edited) if isinstance(one, _Piece) and one.number == number
        )

    for line in act.lines:
        if isinstance(line, Reorder):
            one, other = find(line.one), find(line.other)
            edited[one], edited[other] = edited[other], edited[one]
        elif isinstance(line, Duplicate):
            at = find(line.frame)
            edited.insert(at, edited[at])
    return edited


def _body(order: Sequence[_Piece | _Mark]) -> Body:
    """Join the pieces; say where what they tell stands. Of a frame sent twice the first counts."""
    data = b""
    frames: dict[int, tuple[int, int]] = {}
    arguments: list[tuple[int, int]] = []
    ends: list[int] = []
    for piece in order:
        if isinstance(piece, _Piece):
            start, data = len(data), data + piece.told.data
            ends.append(len(data))
            if piece.number not in frames:
                arguments += _arguments(piece.told, start)
            frames.setdefault(piece.number, (start, len(data)))
    spans = tuple(frames[number] for number in sorted(frames))
    return Body(data, spans, tuple(arguments), tuple(ends))


def _arguments(told: Told, start: int) -> Iterator[tuple[int, int]]:
    """Give where pieces of arguments stand, without the quotes of their strings."""
    for piece in told.arguments:
        written = encode(piece)
        at = told.data.find(written)
        if at >= 0:
            yield start + at + 1, start + at + len(written) - 1


def _standing(order: Sequence[_Piece | _Mark]) -> Iterator[_Mark]:
    """Give what happens where its line stands, behind so many bytes."""
    size = 0
    for one in order:
        if isinstance(one, _Mark):
            yield attrs.evolve(one, at=size)
        else:
            size += len(one.told.data)


def _placed(act: Act, body: Body) -> Iterator[_Mark]:
    """Give what happens at a place."""
    for number, line in enumerate(act.lines):
        if isinstance(line, At) and line.place != BeforeHead():
            yield _Mark(number, line.step, line.place.offset(body))


def _cut(body: Body, marks: Sequence[_Mark]) -> Iterator[Any]:
    """Give the body's pieces, cut where something happens, and what happens."""
    bounds = sorted({0, *body.ends, *(mark.at for mark in marks)})
    for start, end in zip_longest(bounds, bounds[1:]):
        yield from (mark.step for mark in marks if mark.at == start)
        if end is not None:
            yield body.data[start:end]


def _until_the_end(steps: Iterable[Any]) -> _Steps:
    """Leave out what stands behind the end, and make bytes of garbage."""
    found: _Steps = []
    for step in steps:
        if isinstance(step, End):
            break
        found.append(step.data if isinstance(step, Garbage) else step)
    return found


def _dripping(steps: _Steps, seconds: float) -> _Steps:
    """Send byte by byte."""
    found: _Steps = []
    for step in steps:
        if not isinstance(step, bytes):
            found.append(step)
            continue
        for byte in step:
            found += [bytes([byte]), *([Pause(seconds)] if seconds else [])]
    return found


def _buffered(steps: _Steps) -> _Steps:
    """Wait for everything, then send it in one piece; or for ever."""
    held = b""
    waits: _Steps = []
    for step in steps:
        if isinstance(step, bytes):
            held += step
        elif isinstance(step, _CLOSING):
            return [*waits, held, step] if held else [*waits, step]
        elif isinstance(step, Hold) or (isinstance(step, KeepAlive) and step.times is None):
            return [*waits, Hold()]
        elif isinstance(step, KeepAlive):
            held += step.comment.encode() * (step.times or 0)
            waits.append(Pause(step.every * (step.times or 0)))
        else:
            waits.append(step)
    return [*waits, held] if held else waits
