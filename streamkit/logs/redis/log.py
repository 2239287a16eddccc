"""Runs in Redis: asked for in one process, watched in any."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import Any, Final, Literal, Self

import anyio
import attrs
from anyio.abc import TaskGroup

from ...errors import LogError, MisuseError
from ...limits import Limits
from ..log import Claim
from ..policy import WINDOW
from .guests import Guests
from .health import BROKEN, Health, State
from .keys import Keys
from .mirror import Mirror
from .mirrors import MARK, Mirrors
from .post import Post
from .server import Server
from .tailer import Tailer
from .terms import Terms
from .writer import Writer
from .written import Written

__all__ = ["RedisLog"]

_ASKING: Final = 8
"""Connections on which runs are claimed and looked up (a count)."""
_ANSWER: Final = 2.0
"""The least time that Redis has for an answer (seconds)."""


def _above_zero(_log: object, field: attrs.Attribute[Any], value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not value > 0:
        raise MisuseError(f"expected {field.name} in seconds, a number above 0; got {value!r}")


@attrs.define(eq=False)
class RedisLog:
    """
    Keep runs in Redis Streams, so that any process can watch them::

        async with (
            RedisLog.from_url("redis://…") as log,
            streamkit.Client(...) as client,
            Runs(client, log) as runs,
        ):
            ...

    It gives each run its log when it is called with the run's id. Reading and
    writing a run where it is written goes through memory alone; Redis follows
    as fast as it can, and whether it can be had changes nothing there.

    Open it first and close it last: a run's end is written, too. It needs
    asyncio, and the extra ``streamkit[redis]``.

    Args:
        server: where Redis is; see `from_url`.
        prefix: what every key begins with.
        lease: seconds after which a process that was not heard of counts as
            gone, and its runs are ended for those who watch them elsewhere.
        keep: seconds that a run can be read after it was last written to.
        window: events of a run that are kept unfolded (a count), in memory and in Redis.
        finalise: seconds that closing may take to write what is left.
    """

    _server: Server = attrs.field(repr=False)
    prefix: str = attrs.field(default="streamkit:", kw_only=True)
    lease: float = attrs.field(default=15.0, kw_only=True, validator=_above_zero)
    keep: float = attrs.field(default=300.0, kw_only=True, validator=_above_zero)
    window: int = attrs.field(default=WINDOW, kw_only=True)
    finalise: float = attrs.field(default=Limits().finalise, kw_only=True, validator=_above_zero)
    _keys: Keys = attrs.field(init=False, repr=False)
    _terms: Terms = attrs.field(init=False, repr=False)
    _health: Health = attrs.field(init=False, repr=False)
    _claims: dict[str, str] = attrs.field(factory=dict, init=False, repr=False)
    """The idempotency key of each run that was claimed, and is about to start."""
    _tasks: TaskGroup | None = attrs.field(default=None, init=False, repr=False)
    _asking: Any = attrs.field(default=None, init=False, repr=False)
    _clients: tuple[Any, ...] = attrs.field(default=(), init=False, repr=False)
    _writer: Writer = attrs.field(init=False, repr=False)
    _mirrors: Mirrors = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._keys, self._terms = Keys(self.prefix), Terms(self.lease, self.keep)
        self._health = Health(self._server.password)

    @classmethod
    def from_url(cls, url: str, **settings: Any) -> Self:
        """
        Give one for the Redis at *url*.

        Args:
            url: ``redis://[[user]:password@]host[:port][/db]``, ``rediss://``
                for TLS, ``unix://`` for a socket; its query may hold whatever
                redis-py takes there, such as ``ssl_ca_certs``. Never logged.
            settings: of the class, by name.

        Raises:
            MisuseError: *url* is of another shape, or redis-py is not installed.
        """
        return cls(Server.at(url), **settings)

    @property
    def state(self) -> State | Literal["closed"]:
        """``connected``, ``unreachable``, ``full`` (Redis has no memory left) or ``closed``."""
        return "closed" if self._tasks is None else self._health.state

    @property
    def error(self) -> LogError | None:
        """What is wrong with Redis; None while nothing is."""
        return self._health.error

    async def __aenter__(self) -> Self:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise MisuseError(
                "expected asyncio, which redis-py needs; this is another event loop; keep runs in "
                "a MemoryLog"
            ) from None
        if self._tasks is not None:
            raise MisuseError("expected a log to be opened once; it is open already")
        keys, terms, health = self._keys, self._terms, self._health
        timeout = max(_ANSWER, self.lease / 2)
        asking = self._server.client(connections=_ASKING, timeout=timeout)
        waiting = self._server.client(connections=1, timeout=terms.beat + timeout)
        writer, post = Writer(keys, terms, health), Post(asking, keys, terms)
        writer.redis = self._server.client(
            connections=1, timeout=timeout, connected=writer.connected
        )
        guests = Guests(writer.live, terms)
        tailer = Tailer(waiting, asking, keys, terms, health, guests, post, self.window)
        self._clients, self._asking = (asking, waiting, writer.redis), asking
        self._writer, self._mirrors = writer, tailer.mirrors
        tasks = anyio.create_task_group()
        await tasks.__aenter__()
        for part in (writer, post, tailer):
            tasks.start_soon(part.run)
        self._tasks = tasks
        return self

    async def __aexit__(self, *exc: object) -> None:
        tasks, self._tasks = self._open(), None
        try:
            tasks.cancel_scope.cancel()
            # No exception is passed in, so none of the user's is ever wrapped.
            await tasks.__aexit__(None, None, None)
        finally:
            with anyio.move_on_after(self.finalise, shield=True):
                await self._writer.close()
            with anyio.move_on_after(self.finalise, shield=True):
                for client in self._clients:
                    await client.aclose(close_connection_pool=True)

    def __call__(self, run_id: str) -> Written:
        """
        Give the log of a new run.

        Raises:
            MisuseError: it is not open.
        """
        self._open()
        claim = self._claims.pop(run_id, None)
        return self._writer.open(run_id, self.window, () if claim is None else (claim,))

    async def claim(self, run_id: str, key: str | None, digest: bytes) -> Claim:
        """
        Say who answers a request, once and for all processes; see `SharedLog`.

        Raises:
            LogError: Redis cannot be had.
        """
        self._open()
        try:
            return await self._claim(run_id, key, digest)
        except BROKEN as raised:
            raise self._health.explain(raised) from None

    async def find(self, run_id: str) -> Mirror | None:
        """
        Give the log of a run of any process; None where there is none of that id.

        Raises:
            LogError: Redis cannot be had.
        """
        self._open()
        try:
            return await self._mirrors.find(run_id)
        except BROKEN as raised:
            raise self._health.explain(raised) from None

    async def disclaim(self, run_id: str) -> None:
        """Take back a claim whose run could not be started."""
        claim = self._claims.pop(run_id, None)
        with suppress(*BROKEN):
            await self._asking.delete(*filter(None, (claim, self._keys.about(run_id))))

    async def _claim(self, run_id: str, key: str | None, digest: bytes) -> Claim:
        about, mark = self._keys.about(run_id), secrets.token_bytes(MARK) + digest
        if await self._first(about, mark) != mark:
            return Claim(run_id, ours=False)
        if key is not None:
            # Last: whoever is told of the run by its key must find it.
            name = self._keys.claim(key)
            holder = (await self._first(name, run_id.encode())).decode()
            if holder != run_id:
                await self._asking.delete(about)
                return Claim(holder, ours=False)
            self._claims[run_id] = name
        return Claim(run_id, ours=True)

    async def _first(self, name: str, value: bytes) -> bytes:
        """Give the value that was the first to stand there."""
        pipe = self._asking.pipeline(transaction=True)
        pipe.set(name, value, nx=True, px=self._terms.keep_ms)
        pipe.get(name)
        _, stands = await pipe.execute()
        return bytes(stands)

    def _open(self) -> TaskGroup:
        if self._tasks is None:
            raise MisuseError(
                "expected the log to be open; it is not; write `async with RedisLog.from_url(...) "
                "as log:` around its use, outermost"
            )
        return self._tasks
