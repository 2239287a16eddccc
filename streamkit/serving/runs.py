"""The runs of an application: started once, watched again, stopped, drained."""

from __future__ import annotations

import hashlib
import inspect
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Self, Unpack
from weakref import WeakSet

import anyio
import attrs

from ..errors import LogError, Refusal
from ..framing import encode
from ..logs import SharedLog
from ..supervisor import CallbackOptions, Run
from .asgi import Servable
from .disconnect import OnDisconnect, as_on_disconnect, grace
from .elsewhere import Elsewhere
from .frame_id import FrameId
from .plain import Plain
from .request import idempotency_key, last_event_id, query
from .signals import Chain
from .stream import EventStream

__all__ = ["Authorize", "Runs"]

AnyRun = Run | Elsewhere
Authorize = Callable[[Any, AnyRun], bool | Awaitable[bool]]

_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_KEY: Final = 255
"""The longest idempotency key (characters)."""
_REACH: Final = 1.0
"""How long a client that is ahead of this server is waited for (seconds)."""


_ANOTHER: Final = (
    "expected the request that this id or idempotency key was first used with; got another one; "
    "make a new id for a new request"
)


@attrs.define(eq=False)
class _Kept:
    """A run, and what is known of how it was asked for."""

    run: Run
    digest: bytes
    ended: float | None = None
    """When it was first seen to have ended (seconds of the event loop's clock)."""


