"""The one task of a process that reads from Redis, for all the runs watched in it."""

from __future__ import annotations

from math import inf
from typing import Any, Final

import anyio
import attrs

from ...events import ResponseFailed
from ...logger import log
from ...response import Response
from .entry import Entry, end_in_its_place
from .guests import Guests
from .health import BROKEN, Health
from .keys import Keys
from .mirror import Mirror
from .mirrors import Mirrors
from .post import WAKE, Post
from .terms import Terms

__all__ = ["Tailer"]

_COUNT: Final = 512
"""Entries of one run read in one go (a count)."""
_PAUSE: Final = 0.05
"""How long Redis is left alone after a call failed, at first (seconds)."""


@attrs.define(eq=False)
class Tailer:
    """
    Read what is new: of every run that is watched here, and what others ask of ours.

    One connection waits for all of it. Between two reads, once in a while,
    the leases are looked at: a run whose writer is gone is ended, with an
    entry that only one process can write.
    """

    redis: Any
    """Its connection waits; what must not wait goes another way."""
    asking: Any
    keys: Keys
    terms: Terms
    health: Health
    guests: Guests
    post: Post
    window: int
    """See `MemoryLog`."""
    mirrors: Mirrors = attrs.field(init=False)
    _followed: dict[str, Mirror] = attrs.field(factory=dict, init=False)
    _due: float = attrs.field(default=-inf, init=False)
    """When the leases are looked at next (seconds of the event loop's clock)."""
    _broken: float | None = attrs.field(default=None, init=False)
    """Since when Redis could not be read (seconds of the event loop's clock)."""

    def __attrs_post_init__(self) -> None:
        self.mirrors = Mirrors(self.asking, self.keys, self.window, self._follow, self.post.send)

    async def run(self) -> None:
        """Read whatever comes, and look at the leases."""
        pause = _PAUSE
        while True:
            try:
                if anyio.current_time() >= self._due:
                    await self._look()
                    self._due = anyio.current_time() + self.terms.beat
                await self._read()
            except BROKEN as raised:
                self._despair(self.health.broke("tailer", raised))
                await anyio.sleep(pause)
                pause = min(2 * pause, self.terms.beat)
            else:
                self.health.mended("tailer")
                self._broken, pause = None, _PAUSE

    def _follow(self, mirror: Mirror) -> None:
        """Read a run from now on."""
        if self._followed.get(mirror.run_id) is not mirror:
            self._followed[mirror.run_id] = mirror
            self.post.send(mirror.run_id, WAKE, 0.0)

    async def _read(self) -> None:
        inbox = self.keys.inbox(self.terms.token).encode()
        places = {self.keys.events(run_id).encode(): m for run_id, m in self._followed.items()}
        streams = {inbox: "0-0", **{key: mirror.newest for key, mirror in places.items()}}
        wait = max(1, round((self._due - anyio.current_time()) * 1000))
        for key, came in await self.redis.xread(streams, count=_COUNT, block=wait):
            if key == inbox:
                await self._hear(inbox, came)
            elif not places[key].take([one for entry in came for one in Entry.all_of(entry)]):
                await self.mirrors.refresh(places[key])

    async def _hear(self, inbox: bytes, came: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        """Do what others ask; what was read is taken away, so it is read from the start."""
        await self.asking.xdel(inbox, *(id_ for id_, _ in came))
        now = anyio.current_time()
        for _, fields in came:
            said = {name.decode(): value.decode() for name, value in fields.items()}
            self.guests.hear(said["run"], said["word"], said["from"], float(said["seconds"]), now)

    async def _look(self) -> None:
        """See which runs are still watched, and which are still written."""
        now = anyio.current_time()
        self.guests.look(now)
        self._followed = {
            run_id: mirror
            for run_id, mirror in self._followed.items()
            if mirror.subscribers and not mirror.ended
        }
        mirrors = list(self._followed.values())
        pipe = self.asking.pipeline(transaction=False)
        for mirror in mirrors:
            mirror.ask()
            pipe.exists(self.keys.lease(mirror.run_id))
        for mirror, alive in zip(mirrors, await pipe.execute(), strict=True):
            if alive:
                mirror.missing = None
            elif mirror.missing is None:
                mirror.missing = now
            elif now - mirror.missing > self.terms.lease / 2:
                # Not at once: a lease that was evicted is taken again before that.
                await self._take_over(mirror)

    async def _take_over(self, mirror: Mirror) -> None:
        """End a run in its writer's place; Redis takes that from one process alone."""
        stream = self.keys.events(mirror.run_id)
        pipe = self.asking.pipeline(transaction=True)
        id_, fields = end_in_its_place(mirror.lost())
        pipe.xadd(stream, fields, id=id_)
        pipe.pexpire(stream, self.terms.keep_ms)
        taken, _ = await pipe.execute(raise_on_error=False)
        if not isinstance(taken, Exception):
            log.warning("a run's writer is gone; the run was ended", run=mirror.run_id)

    def _despair(self, error: Exception) -> None:
        """End what is watched here where Redis was gone for longer than it keeps anything."""
        now = anyio.current_time()
        self._broken = self._broken if self._broken is not None else now
        if now - self._broken > self.terms.keep:
            for mirror in self._followed.values():
                mirror.give_up(ResponseFailed(error, Response()))
            self._followed.clear()
