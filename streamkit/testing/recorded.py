"""What was asked, and what became of the client."""

from __future__ import annotations

import json
from typing import Any

import anyio
import attrs

__all__ = ["Recorded"]


@attrs.define(eq=False)
class Recorded:
    """One request as the provider saw it, and two signals of what came after."""

    method: str
    path: str
    """Without the query."""
    query: str
    """As sent, without the question mark."""
    headers: dict[str, str]
    """Names in lower case; of a repeated header the values, joined by a comma."""
    body: bytes
    arrived: float = attrs.field(factory=anyio.current_time)
    """When the whole request was there (seconds, on the event loop's clock)."""
    disconnected: anyio.Event = attrs.field(factory=anyio.Event, repr=False)
    """Set as soon as the client's EOF or reset is seen while its reply is under way."""
    finished: anyio.Event = attrs.field(factory=anyio.Event, repr=False)
    """Set when the provider is done with the request, however that came."""

    @property
    def json(self) -> Any:
        """The body, read as JSON; a body that is none raises ValueError."""
        return json.loads(self.body)

    @property
    def streaming(self) -> bool:
        """Whether a stream is asked for: ``"stream": true`` in a JSON body, or Gemini's path."""
        if self.path.endswith(":streamGenerateContent"):
            return True
        try:
            body = self.json
        except ValueError:
            return False
        return isinstance(body, dict) and body.get("stream") is True
