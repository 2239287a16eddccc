"""The source that does not stream: what a failed stream is rerouted to."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ClassVar

import attrs

from ..dialects import Dialect, HttpCall
from ..framing import Ended
from ..pipeline import Emit, Taps
from .endpoint import HttpSource

__all__ = ["Buffered"]


@attrs.define(eq=False)
class Buffered(HttpSource):
    """
    Send the call without streaming; the answer walks the same stages.

    A provider that streams all the same is read as a stream.
    """

    buffered: ClassVar[bool] = True

    def call(self, dialect: Dialect, request: dict[str, Any], /) -> HttpCall:
        """Ask the dialect how a buffered call is sent."""
        return dialect.buffered(request)

    def fetch(
        self, call: HttpCall, dialect: Dialect, emit: Emit, taps: Taps, /
    ) -> Coroutine[Any, Any, Ended]:
        """Send the call and emit its body as one whole frame (see `Endpoint.fetch`)."""
        return self.endpoint.fetch(self.http, call, emit, taps, accept="application/json")
