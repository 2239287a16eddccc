"""One choice of an answer, as far as it was told in chunks."""

from __future__ import annotations

from typing import Any, Final

import attrs

from ...events import ToolCallDelta, ToolCallStarted
from ..merge import merge

__all__ = ["TWINS", "Told"]

TWINS: Final = frozenset({"reasoning", "reasoning_content", "reasoning_details"})
"""Fields of a message that readers take for reasoning, and prefer one to the other."""
_FRAGMENT: Final = frozenset({"tool_call", "parse_status"})
"""What an agent's step tells of a call that is being written (llama-stack)."""


@attrs.define(eq=False)
class Told:
    """One choice: what was told of it, and what waits for the end."""

    reason: str | None = None
    extra: dict[str, Any] = attrs.field(factory=dict)
    """Fields that came with the finish reason, or behind it."""
    held: dict[str, Any] = attrs.field(factory=dict)
    """Fields of the message that are told whole."""
    asked: bool = False
    """Whether a call of it is the caller's to make."""
    detailed: bool | None = None
    """Whether details come with its reasoning; None until it is known."""
    _calls: dict[int, tuple[int, str]] = attrs.field(factory=dict, init=False)
    """By number: the index told, and the field of its body."""
    _hosted: set[int] = attrs.field(factory=set, init=False)
    """The numbers of calls that the provider runs itself."""

    def hold(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Keep those *fields* of the message that are told whole; give the others."""
        whole = {k: v for k, v in fields.items() if k in self.held or _is_unjoinable(k, v)}
        merge(self.held, whole)
        return {k: v for k, v in fields.items() if k not in whole}

    def call(self, event: ToolCallStarted | ToolCallDelta) -> dict[str, Any] | None:
        """Give a piece of a call; None while it is not known which, whose, or that it is one."""
        if isinstance(event, ToolCallStarted) and event.hosted:
            self._hosted.add(event.call)
        if event.call in self._hosted:
            return None
        extra = {k: v for k, v in (event.extra or {}).items() if k not in _FRAGMENT}
        if not (_tells_a_call(event) or (extra and event.call in self._calls)):
            return None
        return self.piece(event, extra)

    def piece(
        self, event: ToolCallStarted | ToolCallDelta, extra: dict[str, Any]
    ) -> dict[str, Any]:
        """Give an entry of ``tool_calls``: with id, type and name where it is the call's first."""
        begins = event.call not in self._calls
        who: dict[str, Any] = {"id": event.id} if begins or event.id else {}
        if begins:
            who["type"] = kind = str(extra.get("type") or "function")
            self._calls[event.call] = len(self._calls), "custom" if kind == "custom" else "function"
        index, field = self._calls[event.call]
        body = {"name": event.name} if begins or event.name else {}
        arguments = event.arguments if isinstance(event, ToolCallDelta) else ""
        body["input" if field == "custom" else "arguments"] = arguments
        inner = extra.pop(field, None)
        body |= inner if isinstance(inner, dict) else {}
        return {**extra, "index": index, **who, field: body}


def _tells_a_call(event: ToolCallStarted | ToolCallDelta) -> bool:
    return isinstance(event, ToolCallStarted) or bool(event.arguments or event.id or event.name)


def _is_unjoinable(field: str, value: Any) -> bool:
    """Whether clients cannot join it to another: a list of items that have no index."""
    return (
        field not in TWINS
        and isinstance(value, list)
        and not all(
            isinstance(item, str | int | float)
            or (isinstance(item, dict) and isinstance(item.get("index"), int))
            for item in value
        )
    )
