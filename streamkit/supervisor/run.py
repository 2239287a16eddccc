"""One request on its way: the handle of those who wait for it and watch it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, Self

import anyio
import attrs

from ..errors import MisuseError
from ..events import (
    Event,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    Retracted,
    Terminal,
    TextDelta,
)
from ..logs import Cursor
from ..response import Response
from .callbacks import Callbacks
from .latch import Latch

__all__ = ["Run", "RunScope", "Texts"]


@attrs.define(eq=False)
class Run:
    """
    One request on its way.

    Iterate it for every event, the terminal last, also where it failed; or
    take `text`, or only wait for `response`. It proceeds whether anybody
    watches or not. It is one cursor of its log: a second loop goes on where
    the first stopped; others `subscribe`.
    """

    id: str
    log: Any
    callbacks: Callbacks
    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope, init=False)
    done: Latch = attrs.field(factory=Latch, init=False)
    """Set when the run has ended, and its connection is closed."""
    outcome: Terminal | None = attrs.field(default=None, init=False)
    failure: Exception | None = attrs.field(default=None, init=False)
    """What a callback raised that may fail the run."""
    told: Callable[[], Awaitable[None]] | None = attrs.field(default=None, init=False)
    """Waits until the callbacks were told all; None without callbacks."""
    hush: Callable[[], None] | None = attrs.field(default=None, init=False)
    """Lets the callbacks go, told or not."""
    _clients: int = attrs.field(default=0, init=False)
    """How many clients are served with it (a count)."""
    _cursor: Cursor | None = attrs.field(default=None, init=False)
    _texts: Texts | None = attrs.field(default=None, init=False)

    def __aiter__(self) -> Cursor:
        # The cursor itself: one call less for every event.
        if self._cursor is None:
            self._cursor = self.subscribe()
        return self._cursor

    async def __anext__(self) -> Event:
        return await self.__aiter__().__anext__()

    def text(self) -> Texts:
        """
        Give the answer's text, piece by piece.

        A retraction cannot be said in text: the seam stands where it was.
        The end of a failed run raises its error.
        """
        if self._texts is None:
            self._texts = Texts(self)
        return self._texts

    async def response(self) -> Response:
        """
        Wait for the answer.

        Returns:
            The response; of a run that was cancelled, what came of it.

        Raises:
            StreamkitError: the run failed; what the buffered call raised, with
                the streaming error as its ``__cause__``.
        """
        await self.done.wait()
        if self.told is not None:
            await self.told()
        if isinstance(self.outcome, ResponseFailed):
            raise self.outcome.error
        assert isinstance(self.outcome, ResponseCompleted | ResponseCancelled)  # noqa: S101
        return self.outcome.response or Response()

    async def cancel(self) -> None:
        """Cancel the run, and wait until its connection is closed. What came is kept."""
        self.scope.cancel()
        await self.done.wait()

    def stop(self, error: Exception | None = None) -> None:
        """
        Have the run end soon, without waiting for that.

        Args:
            error: what it fails with; None cancels it.
        """
        if self.outcome is None:
            self.failure = self.failure or error
            self.scope.cancel()

    def attend(self) -> None:
        """Count one more client that is served with this run; it is not let go meanwhile."""
        self._clients += 1
        self.scope.deadline = inf

    def leave(self, linger: float) -> None:
        """
        Count one client less.

        Args:
            linger: where it was the last, seconds until the run is cancelled:
                0 is at once, `math.inf` is never.
        """
        self._clients -= 1
        if self._clients == 0 and linger == 0:
            self.scope.cancel()
        elif self._clients == 0:
            self.scope.deadline = anyio.current_time() + linger

    def subscribe(
        self, after: str | None = None, policy: Any = "coalesce", heartbeat: float | None = None
    ) -> Cursor:
        """
        Give a cursor of one's own, attached until it is closed.

        Args:
            after: the id of the last event already seen; None is from the start.
            policy: what happens when it does not keep up: ``coalesce``,
                ``block``, ``drop_deltas``, ``disconnect``, or one of
                `streamkit.logs` with its settings.
            heartbeat: seconds of silence after which it is given a `Heartbeat`.
        """
        return self.log.subscribe(after=after, policy=policy, heartbeat=heartbeat)  # type: ignore[no-any-return]

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody watches: a callback, a cursor, or a loop over the run."""
        return bool(self.log.subscribers)


@attrs.define(eq=False)
class Texts:
    """The text of a run, piece by piece."""

    _run: Any
    _shown: bool = False
    _torn: bool = False
    _pending: str | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        if self._pending is not None:
            text, self._pending = self._pending, None
            return text
        async for event in self._run:
            if isinstance(event, ResponseFailed):
                raise event.error
            if isinstance(event, Retracted) and event.channel == "text" and event.choice == 0:
                self._torn = self._shown
            elif isinstance(event, TextDelta) and event.choice == 0:
                return self._piece(event.text)
        raise StopAsyncIteration

    def _piece(self, text: str) -> str:
        self._shown = True
        if self._torn:
            self._torn, self._pending = False, text
            return str(self._run.callbacks.seam)
        return text


@attrs.define(eq=False)
class RunScope:
    """A run for as long as its ``async with``: leaving cancels it, and waits."""

    _start: Callable[[], Run] | None
    _run: Run | None = attrs.field(default=None, init=False)

    async def __aenter__(self) -> Run:
        if self._run is not None:
            raise MisuseError(
                "expected a stream to be entered once; it was entered again; call stream() anew"
            )
        start, self._start = self._start, None  # what it began with is the run's alone
        assert start is not None  # noqa: S101 (as long as there is no run)
        self._run = start()
        return self._run

    async def __aexit__(
        self, exc_type: object, exc: BaseException | None, traceback: object
    ) -> None:
        run = self._run
        assert run is not None  # noqa: S101
        if run.done.is_set() and run.told is None:
            return
        # Shielded: the provider's connection is closed before the caller goes
        # on. Limits.finalise bounds each wait of a cancelled run.
        with anyio.CancelScope(shield=True):
            run.scope.cancel()
            if exc is not None and run.hush is not None:
                run.hush()
            await run.done.wait()
            if run.told is not None:
                await run.told()
