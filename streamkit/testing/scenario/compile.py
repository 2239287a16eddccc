"""A scenario and a dialect, as what a `FaultProvider` plays."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import attrs

from ...dialects import Dialect, get_dialect
from ...errors import MisuseError
from .. import answers
from ..recorded import Recorded
from ..reply import Reply
from .act import Act
from .faults import ContentType, Gzip, IgnoreStream, Reject, Status
from .frames import Told, frames_of, whole_of
from .playing import before_of, steps_of
from .scenario import Scenario

__all__ = ["Given", "Turns", "compiled", "reply_of"]

_ERROR: Final = 400
_SERVER: Final = 500
"""The first status that is the server's fault."""


def compiled(scenario: str | Scenario, dialect: str | Dialect = "openai-chat") -> dict[str, Any]:
    """
    Give the arguments of the `FaultProvider` that plays *scenario*.

    Args:
        scenario: the value, or its text.
        dialect: whose frames tell what it says; one that has an encoder.

    Raises:
        MisuseError: the text cannot be read, the dialect is not known, or
            something is to happen at a place that is not there.
    """
    read = Scenario.parse(scenario) if isinstance(scenario, str) else scenario
    known = get_dialect(dialect)
    if not hasattr(known, "encoder"):
        raise MisuseError(
            f"expected a dialect that has an encoder; got {known.name!r}; "
            "only what it writes can be played"
        )
    sides = {
        "stream": Turns.of("stream", read.stream, known),
        "buffered": Turns.of("buffered", read.buffered, known),
    }
    given = {side: turns for side, turns in sides.items() if turns is not None}
    return {**given, "accept_delay": read.accept_delay}


@attrs.frozen
class Given:
    """What a request got."""

    reply: Reply
    act: Act
    side: str
    """``stream`` or ``buffered``."""
    number: int
    """Which act of this side, counted from 1."""
    count: int
    """How many there are."""
    rejected: str | None = None
    """The field the request was rejected for."""


@attrs.define(eq=False)
class Turns:
    """What requests of one side get, in turn; the last is repeated."""

    _all: Sequence[Given]
    _next: int = attrs.field(default=0, init=False)

    @classmethod
    def of(cls, side: str, acts: Sequence[Act], dialect: Dialect) -> Turns | None:
        """Make them of *acts*; None where there are none."""
        streamed = side == "stream"
        replies = [_at_line(f"{side} {n}", act, dialect, streamed) for n, act in enumerate(acts, 1)]
        all_ = [
            Given(reply, act, side, number, len(acts))
            for number, (reply, act) in enumerate(zip(replies, acts, strict=True), 1)
        ]
        return cls(all_) if all_ else None

    def give(self, recorded: Recorded) -> Given:
        """Say what a request gets; one that is rejected does not use up the act."""
        given = self._all[self._next]
        for line in given.act.lines:
            if isinstance(line, Reject) and _has(recorded, line.field):
                return attrs.evolve(given, reply=_rejection(line), rejected=line.field)
        self._next = min(self._next + 1, len(self._all) - 1)
        return given

    def __call__(self, recorded: Recorded) -> Reply:
        """Give the reply to a request."""
        return self.give(recorded).reply


def reply_of(act: Act, dialect: Dialect, *, streamed: bool = True) -> Reply:
    """
    Give what a request gets for *act*; fields it rejects are not looked at.

    Args:
        act: what is said, and what goes wrong.
        dialect: whose frames tell it.
        streamed: whether the request asked for a stream.

    Raises:
        MisuseError: something is to happen at a place that is not there.
    """
    status = act.find(Status) or Status(200)
    whole = not streamed or status.message is not None or act.find(IgnoreStream) is not None
    headers: dict[str, str | None] = dict(status.headers)
    if whole:
        headers["content-type"] = "application/json"
    if (content_type := act.find(ContentType)) is not None:
        headers["content-type"] = content_type.value
    return Reply(
        *steps_of(act, _told(act, status, dialect, whole=whole)),
        status=status.code,
        headers=headers,
        before=before_of(act),
        gzip=act.find(Gzip) is not None,
    )


def _told(act: Act, status: Status, dialect: Dialect, *, whole: bool) -> list[Told]:
    if act.says_something:
        return [whole_of(act.lines, dialect)] if whole else frames_of(act.lines, dialect)
    if status.message is None and status.code < _ERROR:
        return []
    kind = "server_error" if status.code >= _SERVER else "invalid_request_error"
    message = status.message if status.message is not None else _phrase(status.code)
    return [Told(answers.error(message, type=kind), act.lines.index(status))]


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return f"HTTP {code}"


def _at_line(where: str, act: Act, dialect: Dialect, streamed: bool) -> Reply:
    try:
        return reply_of(act, dialect, streamed=streamed)
    except MisuseError as error:
        raise MisuseError(f"{where}: {error}") from None


def _rejection(line: Reject) -> Reply:
    message = line.message or f"Unrecognized field: {line.field}"
    return Reply(answers.error(message, param=line.field), status=line.status)


def _has(recorded: Recorded, field: str) -> bool:
    """Whether a request's JSON is an object with that *field*."""
    try:
        body = recorded.json
    except ValueError:
        return False
    return isinstance(body, dict) and field in body
