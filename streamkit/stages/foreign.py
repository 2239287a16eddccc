"""Other people's exceptions, mapped to ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..errors import MalformedStream, MisuseError, Stalled, StreamkitError, TransportError, excerpt

__all__ = ["CLASSES", "ROOTS", "map_foreign"]

ROOTS: Final = frozenset(
    {"httpx", "httpx2", "httpcore", "httpcore2", "h11", "h2", "aiohttp", "anyio", "ssl"}
)
"""Modules whose exceptions are known by the names of their classes."""

_Make = Callable[[str, float], StreamkitError]


def _transport(said: str, _connect: float) -> StreamkitError:
    return TransportError(f"the connection failed: {said}")


def _stalled(_said: str, connect: float) -> StreamkitError:
    return Stalled("connect", connect)


def _pool_full(_said: str, connect: float) -> StreamkitError:
    return Stalled(
        "connect",
        connect,
        waited="the pool of the HTTP client had no connection free for",
        remedy="raise httpx.Limits(max_connections=...) of the client passed as http=",
    )


def _slow_or_full(_said: str, connect: float) -> StreamkitError:
    """Aiohttp has one exception for both."""
    return Stalled(
        "connect",
        connect,
        waited="aiohttp had no connection, free or new, for",
        remedy="raise it, or httpx.Limits(max_connections=...) of the client passed as http= "
        "(0 is no limit)",
    )


def _malformed(said: str, _connect: float) -> StreamkitError:
    return MalformedStream(f"the body cannot be decoded: {said}")


def _misuse(said: str, _connect: float) -> StreamkitError:
    return MisuseError(f"the HTTP client refused the request: {said}; check base_url and http")


CLASSES: Final[dict[str, _Make]] = {
    "ConnectTimeout": _stalled,
    "PoolTimeout": _pool_full,
    "ConnectionTimeoutError": _slow_or_full,
    "DecodingError": _malformed,
    "TransportError": _transport,
    "NetworkError": _transport,
    "ProtocolError": _transport,
    "TimeoutException": _transport,
    "ProxyError": _transport,
    "UnsupportedProtocol": _misuse,
    "InvalidURL": _misuse,
    "CookieConflict": _misuse,
    "TooManyRedirects": _transport,
    "RequestError": _transport,
    "HTTPError": _transport,
    "StreamError": _transport,
    "BrokenResourceError": _transport,
    "ClosedResourceError": _transport,
    "EndOfStream": _transport,
    "BusyResourceError": _transport,
    "ClientError": _transport,
    "SSLError": _transport,
    "OSError": _transport,
}
"""By class name, the nearest ancestor first: what an exception becomes."""


def map_foreign(error: Exception, connect: float, secrets: tuple[str, ...] = ()) -> StreamkitError:
    """
    Map an exception of the HTTP client, the socket or TLS to the error tree.

    A stranger's is a failure of the connection too: an HTTP client lets some
    slip, as httpx on uvloop does with ``AttributeError`` when the server
    closes a connection it has just accepted.

    Args:
        error: as it was raised; ours passes unchanged.
        connect: the connect clock's setting, in seconds, for the message.
        secrets: values that no message may quote.
    """
    if isinstance(error, StreamkitError):
        return error
    error = _meant(error)
    said = f"{type(error).__name__}: {excerpt(error, *secrets)}".rstrip(": ")
    root = type(error).__module__.partition(".")[0]
    known = root in ROOTS or isinstance(error, OSError)
    for ancestor in type(error).__mro__ if known else ():
        make = CLASSES.get(ancestor.__name__)
        if make is not None:
            return make(said, connect)
    return TransportError(f"the HTTP client raised {said}")


def _meant(error: Exception) -> Exception:
    """
    Give what an exception is about: its cause, where it is named for what did not happen.

    Whatever keeps aiohttp from connecting, a refusal at once too, is a
    ``ConnectTimeout`` of httpx-aiohttp (0.2.0).
    """
    cause = error.__cause__
    root = type(cause).__module__.partition(".")[0]
    misnamed = type(error).__name__ == "ConnectTimeout" and root == "aiohttp"
    return cause if misnamed and isinstance(cause, Exception) else error
