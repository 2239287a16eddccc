"""The source that streams inside, and tells at the end."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from ..dialects import Dialect, HttpCall
from ..framing import Ended, Frame
from ..pipeline import Emit, Taps
from .endpoint import HttpSource

__all__ = ["Collected"]


@attrs.define(eq=False)
class Collected(HttpSource):
    """
    A buffered call for providers that only stream, and for answers too long to wait for in one.

    The streaming call is made, its frames are kept (``Limits.max_response_bytes``
    bounds them), and only a whole answer is passed on: nothing of a stream that
    breaks here is ever told.
    """

    buffered: ClassVar[bool] = True

    def call(self, dialect: Dialect, request: dict[str, Any], /) -> HttpCall:
        """Ask the dialect how a streaming call is sent."""
        return dialect.streaming(request)

    async def fetch(self, call: HttpCall, dialect: Dialect, emit: Emit, taps: Taps, /) -> Ended:
        """
        Send the call, and emit its frames once they are a whole answer.

        Raises:
            ProviderError: they are none (see `Decoder.eof`).
        """
        frames: list[Frame] = []

        async def keep(batch: list[Frame]) -> None:
            """Take the frames of one read."""
            frames.extend(batch)

        ended = await self.endpoint.fetch(self.http, call, keep, taps, accept="text/event-stream")
        _judge(dialect, frames, ended)
        if frames:
            await emit(frames)
        return ended


def _judge(dialect: Dialect, frames: list[Frame], ended: Ended) -> None:
    """Read the frames once, for their errors and their end alone."""
    decoder = dialect.decoder()
    for frame in frames:
        if any(event.terminal for event in decoder.feed(frame)):
            return
    decoder.eof(ended.residue)
