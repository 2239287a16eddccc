"""One connection of streamkit's own HTTP client: a request, its answer, and the next."""

from __future__ import annotations

import contextlib
import select
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import anyio
import attrs
import h11
import httpx
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSAttribute

from .network import BROKEN, Origin

__all__ = ["Connection", "Request"]

_READ: Final = 64 * 1024
"""What is read at once, at most (bytes)."""
_HEAD: Final = 100 * 1024
"""The largest head of a response (bytes)."""


@attrs.frozen
class Request:
    """What is asked, and of whom; its values are in no representation of it."""

    origin: Origin
    head: h11.Request = attrs.field(repr=False)
    """Method, target and headers, ``content-length`` among them where there is a content."""
    content: bytes = attrs.field(repr=False)
    """The body as it is sent (bytes)."""
    connect: float | None
    """How long connecting may take (seconds)."""


@attrs.define(eq=False)
class Connection:
    """
    One connection: HTTP/1.1 on it is h11's.

    It has no clock: a read waits for as long as it is let (`Limits` has the
    clocks), so nothing is opened around it (issue 9; *what a chunk costs*).
    Whoever has it closes it, above all where `send` or `body` raised.
    """

    origin: Origin
    stream: ByteStream
    _http: h11.Connection = attrs.field(
        factory=lambda: h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD), init=False
    )
    _rested: float = attrs.field(default=0.0, init=False)
    """Since when it is idle (seconds of the monotonic clock)."""
    _full: bool = attrs.field(default=False, init=False)
    """Whether the last read was as large as can be: something behind it may lie in a buffer."""
    _socket: Any = attrs.field(init=False)
    _tls: Any = attrs.field(init=False)
    """The TLS on it; None where there is none."""

    def __attrs_post_init__(self) -> None:
        self._socket = self.stream.extra(SocketAttribute.raw_socket)
        self._tls = self.stream.extra(TLSAttribute.ssl_object, None)

    async def send(self, request: Request) -> h11.Response:
        """
        Send *request*, head and content in one packet, and give the head of the answer.

        Raises:
            httpx.ReadError, httpx.RemoteProtocolError, h11.RemoteProtocolError
        """
        http = self._http
        sent = http.send(request.head)
        if request.content:
            sent += http.send(h11.Data(data=request.content))
        http.send(h11.EndOfMessage())
        with contextlib.suppress(*BROKEN):  # it may have answered before it hung up
            await self.stream.send(sent)
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                await self._receive()
            elif event is h11.PAUSED:
                raise httpx.RemoteProtocolError("the server went over to another protocol")
            elif isinstance(event, h11.Response):
                return event

    async def body(self, at_end: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
        """
        Iterate the body, a chunk of HTTP's at a time; what it reads it gives before it waits.

        Args:
            at_end: awaited when the whole body was read, before it is over.

        Raises:
            httpx.ReadError, h11.RemoteProtocolError
        """
        http = self._http
        while True:
            event = http.next_event()
            if type(event) is h11.Data:
                yield bytes(event.data)
            elif event is h11.NEED_DATA:
                await self._receive()
            else:
                break
        await at_end()

    def renew(self) -> bool:
        """
        Make it ready for another request; give whether it can be.

        Not where anything lies behind the answer, wherever it lies: what
        nobody asked for would answer the next request.
        """
        http = self._http
        over = http.our_state is h11.DONE and http.their_state is h11.DONE
        if not over or any(http.trailing_data) or self._full or self._has_a_record():
            return False
        http.start_next_cycle()
        self._rested = time.monotonic()
        return True

    def is_stale(self, seconds: float) -> bool:
        """Whether it was idle for longer than that, or has ended meanwhile."""
        return time.monotonic() > self._rested + seconds or self._has_something()

    async def aclose(self) -> None:
        """Close it, whatever is under way; HTTP says no goodbye, so it takes no time."""
        with anyio.CancelScope(shield=True):
            await self.stream.aclose()

    async def _receive(self) -> None:
        try:
            data = await self.stream.receive(_READ)
        except anyio.EndOfStream:
            if self._http.their_state is h11.SEND_RESPONSE:
                raise httpx.RemoteProtocolError(
                    "the server closed the connection without an answer"
                ) from None
            data = b""
        except BROKEN as error:
            raise httpx.ReadError(str(error)) from error
        self._full = len(data) == _READ
        self._http.receive_data(data)

    def _has_a_record(self) -> bool:
        """Whether TLS has another record, or its end, which came with one that was read."""
        if self._tls is None:
            return False
        try:
            self._tls.read(1)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            return True
        return True

    def _has_something(self) -> bool:
        """Whether a read would not wait: of a connection that is idle, that is its end."""
        raw = self._socket
        if raw.fileno() < 0:
            return True
        if hasattr(select, "poll"):  # knows no highest descriptor, as select does
            poll = select.poll()
            poll.register(raw, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([raw], [], [], 0)[0])
