"""One choice of the chunks, or of a completion."""

from __future__ import annotations

from typing import Any, Final

import attrs

from ...errors import InBandError
from ...events import Citation, Event, Finished, Metadata, RefusalDelta
from ..calls import CallTracker
from ..in_band import ERROR_FINISHES, find_error
from .delta import odd_content, parts_of, reasoning_of
from .echo import Echo

__all__ = ["ChoiceDecoder"]

_FINAL: Final = frozenset({"length", "content_filter"})
"""Finish reasons that a later, different one may bring (quirk 40)."""


@attrs.define(eq=False)
class ChoiceDecoder:
    """The parts of one choice to events, as they come."""

    index: int
    reason: str | None = attrs.field(default=None, init=False)
    """Why it finished."""
    echo: Echo = attrs.field(init=False)
    """Its text."""
    _calls: CallTracker | None = attrs.field(default=None, init=False)
    plain: dict[str, Any] | None = attrs.field(default=None, init=False)
    """Its fields beside the delta, where they told nothing."""
    _nulls: frozenset[str] = attrs.field(default=frozenset(), init=False)
    """Null fields of the message that were told of."""

    def __attrs_post_init__(self) -> None:
        self.echo = Echo(self.index)

    @property
    def called(self) -> bool:
        """Whether a call began."""
        return self._calls is not None

    @property
    def cut(self) -> bool:
        """Whether the arguments of a call broke off, and the model was not what broke it off."""
        if self._calls is None or self.reason in _FINAL:
            return False
        return self._calls.cut(finished=bool(self.reason))

    def read(self, choice: dict[str, Any], out: list[Event]) -> None:
        """Read the choice of a chunk, without its index; it is ours to take apart."""
        delta = choice.pop("delta", None)
        if type(delta) is dict:
            choice.pop("message", None)  # cumulative twins of the delta (Perplexity,
            choice.pop("text", None)  # Writer; Together)
            text = delta.get("content")
            if len(delta) == 1 and type(text) is str:
                if text:
                    out.extend(self.echo.tell(text))
            else:
                self._delta(delta, out)
        elif type(message := choice.pop("message", None)) is dict:
            self._delta(dict(message), out)
        if choice.get("finish_reason"):
            self._error_finish(choice)
            self._finish(choice, out)
        elif choice and choice != self.plain:
            self._beside(choice, out)

    def complete(self, choice: dict[str, Any], out: list[Event]) -> None:
        """Read the choice of a completion, without its index; it is ours to take apart."""
        message = choice.pop("message", None) or {}
        self._error_finish(choice)
        message = dict(message) if isinstance(message, dict) else {"content": message}
        out.extend(odd_content(self.index, message))
        self._delta(message, out)
        self._finish(choice, out)

    def _delta(self, delta: dict[str, Any], out: list[Event]) -> None:
        """Read a delta or a message. Reasoning comes before text."""
        index = self.index
        content = delta.pop("content", None)
        role = delta.pop("role", None)
        out.extend(reasoning_of(delta, index))
        if type(content) is str:
            if content:
                out.extend(self.echo.tell(content))
        elif type(content) is list:
            out.extend(parts_of(content, index))
        if delta.get("refusal"):
            out.append(RefusalDelta(str(delta.pop("refusal")), index))
        if role and role != "assistant":
            delta["role"] = role
        self._tools(delta, out)
        if type(delta.get("annotations")) is list:
            out.extend(Citation(c, index) for c in delta.pop("annotations"))
        extra = {k: v for k, v in delta.items() if v not in (None, "") or self._is_news(k)}
        if extra:
            out.append(Metadata(index, extra, message=True))

    def _tools(self, delta: dict[str, Any], out: list[Event]) -> None:
        pieces = delta.pop("tool_calls", None)
        if not pieces:
            return
        if self._calls is None:
            self._calls = CallTracker(self.index)
        for piece in pieces if type(pieces) is list else (pieces,):
            if type(piece) is dict:
                out.extend(self._calls.feed(piece))

    def _finish(self, choice: dict[str, Any], out: list[Event]) -> None:
        reason = choice.pop("finish_reason", None)
        if reason:
            out.extend(self.echo.release())
            word = str(reason)
            if self.reason is None or (word != self.reason and word in _FINAL):
                self.reason = word
                out.append(Finished(self.index, word, choice or None))
                return
        if choice:
            out.append(Metadata(self.index, choice))

    def _beside(self, choice: dict[str, Any], out: list[Event]) -> None:
        """Tell of a choice's fields beside its delta; all null is told once."""
        if not any(value for value in choice.values()):
            self.plain = choice
        extra = {k: v for k, v in choice.items() if k != "finish_reason"}
        if extra:
            out.append(Metadata(self.index, extra))

    def _error_finish(self, choice: dict[str, Any]) -> None:
        reason = choice.get("finish_reason")
        if reason in ERROR_FINISHES:
            raise (
                find_error(choice)
                or self.echo.error()
                or InBandError(
                    f"the provider ended the answer with finish_reason {reason!r}",
                    provider_code=str(reason),
                )
            )

    def _is_news(self, key: str) -> bool:
        """Whether this null field of the message was not told of before."""
        told = key in self._nulls
        self._nulls |= {key}
        return not told
