"""streamkit, with each of its HTTP clients."""

from contextlib import asynccontextmanager, nullcontext

import streamkit
from streamkit.events import ReasoningDelta, ResponseCompleted, TextDelta, ToolCallDelta

from . import MESSAGES
from .by_hand import aiohttp_client, http_client, httpx2_client

SAYS = {TextDelta: "text", ReasoningDelta: "text", ToolCallDelta: "arguments"}


@asynccontextmanager
async def opened(root, make=nullcontext, **options):
    """A client of the provider's, over the HTTP client that *make* opens; by default its own."""
    async with (
        make() as http,
        streamkit.Client(base_url=root + "/v1", http=http, **options) as client,
    ):
        yield client


def body(script, wire="openai"):
    """The request's body."""
    return {"model": script, "messages": MESSAGES} | (
        {"max_tokens": 1024} if wire == "anthropic" else {}
    )


async def read_events(client, script, seen, wire="openai"):
    """Read an answer's events; give its text."""
    async with client.stream(body(script, wire)) as run:
        async for event in run:
            kind = type(event)
            if kind is TextDelta:
                seen(event.text)
            elif kind in SAYS:
                seen(getattr(event, SAYS[kind]))
    if type(event) is not ResponseCompleted or event.response.rerouted:
        raise RuntimeError(f"expected a whole stream; got {event}")
    return event.response.text


def _client(make=nullcontext, wire="openai", **options):
    @asynccontextmanager
    async def client_of(root):
        async with opened(root, make, **options) as client:

            def read(script, seen):
                return read_events(client, script, seen, wire)

            yield read

    return client_of


together = _client()
apart = _client(fuse=False)
over_httpx = _client(http_client)
over_aiohttp = _client(aiohttp_client)
over_httpx2 = _client(httpx2_client)


@asynccontextmanager
async def anthropic(root):
    """Streamkit in Anthropic's dialect."""
    async with _client(wire="anthropic", dialect="anthropic-messages")(root) as read:
        yield read
