"""The connections of streamkit's own HTTP client: those that answer, and those that are idle."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import Final

import attrs
import h11
import httpx

from ..errors import MisuseError
from .connection import Connection, Request
from .network import Origin, connect

__all__ = ["IDLE", "KEPT", "Body", "Pool"]

IDLE: Final = 20
"""Idle connections that are kept (a count), as httpx does."""
KEPT: Final = 5.0
"""How long they are kept (seconds), as httpx does."""


@attrs.define(eq=False)
class Pool:
    """
    Opens a connection for each request that finds none idle.

    What a request pays here does not depend on how many connections are open.
    """

    tls: ssl.SSLContext | None = None
    """What certificates are trusted; None is what httpx trusts, read when it is first needed."""
    _idle: list[Connection] = attrs.field(factory=list, init=False)
    """The newest last."""
    _busy: set[Connection] = attrs.field(factory=set, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    async def send(self, request: Request) -> tuple[h11.Response, Body]:
        """
        Send *request*, and give the head of the answer and its body.

        The body is the caller's to close; read to its end, it has closed itself.

        Raises:
            MisuseError: the certificates that the environment names cannot be read.
            httpx.ConnectTimeout, httpx.NetworkError: the connection.
            httpx.RemoteProtocolError, h11.RemoteProtocolError: what came on it is no HTTP.
        """
        connection = await self._find(request.origin) or Connection(
            request.origin,
            await connect(request.origin, self._trust(request.origin), request.connect),
        )
        self._busy.add(connection)
        try:
            if self._closed:  # while it was opened
                raise httpx.ConnectError("the HTTP client was closed")
            return await connection.send(request), Body(connection, self)
        except BaseException:
            self._busy.discard(connection)
            await connection.aclose()
            raise

    async def take_back(self, connection: Connection) -> None:
        """Keep a connection whose answer is over, or close it where it cannot be used again."""
        if connection not in self._busy:  # the pool was closed
            return
        self._busy.remove(connection)
        if not connection.renew():
            await connection.aclose()
            return
        idle = self._idle
        idle.append(connection)
        if len(idle) > IDLE or (len(idle) > 1 and idle[0].is_stale(KEPT)):
            await idle.pop(0).aclose()

    async def aclose(self) -> None:
        """Close every connection, whatever is under way on it."""
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()
        while self._busy:
            await self._busy.pop().aclose()

    def _trust(self, origin: Origin) -> ssl.SSLContext | None:
        """Give what the greeting within TLS trusts; None where there is no greeting."""
        if origin[0] == "http":
            return None
        if self.tls is None:  # all that the world trusts: 60 ms, which no plain connection pays
            try:
                self.tls = httpx.create_ssl_context()
            except OSError as error:  # TLS's own is one
                raise MisuseError(
                    "expected the certificates that SSL_CERT_FILE or SSL_CERT_DIR name; got "
                    f"{type(error).__name__}: {error}; name others, or unset them"
                ) from error
        self.tls.set_alpn_protocols(["http/1.1"])
        return self.tls

    async def _find(self, origin: Origin) -> Connection | None:
        """Give the newest idle connection to *origin*; those that have ended are closed."""
        for at in reversed(range(len(self._idle))):
            if self._idle[at].origin == origin:
                connection = self._idle.pop(at)
                if not connection.is_stale(KEPT):
                    return connection
                await connection.aclose()
                return await self._find(origin)
        return None


@attrs.define(eq=False)
class Body(httpx.AsyncByteStream):
    """The body of an answer, as it comes on its connection."""

    connection: Connection
    pool: Pool
    is_closed: bool = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        if self.is_closed:  # its connection is another's
            raise httpx.StreamClosed
        return self.connection.body(self.aclose)

    async def aclose(self) -> None:
        """Give the connection back, once."""
        if not self.is_closed:
            self.is_closed = True
            await self.pool.take_back(self.connection)
