"""An `AsyncStage` in its own task, between two memory streams."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from ..cancellation import is_foreign
from ..errors import StageError
from ..events import Event
from .stage import AsyncStage, Broken, Item
from .worker import raised

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

__all__ = ["TaskedStage"]


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


@attrs.define(eq=False)
class TaskedStage:
    """An `AsyncStage` at work."""

    name: str
    stage: AsyncStage
    source: MemoryObjectReceiveStream[Item]
    sink: MemoryObjectSendStream[Item]
    _scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope, init=False)
    _receiver: _Receiver = attrs.field(init=False)
    _sender: _Sender = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._receiver, self._sender = _Receiver(self.source, self._scope), _Sender(self.sink)

    async def run(self) -> None:
        """
        Run the stage to its end, and close both of its streams.

        What broke upstream cancels the stage where it reads, and passes by.
        What the stage raises, or a terminal it keeps, is a `StageError` in band.
        """
        async with self.source, self.sink:
            with self._scope:
                try:
                    await self.stage(self._receiver, self._sender)
                except Exception as error:  # noqa: BLE001 (whatever a stage raises reroutes)
                    await self._tell(self._receiver.broken or Broken(raised(self.name, error)))
                    return
                except anyio.get_cancelled_exc_class() as error:
                    if not is_foreign():
                        raise
                    await self._tell(self._receiver.broken or Broken(raised(self.name, error)))
                    return
            if self._receiver.broken is not None:
                await self._tell(self._receiver.broken)
            elif not self._sender.ended:
                await self._tell(Broken(_early(self.name, self._receiver.ended)))

    def leave(self, seconds: float) -> None:
        """
        Cancel the stage, for nobody needs more of it.

        One that passed on the terminal has *seconds* for what it does behind it.
        """
        if self._sender.ended:
            self._scope.deadline = anyio.current_time() + seconds
        else:
            self._scope.cancel()

    async def _tell(self, broken: Broken) -> None:
        with contextlib.suppress(anyio.BrokenResourceError):  # the answer ended behind this stage
            await self.sink.send(broken)


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
