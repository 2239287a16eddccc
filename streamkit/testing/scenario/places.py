"""Where in a body something happens."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

from ...errors import MisuseError, excerpt
from ..steps import KeepAlive

__all__ = [
    "AfterBytes",
    "At",
    "BeforeHead",
    "BehindFrame",
    "Body",
    "InArguments",
    "InFrame",
    "InUtf8",
    "Place",
]

_LEAD: Final = re.compile(rb"[\xc2-\xf4]")
"""The first byte of a UTF-8 character of several (RFC 3629)."""


@attrs.frozen
class Body:
    """A body as it would be sent, and where what it tells stands in it (bytes)."""

    data: bytes
    frames: tuple[tuple[int, int], ...]
    """Start and end of each, by its number."""
    arguments: tuple[tuple[int, int], ...] = ()
    """Start and end of each piece of tool arguments."""
    ends: tuple[int, ...] = ()
    """Where each piece that is sent ends, those sent twice included."""


class Place:
    """The root of places. Where it is in a given body is its *offset*."""

    __slots__ = ()

    def offset(self, body: Body, /) -> int:
        """
        Give how many bytes of *body* stand before this place.

        Raises:
            MisuseError: there is no such place in it.
        """
        raise NotImplementedError


def _number(_place: object, _field: object, value: Any) -> None:
    if not isinstance(value, int) or value < 1:
        raise MisuseError(f"expected a frame's number, counted from 1; got {excerpt(value)}")


def _size(_place: object, _field: object, value: Any) -> None:
    if not isinstance(value, int) or value < 0:
        raise MisuseError(f"expected a count of bytes; got {excerpt(value)}")


@attrs.frozen
class BeforeHead(Place):
    """Before status and headers are sent."""

    def offset(self, _body: Body, /) -> int:
        """Give 0: no byte of the body was sent."""
        return 0


@attrs.frozen
class AfterBytes(Place):
    """Behind so many bytes of the body, as it is before compression."""

    count: int = attrs.field(validator=_size)

    def offset(self, body: Body, /) -> int:
        """Give the count."""
        if self.count > len(body.data):
            raise MisuseError(f"expected at most {len(body.data)} bytes; got {self.count}")
        return self.count


@attrs.frozen
class InFrame(Place):
    """In the middle of a frame."""

    number: int = attrs.field(validator=_number)

    def offset(self, body: Body, /) -> int:
        """Give the middle."""
        start, end = _frame(body, self.number)
        return (start + end) // 2


@attrs.frozen
class BehindFrame(Place):
    """Behind a frame."""

    number: int = attrs.field(validator=_number)

    def offset(self, body: Body, /) -> int:
        """Give the frame's end."""
        return _frame(body, self.number)[1]


@attrs.frozen
class InUtf8(Place):
    """In the body's first character of several bytes, behind its first byte."""

    def offset(self, body: Body, /) -> int:
        """Give where its second byte stands."""
        found = _LEAD.search(body.data)
        if found is None:
            raise MisuseError(
                "expected a character of several bytes to cut; got a body of ASCII; say 'ü'"
            )
        return found.end()


@attrs.frozen
class InArguments(Place):
    """In the middle of the arguments of a tool call."""

    def offset(self, body: Body, /) -> int:
        """Give the middle of the piece in the middle."""
        if not body.arguments:
            raise MisuseError("expected the arguments of a tool call to cut; got a body of none")
        start, end = body.arguments[len(body.arguments) // 2]
        return (start + end) // 2


@attrs.frozen
class At:
    """
    Something that happens at a place, wherever its line stands.

    Args:
        place: where.
        step: a step of `streamkit.testing`, `Garbage` or `End`.

    Raises:
        MisuseError: *step* sends bytes, or ends a body, before there is one.
    """

    place: Place
    step: Any

    def __attrs_post_init__(self) -> None:
        silent = callable(self.step) and not isinstance(self.step, KeepAlive)
        if isinstance(self.place, BeforeHead) and not silent:
            raise MisuseError(
                f"expected a step that sends nothing before the head; got {excerpt(self.step)}"
            )


def _frame(body: Body, number: int) -> tuple[int, int]:
    if number > len(body.frames):
        raise MisuseError(f"expected a frame from 1 to {len(body.frames)}; got {number}")
    return body.frames[number - 1]
