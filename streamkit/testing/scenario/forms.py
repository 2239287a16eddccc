"""How a line is written: the words it begins with, and slots for its values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import attrs

from .lexer import Tokens

__all__ = ["Form", "Slot"]


class Slot(Protocol):
    """A place in a line for a value."""

    def read(self, tokens: Tokens, /) -> dict[str, Any]:
        """
        Take the value from *tokens*, by its name.

        Raises:
            Unreadable: there is none.
        """

    def write(self, line: Any, /) -> Iterator[str]:
        """Give the words of *line*'s value."""


@attrs.frozen
class Form:
    """One kind of line."""

    head: tuple[str, ...]
    """The words it begins with."""
    usage: str
    """How it is written, for messages."""
    make: Callable[..., Any]
    """Makes the line of its values."""
    slots: tuple[Slot, ...] = ()
    fits: Callable[[Any], bool] | None = None
    """Whether a line is of this kind; None for every one that *make*, a class, has made."""
    placed: bool = False
    """Whether a place may follow."""
    chosen: bool = False
    """Whether it is of a choice."""

    def read(self, tokens: Tokens, choice: int = 0) -> Any:
        """
        Make the line of the tokens behind its head.

        Args:
            tokens: of the line.
            choice: whose it is, where it is of one.

        Raises:
            Unreadable: a value is missing, or none.
            MisuseError: the values are no line.
        """
        values: dict[str, Any] = {"choice": choice} if self.chosen else {}
        for slot in self.slots:
            values |= slot.read(tokens)
        return self.make(**values)

    def matches(self, line: Any) -> bool:
        """Whether *line* is of this kind."""
        if self.fits is not None:
            return self.fits(line)
        return isinstance(self.make, type) and type(line) is self.make

    def write(self, line: Any) -> str:
        """Write *line*."""
        return " ".join((*self.head, *(word for slot in self.slots for word in slot.write(line))))
