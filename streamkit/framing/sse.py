"""Server-sent events, framed by httpx-sse."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import Any, cast

from httpx_sse import EventSource

from streamkit.framing.frame import Frame
from streamkit.framing.guard import Guard

__all__ = ["read_sse"]


async def read_sse(guard: Guard, take: Callable[[Frame], object]) -> None:
    """
    Read *guard* to its end and hand each frame to *take*.

    Frames without data and without a name say nothing and are dropped: a bare
    ``data:``, a lone ``retry:``, and the ghosts httpx-sse dispatches at every
    blank line once an ``id:`` was seen (WHATWG HTML 9.2.6 forbids them).

    Raises:
        FrameTooLarge: see `Guard.aiter_text`; the frames before it are taken.
    """
    # What the guard cannot tell at a glance comes through httpx-sse, in its place.
    # httpx-sse leaves the text open when it is closed early: hence both.
    guard.take = take
    source = EventSource(cast("Any", guard))
    async with aclosing(guard), aclosing(source.aiter_sse()) as events:
        async for sse in events:
            data, event = sse.data, sse.event
            if data or event != "message":
                take(Frame(data, event, False, guard.cut))
