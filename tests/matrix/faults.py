"""The faults: what is sent for an answer that goes wrong at a point."""

from collections.abc import Callable
from typing import Any, Final

import attrs

from streamkit import Limits
from streamkit.testing import Drop, HalfClose, Hold, KeepAlive, NeverEnd, Reply, Reset, answers

from .answers import Answer
from .clock import Silence, SilenceClock
from .points import Point
from .until import Until, up_to

__all__ = ["FAULTS", "SHORT", "Fault", "Played"]

_HTML: Final = b"<!doctype html><html><body><h1>Welcome</h1></body></html>"
_ERROR: Final = answers.error("the model fell over", type="server_error")
SHORT: Final = Limits(first_byte=1, first_content=1, idle=1, drain=1)
"""The clocks of a client whose provider falls silent."""
_TOTAL: Final = Limits(total=2)
_TEXTS: Final = ("text", "reasoning", "choices")
_CALLS: Final = ("tools", "mixed")


@attrs.frozen
class Played:
    """A reply in two parts: what comes before the fault, and the fault."""

    until: Until
    steps: tuple[Any, ...]
    """The fault, and what comes behind it."""
    options: dict[str, Any] = attrs.field(factory=dict)
    """Of the `Reply`."""
    at_head: bool = False
    """Whether a consumer that leaves before the fault leaves before the head."""

    def reply(self, *gate: Any) -> Reply:
        """Give the reply; *gate* stands before the fault, which never comes then."""
        if gate and self.at_head:
            return Reply(before=gate)
        return Reply(*self.until.frames, *gate, *self.steps, **self.options)

    def slowed(self, clock: SilenceClock) -> "Played":
        """Give it with its steps in the time of *clock*."""
        options = dict(self.options)
        if "before" in options:
            options["before"] = [Silence(clock, step) for step in options["before"]]
        steps = tuple(s if isinstance(s, bytes) else Silence(clock, s) for s in self.steps)
        return attrs.evolve(self, steps=steps, options=options)


@attrs.frozen
class Fault:
    """What goes wrong."""

    play: Callable[[Answer, Point], Played]
    limits: Limits | None = None
    """The clocks that run while the provider is silent; None where none does."""
    gives: str = "all"
    """
    What of the answer is streamed all the same: ``all``, what came until the ``point``, all and
    its last piece ``twice``, or the ``whole`` body.
    """
    kinds: tuple[str, ...] = (*_TEXTS, *_CALLS)
    """The kinds of answer it says something about."""
    then: str = ""
    """What the second streaming call gets, where there is one."""


def _strikes(*steps: Any, **options: Any) -> Callable[[Answer, Point], Played]:
    """Send the stream up to the point, then *steps*, and end the body in good order."""

    def play(answer: Answer, point: Point) -> Played:
        if point is Point.HEAD:
            return Played(up_to(answer, point), (), {**options, "before": steps}, at_head=True)
        return Played(up_to(answer, point), steps, options)

    return play


def _amid(*frames: bytes, **options: Any) -> Callable[[Answer, Point], Played]:
    """Send *frames* at the point, and then the rest of the stream."""

    def play(answer: Answer, point: Point) -> Played:
        until = up_to(answer, point)
        return Played(until, (*frames, *until.rest), options, at_head=point is Point.HEAD)

    return play


def _instead(*steps: Any, **options: Any) -> Callable[[Answer, Point], Played]:
    """Send *steps* and nothing of the stream."""

    def play(_answer: Answer, _point: Point) -> Played:
        return Played(Until((), 0), steps, options, at_head=True)

    return play


def _status(code: int, message: str, **headers: str) -> Callable[[Answer, Point], Played]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _instead(answers.error(message), status=code, headers=named)


def _json_body(answer: Answer, _point: Point) -> Played:
    return Played(Until((), 0), (answer.whole,), {"headers": {"content-type": "application/json"}})


def _half_frame(answer: Answer, point: Point) -> Played:
    return Played(up_to(answer, point), (answer.content[0][:40],))


