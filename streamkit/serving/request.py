"""What a request says about the stream it wants: read off an ASGI scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

__all__ = ["header", "idempotency_key", "last_event_id", "query"]


def header(scope: Mapping[str, Any], name: str) -> str | None:
    """Give the value of a header, its *name* in lower case; None where it is not sent."""
    wanted = name.encode("latin-1")
    for key, value in scope.get("headers") or ():
        if key.lower() == wanted:
            return str(value.decode("latin-1"))
    return None


def query(scope: Mapping[str, Any], name: str) -> str | None:
    """Give the first value of a query parameter; None where it is not sent, or empty."""
    text = (scope.get("query_string") or b"").decode("latin-1")
    return next(iter(parse_qs(text).get(name, ())), None)


def last_event_id(scope: Mapping[str, Any]) -> str | None:
    """
    Give the id of the last frame the client has.

    ``Last-Event-ID`` is what a browser sends when it comes back by itself;
    ``?last_event_id=`` is for those who lose headers, or cannot set them.

    Source: WHATWG HTML 9.2.4.
    """
    return header(scope, "last-event-id") or query(scope, "last_event_id")


def idempotency_key(scope: Mapping[str, Any]) -> str | None:
    """
    Give the ``Idempotency-Key`` of a request, quotes taken off.

    Source: draft-ietf-httpapi-idempotency-key-header, 2.1.
    """
    key = header(scope, "idempotency-key")
    return key.strip().strip('"') if key else None
