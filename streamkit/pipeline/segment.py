"""A run of synchronous stages, driven by one task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import attrs

from ..events import Event
from .clock import Clock
from .stage import Item, is_timed
from .worker import Link, StageWorker, Worker

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream

__all__ = ["Over", "Segment"]

Wait = Callable[[], Awaitable[None]]
"""What must be awaited before anything more is handed in."""

Outlet = Callable[[Item], Wait | None]
"""Takes what comes out; gives what must be awaited before the next, if anything."""


class Over(Exception):
    """Nobody needs what the source would still read."""


@attrs.define(eq=False)
class Segment:
    """
    Synchronous stages with a memory stream before, between and behind them.

    One task drives them: `push` hands in an item and takes it through every
    stage, each draining its source with ``receive_nowait`` and filling its
    sink with ``send_nowait``, so no hop costs a task switch. As long as a
    stage makes one batch of one batch, its neighbours' streams are empty: what
    it gives is then handed to the next as it is, and whatever else it gives
    goes through the streams from there on.
    """

    workers: Sequence[Worker]
    outlet: Outlet
    """Raises `Over` when it needs no more."""
    _links: Sequence[Link] = attrs.field(default=(), init=False)
    """Before, between and behind the workers; opened when one is needed."""
    _over: bool = attrs.field(default=False, init=False)
    """Whether a stage has given the last it may."""

    async def push(self, item: Item) -> None:
        """Take *item* through every stage, and wait where what comes out must be waited for."""
        out = self._through(item)
        for each in (out,) if isinstance(out, list) else out:
            wait = self.outlet(each)
            if wait is not None:
                await wait()

    def push_nowait(self, item: Item) -> Wait | None:
        """Take *item* through every stage; give what is to be awaited, instead of awaiting it."""
        out = self._through(item)
        if isinstance(out, list):
            return self.outlet(out)
        wait = None
        for each in out:
            wait = self.outlet(each) or wait
        return wait

    async def pull(self, source: MemoryObjectReceiveStream[Item], clock: Clock) -> None:
        """Drive the stages from another task's stream, to its end; wake a timed first stage."""
        timed = self._timed()
        with source:
            while True:
                due = None if timed is None or self._over else timed.due
                try:
                    item = await _receive(source, due, clock)
                except anyio.EndOfStream:
                    return
                if item is not None:
                    await self.push(item)
                elif timed is not None and due is not None:
                    await self._wake(timed, max(due, clock.now()))

    def close(self) -> None:
        """Close every stream."""
        for link in self._links:
            link.close()

    def _timed(self) -> StageWorker | None:
        first = self.workers[0] if self.workers else None
        if isinstance(first, StageWorker) and is_timed(first.stage):
            return first
        return None

    async def _wake(self, timed: StageWorker, now: float) -> None:
        """Send what a timed first stage has due through the stages behind it."""
        for out in self._out(timed.wake(now, self._open()[1]), 1):
            wait = self.outlet(out)
            if wait is not None:
                await wait()

    def _through(self, item: Item) -> list[Event] | Iterator[Item]:
        """
        Take *item* through every stage.

        Returns:
            The batch that came out of the last, which is the hot path, or an
            iterator of all that comes out.
        """
        if self._over:
            return iter(())
        if type(item) is not list:
            self._open()[0].sink.send_nowait(item)
            return self._out(1, 0)
        batch = item
        for worker in self.workers:
            out = worker.handle(batch)
            if out is batch:
                continue  # the stage passed it on, as it does nearly all
            if not out and worker.broken is None:
                return iter(())
            if type(out) is not list or worker.broken is not None:
                number = self.workers.index(worker) + 1
                return self._out(worker.pass_on(out, self._open()[number]), number)
            batch = out
        if self.workers and batch[-1].terminal:
            self._over = True
        return batch

    def _out(self, items: int, number: int) -> Iterator[Item]:
        """Drive the stages behind link *number*, which holds so many; give what comes out."""
        links = self._open()
        for worker, (before, after) in zip(
            self.workers[number:], pairwise(links[number:]), strict=True
        ):
            items = worker.step(items, before, after)
        self._over = any(worker.over for worker in self.workers)
        for _ in range(items):
            yield links[-1].source.receive_nowait()

    def _open(self) -> Sequence[Link]:
        if not self._links:
            self._links = [Link.of() for _ in range(len(self.workers) + 1)]
        return self._links


async def _receive(
    source: MemoryObjectReceiveStream[Item], due: float | None, clock: Clock
) -> Item | None:
    """Receive, at most until *due* on *clock*; None when that came first."""
    if due is None:
        return await source.receive()
    if due <= clock.now():
        return None
    item: Item | None = None
    ended = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_cancel_at, due, clock, tasks.cancel_scope)
        try:
            item = await source.receive()
        except anyio.EndOfStream:  # raised in here, it would come out in a group
            ended = True
        tasks.cancel_scope.cancel()
    if ended:
        raise anyio.EndOfStream
    return item


async def _cancel_at(due: float, clock: Clock, scope: anyio.CancelScope) -> None:
    await clock.wait(anyio.Event(), due)
    scope.cancel()
