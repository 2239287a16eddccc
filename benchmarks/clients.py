"""
The clients under measurement: each reads a stream to its end, and gives how many deltas it saw.

Each is an async context manager around a function of the model's name, so
that clients are built outside the timing.
"""

import json
from contextlib import asynccontextmanager

import httpx
from httpx_sse import aconnect_sse

import streamkit
from streamkit.events import TextDelta

from .provider import frames

MESSAGES = [{"role": "user", "content": "hello"}]


def request(model):
    """The request's body."""
    return {"model": model, "messages": MESSAGES, "stream": True}


def http_client():
    """An httpx client that opens as many connections as it is asked for."""
    return httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None))


@asynccontextmanager
async def raw_httpx(url):
    """The floor: bytes, and nothing made of them."""
    async with http_client() as http:

        async def read(model):
            size = 0
            async with http.stream("POST", f"{url}/chat/completions", json=request(model)) as r:
                async for chunk in r.aiter_raw():
                    size += len(chunk)
            events = int(model.split("-")[1])
            return events if size == sum(map(len, frames(events))) else -1

        yield read


@asynccontextmanager
async def httpx_sse_json(url):
    """What one writes by hand."""
    async with http_client() as http:

        async def read(model):
            count = 0
            target = f"{url}/chat/completions"
            async with aconnect_sse(http, "POST", target, json=request(model)) as source:
                async for sse in source.aiter_sse():
                    if sse.data != "[DONE]":
                        choice = json.loads(sse.data)["choices"][0]
                        count += bool(choice["delta"].get("content"))
            return count

        yield read


def _streamkit(*, fuse):
    @asynccontextmanager
    async def client_of(url):
        async with (
            http_client() as http,
            streamkit.Client(base_url=url, http=http, fuse=fuse) as client,
        ):

            async def read(model):
                count = 0
                async with client.stream({"model": model, "messages": MESSAGES}) as run:
                    async for event in run:
                        count += type(event) is TextDelta
                    return (
                        count
                        if event.response.text.count(" word") == count
                        else len(event.response.text.split(" word")) - 1
                    )

            yield read

    return client_of


@asynccontextmanager
async def openai_raw(url):
    """The SDK's own stream of chunks."""
    import openai

    async with openai.AsyncOpenAI(base_url=url, api_key="none", timeout=600) as client:

        async def read(model):
            count = 0
            stream = await client.chat.completions.create(
                model=model, messages=MESSAGES, stream=True
            )
            async for chunk in stream:
                count += bool(chunk.choices and chunk.choices[0].delta.content)
            return count

        yield read


@asynccontextmanager
async def openai_helper(url):
    """The SDK's helper, which accumulates the answer as streamkit does."""
    import openai

    async with openai.AsyncOpenAI(base_url=url, api_key="none", timeout=600) as client:

        async def read(model):
            count = 0
            async with client.chat.completions.stream(model=model, messages=MESSAGES) as stream:
                async for event in stream:
                    count += event.type == "content.delta" and bool(event.delta)
                await stream.get_final_completion()
            return count

        yield read


CLIENTS = {
    "raw httpx": raw_httpx,
    "httpx-sse + json": httpx_sse_json,
    "streamkit": _streamkit(fuse=True),
    "streamkit apart": _streamkit(fuse=False),
    "openai raw": openai_raw,
    "openai helper": openai_helper,
}
