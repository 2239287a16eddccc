"""A scenario: what a provider does wrong, as a value, as text, and as replies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import attrs

from ...errors import MisuseError, excerpt
from .act import Act
from .faults import IgnoreStream, is_seconds
from .language import parse, write_scenario

__all__ = ["Scenario"]


def _acts(acts: Act | Iterable[Act]) -> tuple[Act, ...]:
    found = (acts,) if isinstance(acts, Act) else tuple(acts)
    for act in found:
        if not isinstance(act, Act):
            raise MisuseError(
                f"expected acts; got {excerpt(act)!r}; write Act(...) around its lines"
            )
    return found


@attrs.frozen(kw_only=True)
class Scenario:
    """
    What a provider does, as a value; use it as often as you like.

    Args:
        stream: an act, or several: what streaming requests get, in turn; the
            last is repeated.
        buffered: the same for every other request.
        accept_delay: how late each connection is accepted (seconds).

    A request that there is no act for gets status 501.

    Raises:
        MisuseError: there is no act at all, or a line that has no place in it.
    """

    stream: tuple[Act, ...] = attrs.field(default=(), converter=_acts)
    buffered: tuple[Act, ...] = attrs.field(default=(), converter=_acts)
    accept_delay: float = 0.0

    def __attrs_post_init__(self) -> None:
        if not (self.stream or self.buffered):
            raise MisuseError("expected an act; got none; begin one with 'stream' or 'buffered'")
        if not is_seconds(self.accept_delay):
            raise MisuseError(
                f"expected accept_delay in seconds, 0 or more; got {excerpt(self.accept_delay)}"
            )
        if any(act.find(IgnoreStream) for act in self.buffered):
            raise MisuseError(
                "expected 'ignore stream' where a stream is asked for; got it in a buffered act; "
                "leave it out"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read a scenario that is written in the language.

        Raises:
            MisuseError: a line cannot be read; says its number, what was
                expected, what came, and what may have been meant.
        """
        return cls(**parse(text))

    def __str__(self) -> str:
        return write_scenario(self.stream, self.buffered, self.accept_delay)
