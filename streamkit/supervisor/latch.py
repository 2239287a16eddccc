"""Whether something is over, and a way to wait for it."""

from __future__ import annotations

import anyio
import attrs

__all__ = ["Latch"]


@attrs.define(eq=False)
class Latch:
    """An `anyio.Event`, made when it is waited for: of most runs nobody waits for the end."""

    _over: bool = attrs.field(default=False, init=False)
    _event: anyio.Event | None = attrs.field(default=None, init=False)

    def set(self) -> None:
        """Let everybody go on, now and later."""
        self._over = True
        if self._event is not None:
            self._event.set()

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._over

    async def wait(self) -> None:
        """Wait until it is set."""
        if self._over:
            await anyio.lowlevel.checkpoint()
            return
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()
