"""A stream as the answer to one ASGI request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import anyio
import attrs

from ..errors import MisuseError

__all__ = ["Receive", "Send", "Servable", "respond"]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Servable(Protocol):
    """What can be sent: a status and headers once it is open, and then a body."""

    status: int
    headers: dict[str, str]
    send_timeout: float

    async def open(self) -> Any:
        """Wait until status and headers are known."""

    def leave(self) -> None:
        """Let go before the end."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve it as an ASGI application."""


async def respond(stream: Servable, scope: Any, receive: Receive, send: Send) -> None:
    """
    Send *stream*, and watch for the client meanwhile.

    A server tells of a client that is gone through ``receive`` alone: none of
    those measured raised it out of ``send``. So one task listens while this
    one writes, and a write has a timeout.

    Source: ASGI HTTP 2.5, "Disconnect - receive event".
    """
    if scope["type"] != "http":
        raise MisuseError(f"expected an HTTP request; got a scope of type {scope['type']!r}")
    if scope.get("method") == "HEAD":
        await send(_start(stream))
        await send({"type": "http.response.body", "body": b""})
        return
    await _Exchange(stream, receive, send).run()


@attrs.define(eq=False)
class _Exchange:
    """One request and its answer, until one of both ends."""

    stream: Servable
    receive: Receive
    send: Send
    _failure: Exception | None = attrs.field(default=None, init=False)

    async def run(self) -> None:
        """Write until the end, or until the client is gone."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._listen, tasks.cancel_scope)
                await self._write()
                tasks.cancel_scope.cancel()
        finally:
            self.stream.leave()
        if self._failure is not None:
            raise self._failure

    async def _listen(self, scope: anyio.CancelScope) -> None:
        try:
            while (await self.receive())["type"] != "http.disconnect":
                pass
        except Exception as error:  # noqa: BLE001 (raised by run, in no group)
            self._failure = error
        scope.cancel()

    async def _write(self) -> None:
        try:
            await self.stream.open()
            if not await self._sent(_start(self.stream)):
                return
            async for part in self.stream:
                if not await self._sent(_body(part, more=True)):
                    return
            await self._sent(_body(b"", more=False))
        except OSError:  # how a server may say that the client is gone (ASGI HTTP 2.4)
            pass
        except Exception as error:  # noqa: BLE001
            self._failure = error

    async def _sent(self, message: MutableMapping[str, Any]) -> bool:
        """Send in time; a client that takes longer is gone. A server then closes the connection."""
        with anyio.move_on_after(self.stream.send_timeout) as scope:
            await self.send(message)
        return not scope.cancelled_caught


def _start(stream: Servable) -> MutableMapping[str, Any]:
    headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in stream.headers.items()
    ]
    return {"type": "http.response.start", "status": stream.status, "headers": headers}


def _body(part: bytes, *, more: bool) -> MutableMapping[str, Any]:
    return {"type": "http.response.body", "body": part, "more_body": more}
