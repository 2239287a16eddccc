"""The connections of streamkit's own HTTP client: those that answer, and those that are idle."""

from __future__ import annotations

import ssl
from typing import Final

import anyio
import attrs
import httpcore

from .network import connect

__all__ = ["IDLE", "KEPT", "Pool"]

IDLE: Final = 20
"""Idle connections that are kept (a count), as httpx does."""
KEPT: Final = 5.0
"""How long they are kept (seconds), as httpx does."""


@attrs.define(eq=False)
class Pool:
    """
    Opens a connection for each request that finds none idle; HTTP/1.1 on it is httpcore's.

    httpcore's own pool looks at every connection with each request and at each
    end of one. Here neither depends on how many are open.
    """

    tls: ssl.SSLContext
    _idle: list[httpcore.AsyncHTTP11Connection] = attrs.field(factory=list, init=False)
    """The newest last."""
    _busy: set[httpcore.AsyncHTTP11Connection] = attrs.field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self.tls.set_alpn_protocols(["http/1.1"])

    async def send(
        self, request: httpcore.Request
    ) -> tuple[httpcore.Response, httpcore.AsyncHTTP11Connection]:
        """
        Send *request*, and give the response and the connection it comes on.

        Its body is the caller's to read and to close, and then the connection
        to `take_back`.

        Raises:
            httpcore.ConnectTimeout, httpcore.NetworkError, httpcore.ProtocolError
        """
        connection = await self._find(request.url.origin) or await self._open(request)
        self._busy.add(connection)
        try:
            return await connection.handle_async_request(request), connection
        except BaseException:  # it has closed itself
            self._busy.discard(connection)
            raise

    async def take_back(self, connection: httpcore.AsyncHTTP11Connection) -> None:
        """Keep a connection whose response was closed, or close it too where it cannot be used."""
        if connection not in self._busy:  # the pool was closed
            return
        self._busy.remove(connection)
        if connection.is_idle():
            self._idle.append(connection)
            spare = len(self._idle) - 1
            if spare >= IDLE or (spare and self._idle[0].has_expired()):
                await self._idle.pop(0).aclose()
        elif not connection.is_closed():  # closing the response was cancelled
            await connection.aclose()

    async def aclose(self) -> None:
        """Close every connection, whatever is under way on it."""
        every = [*self._idle, *self._busy]
        self._idle.clear()
        self._busy.clear()
        with anyio.CancelScope(shield=True):  # none of them says goodbye: it takes no time
            for connection in every:
                await connection.aclose()

    async def _find(self, origin: httpcore.Origin) -> httpcore.AsyncHTTP11Connection | None:
        """Give the newest idle connection to *origin*; those that have ended are closed."""
        for at in reversed(range(len(self._idle))):
            if self._idle[at].can_handle_request(origin):
                connection = self._idle.pop(at)
                if not connection.has_expired():
                    return connection
                await connection.aclose()
                return await self._find(origin)
        return None

    async def _open(self, request: httpcore.Request) -> httpcore.AsyncHTTP11Connection:
        origin, timeout = request.url.origin, request.extensions["timeout"]["connect"]
        host = origin.host.decode("ascii")
        stream = await connect(host, origin.port, timeout)
        if origin.scheme == b"https":
            stream = await stream.start_tls(self.tls, host, timeout)
        return httpcore.AsyncHTTP11Connection(origin, stream, keepalive_expiry=KEPT)
