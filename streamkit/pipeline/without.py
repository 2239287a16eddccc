"""A source whose calls leave fields out."""

from __future__ import annotations

from collections.abc import Collection, Coroutine
from typing import Any

import attrs

from ..dialects import Dialect, HttpCall
from ..framing import Ended
from .stage import Emit, Source, Taps

__all__ = ["Without"]


@attrs.frozen
class Without:
    """Another source, its calls made without *fields* that the endpoint refused."""

    source: Source
    fields: frozenset[str]

    @classmethod
    def of(cls, source: Source, fields: Collection[str]) -> Source:
        """Give *source* without *fields*; itself where there are none."""
        return cls(source, frozenset(fields)) if fields else source

    @property
    def buffered(self) -> bool:
        """Whether this is the buffered call."""
        return self.source.buffered

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may quote."""
        return getattr(self.source, "secrets", ())

    def call(self, dialect: Dialect, request: dict[str, Any], /) -> HttpCall:
        """Say how *request* is sent, without the fields."""
        call = self.source.call(dialect, request)
        body = {key: value for key, value in call.body.items() if key not in self.fields}
        return attrs.evolve(call, body=body)

    def fetch(
        self, call: HttpCall, dialect: Dialect, emit: Emit, taps: Taps, /
    ) -> Coroutine[Any, Any, Ended]:
        """Send the call, as the source does."""
        return self.source.fetch(call, dialect, emit, taps)
