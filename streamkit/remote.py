"""
Follow a run that is served elsewhere, over the network: `follow`.

What `streamkit.serving` writes (its own format, ``encoder="streamkit"``) is
read back as the events it was, by another service, a worker or a test.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Mapping
from math import inf
from typing import Any, Final, Self

import anyio
import attrs
from httpx_sse import ServerSentEvent

from .codec import from_json
from .errors import (
    MalformedStream,
    ProducerLost,
    Rejected,
    Stalled,
    StreamkitError,
    TransportError,
    excerpt,
)
from .events import Event, Gap, Heartbeat, ResponseFailed, Unknown
from .framing import Guard, decode, read_events, too_large
from .limits import Limits
from .logger import log
from .response import Response
from .serving.frame_id import FrameId
from .stages.body import leave, open_body
from .stages.endpoint import read_retry_after
from .stages.foreign import map_foreign
from .stages.http import open_http

__all__ = ["Follower", "follow"]

_RETRY: Final = 0.5
"""Seconds before another connection, where the server says nothing of it (``retry:``)."""
_LONGEST: Final = 10.0
"""The longest wait between two connections that the server did not ask for (seconds)."""
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses behind which the run may be all the same (RFC 9110, 15.5 and 15.6; RFC 8470)."""
_NO_CONTENT: Final = 204
_REFUSAL_BYTES: Final = 256 * 1024
"""How much of a refusal's body is read (bytes): it may hold a whole terminal event."""


def follow(
    url: str,
    last_event_id: str | None = None,
    *,
    http: Any = None,
    headers: Mapping[str, str] | None = None,
    patience: float = 60.0,
    limits: Limits | None = None,
) -> Follower:
    """
    Follow the run that is served at *url* to its end::

        async with streamkit.remote.follow("https://…/answers/1f3c") as events:
            async for event in events:
                ...

    It gives the same events as a cursor of the run gives where it is served,
    the terminal last, without heartbeats. A connection that breaks is made
    again, behind the last event: nothing is missing and nothing comes twice;
    where the server cannot go on from there it says so (`Gap`).

    The end is the run's own, or `ResponseFailed` with what stands in the way:
    `ProducerLost` where the server knows nothing of the run, or nothing more;
    `Rejected` where it refuses; `TransportError` where it could not be
    reached for *patience* seconds (the run itself may go on).

    Args:
        url: of the run, as `streamkit.serving.Routes` serves it.
        last_event_id: the id of the last event that is known already.
        http: an ``httpx.AsyncClient``, or anything of its shape; never closed
            here. None makes one.
        headers: sent with each request, such as ``Authorization``.
        patience: seconds without a word from the server after which it is given up.
        limits: *connect*, *idle* (heartbeats count), *max_frame_bytes* and *finalise* of them.

    Returns:
        An async iterator of events; close it, or leave its ``async with``.
    """
    return Follower(
        url,
        last_event_id,
        http=http,
        headers=dict(headers or {}),
        patience=patience,
        limits=limits or Limits(),
    )


@attrs.define(eq=False)
class _Connection:
    """One response that is read."""

    response: Any
    bodies: tuple[Any, ...]
    frames: AsyncGenerator[ServerSentEvent, None]

    @classmethod
    def of(cls, response: Any, max_frame_bytes: int) -> Self:
        bodies = open_body(response)
        return cls(response, bodies, _frames(bodies[0], max_frame_bytes))

    async def aclose(self, seconds: float) -> None:
        await self.frames.aclose()
        await leave(self.response, self.bodies, 0.0, seconds)


async def _frames(body: Any, max_frame_bytes: int) -> AsyncGenerator[ServerSentEvent, None]:
    """Give the frames of *body*, which its owner closes, with their ids."""
    guard = Guard(max_frame_bytes)
    async for chunk in body:
        text, fits = guard.feed(chunk)
        for frame in read_events(text):
            yield frame
        if not fits:
            raise too_large("an SSE frame", max_frame_bytes)
    for frame in read_events(guard.eof()):
        yield frame


class _Refused(Exception):
    """The server said something that ends it."""

    def __init__(self, terminal: ResponseFailed) -> None:
        super().__init__()
        self.terminal = terminal


