"""An `AsyncStage` in its own task, between two memory streams."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import Any

import anyio
import attrs
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ..errors import StageError, excerpt
from ..events import Event
from .stage import AsyncStage, Broken, Item

__all__ = ["run_async_stage"]


@attrs.define(eq=False)
class _Receiver:
    """Single events out of batches. What broke upstream ends the stage, not its loop."""

    source: MemoryObjectReceiveStream[Item]
    scope: anyio.CancelScope
    broken: Broken | None = None
    ended: bool = False
    """Whether the terminal was handed out."""
    _batch: deque[Event] = attrs.field(factory=deque, init=False)

    def __aiter__(self) -> _Receiver:
        return self

    async def __anext__(self) -> Event:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def receive(self) -> Event:
        while not self._batch:
            if self.ended:
                raise anyio.EndOfStream
            item: Any = await self.source.receive()
            if isinstance(item, Broken):
                self.broken = item
                self.scope.cancel()
                await anyio.lowlevel.checkpoint()
            else:
                self._batch.extend(item)
        event = self._batch.popleft()
        self.ended = event.terminal
        return event


@attrs.define(eq=False)
class _Sender:
    """Single events into batches of one: a stage that sleeps between two holds neither."""

    sink: MemoryObjectSendStream[Item]
    ended: bool = False
    """Whether the terminal was passed on."""

    async def send(self, event: Event, /) -> None:
        if self.ended:
            raise anyio.ClosedResourceError
        self.ended = event.terminal
        await self.sink.send([event])


async def run_async_stage(
    name: str,
    stage: AsyncStage,
    source: MemoryObjectReceiveStream[Item],
    sink: MemoryObjectSendStream[Item],
) -> None:
    """
    Run an `AsyncStage` to its end, and close both of its streams.

    What broke upstream cancels the stage where it reads, and passes by. What
    the stage raises, or a terminal it keeps, is a `StageError` in band.
    """
    async with source, sink:
        with anyio.CancelScope() as scope:
            receiver, sender = _Receiver(source, scope), _Sender(sink)
            try:
                await stage(receiver, sender)
            except anyio.BrokenResourceError:
                return  # the next stage needs no more
            except Exception as error:  # noqa: BLE001 (whatever a stage raises reroutes)
                await _tell(sink, _wrap(name, error))
                return
        if receiver.broken is not None:
            await _tell(sink, receiver.broken)
        elif not sender.ended:
            await _tell(sink, Broken(_early(name, receiver.ended)))


async def _tell(sink: MemoryObjectSendStream[Item], broken: Broken) -> None:
    with contextlib.suppress(anyio.BrokenResourceError):  # the next stage ended the answer before
        await sink.send(broken)


def _wrap(name: str, error: Exception) -> Broken:
    wrapped = StageError(name, f"raised {type(error).__name__}: {excerpt(error)}")
    wrapped.__cause__ = error
    return Broken(wrapped)


def _early(name: str, saw_the_terminal: bool) -> StageError:
    if saw_the_terminal:
        return StageError(
            name,
            "broke the rule that the terminal event is passed on: expected it to send "
            "ResponseCompleted; it returned without; send what you read last",
        )
    return StageError(
        name,
        "broke the rule that it reads to the end: expected it to read on until "
        "ResponseCompleted; it returned before; loop until the source ends",
    )
