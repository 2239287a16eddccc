"""
A stream as a response of Django's, under ASGI.

What Django does, and what follows from it (read and measured: 5.2, Daphne 4.2):

* It watches for the client itself, cancels the task that waits for the view or
  sends the body, and then closes the response in a worker thread. A response
  that a middleware drops or replaces is never closed, so a stream is let go as
  well when nobody holds its body any more.
* ``GZipMiddleware`` makes every chunk a gzip file of its own; clients that end
  with the first one (httpx does) lose the rest of the answer. A response
  that names an encoding is left alone, so this one says ``identity``.
* A write has no timeout here: Django tells nobody how long one takes. Daphne's
  never wait; what its client does not read, it keeps in memory.
* ``daphne --http-timeout`` is how long a whole response may take, heartbeats or
  not: it ends the body without a terminal frame. Leave it unset, or have
  clients come back (`Runs`).

Divergence from a standard: 1. RFC 9110, 8.4, asks that ``identity`` not be
sent; nothing else keeps every compressing middleware away, and every client
takes it for what it says.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Self

import attrs
from anyio.lowlevel import current_token
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from .asgi import Servable

__all__ = ["respond"]


async def respond(stream: Servable, request: HttpRequest | None = None) -> HttpResponseBase:
    """
    Wait for the status, and give the response: return it from an async view::

        async def ask(request):
            return await respond(EventStream(client.start(request_of(request))))

    Args:
        stream: an `EventStream`, or what `Runs.watch` gave.
        request: where the view takes HEAD too: it gets the headers, and the
            stream is not begun.
    """
    if request is not None and request.method == "HEAD":
        return _whole(stream, b"")
    await stream.open()
    if stream.status != 200:  # noqa: PLR2004 (a failure, or nothing to say)
        return _whole(stream, b"".join([part async for part in stream]))
    headers = {"content-encoding": "identity", **stream.headers}
    return StreamingHttpResponse(_Body(stream), status=stream.status, headers=headers)


def _whole(stream: Servable, body: bytes) -> HttpResponse:
    response = HttpResponse(body, status=stream.status, headers=stream.headers)
    if "content-type" not in stream.headers:
        del response["content-type"]  # Django's own: HTML
    return response


@attrs.define(eq=False)
class _Body:
    """
    A stream as Django takes one: with a `close` that may be called in any thread.

    Django closes it with the response; so does the last reference that goes.
    """

    _stream: Servable
    close: Callable[[], object] = attrs.field(init=False)
    _parts: AsyncIterator[bytes] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._parts = aiter(self._stream)
        # Django runs on asyncio alone: this is its loop.
        loop: Any = current_token().native_token
        self.close = weakref.finalize(self, _leave_soon, loop, self._stream)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._parts)


def _leave_soon(loop: Any, stream: Servable) -> None:
    """Let *stream* go in its event loop, without waiting for that: this may be its thread."""
    with suppress(RuntimeError):  # the loop is closed, and all that ran in it
        loop.call_soon_threadsafe(lambda: loop.create_task(_leave(stream)))


async def _leave(stream: Servable) -> None:
    # In a task: what is called bare has no event loop that anyio would know.
    stream.leave()
