"""The HTTP client of those who bring none."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from typing import Any, Final, Self
from urllib.request import getproxies

import attrs
import httpcore
import httpx

from .pool import IDLE, KEPT, Pool

__all__ = ["Http", "open_http", "pool_limits"]

_TIMEOUTS: Final = ("connect", "read", "write", "pool")
"""httpcore's names, in httpx's order."""


def open_http() -> Any:
    """
    Open the HTTP client of those who bring none.

    It has no clocks but those it is given: `Limits` has them. Its pool has no
    ceiling (`pool_limits`). Where the environment names a proxy it is httpx's,
    which knows proxies; elsewhere `Http`, of which a chunk costs less.
    """
    if getproxies().keys() - {"no"}:  # which says where none is asked
        return httpx.AsyncClient(timeout=None, limits=pool_limits(httpx))  # noqa: S113 (see above)
    return Http()


def pool_limits(library: Any) -> Any:
    """
    Give the limits of a connection pool for streams that are long and many.

    ``max_connections`` (a count) is None: every stream has a connection of its
    own, so as many are open as the caller asks for at once. Of those that are
    idle 20 are kept (a count), for 5 seconds, as httpx does by itself: each
    request and each end looks at every one, 0.04 ms each (httpcore 1.0.9,
    CPython 3.11), so a thousand answers that ended together took 19 s of
    processor time where all were kept, and 1.4 s with 20.

    Args:
        library: whose limits: httpx, or a module of its shape (httpx2).
    """
    return library.Limits(
        max_connections=None, max_keepalive_connections=IDLE, keepalive_expiry=KEPT
    )


class Http:
    """
    What is asked of an HTTP client here, in httpx's shape, with httpcore right below.

    HTTP/1.1 is httpcore's, and a body is its own iterator; the connections are
    a `Pool`'s. There are no cookies, redirects,
    proxies or hooks, and so nothing that a request or a chunk pays for them.
    Exceptions are httpcore's: they are mapped where all are
    (`streamkit.stages.foreign`).

    Args:
        tls: what certificates are trusted; None is what httpx trusts.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._pool = Pool(tls or httpx.create_ssl_context())

    def build_request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: tuple[float | None, ...],
        content: bytes = b"",
        params: Mapping[str, str] | None = None,
    ) -> httpcore.Request:
        """
        Build a request; see httpx, ``AsyncClient.build_request``.

        Args:
            method: ``GET`` or ``POST``.
            url: absolute; a user and a password in it are sent as Basic does (RFC 7617).
            headers: these hold, whatever *url* says.
            timeout: connect, read, write, and a place in the pool (seconds).
            content: the body.
            params: the query.

        Raises:
            httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeEncodeError: it cannot be sent.
        """
        where, always = _address(url, tuple((params or {}).items()))
        named = {**always, **{name.lower(): value for name, value in headers.items()}}
        if content:
            named["content-length"] = str(len(content))
        return httpcore.Request(
            method,
            where,
            headers=[
                (name.encode("ascii"), value.encode("ascii")) for name, value in named.items()
            ],
            content=content,
            extensions={"timeout": dict(zip(_TIMEOUTS, timeout, strict=True))},
        )

    async def send(self, request: httpcore.Request, *, stream: bool) -> httpx.Response:
        """Send it; the body is the caller's to read and to close, whatever *stream* says."""
        response, connection = await self._pool.send(request)
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response.stream, connection, self._pool),
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


@lru_cache(maxsize=256)  # addresses: a process asks few, and parsing one is not cheap
def _address(url: str, params: tuple[tuple[str, str], ...]) -> tuple[httpcore.URL, dict[str, str]]:
    """Give where *url* is, and the headers that every request to it has."""
    parsed = httpx.URL(url, params=dict(params)) if params else httpx.URL(url)
    headers = {"host": parsed.netloc.decode("ascii"), "user-agent": "streamkit"}
    if parsed.scheme not in ("http", "https"):
        raise httpx.UnsupportedProtocol("the address begins with neither http:// nor https://")
    if parsed.userinfo:
        told = f"{parsed.username}:{parsed.password}".encode()
        headers["authorization"] = f"Basic {b64encode(told).decode('ascii')}"
    where = httpcore.URL(
        scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path
    )
    return where, headers


@attrs.frozen
class _Body(httpx.AsyncByteStream):
    stream: Any
    connection: Any
    pool: Pool

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self.stream)

    async def aclose(self) -> None:
        try:
            await self.stream.aclose()
        finally:
            await self.pool.take_back(self.connection)
