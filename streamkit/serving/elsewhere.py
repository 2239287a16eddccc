"""A run that another process asked for, as it is watched and stopped here."""

from __future__ import annotations

from typing import Any

import attrs

from ..events import ResponseCancelled, ResponseCompleted, ResponseFailed, Terminal
from ..logs import Cursor, DistantLog
from ..response import Response
from ..supervisor import Callbacks, Texts

__all__ = ["Elsewhere"]


@attrs.define(eq=False)
class Elsewhere:
    """
    A run that another process asked for.

    It is watched, waited for and stopped as a `streamkit.Run` is; what its
    callbacks are told is told there.
    """

    id: str
    log: DistantLog
    callbacks: Callbacks = attrs.field(factory=Callbacks, init=False)
    _cursor: Cursor | None = attrs.field(default=None, init=False)
    _texts: Texts | None = attrs.field(default=None, init=False)

    def __aiter__(self) -> Cursor:
        if self._cursor is None:
            self._cursor = self.subscribe()
        return self._cursor

    def text(self) -> Texts:
        """Give the answer's text, piece by piece; see `streamkit.Run.text`."""
        if self._texts is None:
            self._texts = Texts(self)
        return self._texts

    @property
    def outcome(self) -> Terminal | None:
        """The terminal; None before it came."""
        end = self.log.end
        return end if isinstance(end, Terminal) else None

    async def response(self) -> Response:
        """
        Wait for the answer.

        Raises:
            StreamkitError: the run failed, or nobody knows what became of it.
        """
        await self._ended()
        if isinstance(self.outcome, ResponseFailed):
            raise self.outcome.error
        assert isinstance(self.outcome, ResponseCompleted | ResponseCancelled)  # noqa: S101
        return self.outcome.response or Response()

    async def cancel(self) -> None:
        """Have the run cancelled where it is, and wait until it has ended."""
        if self.outcome is None:
            self.log.stop()
            await self._ended()

    def attend(self) -> None:
        """Count one more client that is served with this run."""
        self.log.attend()

    def leave(self, linger: float) -> None:
        """Count one client less; see `streamkit.Run.leave`."""
        self.log.leave(linger)

    def subscribe(
        self, after: str | None = None, policy: Any = "coalesce", heartbeat: float | None = None
    ) -> Cursor:
        """Give a cursor of one's own; see `streamkit.Run.subscribe`."""
        return self.log.subscribe(after=after, policy=policy, heartbeat=heartbeat)

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody watches in this process."""
        return bool(self.log.subscribers)

    async def _ended(self) -> None:
        async with self.subscribe() as events:
            async for _ in events:
                pass
