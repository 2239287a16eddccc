"""A stream as a response of Django's, under ASGI."""

from __future__ import annotations

from functools import partial

from anyio import from_thread
from anyio.lowlevel import current_token
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse

from .asgi import Servable

__all__ = ["respond"]


async def respond(stream: Servable) -> HttpResponseBase:
    """
    Wait for the status, and give the response: return it from an async view::

        async def ask(request):
            return await respond(EventStream(client.start(request_of(request))))

    Django itself watches for the client's going, and cancels the view, or
    closes the response. It does so in a thread; the stream is let go in its
    event loop.

    Args:
        stream: an `EventStream`, or what `Runs.watch` gave.
    """
    await stream.open()
    if stream.status != 200:  # noqa: PLR2004 (a body that is whole)
        body = b"".join([part async for part in stream])
        return HttpResponse(body, status=stream.status, headers=stream.headers)
    response = StreamingHttpResponse(stream, status=stream.status, headers=stream.headers)
    leave = partial(from_thread.run_sync, stream.leave, token=current_token())
    # Django's own way to have something closed with a response.
    response._resource_closers.append(leave)  # noqa: SLF001
    return response
