"""Without a framework: the floor, and what one writes by hand."""

import asyncio
import json
from contextlib import asynccontextmanager

from ..wire import PATHS
from . import MESSAGES

PATH = PATHS["openai"]


def request(script):
    """The request's body."""
    return {"model": script, "messages": MESSAGES, "stream": True}


def http_client(**options):
    """An httpx client that opens as many connections as it is asked for."""
    import httpx

    return httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None), **options)


def aiohttp_client():
    """The same through aiohttp's connections; 0 is no limit of theirs, None would be 100."""
    import httpx
    from httpx_aiohttp import HttpxAiohttpClient

    return HttpxAiohttpClient(timeout=None, limits=httpx.Limits(max_connections=0))


def httpx2_client():
    """The same of httpx2."""
    import httpx2

    return httpx2.AsyncClient(timeout=None, limits=httpx2.Limits(max_connections=None))


def _raw(make):
    @asynccontextmanager
    async def client(root):
        async with make() as http:

            async def read(script, seen):
                async with http.stream("POST", root + PATH, json=request(script)) as response:
                    async for chunk in response.aiter_raw():
                        seen(chunk)

            yield read

    return client


raw_httpx = _raw(http_client)
raw_httpx2 = _raw(httpx2_client)
raw_httpx_aiohttp = _raw(aiohttp_client)


@asynccontextmanager
async def raw_own(root):
    """The client that streamkit opens where it is given none; it has `send` alone."""
    from streamkit.framing import encode
    from streamkit.stages.http import open_http

    async with open_http() as http:

        async def read(script, seen):
            asked = http.build_request(
                "POST",
                root + PATH,
                headers={"content-type": "application/json"},
                timeout=(None, None, None, None),
                content=encode(request(script)),
            )
            response = await http.send(asked, stream=True)
            async for chunk in response.stream:
                seen(chunk)
            await response.aclose()

        yield read


@asynccontextmanager
async def raw_aiohttp(root):
    """Aiohttp's own client."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:

        async def read(script, seen):
            async with http.post(root + PATH, json=request(script)) as response:
                async for chunk in response.content.iter_any():
                    seen(chunk)

        yield read


def deltas(data):
    """What one chunk of OpenAI's says."""
    for choice in json.loads(data)["choices"]:
        delta = choice["delta"]
        for call in delta.get("tool_calls") or ():
            yield call["function"]["arguments"]
        yield delta.get("reasoning_content") or delta.get("content")


async def sse_deltas(http, root, script):
    """The answer's deltas, by httpx-sse and json."""
    from httpx_sse import aconnect_sse

    async with aconnect_sse(http, "POST", root + PATH, json=request(script)) as source:
        async for sse in source.aiter_sse():
            if sse.data != "[DONE]":
                for text in deltas(sse.data):
                    if text:
                        yield text


@asynccontextmanager
async def httpx_sse_json(root):
    """What one writes by hand."""
    async with http_client() as http:

        async def read(script, seen):
            async for text in sse_deltas(http, root, script):
                seen(text)

        yield read


@asynccontextmanager
async def two_tasks(root):
    """What one writes by hand where the answer must not depend on who reads it."""
    async with http_client() as http:

        async def ask(script, queue):
            async for text in sse_deltas(http, root, script):
                queue.put_nowait(text)
            queue.put_nowait(None)

        async def read(script, seen):
            queue = asyncio.Queue()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(ask(script, queue))
                while (text := await queue.get()) is not None:
                    seen(text)

        yield read
