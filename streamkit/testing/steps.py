"""
What a reply can do besides sending bytes.

A step is any async callable that takes the `Wire`. When the client goes away
the step that waits is cancelled, so none has to watch for it, and those that
wait for ever end. A step after the wire is closed is not taken.
"""

from __future__ import annotations

from typing import Protocol

import anyio
import attrs

__all__ = [
    "Drop",
    "HalfClose",
    "Hold",
    "KeepAlive",
    "NeverEnd",
    "Pause",
    "Reset",
    "Step",
    "Until",
    "Wire",
]


class Wire(Protocol):
    """What a step may do to the connection it is taken on."""

    async def send(self, data: bytes) -> None:
        """Send *data* as one piece of the body, framed as the reply says."""

    async def send_eof(self) -> None:
        """Say that nothing more will be sent; reading goes on."""

    async def reset(self) -> None:
        """Close with a TCP reset."""

    async def aclose(self) -> None:
        """Close, whatever is left unsaid."""


class Step(Protocol):
    """One thing a reply does."""

    async def __call__(self, wire: Wire, /) -> None:
        """Do it; the next step follows when this returns."""


@attrs.frozen
class Pause:
    """Say nothing for *seconds*."""

    seconds: float

    async def __call__(self, wire: Wire, /) -> None:
        """Wait."""
        await anyio.sleep(self.seconds)


@attrs.frozen
class Until:
    """Say nothing until *event* is set."""

    event: anyio.Event

    async def __call__(self, wire: Wire, /) -> None:
        """Wait for the event."""
        await self.event.wait()  # the test's own timeout covers it


@attrs.frozen
class Hold:
    """Say nothing more until the client goes away."""

    async def __call__(self, wire: Wire, /) -> None:
        """Wait for ever."""
        await anyio.sleep_forever()  # the client's own timeout covers it


@attrs.frozen
class NeverEnd(Hold):
    """
    `Hold` after a whole body: the terminating chunk never comes.

    Where the length was said before, the client knows the end without it.
    """


@attrs.frozen
class KeepAlive:
    """
    Repeat *comment* until the client goes away.

    Args:
        every: seconds before each comment, the first included.
        comment: what is sent, as one piece of the body.
        times: how many comments; None never stops.
    """

    every: float
    comment: str = ": ping\n\n"
    times: int | None = None

    async def __call__(self, wire: Wire, /) -> None:
        """Send, *times* times."""
        sent = 0
        while self.times is None or sent < self.times:
            await anyio.sleep(self.every)
            await wire.send(self.comment.encode())
            sent += 1


@attrs.frozen
class Drop:
    """Close the connection without ending the body."""

    async def __call__(self, wire: Wire, /) -> None:
        """Close."""
        await wire.aclose()


@attrs.frozen
class Reset:
    """
    Close the connection with a TCP reset.

    The bytes sent before it are still read on Linux; other systems may throw
    away what the client has not read.
    """

    async def __call__(self, wire: Wire, /) -> None:
        """Reset."""
        await wire.reset()


@attrs.frozen
class HalfClose:
    """Send EOF without ending the body, and keep reading until the client goes away."""

    async def __call__(self, wire: Wire, /) -> None:
        """Send EOF, and wait for ever."""
        await wire.send_eof()
        await anyio.sleep_forever()  # the client's own timeout covers it
