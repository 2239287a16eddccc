"""What one waiting task is woken by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol

import anyio
import attrs

__all__ = ["Bell", "bell"]


class Bell(Protocol):
    """Wakes one task, again and again."""

    def wait(self) -> Awaitable[object]:
        """Give what ends when it rings from now on."""

    def ring(self) -> None:
        """Wake who waits, if anybody does."""


def bell() -> Bell:
    """
    Give the lightest there is where this is called.

    Of very many readers each waits at one: on asyncio `anyio.Event` is three
    objects, a deque among them, and two more frames; a future does.
    """
    try:
        on_asyncio = asyncio.current_task() is not None
    except RuntimeError:  # no event loop of its
        on_asyncio = False
    return _Futures(asyncio.get_running_loop()) if on_asyncio else _Events()


@attrs.define(eq=False)
class _Futures:
    """A new future for each wait; it is set once, whatever became of it."""

    _loop: asyncio.AbstractEventLoop
    _future: asyncio.Future[None] | None = attrs.field(default=None, init=False)

    def wait(self) -> Awaitable[object]:
        self._future = self._loop.create_future()
        return self._future

    def ring(self) -> None:
        future = self._future
        if future is not None and not future.done():
            future.set_result(None)


@attrs.define(eq=False)
class _Events:
    """A new event for each wait."""

    _event: anyio.Event | None = attrs.field(default=None, init=False)

    def wait(self) -> Awaitable[object]:
        self._event = anyio.Event()
        return self._event.wait()

    def ring(self) -> None:
        if self._event is not None:
            self._event.set()
