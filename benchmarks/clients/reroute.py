"""A stream that is cut, and the first delta of what heals it."""

import time
from contextlib import asynccontextmanager

import httpx

import streamkit
from streamkit.events import Rerouted, TextDelta

from ..provider import CUT_EVENTS
from ..wire import PATHS, expected
from .by_hand import http_client, request, sse_deltas
from .ours import body, opened

TEXT = expected("text", CUT_EVENTS)


def _late(mark, healed, text):
    if text != TEXT:
        raise RuntimeError(f"expected the whole answer once; got {len(text)} characters")
    return (healed - int(mark.removeprefix("cut-"))) / 1000


@asynccontextmanager
async def ours(root):
    """streamkit: nothing to write."""
    policy = streamkit.ReroutePolicy(trip_after=None)  # each run is to stream
    async with opened(root, reroute=policy) as client:

        async def work(script):
            healed, rerouted, told = 0, False, []
            async with client.stream(body(script)) as run:
                async for event in run:
                    if type(event) is TextDelta:
                        told.append(event.text)
                        if rerouted and not healed:
                            healed = time.monotonic_ns()
                    elif type(event) is Rerouted:
                        rerouted = True
            return _late(event.response.raw["id"], healed, "".join(told))

        yield work


@asynccontextmanager
async def by_hand(root):
    """What one writes, without its many other cases."""
    async with http_client() as http:

        async def work(script):
            told = ""
            try:
                async for text in sse_deltas(http, root, script):
                    told += text
            except httpx.TransportError:
                asked = request(script) | {"stream": False}
                answer = (await http.post(root + PATHS["openai"], json=asked)).json()
                text = answer["choices"][0]["message"]["content"]
                if text.startswith(told):
                    tail, healed = text[len(told) :], time.monotonic_ns()
                    told += tail
            return _late(answer["id"], healed, told)

        yield work
