"""The runs of other processes that are watched, or were just looked up, in this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from weakref import WeakValueDictionary

import attrs

from ...events import Gap
from .entry import Entry, unpack_all
from .keys import Keys
from .mirror import Mirror

__all__ = ["MARK", "Mirrors"]

MARK: Final = 8
"""What tells one claim of a run from another, before the digest (bytes)."""


@attrs.define(eq=False)
class Mirrors:
    """Look runs up, one mirror for all who watch the same."""

    redis: Any
    keys: Keys
    window: int
    follow: Callable[[Mirror], None]
    send: Callable[[str, str, float], None]
    _known: WeakValueDictionary[str, Mirror] = attrs.field(factory=WeakValueDictionary, init=False)

    async def find(self, run_id: str) -> Mirror | None:
        """Give the mirror of a run, with all that Redis has of it; None where it has nothing."""
        known = self._known.get(run_id)
        if known is not None and (known.ended or known.subscribers):
            return known
        mirror = known or Mirror(run_id, self.window, follow=self.follow, send=self.send)
        if not await self.refresh(mirror):
            return None
        self._known.setdefault(run_id, mirror)
        return self._known[run_id]

    async def refresh(self, mirror: Mirror) -> bool:
        """
        Have *mirror* take what Redis has, with a gap where that does not follow on.

        Returns:
            Whether Redis has anything of the run.
        """
        run_id = mirror.run_id
        pipe = self.redis.pipeline(transaction=True)
        pipe.get(self.keys.fold(run_id))
        pipe.xrange(self.keys.events(run_id))
        pipe.get(self.keys.about(run_id))
        pipe.exists(self.keys.lease(run_id))
        fold, came, about, alive = await pipe.execute()
        if fold is not None:
            epoch, seq, told = unpack_all(fold)
            if seq > mirror.head:
                mirror.restore(epoch, seq, told)
        entries = [one for entry in came for one in Entry.all_of(entry)]
        if not mirror.take(entries):
            first = next(entry for entry in entries if entry.seq > mirror.head)
            # Evicted or lost: what there was before nobody knows.
            mirror.restore(first.epoch, first.seq - 1, [Gap("0-0")])
            mirror.take(entries)
        mirror.digest = (about or b"")[MARK:]
        return bool(came or fold or about or alive)
