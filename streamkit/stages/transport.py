"""The source that streams: sends the request, and yields frames as they come."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ClassVar

import attrs

from ..dialects import Dialect, HttpCall
from ..framing import Ended
from ..pipeline import Emit, Taps
from .endpoint import HttpSource

__all__ = ["Transport"]


@attrs.define(eq=False)
class Transport(HttpSource):
    """
    Send the streaming call, and yield the frames of its body as they come.

    Whatever framing the provider answers with is read: the body's first
    bytes decide. One that ignores ``stream`` and sends a whole JSON body has
    answered too.
    """

    buffered: ClassVar[bool] = False

    def call(self, dialect: Dialect, request: dict[str, Any], /) -> HttpCall:
        """Ask the dialect how a streaming call is sent."""
        return dialect.streaming(request)

    def fetch(
        self, call: HttpCall, dialect: Dialect, emit: Emit, taps: Taps, /
    ) -> Coroutine[Any, Any, Ended]:
        """Send the call and emit the frames of each read (see `Endpoint.fetch`)."""
        return self.endpoint.fetch(self.http, call, emit, taps, accept="text/event-stream")
