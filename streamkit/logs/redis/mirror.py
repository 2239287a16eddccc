"""The log of a run that another process writes, as far as it came here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, Final

import anyio
import attrs

from ...errors import ProducerLost
from ...events import Event, ReasoningDelta, RefusalDelta, ResponseFailed, TextDelta
from ...response import Response
from ..cursor import Cursor
from ..fold import Fold, Page
from ..memory import MemoryLog
from .entry import Entry

__all__ = ["Mirror"]

_START: Final = "0-0"
_DIGITS: Final = 20
"""More than any sequence number has; an id may come from anywhere (a count)."""


@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class Mirror(MemoryLog):
    """
    A log in memory that follows one in Redis, for all who watch here.

    It is followed while anybody does; who comes later is told what was missed.
    """

    follow: Callable[[Mirror], None] = attrs.field(kw_only=True, repr=False)
    """Called when somebody watches."""
    send: Callable[[str, str, float], None] = attrs.field(kw_only=True, repr=False)
    """Tells the run's writer: the run's id, a word, and a number of seconds."""
    digest: bytes = attrs.field(default=b"", init=False)
    """What tells the request that the run answers; empty where nobody said."""
    newest: str = attrs.field(default=_START, init=False)
    """The id of the newest entry that was read."""
    missing: float | None = attrs.field(default=None, init=False)
    """Since when nobody holds the lease (seconds of the event loop's clock)."""
    _guests: int = attrs.field(default=0, init=False)
    """How many clients are served with it here (a count)."""
    _stopping: bool = attrs.field(default=False, init=False)

    @property
    def end(self) -> Event | None:
        """The terminal; None before it came."""
        return self.at(self.head - 1) if self.ended else None

    def subscribe(
        self, after: str | None = None, policy: Any = "coalesce", heartbeat: float | None = None
    ) -> Cursor:
        """Give a cursor, attached at once; see `MemoryLog.subscribe`."""
        cursor = MemoryLog.subscribe(self, after, policy, heartbeat)
        if not self.ended:
            self.follow(self)
        return cursor

    async def reach(self, id_: str, patience: float) -> None:
        """Wait until the event with that id is here too, at most *patience* seconds."""
        _, _, seq = id_.partition("-")
        number = int(seq) if seq.isdecimal() and len(seq) < _DIGITS else 0
        with anyio.move_on_after(patience):
            async with self.subscribe() as cursor:
                while self.head < number and not self.ended:
                    await anext(cursor, None)

    def stop(self) -> None:
        """Ask its writer to cancel the run."""
        self._stopping = True
        self.ask()

    def attend(self) -> None:
        """Have its writer count this process among those who watch."""
        self._guests += 1
        if self._guests == 1:
            self.ask()

    def leave(self, linger: float) -> None:
        """Take that back; where nobody else watches, the run ends after *linger* seconds."""
        self._guests -= 1
        if self._guests == 0 and not self.ended:
            self.send(self.run_id, "leave", linger)

    def ask(self) -> None:
        """Say again what its writer is to know: it may have been restarted, or Redis may."""
        if self._guests and not self.ended:
            self.send(self.run_id, "attend", 0.0)
        if self._stopping and not self.ended:
            self.send(self.run_id, "stop", 0.0)

    def take(self, entries: Sequence[Entry]) -> bool:
        """
        Append what was read.

        Returns:
            False where entries are missing before one of them: it, and what
            follows, was not taken.
        """
        for epoch, group in groupby(entries, lambda entry: entry.epoch):
            together = [entry for entry in group if entry.taken_over or entry.seq > self.head]
            if not together or self.ended:
                continue
            if not together[0].taken_over and together[0].seq != self.head + 1:
                return False
            self.enter(epoch)
            self.append(epoch, [entry.event for entry in together])
            self.newest = together[-1].id
        return True

    def restore(self, epoch: int, seq: int, told: Iterable[Event]) -> None:
        """
        Begin anew behind an event, of which and all before *told* is what is known.

        Readers are told of a gap, and all of it.
        """
        self.newest = f"{epoch}-{seq}"
        self._epoch, self._epochs, self._page = epoch, ((0, epoch),), Page()
        self._fold = Fold(forget_retracted=True)
        self._fold.absorb(told)
        self.kept, self.base, self._packed = [], seq, 0
        for cursor in self._cursors:
            cursor.restart()
        self.wake()

    def lost(self) -> ResponseFailed:
        """Give the terminal of a run whose writer is gone, with what is known of the answer."""
        fold = Fold(forget_retracted=True)
        fold.absorb((*self.folded(), *self.kept))
        partial = Response(
            text=_said(fold, TextDelta),
            reasoning=_said(fold, ReasoningDelta),
            refusal=_said(fold, RefusalDelta),
        )
        return ResponseFailed(
            ProducerLost(
                "expected the process that asks the provider to go on; it was not heard of any "
                "more; ask again"
            ),
            partial,
        )


def _said(fold: Fold, kind: type[TextDelta | ReasoningDelta | RefusalDelta]) -> str:
    """Give what the first choice says in one channel."""
    events = (event for event in fold.events() if isinstance(event, kind))
    return "".join(event.text for event in events if event.choice == 0)