def _bytewise(answer: Answer, point: Point) -> Played:
    until = up_to(answer, point)
    body = b"".join(until.rest)
    return Played(until, tuple(body[n : n + 1] for n in range(len(body))))


def _in_one(answer: Answer, point: Point) -> Played:
    until = up_to(answer, point)
    return Played(until, (b"".join(until.rest),))


def _twice(answer: Answer, point: Point) -> Played:
    """Send the last frame before the point again."""
    until = up_to(answer, point)
    return Played(until, (until.frames[-1], *until.rest))


def _swapped(answer: Answer, point: Point) -> Played:
    """Send the two frames behind the point in the other order."""
    until = up_to(answer, point)
    first, second, *rest = until.rest
    return Played(until, (second, first, *rest))


_PINGS: Final = b": ping\n\n" * 2
_OOPS: Final = b"data: {oops]\n\n"
_IN_BAND: Final = b"data: " + _ERROR + b"\n\n"
_EVENT: Final = b'event: error\ndata: {"message":"overloaded"}\n\n'
_BARE: Final = b"\n" + _ERROR + b"\n"
_BAD_END: Final = answers.chunk({}, finish_reason="error")

FAULTS: Final = {
    "none": Fault(_amid()),
    "dropped": Fault(_strikes(Drop())),
    "reset": Fault(_strikes(Reset())),
    "half-closed": Fault(_strikes(HalfClose())),
    "ends cleanly": Fault(_strikes()),
    "half a frame, then the end": Fault(_half_frame),
    "a garbage frame": Fault(_amid(_OOPS)),
    "an error object": Fault(_amid(_IN_BAND)),
    "event: error": Fault(_amid(_EVENT)),
    "a bare error line": Fault(_strikes(_BARE), kinds=_TEXTS),
    "a bare error line in cut arguments": Fault(_strikes(_BARE), kinds=_CALLS),
    "finish reason error": Fault(_strikes(_BAD_END, answers.done())),
    "silent": Fault(_strikes(Hold()), SHORT),
    "keep-alives only": Fault(_strikes(_PINGS, KeepAlive(0.01)), SHORT),
    "silent until all time is up": Fault(_strikes(Hold()), _TOTAL),
    "never closes": Fault(_amid(NeverEnd())),
    "[DONE] too early": Fault(_strikes(answers.done()), gives="point", kinds=_TEXTS),
    "[DONE] without a finish": Fault(_strikes(answers.done()), gives="point"),
    "[DONE] in cut arguments": Fault(_strikes(answers.done()), kinds=_CALLS),
    "usage, then the end": Fault(_strikes(answers.usage_chunk(10, 5)), gives="point", kinds=_TEXTS),
    "[DONE] only": Fault(_instead(answers.done())),
    "an empty body": Fault(_instead(framing="length")),
    "status 400": Fault(_status(400, "no such model")),
    "status 401": Fault(_status(401, "bad key")),
    "status 429": Fault(_status(429, "slow down", retry_after="0")),
    "status 500": Fault(_status(500, "oops")),
    "status 503": Fault(_status(503, "busy", retry_after="0")),
    "stream_options refused": Fault(
        _status(400, "Unrecognized request argument: stream_options"), then="none"
    ),
    "an HTML page": Fault(_instead(_HTML, headers={"content-type": "text/html"})),
    "an error body, status 200": Fault(
        _instead(_ERROR, headers={"content-type": "application/json"})
    ),
    "a JSON body": Fault(_json_body, gives="whole"),
    "JSON for a content type": Fault(_amid(headers={"content-type": "application/json"})),
    "no content type": Fault(_amid(headers={"content-type": None})),
    "gzip": Fault(_amid(gzip=True)),
    "gzip, dropped": Fault(_strikes(Drop(), gzip=True)),
    "byte by byte": Fault(_bytewise),
    "in one piece": Fault(_in_one),
    "a frame twice": Fault(_twice),
    "whole arguments twice": Fault(_twice, gives="twice", kinds=("tools",)),
    "two frames swapped": Fault(_swapped),
}
