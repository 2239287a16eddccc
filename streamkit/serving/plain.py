"""An answer that is no stream: nothing to say, or a refusal."""

from __future__ import annotations

import math
from typing import Any, Self

import attrs

from ..errors import Refusal
from ..framing import encode_ascii
from ..limits import Limits
from .asgi import respond

__all__ = ["Plain"]


@attrs.define(eq=False)
class Plain:
    """
    A status, and at most one JSON object: served in every way an `EventStream` is.

    Args:
        status: the HTTP status.
        content: the JSON object of the body; None sends none.
        headers: names in lower case.
    """

    status: int
    content: dict[str, Any] | None = None
    headers: dict[str, str] = attrs.field(factory=dict)
    send_timeout: float = Limits().send_timeout
    _given: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.headers = {"cache-control": "no-store", **self.headers}
        if self.content is not None:
            self.headers["content-type"] = "application/json"

    @classmethod
    def refuse(cls, refusal: Refusal) -> Self:
        """Say *refusal*."""
        error = {"code": refusal.code, "message": refusal.message}
        retry = refusal.retry_after
        headers = {} if retry is None else {"retry-after": str(math.ceil(retry))}
        return cls(refusal.status, {"error": error}, headers)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve it as an ASGI application."""
        await respond(self, scope, receive, send)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._given or self.content is None:
            raise StopAsyncIteration
        self._given = True
        return encode_ascii(self.content)

    async def open(self) -> Self:
        """Give itself: all is known."""
        return self

    def leave(self) -> None:
        """Do nothing: nothing is held."""
