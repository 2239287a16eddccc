"""A stream as a response of Starlette's, and so of FastAPI's."""

from __future__ import annotations

from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .asgi import Servable

__all__ = ["EventStreamResponse"]


class EventStreamResponse(Response):
    """
    Return it from an endpoint::

        @app.post("/answers")
        async def ask(question: Question) -> Response:
            return EventStreamResponse(EventStream(client.start(request_of(question))))

    A response of its own, not a ``StreamingResponse``: that one has no
    heartbeat and no timeout, and trusts servers to raise when a client goes.

    Args:
        stream: an `EventStream`, or what `Runs.watch` gave.
        background: run once the stream is over.
    """

    def __init__(self, stream: Servable, background: BackgroundTask | None = None) -> None:
        self.stream = stream
        self.background = background
        self.status_code = stream.status
        self.body = b""
        self.init_headers(stream.headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it."""
        await self.stream(scope, receive, send)
        if self.background is not None:
            await self.background()
