"""A run of synchronous stages, driven by one task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise

import anyio
import attrs
from anyio.streams.memory import MemoryObjectReceiveStream

from .clock import Clock
from .stage import Item, TimedTransform
from .worker import Link, StageWorker, Worker

__all__ = ["Over", "Segment"]

Outlet = Callable[[Item], Awaitable[None]]


class Over(Exception):
    """Nobody needs what the source would still read."""


@attrs.define(eq=False)
class Segment:
    """
    Synchronous stages with a memory stream before, between and behind them.

    One task drives them: `push` hands in an item and takes it through every
    stage, each draining its source with ``receive_nowait`` and filling its
    sink with ``send_nowait``, so no hop costs a task switch.
    """

    links: Sequence[Link]
    workers: Sequence[Worker]
    outlet: Outlet
    """Takes what comes out; raises `Over` when it needs no more."""

    @classmethod
    def of(cls, makers: Sequence[Callable[..., Worker]], outlet: Outlet) -> Segment:
        """Join the workers that *makers* make of their source and sink."""
        links = [Link.open() for _ in range(len(makers) + 1)]
        workers = [
            make(source=before.source, sink=after.sink)
            for make, (before, after) in zip(makers, pairwise(links), strict=True)
        ]
        return cls(links, workers, outlet)

    async def push(self, item: Item) -> None:
        """Take *item* through every stage."""
        self.links[0].sink.send_nowait(item)
        items = 1
        for worker in self.workers:
            items = worker.step(items)
        out = self.links[-1].source
        for _ in range(items):
            await self.outlet(out.receive_nowait())

    async def pull(self, source: MemoryObjectReceiveStream[Item], clock: Clock) -> None:
        """Drive the stages from another task's stream, to its end; wake a timed first stage."""
        timed = self._timed()
        with source:
            while True:
                due = getattr(timed.stage, "wake_at", None) if timed is not None else None
                try:
                    item = await _receive(source, due, clock)
                except anyio.EndOfStream:
                    return
                if item is not None:
                    await self.push(item)
                elif timed is not None:
                    await self._wake(timed, clock.now())

    def close(self) -> None:
        """Close every stream."""
        for link in self.links:
            link.close()

    def _timed(self) -> StageWorker | None:
        first = self.workers[0] if self.workers else None
        if isinstance(first, StageWorker) and isinstance(first.stage, TimedTransform):
            return first
        return None

    async def _wake(self, timed: StageWorker, now: float) -> None:
        items = 0
        for item in timed.wake(now):
            timed.sink.send_nowait(item)
            items += 1
        for worker in self.workers[1:]:
            items = worker.step(items)
        out = self.links[-1].source
        for _ in range(items):
            await self.outlet(out.receive_nowait())


async def _receive(
    source: MemoryObjectReceiveStream[Item], due: float | None, clock: Clock
) -> Item | None:
    """Receive, at most until *due*; None when it came first."""
    if due is None:
        return await source.receive()
    with anyio.move_on_after(due - clock.now()):
        return await source.receive()
    return None
