"""Over aiohttp's connections (httpx-aiohttp, asyncio only) everything is as over httpx's own."""

import gc
import socket

import anyio
import httpx
import pytest
from httpx_aiohttp import HttpxAiohttpClient

import streamkit
from streamkit.testing import Drop, FaultProvider, Hold, Reply, Until, answers

from .serving.servers import until

LOOPS = [
    "asyncio",
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop", marks=pytest.mark.interop),
]
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("anyio_backend", LOOPS),
    pytest.mark.timeout(30),
]

BODY = {"model": "demo-1", "messages": []}
AT_ONCE = 120  # streams: more than the 100 connections that either library has left to itself
PATIENCE = 10.0  # seconds: what has not come by then waits for something that will not come
SOON = 0.05  # seconds: a connection that is not free is not waited for any longer
FRAMES = answers.text_stream("Hel", "lo")
WHOLE = Reply(answers.completion("Hello"))


@pytest.fixture(autouse=True)
def _collected():
    """Whatever a test leaves to the garbage collector is a warning, and warnings are errors."""
    yield
    gc.collect()


def over_aiohttp(connections=0):
    """An HTTP client over so many of aiohttp's connections; 0 is no limit."""
    return HttpxAiohttpClient(timeout=None, limits=httpx.Limits(max_connections=connections))


async def test_an_answer_is_whole_and_its_connection_lives_on():
    """Text, ending and evidence; the next answer comes over the same connection."""
    async with FaultProvider(stream=Reply(*FRAMES)) as provider, over_aiohttp() as http:
        async with streamkit.Client(base_url=provider.url, http=http) as client:
            told = [await client.complete(BODY) for _ in range(3)]

    assert [("Hello", "stop", False)] * 3 == [(t.text, t.finish_reason, t.rerouted) for t in told]
    assert (3, 1) == (len(provider.requests), provider.accepted)


async def test_a_cut_answer_is_rerouted():
    """What came is kept, the rest comes from the buffered call."""
    cut = Reply(*FRAMES[:2], Drop())
    async with FaultProvider(stream=cut, buffered=WHOLE) as provider, over_aiohttp() as http:
        async with streamkit.Client(base_url=provider.url, http=http) as client:
            async with client.stream(BODY) as run:
                told = [text async for text in run.text()]
            response = await run.response()

    assert (["Hel", "lo"], "Hello", True) == (told, response.text, response.rerouted)


async def test_a_cancelled_run_closes_its_connection():
    """Left in the midst of its answer: the provider sees the client go."""
    async with (
        FaultProvider(stream=Reply(*FRAMES[:2], Hold())) as provider,
        over_aiohttp() as http,
        streamkit.Client(base_url=provider.url, http=http) as client,
    ):
        async with client.stream(BODY) as run:
            async for text in run.text():
                assert "Hel" == text
                break
        await until(lambda: provider.connections == 0)
        response = await run.response()

    assert ("cancelled", "Hel") == (response.finish, response.text)
    assert 1 == len(provider.requests)


async def test_without_a_limit_there_is_no_ceiling():
    """``max_connections=0``: as many streams at once as are asked for."""
    all_are_here = anyio.Event()
    reply = Reply(*FRAMES[:2], Until(all_are_here), *FRAMES[2:])
    async with (
        FaultProvider(stream=reply) as provider,
        over_aiohttp() as http,
        streamkit.Client(base_url=provider.url, http=http) as client,
    ):
        runs = [client.start(BODY) for _ in range(AT_ONCE)]
        with anyio.fail_after(PATIENCE):
            await provider.arrival(AT_ONCE - 1)
        all_are_here.set()
        told = [await run.response() for run in runs]

    assert [("Hello", False)] * AT_ONCE == [(each.text, each.rerouted) for each in told]


async def test_a_full_pool_is_said():
    """Aiohttp has one clock for a place in its pool and for a connection: both are named."""
    async with (
        FaultProvider(stream=Reply(*FRAMES[:2], Hold())) as provider,
        over_aiohttp(connections=1) as http,
        streamkit.Client(base_url=provider.url, http=http) as patient,
        streamkit.Client(
            base_url=provider.url, http=http, limits=streamkit.Limits(connect=SOON)
        ) as hasty,
    ):
        first = patient.start(BODY)
        await provider.arrival()
        with pytest.raises(streamkit.Stalled) as raised:
            await hasty.complete(BODY)
        await first.cancel()

    error = raised.value
    assert ("connect", SOON) == (error.clock, error.seconds)
    assert (
        "aiohttp had no connection, free or new, for longer than Limits.connect = 0.05 s; raise "
        "it, or httpx.Limits(max_connections=...) of the client passed as http= (0 is no limit)"
    ) == str(error)
    assert 1 == len(provider.requests)


async def test_a_refused_connection_is_no_clock_that_ran_out():
    """Although httpx-aiohttp calls it ``ConnectTimeout``."""
    with socket.socket() as bound:  # and nobody listens
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/v1"
        async with over_aiohttp() as http, streamkit.Client(base_url=url, http=http) as client:
            with pytest.raises(streamkit.TransportError) as raised:
                await client.complete(BODY)

    assert str(raised.value).startswith("the connection failed: ClientConnectorError: Cannot")
