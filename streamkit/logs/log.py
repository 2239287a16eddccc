"""What a log is to those above it: one process's, or one that several share."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import attrs

from ..events import Event
from ..pipeline import Log
from .cursor import Cursor

__all__ = ["Claim", "DistantLog", "Owner", "RunLog", "SharedLog"]


class Owner(Protocol):
    """Who writes a log: what those who read it elsewhere may ask of it."""

    def stop(self, error: Exception | None = None, /) -> None:
        """End the run soon: cancelled, or failed with *error*."""

    def attend(self) -> None:
        """Count one more who watches."""

    def leave(self, linger: float, /) -> None:
        """Count one less; where it was the last, the run is cancelled after *linger* seconds."""


class RunLog(Log, Protocol):
    """
    The log of one run, where it is written.

    What makes one from a run's id is all that `streamkit.Client.start`,
    `streamkit.EventFanout` and `streamkit.serving.Runs` ask for: the class
    `MemoryLog`, or a `RedisLog`.
    """

    def bind(self, owner: Owner, /) -> None:
        """Hear who writes it, before the first event."""

    def subscribe(
        self, after: str | None = None, policy: Any = "coalesce", heartbeat: float | None = None
    ) -> Cursor:
        """Give a cursor, attached at once."""

    @property
    def subscribers(self) -> int:
        """How many cursors are attached."""


class DistantLog(Protocol):
    """The log of one run, where somebody else writes it."""

    def subscribe(
        self, after: str | None = None, policy: Any = "coalesce", heartbeat: float | None = None
    ) -> Cursor:
        """Give a cursor, attached at once."""

    @property
    def subscribers(self) -> int:
        """How many cursors are attached."""

    @property
    def end(self) -> Event | None:
        """The terminal; None before it came."""

    @property
    def digest(self) -> bytes:
        """What tells the request that the run answers; empty where nobody said."""

    async def reach(self, id_: str, /, patience: float) -> None:
        """Wait until the event with that id is here too, at most *patience* seconds."""

    def stop(self) -> None:
        """Ask its writer to cancel the run. The terminal tells when that is done."""

    def attend(self) -> None:
        """Have its writer count this process among those who watch."""

    def leave(self, linger: float, /) -> None:
        """Take that back; see `Owner.leave`."""


@attrs.frozen
class Claim:
    """Who answers a request."""

    run_id: str
    """The run that does."""
    ours: bool
    """Whether it is to be started here and now; otherwise somebody else did."""


@runtime_checkable
class SharedLog(Protocol):
    """A log of several processes: what gives each run's, and finds those of the others."""

    def __call__(self, run_id: str, /) -> RunLog:
        """Give the log of a new run."""

    async def claim(self, run_id: str, key: str | None, digest: bytes) -> Claim:
        """
        Say who answers a request, once and for all processes.

        Args:
            run_id: the run that would, if nobody else does.
            key: what a repeated request has in common; None where nothing has.
            digest: what tells this request from others.

        Raises:
            LogError: that cannot be said now.
        """

    async def disclaim(self, run_id: str) -> None:
        """Take back a claim whose run could not be started."""

    async def find(self, run_id: str) -> DistantLog | None:
        """
        Give the log of a run of any process; None where there is none of that id.

        Raises:
            LogError: that cannot be said now.
        """
