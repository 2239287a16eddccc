"""The HTTP client of those who bring none."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.request import getproxies

import attrs
import httpcore
import httpx

from .network import Network

__all__ = ["Pooled", "open_http", "pool_limits"]

_IDLE: Final = 20
"""
Idle connections that are kept (a count). Each request and each end looks at every one, 0.04 ms
each (httpcore 1.0.9, CPython 3.11): where all of a thousand were kept, a thousand answers that
ended together took 19 s of processor time; with 20 it was 1.4 s.
"""
_KEPT: Final = 5.0
"""How long they are kept (seconds)."""


def open_http() -> httpx.AsyncClient:
    """
    Open the HTTP client of those who bring none.

    Its clocks are off: `Limits` has them. Its pool has no ceiling
    (`pool_limits`). Where the environment names a proxy, it is httpx's own
    all through, which knows proxies; elsewhere a chunk costs less (`Pooled`).
    """
    if getproxies().keys() - {"no"}:  # which says where none is asked
        return httpx.AsyncClient(timeout=None, limits=pool_limits(httpx))  # noqa: S113 (see above)
    return httpx.AsyncClient(timeout=None, transport=Pooled())  # noqa: S113 (see above)


def pool_limits(library: Any) -> Any:
    """
    Give the limits of a connection pool for streams that are long and many.

    ``max_connections`` (a count) is None: every stream has a connection of its
    own, so as many are open as the caller asks for at once. Of those that are
    idle 20 are kept (a count), for 5 seconds, as httpx does by itself.

    Args:
        library: whose limits: httpx, or a module of its shape (httpx2).
    """
    return library.Limits(
        max_connections=None, max_keepalive_connections=_IDLE, keepalive_expiry=_KEPT
    )


class Pooled(httpx.AsyncBaseTransport):
    """
    httpx's way to httpcore's pool, short of what each chunk would pay for on it.

    The pool is httpcore's, and so is HTTP/1.1; the sockets are `Network`'s, and
    a body is httpcore's own iterator. Exceptions are httpcore's: they are
    mapped where all are (`streamkit.stages.foreign`).

    Args:
        tls: what certificates are trusted; None is what httpx trusts.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or httpx.create_ssl_context(),
            max_connections=None,
            max_keepalive_connections=_IDLE,
            keepalive_expiry=_KEPT,
            network_backend=Network(),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; see httpx, `AsyncBaseTransport`."""
        url = request.url
        response = await self._pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response.stream),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


@attrs.frozen
class _Body(httpx.AsyncByteStream):
    stream: Any

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self.stream)

    async def aclose(self) -> None:
        await self.stream.aclose()
