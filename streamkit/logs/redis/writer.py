"""The one task of a process that writes into Redis, for all its runs."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, Final

import anyio
import attrs
from redis import exceptions as redis_errors

from ...errors import ProducerLost
from ...events import ResponseFailed
from ...logger import log
from ...response import Response
from .entry import Entry, end_in_its_place, pack, pack_all
from .health import BROKEN, Health, is_refused
from .keys import Keys
from .terms import Terms
from .written import Written

__all__ = ["Writer"]

_BATCH: Final = 1024
"""Events of one run written in one go (a count)."""
_RUNS: Final = 256
"""Runs written in one go (a count)."""
_CLOSED: Final = "expected the log to be open until its runs have ended; it was closed; ask again"
_PAUSE: Final = 0.05
"""How long Redis is left alone after a call failed, at first (seconds)."""

_Sent = list[tuple[str, int]]
"""The commands of one run: what each is, and the number of the event it is about."""


class Reconnected(redis_errors.ConnectionError):
    """The connection was a new one: what Redis has must be looked at before it is written to."""


@attrs.define(eq=False)
class Writer:
    """
    Copy what the runs of this process append into Redis, and renew their leases.

    Everything is one transaction of one connection: what piles up while a
    call is on its way goes with the next. A call that failed is made again,
    after a look at what Redis has: an id can be written once.
    """

    keys: Keys
    terms: Terms
    health: Health
    redis: Any = attrs.field(init=False)
    """A client of one connection, which `connected` is told of."""
    live: dict[str, Written] = attrs.field(factory=dict, init=False)
    """The runs of this process whose end Redis does not have yet."""
    _stale: dict[Written, None] = attrs.field(factory=dict, init=False)
    """Those that Redis has not all of, in the order in which they changed."""
    _more: anyio.Event = attrs.field(factory=anyio.Event, init=False)
    _writing: bool = attrs.field(default=False, init=False)
    _due: float = attrs.field(default=-inf, init=False)
    """When the leases are renewed next (seconds of the event loop's clock)."""

    def open(self, run_id: str, window: int, claims: Sequence[str] = ()) -> Written:
        """
        Give the log of a new run.

        Args:
            run_id: its id.
            window: see `MemoryLog`.
            claims: what is to be renewed with it (keys).
        """
        written = Written(run_id, window, changed=self._changed, claims=tuple(claims))
        self.live[run_id] = written
        self._changed(written)
        return written

    async def run(self) -> None:
        """Write whenever there is anything to write, and renew the leases."""
        pause = _PAUSE
        while True:
            with anyio.CancelScope(deadline=self._due):
                await self._more.wait()
            try:
                if self._due == -inf:
                    await self._look_at_memory()
                if anyio.current_time() >= self._due:
                    await self._renew()
                await self.flush()
            except Reconnected:
                self._doubt()
            except BROKEN as raised:
                self.health.broke("writer", raised)
                self._doubt()
                await anyio.sleep(pause)
                pause = min(2 * pause, self.terms.beat)
            else:
                self.health.mended("writer")
                pause = _PAUSE

    async def flush(self) -> None:
        """
        Write all there is to write.

        Raises:
            RedisError, OSError: it could not be; nothing is lost.
        """
        while self._stale:
            some = [one for one, _ in zip(self._stale, range(_RUNS), strict=False)]
            await self._compare([one for one in some if one.doubtful])
            await self._take_leases([one for one in some if one.fresh and one in self._stale])
            pipe = self.redis.pipeline(transaction=True)
            sent = [(one, self._put(pipe, one)) for one in some if one in self._stale]
            self._writing = True
            try:
                results = iter(await pipe.execute(raise_on_error=False))
            finally:
                self._writing = False
            for one, commands in sent:
                await self._took(one, [(*said, next(results)) for said in commands])
        self._more = anyio.Event()

    async def close(self) -> None:
        """Write what is left, and end for others what was not ended: nobody writes it any more."""
        self._doubt()
        try:
            await self.flush()
            pipe = self.redis.pipeline(transaction=False)
            for one in self.live.values():
                log.warning("the log was closed before a run of it ended", run=one.run_id)
                id_, fields = end_in_its_place(ResponseFailed(ProducerLost(_CLOSED), Response()))
                pipe.xadd(self.keys.events(one.run_id), fields, id=id_)
                pipe.delete(self.keys.lease(one.run_id))
            await pipe.execute(raise_on_error=False)
        except BROKEN as raised:
            self.health.broke("writer", raised)
        self.live.clear()
        self._stale.clear()

    async def connected(self, _connection: Any) -> None:
        """
        Refuse to write to a Redis that was just connected to: it may have been restarted.

        Raises:
            Reconnected: something was about to be written.
        """
        if self._writing:
            raise Reconnected

    def _doubt(self) -> None:
        for one in self.live.values():
            one.doubtful = not one.fresh

    def drop(self, one: Written) -> None:
        """Write no more of a run."""
        self.live.pop(one.run_id, None)
        self._stale.pop(one, None)

    def _changed(self, one: Written) -> None:
        if one.run_id in self.live:
            self._stale[one] = None
            self._more.set()

    def _put(self, pipe: Any, one: Written) -> _Sent:
        """Put on *pipe* what Redis lacks of one run, and say what it was."""
        keep, sent = self.terms.keep_ms, []
        stream, fold, lease = (
            name(one.run_id) for name in (self.keys.events, self.keys.fold, self.keys.lease)
        )
        if one.base > one.folded_there:
            pipe.set(fold, pack_all(one.id_of(one.base), one.folded()), px=keep)
            pipe.xtrim(stream, minid=one.id_of(one.base + 1), approximate=False)
            sent += [("fold", one.base), ("", 0)]
        start = max(one.there, one.base)
        stop = min(one.head, start + _BATCH)
        for epoch, first, last in one.spans(start, stop):
            events = enumerate(one.between(first, last), first + 1)
            fields = {seq: pack(event) for seq, event in events}
            # Where there was something and now is nothing, that must be told.
            pipe.xadd(stream, fields, id=f"{epoch}-{last}", nomkstream=one.there > 0)
            sent.append(("events", last))
        if one.there == 0:
            pipe.pexpire(stream, keep)
            sent.append(("", 0))
        if one.ended and stop == one.head:
            pipe.delete(lease)
            sent.append(("", 0))
        return sent

    async def _took(self, one: Written, came: list[tuple[str, int, Any]]) -> None:
        """Note what Redis made of one run's commands."""
        for what, number, result in came:
            if what == "fold":
                one.folded_there = number
            elif what == "events" and result is None:
                self._vanished(one)
                return
            elif is_refused(result):
                await self._compare([one])
                return
            elif isinstance(result, Exception):
                raise result
            elif what == "events":
                one.there = number
        one.acknowledged = anyio.current_time()
        if one.whole:
            self.drop(one)
        elif one.there == one.head:
            self._stale.pop(one)

    async def _take_leases(self, some: Sequence[Written]) -> None:
        """Say that this process writes these runs; one that another writes is not written."""
        if not some:
            return
        pipe = self.redis.pipeline(transaction=True)
        for one in some:
            lease = self.keys.lease(one.run_id)
            pipe.set(lease, self.terms.token, px=self.terms.lease_ms, nx=True)
            pipe.get(lease)
        for one, holder in zip(some, (await pipe.execute())[1::2], strict=True):
            one.fresh = False
            if holder is not None and holder.decode() != self.terms.token:
                log.warning("another process writes a run of this id", run=one.run_id)
                self.drop(one)

    async def _compare(self, some: Sequence[Written]) -> None:
        """Look at what Redis has of these runs: a call failed, or it refused something."""
        if not some:
            return
        pipe = self.redis.pipeline(transaction=False)
        for one in some:
            pipe.xrevrange(self.keys.events(one.run_id), count=1)
        for one, newest in zip(some, await pipe.execute(), strict=True):
            one.doubtful = False
            if newest:
                self._stands_at(one, Entry.all_of(newest[0])[-1])
            elif one.there:
                self._vanished(one)

    def _stands_at(self, one: Written, newest: Entry) -> None:
        position = one.position_of(newest.id)
        if position is None:
            self._fence(one, newest)
        else:
            one.there, one.folded_there = position, 0

    def _vanished(self, one: Written) -> None:
        """
        See that all is written again, where Redis lost it or evicted it.

        What was ended elsewhere stays for as long as runs are kept. Who was
        not heard of for longer cannot know, and counts as ended.
        """
        if one.acknowledged and anyio.current_time() - one.acknowledged > self.terms.keep:
            self._fence(one, None)
        else:
            one.there = one.folded_there = 0

    def _fence(self, one: Written, newest: Entry | None) -> None:
        log.warning("a run was ended elsewhere: its writer was not heard of", run=one.run_id)
        self.drop(one)
        one.fence(newest.event if newest is not None and newest.taken_over else None)

    async def _look_at_memory(self) -> None:
        """Say so, once, where this Redis may throw runs away to make room."""
        try:
            memory = await self.redis.info("memory")
        except redis_errors.ResponseError:  # its user may not ask
            return
        policy = memory.get("maxmemory_policy", "noeviction")
        if memory.get("maxmemory") and policy != "noeviction":
            log.warning(
                "Redis may evict runs while they are watched; set its maxmemory-policy to "
                "noeviction",
                policy=policy,
            )

    async def _renew(self) -> None:
        """Renew what has a time to live; a lease that was evicted is taken again."""
        some = [one for one in self.live.values() if not one.fresh]
        pipe = self.redis.pipeline(transaction=False)
        pipe.ping()
        for one in some:
            pipe.pexpire(self.keys.lease(one.run_id), self.terms.lease_ms)
        _, *alive = await pipe.execute()
        gone = [one for one, renewed in zip(some, alive, strict=True) if not renewed]
        await self._compare(gone)  # somebody may have ended them meanwhile
        pipe = self.redis.pipeline(transaction=False)
        for one in gone:
            if not one.fenced:
                lease = self.keys.lease(one.run_id)
                pipe.set(lease, self.terms.token, px=self.terms.lease_ms, nx=True)
        for one in some:
            names = (self.keys.events, self.keys.fold, self.keys.about)
            for key in (*(name(one.run_id) for name in names), *one.claims):
                pipe.pexpire(key, self.terms.keep_ms)
        await pipe.execute()
        self._due = anyio.current_time() + self.terms.beat
