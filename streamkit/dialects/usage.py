"""What an answer cost, as providers report it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ..events import UsageReported
from .merge import overlay

__all__ = ["Reported", "count"]


def count(raw: Any, field: str) -> int | None:
    """Read a count of tokens; None where *raw* is no object, or has none there."""
    value = raw.get(field) if isinstance(raw, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


@attrs.define(eq=False)
class Reported:
    """The usage that an encoder was told of, for the end of its stream."""

    own: dict[str, Any] = attrs.field(factory=dict, init=False)
    """The provider's own object, the last value of each field."""
    _counted: dict[str, Any] | None = attrs.field(default=None, init=False)
    """The fields of the neutral usage; None until there is one."""

    def add(self, event: UsageReported) -> None:
        """Take what was reported."""
        self._counted = self._counted or {}
        overlay(self._counted, attrs.asdict(event.usage))
        overlay(self.own, event.extra)

    def json(
        self, write: Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any]]
    ) -> dict[str, Any] | None:
        """Have an API *write* it, of the provider's object and the neutral fields; None of none."""
        return None if self._counted is None else write(self.own, self._counted)
