"""A run's events as bytes, in the rhythm of one client: what came, or a heartbeat."""

from __future__ import annotations

from typing import Any, Final

import anyio
import attrs

from ..events import Event, Heartbeat, ResponseFailed
from ..logger import log
from ..logs import Coalesce, Cursor
from ..response import Response
from .frame_id import START, FrameId
from .scribe import Scribe

__all__ = ["Feed"]

_EVERY: Final = Coalesce(1 << 62)
"""Whoever reads again what was told takes every event as it is, and never waits."""


@attrs.define(eq=False)
class Feed:
    """
    One cursor of a run, and who writes down what it gives.

    Whatever goes wrong in here, an encoder's bug included, becomes the one
    terminal frame: nothing but cancellation is raised.
    """

    run: Any
    scribe: Scribe
    heartbeat: float | None
    """Seconds without a byte after which one is due; None for never."""
    retiring: float | None = attrs.field(default=None, init=False)
    """Seconds after which the client is to come back, once the server goes away."""
    _cursor: Cursor | None = attrs.field(default=None, init=False)
    _gave: float = attrs.field(default=0.0, init=False)
    """When bytes were last given (seconds of the event loop's clock)."""
    _ended: bool = attrs.field(default=False, init=False)
    _left: bool = attrs.field(default=False, init=False)
    _gone: anyio.Event = attrs.field(factory=anyio.Event, init=False)

    @property
    def attached(self) -> bool:
        """Whether it watches the run, or did."""
        return self._cursor is not None or self._left

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self._left or self._ended or self.scribe.over

    @property
    def ready(self) -> bool:
        """Whether `next` need not wait."""
        return self._cursor is not None and self._cursor.ready

    def gave(self) -> None:
        """Note that bytes are on their way: the next heartbeat is due later."""
        self._gave = anyio.current_time()

    async def attach(self, after: str | None) -> bytes:
        """
        Watch the run from where the client stands.

        Args:
            after: the id of the last frame it has; None where it has none.

        Returns:
            What is said before any event.
        """
        self.gave()
        stands = FrameId(START) if after is None else FrameId.parse(after)
        self._cursor = self.run.subscribe(after=None if after is None else stands.event)
        self.run.attend()
        if self.retiring is not None:
            self._cursor.nudge()
        if self._cursor.id is not None:
            self.scribe.resume(stands)
            await self._remember(stands.event)
            return b""
        # From the start, or behind a gap.
        self.scribe.resume(stands if stands.event == START else FrameId(START))
        return self.scribe.open(self.run.id)

    async def next(self) -> tuple[Event | None, bytes]:
        """Wait for the next event; give it with its frames. None is the end of the log."""
        try:
            event, id_ = await self._event()
            if event is None:
                self._ended = True
                return None, b""
            return event, self._written(event, id_)
        except Exception as error:  # noqa: BLE001 (a log and an encoder may be anyone's)
            log.error("a stream broke while it was served", run=self.run.id, error=repr(error))
            return ResponseFailed(error, Response()), self.scribe.fail(error)

    def retire(self, retry: float) -> None:
        """End it with the next bytes; the client is to come back after *retry* seconds."""
        self.retiring = retry
        if self._cursor is not None:
            self._cursor.nudge()

    def leave(self, linger: float) -> None:
        """Stop watching, once; *linger* is how long the run outlives its last client (seconds)."""
        if self._left:
            return
        if self._cursor is None:  # gone before it began: all the same the last to go
            self.run.attend()
        else:
            self._cursor.close()
        self._left = True
        self._gone.set()
        self.run.leave(linger)

    async def gone(self) -> None:
        """Wait until it watches no more; at once where it never did."""
        if self._cursor is not None:
            await self._gone.wait()

    async def _event(self) -> tuple[Event | None, str | None]:
        cursor = self._cursor
        assert cursor is not None  # noqa: S101
        if self.heartbeat is not None and not cursor.ready:
            cursor.heartbeat = max(0.0, self._gave + self.heartbeat - anyio.current_time())
        event = await anext(cursor, None)
        if isinstance(event, Heartbeat) and self.run.outcome is not None and not cursor.ready:
            return self.run.outcome, None  # a log that broke took no terminal
        return event, cursor.id

    def _written(self, event: Event, id_: str | None) -> bytes:
        retiring = self.retiring is not None
        if not isinstance(event, Heartbeat):
            written = self.scribe.write(event, id_)
        else:
            written = b"" if retiring else self.scribe.beat()
        if self.retiring is not None and not self.scribe.over:
            written += self.scribe.farewell(self.retiring)
        return written

    async def _remember(self, id_: str) -> None:
        """Have the encoder read again what the client was told before."""
        if not self.scribe.encoder.remembers and self.scribe.view is None:
            return
        self.scribe.remember_opening(self.run.id)
        async with self.run.subscribe(policy=_EVERY) as told:
            while told.id != id_:
                self.scribe.remember(await anext(told))