@attrs.define(eq=False)
class Runs:
    """
    The runs of an application, owned by its lifespan::

        async with streamkit.Client(...) as client, Runs(client, authorize=mine) as runs:
            ...  # start, get, watch, cancel

    A run belongs to nobody's connection: a client that lost its own comes
    back with `watch`, one that repeats its request joins the run it began.
    Stopping is another thing than going away: `cancel`.

    Args:
        client: who asks the provider.
        log: makes the log of a run from its id; None keeps it in memory. One
            that is shared (`streamkit.logs.RedisLog`) has the runs of all who
            share it: each can be watched, joined and cancelled from any.
        authorize: ``(scope, run) -> bool``, plain or async, asked before a
            request may watch, join or cancel a run. None refuses nobody: who
            knows the id, or the idempotency key, reads the answer.
        encoder: see `EventStream`; also *heartbeat*, *send_timeout*, *retry*.
        on_disconnect: what becomes of a run when its last client goes away.
        keep: seconds an ended run can still be read.
        keep_ended: how many ended runs are kept at most (a count).
        drain_on_signal: end the streams on SIGTERM and SIGINT, before whoever
            handles these now (uvicorn, Daphne) goes on. Main thread only.
    """

    client: Any
    log: Callable[[str], Any] | None = None
    authorize: Authorize | None = attrs.field(default=None, kw_only=True)
    encoder: Any = attrs.field(default="streamkit", kw_only=True)
    heartbeat: float | None = attrs.field(default=15.0, kw_only=True)
    on_disconnect: OnDisconnect = attrs.field(
        default=grace(30), converter=as_on_disconnect, kw_only=True
    )
    send_timeout: float = attrs.field(default=30.0, kw_only=True)
    retry: float = attrs.field(default=3.0, kw_only=True)
    keep: float = attrs.field(default=300.0, kw_only=True)
    keep_ended: int = attrs.field(default=1024, kw_only=True)
    drain_on_signal: bool = attrs.field(default=False, kw_only=True)
    _kept: dict[str, _Kept] = attrs.field(factory=dict, init=False)
    _keys: dict[str, str] = attrs.field(factory=dict, init=False)
    """The run of each idempotency key."""
    _streams: WeakSet[EventStream] = attrs.field(factory=WeakSet, init=False)
    _draining: bool = attrs.field(default=False, init=False)
    _chain: Chain = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._chain = Chain(self.retire)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._chain.undo()
        with anyio.CancelScope(shield=True):  # bounded by send_timeout
            await self.drain()

    async def start(
        self,
        body: Mapping[str, Any],
        run_id: str | None = None,
        *,
        key: str | None = None,
        scope: Any = None,
        **callbacks: Unpack[CallbackOptions],
    ) -> AnyRun:
        """
        Start a run, or join the one that the same request started before.

        Args:
            body: the provider's own request JSON, without stream flags.
            run_id: the run's id; None makes one of 128 random bits.
            key: what a repeated request has in common (``Idempotency-Key``).
            scope: the ASGI scope of the request: a header and ``?run_id=``
                give *key* and *run_id* where they are None, and joining asks
                *authorize*.
            callbacks: see `streamkit.supervisor.Callbacks`.

        Raises:
            Refusal: the server is going away (503), the id or key was used
                for another request (422) or has no good shape (400), or
                *authorize* said no (403).
        """
        if scope is not None:
            key, run_id = key or idempotency_key(scope), run_id or query(scope, "run_id")
        self._check_open()
        _check_names(run_id, key)
        self._forget()
        digest = _digest(body)
        known = self._kept.get(run_id or self._keys.get(key or "", ""))
        if known is not None:
            await self._check_same(known, digest, scope)
            return known.run
        if isinstance(self.log, SharedLog):
            run_id = run_id or secrets.token_hex(16)
            if (other := await self._claimed(self.log, run_id, key, digest)) is not None:
                return await self._join(other, digest, scope)
        return await self._begin(body, run_id, key, digest, callbacks)

    async def get(self, run_id: str) -> AnyRun | None:
        """
        Give the run of that id; None where there is none, or none any more.

        Raises:
            Refusal: it may be another process's, and that cannot be said now (503).
        """
        self._forget()
        kept = self._kept.get(run_id)
        if kept is not None:
            return kept.run
        if not isinstance(self.log, SharedLog) or not _ID.fullmatch(run_id):
            return None
        try:
            found = await self.log.find(run_id)
        except LogError as error:
            raise Refusal(
                "expected to look the run up; where runs are kept cannot be reached; ask again",
                status=503,
                retry_after=self.retry,
            ) from error
        return None if found is None else Elsewhere(run_id, found)

    async def watch(
        self,
        run: AnyRun | str,
        *,
        scope: Any = None,
        after: str | None = None,
        **settings: Any,
    ) -> Servable:
        """
        Serve a run to one client more, from where it stands.

        Args:
            run: the run, or its id.
            scope: the ASGI scope of the request: it says where the client
                stands (``Last-Event-ID``, ``?last_event_id=``), and *authorize*
                is asked. A run that was just started is its starter's: leave
                *scope* out, or let `start` have asked.
            after: the id of the last frame the client has; None asks *scope*.
            settings: of `EventStream`, where they differ from those of all.

        Returns:
            An `EventStream`, or what is to be said instead: 204 where nothing
            runs, 403 where *authorize* said no. Where the server goes away it
            is a stream that says so (`EventStream.retire`), and 503 of a run
            that another server may have.
        """
        try:
            found = await self.get(run) if isinstance(run, str) else run
            if found is None:
                self._check_open()
                return Plain(204)
            await self._check_allowed(found, scope)
        except Refusal as refusal:
            return Plain.refuse(refusal)
        if after is None and scope is not None:
            after = last_event_id(scope)
        if after is not None and isinstance(found, Elsewhere):
            await found.log.reach(FrameId.parse(after).event, _REACH)
        stream = EventStream(found, **{**self._settings(), "after": after, **settings})
        self._streams.add(stream)
        if self._draining:
            stream.retire(self.retry)
        if self.drain_on_signal:
            self._chain.install()
        return stream

    async def cancel(self, run_id: str, *, scope: Any = None) -> bool:
        """
        Stop a run, for all who watch it.

        Returns:
            Whether there was one to stop.

        Raises:
            Refusal: *authorize* said no (403).
        """
        run = await self.get(run_id)
        if run is None:
            return False
        await self._check_allowed(run, scope)
        running = run.outcome is None
        await run.cancel()
        return running

    @property
    def draining(self) -> bool:
        """Whether nothing new is begun: the server is going away."""
        return self._draining

    async def drain(self, grace: float = 0.0) -> None:
        """
        End every stream cleanly, and begin no more: the server is going away.

        Clients are told when to come back (``retry:``), to another server or
        to this one's successor; the runs are the client's, and end with it.

        Args:
            grace: seconds to let streams end by themselves first.
        """
        self._draining = True
        with anyio.move_on_after(grace):
            await self._gone()
        self.retire()
        with anyio.move_on_after(self.send_timeout):
            await self._gone()

    def retire(self) -> None:
        """Tell every stream to end with its next bytes, and begin no more."""
        self._draining = True
        for stream in list(self._streams):
            stream.retire(self.retry)

    async def _gone(self) -> None:
        for stream in list(self._streams):
            await stream.left()

    def _settings(self) -> dict[str, Any]:
        return {
            "encoder": self.encoder,
            "heartbeat": self.heartbeat,
            "on_disconnect": self.on_disconnect,
            "send_timeout": self.send_timeout,
            "retry": self.retry,
        }

    async def _begin(
        self,
        body: Mapping[str, Any],
        run_id: str | None,
        key: str | None,
        digest: bytes,
        callbacks: CallbackOptions,
    ) -> Run:
        try:
            run: Run = self.client.start(body, run_id, self.log, **callbacks)
        except BaseException:
            if isinstance(self.log, SharedLog) and run_id is not None:
                await self.log.disclaim(run_id)
            raise
        self._kept[run.id] = _Kept(run, digest)
        if key is not None:
            self._keys[key] = run.id
        return run

    async def _claimed(
        self, shared: SharedLog, run_id: str, key: str | None, digest: bytes
    ) -> str | None:
        """Give the run of another request that does what this one asks for; None for none."""
        try:
            claim = await shared.claim(run_id, key, digest)
        except LogError:  # it says so itself; the answer matters more than who else may watch it
            return None
        return None if claim.ours else claim.run_id

    async def _join(self, run_id: str, digest: bytes, scope: Any) -> AnyRun:
        """Give a run that the same request started, in this process or in another."""
        found = await self.get(run_id)
        if found is None:
            raise Refusal(
                "expected the run of this id or idempotency key; it is not kept any more; make a "
                "new id for a new request",
                status=409,
            )
        await self._check_allowed(found, scope)
        mine = self._kept.get(run_id)
        same = mine.digest if mine is not None else getattr(found.log, "digest", b"")
        if same != digest:
            raise Refusal(_ANOTHER, status=422)
        return found

    def _forget(self) -> None:
        """Drop the runs that ended long ago, and the oldest of too many."""
        now, ended = anyio.current_time(), []
        for id_, kept in self._kept.items():
            if kept.run.outcome is not None:
                kept.ended = kept.ended or now
                ended.append((kept.ended, id_))
        ended.sort()
        spare = max(0, len(ended) - self.keep_ended)
        gone = {id_ for n, (at, id_) in enumerate(ended) if n < spare or at + self.keep < now}
        if gone:
            self._kept = {id_: kept for id_, kept in self._kept.items() if id_ not in gone}
            self._keys = {key: id_ for key, id_ in self._keys.items() if id_ not in gone}

    def _check_open(self) -> None:
        if self._draining:
            raise Refusal(
                "expected a server that stays; this one is going away; ask again",
                status=503,
                retry_after=self.retry,
            )

    async def _check_same(self, known: _Kept, digest: bytes, scope: Any) -> None:
        await self._check_allowed(known.run, scope)
        if known.digest != digest:
            raise Refusal(_ANOTHER, status=422)

    async def _check_allowed(self, run: AnyRun, scope: Any) -> None:
        if self.authorize is None or scope is None:
            return
        allowed = self.authorize(scope, run)
        if not (await allowed if inspect.isawaitable(allowed) else allowed):
            raise Refusal("expected a request that may see this run; this one may not", status=403)


def _digest(body: Mapping[str, Any]) -> bytes:
    """Tell one request from another. What is no JSON is told by whoever would send it."""
    try:
        return hashlib.sha256(encode(dict(body))).digest()
    except (TypeError, ValueError):
        return b""


def _check_names(run_id: str | None, key: str | None) -> None:
    if run_id is not None and not _ID.fullmatch(run_id):
        raise Refusal(
            "expected a run id of 1 to 128 letters, digits and '._~-'; got another shape; "
            "leave it out, and one is made",
            status=400,
        )
    if key is not None and not 0 < len(key) <= _KEY:
        raise Refusal(
            f"expected an idempotency key of 1 to {_KEY} characters; got {len(key)}", status=400
        )
