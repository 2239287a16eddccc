"""The log of a run, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

import anyio
import attrs

from ..events import Event, TextDelta
from .cursor import Cursor
from .fold import Fold, Kept, Page, told
from .log import Owner
from .policy import WINDOW, Block, Policy, as_policy

if TYPE_CHECKING:
    from .bell import Bell

__all__ = ["MemoryLog"]

_LOOSE: Final = 2
"""Events after which those that were appended before are packed (a count)."""
_DIGITS: Final = 20
"""More than any sequence number has; an id may come from anywhere (a count)."""


@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)  # a hook would cost at every append
class MemoryLog:
    """
    An append-only log of one run; the truth that every reader reads.

    Events are numbered from 1; an id is ``epoch-seq``. The newest *window*
    events are kept as they are. What is older is folded into as few events as
    tell the same, so memory follows the length of the answer, not the number
    of its pieces.
    """

    run_id: str
    window: int = attrs.field(default=WINDOW, validator=attrs.validators.ge(1))
    """Events kept unfolded (a count); more where a subscriber's policy has a larger window."""
    kept: list[Kept] = attrs.field(factory=list, init=False)
    """The newest events. Read by cursors, written here alone."""
    base: int = attrs.field(default=0, init=False)
    """The sequence number of the newest event that is folded, so not *kept*; 0 while none is."""
    _packed: int = attrs.field(default=0, init=False)
    """How many of *kept* are packed: all but the newest (a count)."""
    _fold: Fold | None = attrs.field(default=None, init=False)
    """What is older; None before anything is."""
    _page: Page | None = attrs.field(default=None, init=False)
    """What readers that lag are told next; written only where there are any."""
    _epochs: Sequence[tuple[int, int]] = attrs.field(default=(), init=False)
    """For each epoch: the sequence number before its first event, and the epoch."""
    _epoch: int = attrs.field(default=0, init=False)
    _cursors: list[Cursor] = attrs.field(factory=list, init=False)
    _waiting: list[Bell] = attrs.field(factory=list, init=False)
    """The bells of readers that wait for the log to move."""
    _blockable: bool = attrs.field(default=False, init=False)
    """Whether any reader ever asked to hold the writer up."""
    _relief: anyio.Event | None = attrs.field(default=None, init=False)
    ended: bool = attrs.field(default=False, init=False)
    """Whether the terminal was appended. Written here alone."""

    def bind(self, owner: Owner) -> None:
        """Hear who writes it. Who reads it is in the same process, and asks them itself."""

    def begin(self) -> int:
        """Take a new epoch; appends of older epochs are refused from now on."""
        self.enter(self._epoch + 1)
        return self._epoch

    def enter(self, epoch: int) -> None:
        """Write on in *epoch*."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._epochs = (*self._epochs, (self.head, epoch))

    def append(self, epoch: int, events: Sequence[Event], /) -> bool:
        """
        Append at once, never waiting, and wake who waits.

        Returns:
            False where *epoch* is not the newest, or the log has ended:
            nothing was appended.
        """
        if epoch != self._epoch or self.ended:
            return False
        kept = self.kept
        if len(kept) >= self._packed + _LOOSE:
            self._pack()
        kept.extend(events)
        if events and events[-1].terminal:
            self.ended = True
        if self._waiting:
            self.wake()
        if len(kept) > 2 * self.window:
            self._trim()
        return True

    def give_up(self, terminal: Event) -> None:
        """
        End all the same, where `append` raised: readers are told, whatever else is lost.

        Does nothing where it ended before.
        """
        if not self.ended:
            self.kept.append(terminal)
            self.ended = True
            self.wake()

    @property
    def head(self) -> int:
        """The sequence number of the newest event; 0 while there is none."""
        return self.base + len(self.kept)

    @property
    def full(self) -> bool:
        """Whether the writer must wait for `room` before it reads on."""
        return self._blockable and any(cursor.holds_up for cursor in self._cursors)

    async def room(self) -> None:
        """Wait until no blocking subscriber lags, each for as long as its patience."""
        began = anyio.current_time()
        while blockers := [cursor for cursor in self._cursors if cursor.holds_up]:
            self._relief = anyio.Event()
            patience = min(cursor.patience for cursor in blockers)
            with anyio.CancelScope(deadline=began + patience) as scope:
                await self._relief.wait()
            if scope.cancelled_caught:
                for cursor in blockers:
                    if cursor.patience <= patience:
                        cursor.give_up_blocking()

    def subscribe(
        self,
        after: str | None = None,
        policy: str | Policy = "coalesce",
        heartbeat: float | None = None,
    ) -> Cursor:
        """
        Give a cursor, attached at once.

        Args:
            after: the id of the last event already seen; None reads from the
                beginning. An id the log has folded, or never gave, gets `Gap`
                and the answer so far.
            policy: what happens when the reader does not keep up.
            heartbeat: seconds of silence after which it is given a `Heartbeat`.
        """
        cursor = Cursor(self, as_policy(policy), heartbeat, after)
        self._blockable = self._blockable or isinstance(cursor.policy, Block)
        self._cursors.append(cursor)
        return cursor

    def detach(self, cursor: Cursor) -> None:
        """Forget a cursor."""
        with suppress(ValueError):  # it was closed before
            self._cursors.remove(cursor)
        self.relieve()

    @property
    def subscribers(self) -> int:
        """How many cursors are attached."""
        return len(self._cursors)

    def at(self, position: int) -> Event:
        """Give the event after *position*, which must not be folded."""
        return told(self.kept[position - self.base])

    def between(self, start: int, stop: int) -> list[Event]:
        """Give the events after *start*, up to *stop*, which must not be folded."""
        return list(map(told, islice(self.kept, start - self.base, stop - self.base)))

    def folded(self) -> list[Event]:
        """Give the events up to `base`, as few events."""
        return self._fold.events() if self._fold is not None else []

    def id_of(self, position: int) -> str:
        """Give the id of the event with that sequence number; ``0-0`` stands before the first."""
        epoch = next((e for start, e in reversed(self._epochs) if start < position), 0)
        return f"{epoch}-{position}"

    def position_of(self, id_: str) -> int | None:
        """Give the sequence number of the event with that id; None where there is none."""
        _, _, seq = id_.partition("-")
        position = int(seq) if seq.isdecimal() and len(seq) < _DIGITS else -1
        known = 0 <= position <= self.head and self.id_of(position) == id_
        return position if known else None

    def wait_on(self, bell: Bell) -> None:
        """Ring *bell* at the next append, once."""
        self._waiting.append(bell)

    def stop_waiting(self, bell: Bell) -> None:
        """Forget one, rung or not."""
        with suppress(ValueError):
            self._waiting.remove(bell)

    def wake(self) -> None:
        """Wake every reader that waits."""
        waiting, self._waiting = self._waiting, []
        for bell in waiting:
            bell.ring()

    def relieve(self) -> None:
        """Let a held-up writer look again: a reader moved."""
        if self._relief is not None:
            self._relief.set()

    def _pack(self) -> None:
        """
        Keep text as text.

        Who is level has read it. Of very many open streams, the collector has
        then no object more to look at for every piece that ever came: each of
        its passes stops all of them for milliseconds.
        """
        kept = self.kept
        # A stage may have put anything where the text should be: that stays what it is.
        kept[self._packed :] = [
            event.text
            if type(event) is TextDelta and event.choice == 0 and type(event.text) is str
            else event
            for event in islice(kept, self._packed, None)
        ]
        self._packed = len(kept)

    def _trim(self) -> None:
        """Fold all but the newest events; readers that lag behind take theirs along."""
        window = max(self.window, *(cursor.policy.window for cursor in self._cursors), 0)
        if len(self.kept) <= 2 * window:
            return
        keep_from = self.head - window
        cut = keep_from - self.base
        behind = [cursor for cursor in self._cursors if cursor.position < keep_from]
        if self._fold is None:
            self._fold, self._page = Fold(forget_retracted=True), Page()
        if any(cursor.position == self.base and cursor.backed_up for cursor in behind):
            page, self._page = self._page, Page()
            assert page is not None  # noqa: S101 (made with the fold)
            page.events = Fold.of(islice(self.kept, cut)).events()
            page.next = self._page
        for cursor in behind:
            cursor.catch_up(keep_from, self._page)
        self._fold.absorb(islice(self.kept, cut))
        del self.kept[:cut]
        self._packed = max(0, self._packed - cut)
        self.base = keep_from
