"""What one request gets: lines, in the order of the wire."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import attrs

from ...errors import MisuseError, excerpt
from ...events import Event
from ..steps import NeverEnd, Step
from .content import Content, Done, Error, Finish, Usage
from .faults import (
    Buffer,
    ContentType,
    Drip,
    End,
    Fault,
    Garbage,
    Gzip,
    IgnoreStream,
    Reject,
    Status,
)
from .places import At

__all__ = ["Act", "Line"]

Line: TypeAlias = Content | Event | At | Garbage | End | Fault | Step
"""
What is said (or any event of `streamkit.events` but a terminal), what happens
where it stands (a step, `Garbage`, `End`) or at a place (`At`), and what goes
wrong with the whole reply.
"""

_LINES: Final = (Content, Event, At, Garbage, End, Fault)
_ONCE: Final = (
    Buffer,
    ContentType,
    Done,
    Drip,
    Error,
    Gzip,
    IgnoreStream,
    NeverEnd,
    Status,
    Usage,
)


@attrs.frozen(init=False)
class Act:
    """
    What one request gets, as a value.

    Args:
        lines: in the order in which they are sent and happen.

    Raises:
        MisuseError: a line is none, stands there twice where it can only once,
            or contradicts another.
    """

    lines: tuple[Line, ...]

    def __init__(self, *lines: Line) -> None:
        self.__attrs_init__(lines)

    def __attrs_post_init__(self) -> None:
        seen: set[Any] = set()
        for line in self.lines:
            _check(line)
            key = _key(line)
            if key in seen:
                raise MisuseError(f"expected it once in an act; got {_name(line)} twice")
            seen |= {key} - {None}
        status = self.find(Status)
        if status is not None and status.message is not None and self.says_something:
            raise MisuseError(
                "expected a status with a message to have it for its body; got content beside "
                "it; leave one of them out"
            )

    @property
    def says_something(self) -> bool:
        """Whether it has content."""
        return any(isinstance(line, Content | Event) for line in self.lines)

    def find(self, kind: type[Any]) -> Any:
        """Give the first line of that *kind*; None where there is none."""
        return next((line for line in self.lines if isinstance(line, kind)), None)


def _check(line: object) -> None:
    if isinstance(line, Event) and line.terminal:
        raise MisuseError(
            f"expected no terminal event: Finish and Done say how an act ends; got {_name(line)}"
        )
    if not isinstance(line, _LINES) and not callable(line):
        raise MisuseError(f"expected a line of an act; got {excerpt(line)!r}")


def _key(line: Any) -> Any:
    """Give what there can only be one of; None for what may come as often as it likes."""
    if isinstance(line, Finish):
        return "the end of choice", line.choice
    if isinstance(line, Reject):
        return "the field", line.field
    return type(line) if isinstance(line, _ONCE) else None


def _name(line: object) -> str:
    return type(line).__name__
