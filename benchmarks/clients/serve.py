"""
An answer served on, as server-sent events, to one client.

The ASGI application is called as a server calls it, without the server: what
it sends is only kept, so the figures are the application's alone.
"""

import asyncio
import json
from contextlib import asynccontextmanager

from sse_starlette import EventSourceResponse
from starlette.responses import StreamingResponse

from streamkit.events import TextDelta
from streamkit.serving import EventStream
from streamkit.serving.starlette import EventStreamResponse

from ..wire import PATHS
from .by_hand import http_client, request, sse_deltas
from .ours import body, opened

SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.4"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "headers": [],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 2),
}
SAID = b" word"
"""What each delta says, among others."""


async def served(app):
    """Call an ASGI application to its end; give how many deltas it sent."""
    asked, sent = [{"type": "http.request", "body": b"", "more_body": False}], []

    async def receive():
        if asked:
            return asked.pop()
        return await asyncio.get_running_loop().create_future()  # the client stays

    async def send(message):
        sent.append(message.get("body", b""))

    await app(SCOPE, receive, send)
    return b"".join(sent).count(SAID)  # a read may end within a delta


@asynccontextmanager
async def passed_on(root):
    """The floor: bytes, unread."""
    async with http_client() as http:

        async def work(script):
            url = root + PATHS["openai"]
            async with http.stream("POST", url, json=request(script)) as response:
                media = "text/event-stream"
                return await served(StreamingResponse(response.aiter_raw(), media_type=media))

        yield work


@asynccontextmanager
async def by_hand(root):
    """httpx-sse and json in, json and sse-starlette out."""
    async with http_client() as http:

        async def frames(script):
            async for text in sse_deltas(http, root, script):
                yield {"data": json.dumps({"type": "text_delta", "text": text})}

        async def work(script):
            return await served(EventSourceResponse(frames(script)))

        yield work


@asynccontextmanager
async def mixed(root):
    """Streamkit in, sse-starlette out."""
    async with opened(root) as client:

        async def frames(run):
            async for event in run:
                if type(event) is TextDelta:
                    yield {"data": json.dumps({"type": "text_delta", "text": event.text})}

        async def work(script):
            async with client.stream(body(script)) as run:
                return await served(EventSourceResponse(frames(run)))

        yield work


def _ours(encoder):
    @asynccontextmanager
    async def subject(root):
        async with opened(root) as client:

            async def work(script):
                stream = EventStream(client.start(body(script)), encoder)
                return await served(EventStreamResponse(stream))

            yield work

    return subject


ours = _ours("streamkit")
ours_openai = _ours("openai-chat")
