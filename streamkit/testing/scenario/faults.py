"""What goes wrong with a whole reply, and what has a place in its body and is no step."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from ...errors import MisuseError, excerpt

__all__ = [
    "Buffer",
    "ContentType",
    "Drip",
    "Duplicate",
    "End",
    "Fault",
    "Garbage",
    "Gzip",
    "IgnoreStream",
    "Reject",
    "Reorder",
    "Status",
    "is_seconds",
]

_STATUSES: Final = range(200, 600)


class Fault:
    """The root of what goes wrong with a whole reply, wherever its line stands."""

    __slots__ = ()


def is_seconds(value: object) -> bool:
    """Whether *value* is a time to wait: finite, and not negative."""
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _seconds(_line: object, _field: object, value: Any) -> None:
    if not is_seconds(value):
        raise MisuseError(f"expected seconds, 0 or more; got {excerpt(value)}")


def _status(_line: object, _field: object, value: Any) -> None:
    if value not in _STATUSES:
        raise MisuseError(f"expected a status from 200 to 599; got {excerpt(value)}")


def _frame(_line: object, _field: object, value: Any) -> None:
    if not isinstance(value, int) or value < 1:
        raise MisuseError(f"expected a frame's number, counted from 1; got {excerpt(value)}")


def _pairs(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(dict(headers).items())


@attrs.frozen
class Status(Fault):
    """
    Another status than 200.

    Args:
        code: 200 to 599.
        message: the body is the error envelope with this message; None leaves
            the body to the lines beside it. Without any of them a status of
            400 or more says what it is called.
        headers: added to the usual ones.
    """

    code: int = attrs.field(validator=_status)
    message: str | None = None
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_pairs)


@attrs.frozen
class Reject(Fault):
    """
    A field that is not known here: a request whose JSON has it gets an error.

    It does not use up the act: the next request gets it, or the same error.

    Args:
        field: of the request's object.
        status: 200 to 599.
        message: None says that the field is unrecognized.
    """

    field: str
    status: int = attrs.field(default=400, validator=_status)
    message: str | None = None


@attrs.frozen
class ContentType(Fault):
    """Another content type; None sends none at all."""

    value: str | None


@attrs.frozen
class Gzip(Fault):
    """The body is compressed; each piece can be read as soon as it comes."""


@attrs.frozen
class Buffer(Fault):
    """
    Nothing is sent before the whole body is there; then it comes in one piece.

    Where it never is (a stall, a body that does not end), nothing ever comes.
    """


@attrs.frozen
class Drip(Fault):
    """The body comes byte by byte, *seconds* between two."""

    seconds: float = attrs.field(default=0.0, validator=_seconds)


@attrs.frozen
class IgnoreStream(Fault):
    """The flag is ignored: what the act says comes as one JSON body."""


@attrs.frozen
class Duplicate(Fault):
    """A frame is sent twice, one behind the other."""

    frame: int = attrs.field(validator=_frame)


@attrs.frozen
class Reorder(Fault):
    """Two frames change places."""

    one: int = attrs.field(validator=_frame)
    other: int = attrs.field(validator=_frame)


@attrs.frozen
class Garbage:
    """
    Bytes that no dialect wrote.

    Args:
        what: text, sent as UTF-8; or how many bytes of noise, always the
            same ones, the first of which begins no character.
    """

    what: str | int

    def __attrs_post_init__(self) -> None:
        number = isinstance(self.what, int) and not isinstance(self.what, bool) and self.what > 0
        if not number and not (isinstance(self.what, str) and self.what):
            raise MisuseError(f"expected text, or a count of bytes; got {excerpt(self.what)!r}")

    @property
    def data(self) -> bytes:
        """What is sent."""
        if isinstance(self.what, str):
            return self.what.encode("utf-8", "surrogatepass")
        noise = random.Random(self.what).randbytes(self.what)  # noqa: S311 (noise, no secret)
        return b"\xff" + noise[1:]


@attrs.frozen
class End:
    """The body ends here, in good order; what stands behind it is not sent."""
