"""What one waiting task is woken by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol

import anyio
import attrs

__all__ = ["Bell", "bell"]


class Bell(Protocol):
    """Rings once, for one task."""

    def wait(self) -> Awaitable[object]:
        """Wait until it rings."""

    def set(self) -> None:
        """Ring, again or not."""


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
    return _Future(asyncio.get_running_loop().create_future()) if on_asyncio else anyio.Event()


@attrs.define(eq=False)
class _Future:
    """An asyncio future that is set once, whatever became of it."""

    future: asyncio.Future[None]

    def wait(self) -> Awaitable[object]:
        return self.future

    def set(self) -> None:
        if not self.future.done():
            self.future.set_result(None)
