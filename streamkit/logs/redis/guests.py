"""Who watches, from other processes, the runs that this one writes."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from .terms import Terms
from .written import Written

__all__ = ["Guests"]


@attrs.define(eq=False)
class Guests:
    """
    Count each process that serves a run of ours as one client of it.

    So a run is not cancelled for want of clients while one is served
    elsewhere. A process that is not heard of for a lease counts no more.
    """

    live: Mapping[str, Written]
    terms: Terms
    _heard: dict[tuple[str, str], float] = attrs.field(factory=dict, init=False)
    """When each was heard of last, by run and process (seconds of the event loop's clock)."""

    def hear(self, run_id: str, word: str, who: str, seconds: float, now: float) -> None:
        """Do what another process asks of a run; a run that ended is asked nothing."""
        written = self.live.get(run_id)
        if written is None or written.owner is None:
            return
        if word == "stop":
            written.owner.stop()
        elif word == "attend":
            if (run_id, who) not in self._heard:
                written.owner.attend()
            self._heard[run_id, who] = now
        elif word == "leave" and self._heard.pop((run_id, who), None) is not None:
            written.owner.leave(seconds)

    def look(self, now: float) -> None:
        """Take leave for those that are not heard of any more."""
        for (run_id, who), at in list(self._heard.items()):
            if run_id not in self.live:
                del self._heard[run_id, who]
            elif now - at > self.terms.lease:
                # Its clients look for another server: they get as long as it had.
                self.hear(run_id, "leave", who, self.terms.lease, now)
