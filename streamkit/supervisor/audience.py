"""A run's callbacks at work: told in order, never in the producer's way."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

import anyio
import attrs

from ..cancellation import is_foreign
from ..errors import MisuseError
from ..events import Terminal
from ..logger import log
from ..logs import Cursor
from .callbacks import Dispatcher
from .run import Run

__all__ = ["Audience"]


@attrs.define(eq=False)
class Audience:
    """
    A run's callbacks: one more subscriber, in a task of its own.

    One that raises is isolated and logged once; one that hangs after the end
    is let go after *finalise* seconds of one call.
    """

    run: Run
    finalise: float
    # None of these is made where only `hear` is asked for.
    _cursor: Cursor = attrs.field(init=False)
    _dispatcher: Dispatcher = attrs.field(init=False)
    _scope: anyio.CancelScope = attrs.field(init=False)
    _left: anyio.Event = attrs.field(init=False)

    def seat(self) -> None:
        """Attach, before the first event: the rest is for those who did."""
        self._cursor = self.run.subscribe()
        self._dispatcher = Dispatcher(self.run.callbacks)
        self._scope, self._left = anyio.CancelScope(), anyio.Event()

    async def listen(self) -> None:
        """Tell the callbacks every event, to the end."""
        try:
            with self._scope:
                async with self._cursor as events:
                    async for event in events:
                        await self._dispatcher.tell(event)
        except Exception as error:  # noqa: BLE001 (a subscriber's exception is its own)
            self._isolate(error)
        except anyio.get_cancelled_exc_class():
            if not is_foreign():
                raise
            self._isolate(MisuseError("a callback awaited what somebody else had cancelled"))
        finally:
            self._left.set()

    async def told(self) -> None:
        """Wait until all was told; a callback that hangs is let go."""
        while not self._left.is_set():
            before = self._dispatcher.calls
            with anyio.move_on_after(self.finalise):
                await self._left.wait()
            if not self._left.is_set() and self._dispatcher.calls == before:
                log.warning("a callback hung and was detached", run=self.run.id)
                self._scope.cancel()
                await self._left.wait()

    def hush(self) -> None:
        """Let the callbacks go, told or not."""
        self._scope.cancel()

    async def hear(self, outcome: Terminal) -> None:
        """Tell ``on_result`` first of all, shielded, for at most *finalise* seconds."""
        hook: Callable[[Terminal], Awaitable[object] | object] | None = self.run.callbacks.on_result
        if hook is not None:
            with anyio.CancelScope(shield=True):
                await self._hear(hook, outcome)

    async def _hear(
        self, hook: Callable[[Terminal], Awaitable[object] | object], outcome: Terminal
    ) -> None:
        try:
            with anyio.move_on_after(self.finalise) as scope:
                result = hook(outcome)
                if inspect.isawaitable(result):
                    await result
            if scope.cancelled_caught:
                log.warning("on_result hung and was left", run=self.run.id, seconds=self.finalise)
        except Exception as error:  # noqa: BLE001 (the outcome was decided before)
            log.warning("on_result raised", run=self.run.id, error=type(error).__name__)
        except anyio.get_cancelled_exc_class() as error:
            if not is_foreign():
                raise
            log.warning("on_result raised", run=self.run.id, error=type(error).__name__)

    def _isolate(self, error: Exception) -> None:
        log.warning(
            "a callback raised and was detached", run=self.run.id, error=type(error).__name__
        )
        if self.run.callbacks.on_error == "fail":
            self.run.stop(error)
