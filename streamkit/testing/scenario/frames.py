"""What an act says, in a dialect's frames, or as its one JSON body."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, cast, get_args

import attrs

from ...dialects import Answer, Decoder, Dialect, Encoder
from ...events import (
    Event,
    Finished,
    Heartbeat,
    ResponseCompleted,
    ResponseStarted,
    ToolCallDelta,
    UsageReported,
)
from ...framing import DONE, Frame, decode, encode
from ...response import Finish as Finishes
from ...stages import Accumulator
from .. import answers
from .content import Content, Done, Error, Finish, Tool, Usage

__all__ = ["MODEL", "Told", "frames_of", "whole_of"]

MODEL: Final = "demo-1"
_FINISHES: Final = frozenset(get_args(Finishes))
_RUN: Final = "1"
"""What the ids of answers are made of."""


@attrs.frozen
class Told:
    """What is sent as one piece, and which line of the act it tells."""

    data: bytes
    line: int
    arguments: tuple[str, ...] = ()
    """Pieces of tool arguments in it, as they stand in its JSON strings."""


def frames_of(lines: Sequence[Any], dialect: Dialect) -> list[Told]:
    """
    Tell an act as a stream.

    What the dialect tells only at the end is told where its line stands: a
    finish reason, usage, the done marker. What no line says is not told: an
    act without `Finish` does not end.
    """
    writer = _Writer.of(dialect)
    told = [_told(frame, number, event) for number, event, frame in writer.say(lines)]
    told += _at_their_lines(writer.end(), lines, dialect.decoder())
    told += [
        Told(_sse(Frame(answers.error(line.message, type=line.type, code=line.code))), number)
        for number, line in enumerate(lines)
        if isinstance(line, Error)
    ]
    return sorted(told, key=lambda one: one.line)  # stable: the order of the wire within a line


def whole_of(lines: Sequence[Any], dialect: Dialect) -> Told:
    """
    Tell an act as one body: the provider's own non-streaming JSON.

    An answer in one piece has always ended: without a `Finish` as fits.
    """
    at = next((n for n, line in enumerate(lines) if isinstance(line, Content | Event)), 0)
    error = next((line for line in lines if isinstance(line, Error)), None)
    if error is not None:
        return Told(answers.error(error.message, type=error.type, code=error.code), at)
    writer, decoder, answer = _Writer.of(dialect), dialect.decoder(), Answer()
    frames = [frame for _, _, frame in writer.say(lines)] + writer.end()
    for frame in frames:
        if _text(frame) != DONE:
            for event in decoder.feed(frame):
                answer.add(event)
    arguments = tuple("".join(line.pieces) for line in lines if isinstance(line, Tool))
    return Told(encode(dialect.response(answer)), at, arguments)


@attrs.define(eq=False)
class _Writer:
    """Lines to events to frames, as a watcher of the run would get them."""

    _encoder: Encoder
    _accumulator: Accumulator

    @classmethod
    def of(cls, dialect: Dialect) -> _Writer:
        """Begin an answer of that dialect."""
        accumulator = Accumulator()
        accumulator.bind(dialect)
        return cls(dialect.encoder(), accumulator)

    def say(self, lines: Sequence[Any]) -> Iterator[tuple[int, Event, Frame]]:
        """Give the frames of each line, with its number and the event that brought them."""
        for frame in self._encoder.opening(_RUN):
            yield 0, Heartbeat(), frame
        calls: dict[int, int] = {}
        began = ResponseStarted("", MODEL, {"created": answers.CREATED})
        yield from ((0, began, frame) for frame in self._frames(began))
        for number, line in enumerate(lines):
            for event in _events(line, calls):
                yield from ((number, event, frame) for frame in self._frames(event))

    def end(self) -> list[Frame]:
        """Give the frames of the answer's end."""
        last = self._accumulator(ResponseCompleted(evidence="finish_reason"))
        return [frame for event in map(_plain, last) for frame in self._encoder.encode(event)]

    def _frames(self, event: Event) -> Iterator[Frame]:
        """Give the frames of an event; what waits for the next one is let go."""
        for told in (*self._accumulator(event), Heartbeat()):
            yield from self._encoder.encode(told)


def _plain(event: Event) -> Event:
    """Take reasons in our own words for what they say, whatever the API's word for it is."""
    if not isinstance(event, ResponseCompleted) or event.response is None:
        return event
    response = event.response
    choices = tuple(
        attrs.evolve(choice, finish=cast("Finishes", choice.finish_reason))
        if choice.finish_reason in _FINISHES
        else choice
        for choice in response.choices
    )
    finish = choices[0].finish if choices else response.finish
    return attrs.evolve(event, response=attrs.evolve(response, choices=choices, finish=finish))


def _events(line: Any, calls: dict[int, int]) -> Sequence[Event]:
    """Give the events of a line; *calls* counts those told, by choice."""
    if isinstance(line, Event):
        return [line]
    if not isinstance(line, Content):
        return []
    number = calls.get(line.choice, 0)
    calls[line.choice] = number + isinstance(line, Tool)
    return line.events(number)


def _at_their_lines(end: Sequence[Frame], lines: Sequence[Any], decoder: Decoder) -> Iterator[Told]:
    """Give the frames of an answer's end that lines say; others go with the next of these."""
    waiting: list[Frame] = []
    for frame in end:
        events = [] if _text(frame) == DONE else list(decoder.feed(frame))
        if any(isinstance(event, Finished | UsageReported) for event in events):
            line = _line_of_end(events, lines)
        elif _text(frame) == DONE or any(event.terminal for event in events):
            line = _line_of_done(lines)
        else:
            waiting.append(frame)
            continue
        if line is not None:
            yield from (Told(_sse(each), line) for each in (*waiting, frame))
        waiting.clear()


def _line_of_end(events: Sequence[Event], lines: Sequence[Any]) -> int | None:
    """Find the line that says the end these *events* are of; None where none does."""
    ended = [event.choice for event in events if isinstance(event, Finished)]
    for number, line in enumerate(lines):
        if not ended and (isinstance(line, Usage | UsageReported)):
            return number
        if isinstance(line, Finish | Finished) and line.choice in ended:
            return number
    return None


def _line_of_done(lines: Sequence[Any]) -> int | None:
    """Find where the done marker stands: by its own line, or behind all that is said."""
    said = [n for n, line in enumerate(lines) if isinstance(line, Content | Event)]
    own = next((n for n in said if isinstance(lines[n], Done)), None)
    if own is not None:
        return own if lines[own].sent else None
    return said[-1] if any(isinstance(line, Finish | Finished) for line in lines) else None


def _told(frame: Frame, line: int, event: Event) -> Told:
    piece = event.arguments if isinstance(event, ToolCallDelta) else ""
    return Told(_sse(frame), line, (piece,) if piece else ())


def _text(frame: Frame) -> str:
    return frame.data if isinstance(frame.data, str) else frame.data.decode()


def _sse(frame: Frame) -> bytes:
    """Write a frame as providers do: characters as UTF-8, where ours are escaped."""
    name = f"event: {frame.event}\n" if frame.event != "message" else ""
    text = _text(frame)
    data = text.encode() if text == DONE else encode(decode(text))
    return name.encode() + b"data: " + data + b"\n\n"
