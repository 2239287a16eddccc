"""What the chunks of one answer have around their choices."""

from __future__ import annotations

from typing import Any, Final

import attrs

from ...framing import Frame, encode_ascii
from ..merge import overlay

__all__ = ["Envelope"]

_HEAD: Final = {"id": "", "object": "chat.completion.chunk", "created": 0, "model": ""}
_STANDING: Final = frozenset({"created", "service_tier", "system_fingerprint"})
"""Fields of the answer that every chunk has: clients keep the last chunk's value."""
_OWN: Final = frozenset({"object", "choices", "usage"})
"""Fields of a chunk that are never the provider's."""


@attrs.define(eq=False)
class Envelope:
    """The fields of the answer as a whole, and the chunks that tell them."""

    fallback: str = "chatcmpl-"
    """The id of an answer that has none."""
    head: dict[str, Any] = attrs.field(factory=lambda: dict(_HEAD), init=False)
    """The fields of every chunk."""
    _news: dict[str, Any] = attrs.field(factory=dict, init=False)
    """Fields of the answer that the next chunk tells."""
    _foreign: bool = attrs.field(default=False, init=False)
    """Whether the answer's fields are those of the Responses API, the request's among them."""

    def learn(self, extra: dict[str, Any]) -> None:
        """Take fields of the answer as a whole. What was told of its id and model stays."""
        self._foreign = self._foreign or extra.get("object") == "response"
        for key, value in extra.items():
            if key in ("id", "model"):
                self.head[key] = self.head[key] or value or ""
            elif self._foreign:
                continue
            elif key in _STANDING:
                overlay(self.head, {key: value})
            elif key not in _OWN and not (key == "error" and value):  # that would be one
                overlay(self._news, {key: value})

    def chunk(self, choices: list[dict[str, Any]], **beside: Any) -> Frame:
        """Give the chunk of these *choices*, with what is new of the answer."""
        self.head["id"] = self.head["id"] or self.fallback
        news, self._news = self._news, {}
        return Frame(encode_ascii({**self.head, **news, "choices": choices, **beside}))
