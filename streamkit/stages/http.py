"""The HTTP client of those who bring none."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Self
from urllib.request import getproxies

import attrs
import h11
import httpx

from .connection import Request
from .network import Origin
from .pool import IDLE, KEPT, Body, Pool

__all__ = ["Http", "open_http", "pool_limits"]

_PORTS: Final = {"http": 80, "https": 443}
_SUCCESS: Final = range(200, 300)


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
    What is asked of an HTTP client here, in httpx's shape, on connections of its own.

    There are no cookies, redirects, proxies or hooks, and so nothing that a
    request or a chunk pays for them. Its exceptions are mapped where all are
    (`streamkit.stages.foreign`).

    Args:
        tls: what certificates are trusted; None is what httpx trusts.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._pool = Pool(tls)

    def build_request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: tuple[float | None, ...],
        content: bytes = b"",
        params: Mapping[str, str] | None = None,
    ) -> Request:
        """
        Build a request; see httpx, ``AsyncClient.build_request``.

        Args:
            method: ``GET`` or ``POST``.
            url: absolute; a user and a password in it are sent as Basic does (RFC 7617).
            headers: these hold, whatever *url* says.
            timeout: connect, read, write, and a place in the pool (seconds); it has the first.
            content: the body.
            params: the query.

        Raises:
            httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError,
                UnicodeEncodeError: it cannot be sent.
        """
        origin, target, always = _address(url, str(httpx.QueryParams(params)) if params else "")
        named = {**always, **{name.lower(): value for name, value in headers.items()}}
        if content:
            named["content-length"] = str(len(content))
        try:
            head = h11.Request(method=method, target=target, headers=[*named.items()])
        except h11.LocalProtocolError:  # it quotes the value, which may be a secret
            raise httpx.LocalProtocolError(
                "a header has a name or a value that HTTP forbids, perhaps a line's end"
            ) from None
        return Request(origin, head, content, timeout[0])

    async def send(self, request: Request, *, stream: bool) -> Response | httpx.Response:
        """Send it; the body is the caller's to read and to close, whatever *stream* says."""
        head, body = await self._pool.send(request)
        status, headers = head.status_code, head.headers.raw_items()
        said = {name.lower().decode("ascii"): value.decode("latin-1") for name, value in headers}
        if "content-encoding" in said:  # decoding is httpx's
            return httpx.Response(status, headers=headers, stream=body)
        return Response(status, said, body)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


@attrs.frozen
class Response:
    """What is asked of a response here, in httpx's shape."""

    status_code: int
    headers: Mapping[str, str]
    """By lower-case name."""
    stream: Body

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success (RFC 9110, 15.3)."""
        return self.status_code in _SUCCESS

    @property
    def is_closed(self) -> bool:
        """Whether the connection was given back, as it is at the end of the body."""
        return self.stream.is_closed

    async def aclose(self) -> None:
        """Give the connection back."""
        await self.stream.aclose()


@lru_cache(maxsize=256)  # addresses: a process asks few, and parsing one is not cheap
def _address(url: str, query: str) -> tuple[Origin, bytes, dict[str, str]]:
    """Give who is asked at *url*, for what, and the headers that every request to it has."""
    parsed = httpx.URL(url)
    if query:
        parsed = parsed.copy_with(query=query.encode("ascii"))
    headers = {"host": parsed.netloc.decode("ascii"), "user-agent": "streamkit"}
    if parsed.scheme not in _PORTS:
        raise httpx.UnsupportedProtocol("the address begins with neither http:// nor https://")
    if parsed.userinfo:
        told = f"{parsed.username}:{parsed.password}".encode()
        headers["authorization"] = f"Basic {b64encode(told).decode('ascii')}"
    origin = parsed.scheme, parsed.raw_host.decode("ascii"), parsed.port or _PORTS[parsed.scheme]
    return origin, parsed.raw_path, headers
