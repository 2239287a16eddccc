"""The log of a run that this process writes: in memory, and from there into Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import attrs

from ...errors import ProducerLost
from ...events import Event, ResponseFailed
from ...response import Response
from ..log import Owner
from ..memory import MemoryLog

__all__ = ["Written"]


@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class Written(MemoryLog):
    """
    A log in memory, of which Redis has a copy that follows.

    Appending and reading are the memory's; what Redis does not have yet is
    found by its number, so nothing else queues. Whether Redis can be had
    changes nothing for who reads here.
    """

    changed: Callable[[Written], None] = attrs.field(kw_only=True, repr=False)
    """Called when there is something to write."""
    claims: tuple[str, ...] = attrs.field(kw_only=True)
    """What is renewed with it (keys)."""
    owner: Owner | None = attrs.field(default=None, init=False, repr=False)
    fresh: bool = attrs.field(default=True, init=False)
    """Whether Redis never had anything of it."""
    doubtful: bool = attrs.field(default=False, init=False)
    """Whether a call failed since: what Redis has must be looked at first."""
    there: int = attrs.field(default=0, init=False)
    """The sequence number of the newest event that Redis acknowledged."""
    folded_there: int = attrs.field(default=0, init=False)
    """The sequence number of the newest event in the fold that Redis has."""
    acknowledged: float = attrs.field(default=0.0, init=False)
    """When Redis last took something (seconds of the event loop's clock)."""
    fenced: bool = attrs.field(default=False, init=False)
    """Whether another process ended the run: this one writes no more."""

    def bind(self, owner: Owner) -> None:
        """Hear who writes it: what others may ask of it goes there."""
        self.owner = owner

    def append(self, epoch: int, events: Sequence[Event], /) -> bool:
        """Append at once, never waiting, and have it written."""
        if self.fenced or not MemoryLog.append(self, epoch, events):
            return False
        self.changed(self)
        return True

    def give_up(self, terminal: Event) -> None:
        """End all the same, and have that written."""
        MemoryLog.give_up(self, terminal)
        self.changed(self)

    @property
    def whole(self) -> bool:
        """Whether Redis has all of it, the end included."""
        return self.ended and self.there == self.head

    def spans(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Give what lies behind *start*, up to *stop*: of each epoch its number, start and stop."""
        for (first, epoch), (last, _) in pairwise((*self._epochs, (self.head, 0))):
            if max(first, start) < min(last, stop):
                yield epoch, max(first, start), min(last, stop)

    def fence(self, terminal: Event | None) -> None:
        """
        Write no more: another process ended the run, or writes it.

        Args:
            terminal: the end that everybody else was told; readers here are
                told the same. None where it is not known.
        """
        error = ProducerLost(
            "expected to be heard of by those who watch this run elsewhere; they were told that "
            "its writer is gone, so it ends here too; ask again"
        )
        told = (
            terminal if isinstance(terminal, ResponseFailed) else ResponseFailed(error, Response())
        )
        self.fenced = True
        MemoryLog.give_up(self, told)
        if self.owner is not None:
            self.owner.stop(told.error)
