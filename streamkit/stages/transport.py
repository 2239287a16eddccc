"""The source that streams: sends the request, and yields frames as they come."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ClassVar, Final

import attrs
import httpx

from ..dialects import Dialect, HttpCall
from ..framing import Ended
from ..pipeline import Emit, Taps
from .endpoint import HttpSource

__all__ = ["Transport", "open_http", "pool_limits"]

_IDLE: Final = 20
"""
Idle connections that are kept (a count). Each request and each end looks at every one, 0.04 ms
each (httpcore 1.0.9, CPython 3.11): where all of a thousand were kept, a thousand answers that
ended together took 19 s of processor time; with 20 it was 1.4 s.
"""


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


def open_http() -> Any:
    """
    Open the HTTP client of those who bring none.

    Its clocks are off: `Limits` has them. Its pool has no ceiling
    (`pool_limits`).
    """
    return httpx.AsyncClient(timeout=None, limits=pool_limits(httpx))  # noqa: S113 (see above)


def pool_limits(library: Any) -> Any:
    """
    Give the limits of a connection pool for streams that are long and many.

    ``max_connections`` (a count) is None: every stream has a connection of its
    own, so as many are open as the caller asks for at once. Of those that are
    idle 20 are kept (a count), for 5 seconds, as httpx does by itself.

    Args:
        library: whose limits: httpx, or a module of its shape (httpx2).
    """
    return library.Limits(max_connections=None, max_keepalive_connections=_IDLE)
