"""The network below streamkit's own HTTP client: TCP, and TLS on it."""

from __future__ import annotations

import ssl
from typing import Final, TypeAlias

import anyio
import httpx
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

__all__ = ["BROKEN", "Origin", "connect"]

BROKEN: Final = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)
"""What a connection raises that is no more; TLS's own is an OSError."""

Origin: TypeAlias = tuple[str, str, int]
"""Scheme, host and port: what a connection is to."""


async def connect(origin: Origin, tls: ssl.SSLContext | None, seconds: float | None) -> ByteStream:
    """
    Connect to *origin*, greeting within TLS included, in at most *seconds*.

    A connection that was not greeted is closed, whatever broke.

    Args:
        origin: to whom.
        tls: what certificates are trusted; None is a connection without TLS.
        seconds: None is for as long as it takes.

    Raises:
        httpx.ConnectTimeout, httpx.ConnectError
    """
    _, host, port = origin
    try:
        with anyio.fail_after(seconds):
            stream = await anyio.connect_tcp(host, port)
            return stream if tls is None else await _greet(stream, host, tls)
    except TimeoutError as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except (*BROKEN, anyio.EndOfStream) as error:
        raise httpx.ConnectError(str(error)) from error


async def _greet(stream: ByteStream, host: str, tls: ssl.SSLContext) -> ByteStream:
    try:
        return await TLSStream.wrap(
            stream,
            server_side=False,
            hostname=host,
            ssl_context=tls,
            standard_compatible=False,  # HTTP tells where a body ends
        )
    except BaseException:
        await anyio.aclose_forcefully(stream)
        raise