@attrs.define(eq=False)
class Follower:
    """The events of a run that is served elsewhere; see `follow`."""

    url: str
    last_event_id: str | None
    """The id of the last event that was given: what to go on from, here or anywhere."""
    http: Any = attrs.field(kw_only=True)
    headers: Mapping[str, str] = attrs.field(kw_only=True, repr=False)
    patience: float = attrs.field(kw_only=True)
    limits: Limits = attrs.field(kw_only=True)
    _own: Any = attrs.field(default=None, init=False)
    """The HTTP client, where none was given."""
    _connection: _Connection | None = attrs.field(default=None, init=False)
    _over: bool = attrs.field(default=False, init=False)
    _heard: float = attrs.field(default=-inf, init=False)
    """When the server was heard of last (seconds of the event loop's clock)."""
    _failures: int = attrs.field(default=0, init=False)
    """Connections that broke since (a count)."""
    _retry: float = attrs.field(default=_RETRY, init=False)
    """Seconds before another connection, as the server wants it."""
    _wait: float = attrs.field(default=0.0, init=False)
    """Seconds that it wants to be left alone for once (``Retry-After``)."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if self._over:
            raise StopAsyncIteration
        if self._heard == -inf:
            self._heard = anyio.current_time()
        event = await self._to_an_event()
        if event.terminal:
            await self.aclose()
        return event

    async def aclose(self) -> None:
        """Let go of the connection. The run is none the wiser, but that a client left."""
        self._over = True
        await self._let_go()
        if self._own is not None:
            own, self._own = self._own, None
            with anyio.move_on_after(self.limits.finalise, shield=True):
                await own.aclose()

    async def _to_an_event(self) -> Event:
        """Read, and connect again, until there is an event."""
        while True:
            try:
                event = await self._next()
            except _Refused as refused:
                return refused.terminal
            except Exception as raised:  # noqa: BLE001 (an HTTP client's may be anything)
                error = map_foreign(raised, self.limits.connect)
                await self._let_go()
                if not await self._patient(error):
                    return ResponseFailed(error, Response())
            else:
                if event is not None:
                    return event

    async def _patient(self, error: StreamkitError) -> bool:
        """Wait before the next connection. Gives False where patience has ended."""
        silent = anyio.current_time() - self._heard
        backoff = min(_LONGEST, self._retry * 2.0**self._failures)
        pause = max(self._wait, backoff * random.uniform(0.5, 1.0))  # noqa: S311 (jitter)
        self._failures, self._wait = self._failures + 1, 0.0
        if silent + pause > self.patience:
            return False
        log.debug("a run is followed again", code=error.code, failures=self._failures)
        await anyio.sleep(pause)
        return True

    async def _next(self) -> Event | None:
        """Read one frame. None is one that is no event."""
        if self._connection is None:
            self._connection = await self._connect()
        with anyio.move_on_after(self.limits.idle) as scope:
            frame = await anext(self._connection.frames, None)
        if scope.cancelled_caught:
            raise Stalled("idle", self.limits.idle)
        if frame is None:
            raise TransportError("the stream ended before its run")
        self._heard, self._failures = anyio.current_time(), 0
        if frame.retry is not None:
            self._retry = frame.retry / 1000
        return self._event(frame) if frame.data else None

    def _event(self, frame: ServerSentEvent) -> Event | None:
        said = decode(frame.data)
        word = said.get("type") if isinstance(said, dict) else None
        if word == "farewell":
            raise TransportError("the server went away")
        if word == "run":
            return None
        try:
            event = from_json(said)
        except MalformedStream:  # of a newer version
            event = Unknown(said, frame.event)
        if isinstance(event, Heartbeat) or self._is_known(event, frame.id):
            return None
        self.last_event_id = frame.id or self.last_event_id
        return event

    def _is_known(self, event: Event, id_: str) -> bool:
        """Whether an event came before: a proxy may drop ``Last-Event-ID``."""
        if isinstance(event, Gap):
            self.last_event_id = None
        came, known = _number(id_), _number(self.last_event_id or "")
        return came is not None and known is not None and came <= known

    async def _connect(self) -> _Connection:
        """
        Ask for the run, behind the last event.

        Raises:
            _Refused: there is nothing to follow.
            StreamkitError: it may be there later.
        """
        http = self.http or self._own
        if http is None:
            http = self._own = open_http()
        again = {} if self.last_event_id is None else {"last-event-id": self.last_event_id}
        headers = {"accept": "text/event-stream", "cache-control": "no-store", **again}
        off = None  # the clock that is stopped here can explain itself
        request = http.build_request(
            "GET",
            self.url,
            headers={**headers, "accept-encoding": "identity", **self.headers},
            timeout=(self.limits.connect, off, off, self.limits.connect),
        )
        with anyio.fail_after(self.limits.connect + self.limits.idle):
            response = await http.send(request, stream=True)
        connection = _Connection.of(response, self.limits.max_frame_bytes)
        try:
            await self._check(connection)
        except BaseException:
            await connection.aclose(self.limits.finalise)
            raise
        return connection

    async def _check(self, connection: _Connection) -> None:
        """See that a stream of events comes."""
        response = connection.response
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code == _NO_CONTENT:
            raise _Refused(_failed(ProducerLost("the server has no such run, or not any more")))
        if response.is_success and kind == "text/event-stream":
            return
        said = await self._refusal(connection)
        wait = read_retry_after(response.headers.get("retry-after"))
        error = Rejected(
            f"expected a stream of events from the server; got HTTP {response.status_code}, "
            f"{kind or 'no content type'}: {excerpt(said)}",
            status=response.status_code,
            retry_after=wait,
        )
        if (terminal := _terminal(said)) is not None:
            raise _Refused(terminal)
        if response.status_code not in _AGAIN:
            raise _Refused(_failed(error))
        self._wait = wait or 0.0
        raise error

    async def _refusal(self, connection: _Connection) -> bytes:
        read = bytearray()
        with anyio.move_on_after(self.limits.idle):
            async for chunk in connection.bodies[0]:
                read += chunk
                if len(read) >= _REFUSAL_BYTES:
                    break
        return bytes(read)

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose(self.limits.finalise)


def _failed(error: Exception) -> ResponseFailed:
    return ResponseFailed(error, Response())


def _terminal(said: bytes) -> ResponseFailed | None:
    """Read a refusal that is a run's own end: it failed before it said anything."""
    try:
        event = from_json(decode(said))
    except (MalformedStream, ValueError):
        return None
    return event if isinstance(event, ResponseFailed) else None


def _number(id_: str) -> tuple[int, int] | None:
    """Read the id of a whole event; None for any other: parts of events are never counted."""
    epoch, _, seq = FrameId.parse(id_).event.partition("-")
    whole = id_ == f"{epoch}-{seq}" and epoch.isdecimal() and seq.isdecimal()
    return (int(epoch), int(seq)) if whole else None
