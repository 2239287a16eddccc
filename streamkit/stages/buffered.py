"""The source that does not stream: what a failed stream is rerouted to."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from ..dialects import Dialect, HttpCall
from ..framing import Ended
from ..pipeline import Emit, Taps
from .endpoint import Endpoint

__all__ = ["Buffered"]


@attrs.define(eq=False)
class Buffered:
    """
    Send the call without streaming; the answer walks the same stages.

    A provider that streams all the same is read as a stream.
    """

    http: Any
    """An ``httpx.AsyncClient`` or anything of its shape; never closed here."""
    endpoint: Endpoint = attrs.field(factory=Endpoint, kw_only=True)
    buffered: ClassVar[bool] = True

    @property
    def secrets(self) -> tuple[str, ...]:
        """The endpoint's."""
        return self.endpoint.secrets

    def call(self, dialect: Dialect, request: dict[str, Any], /) -> HttpCall:
        """Ask the dialect how a buffered call is sent."""
        return dialect.buffered(request)

    async def fetch(self, call: HttpCall, dialect: Dialect, emit: Emit, taps: Taps, /) -> Ended:
        """Send the call and emit its body as one whole frame (see `Endpoint.fetch`)."""
        return await self.endpoint.fetch(self.http, call, emit, taps, accept="application/json")
