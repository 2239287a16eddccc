"""Which connections are kept, which are used again, and which are closed: over real ones."""

import gc

import anyio
import h11
import httpx
import pytest

import streamkit
from streamkit.stages.http import Http
from streamkit.stages.pool import IDLE
from streamkit.testing import Drop, FaultProvider, Hold, Reply, Until, answers

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]

BODY = {"model": "demo-1", "messages": []}
FRAMES = answers.text_stream("Hel", "lo")
WHOLE = Reply(*FRAMES)
MORE = IDLE + 5  # streams, at once
NO_CLOCKS = (None, None, None, None)
PATIENCE = 5.0  # seconds: what has not come by then waits for something that will not come


@pytest.fixture(autouse=True)
def _collected():
    """Whatever a test leaves to the garbage collector is a warning, and warnings are errors."""
    yield
    gc.collect()


@pytest.fixture
async def http():
    """Give the HTTP client of those who bring none."""
    async with Http() as http:
        yield http


async def asked(http, provider):
    """Ask for a stream, and give the response as it begins."""
    request = http.build_request(
        "POST",
        f"{provider.url}/chat/completions",
        headers={"content-type": "application/json"},
        timeout=NO_CLOCKS,
        content=b'{"stream": true}',
    )
    return await http.send(request, stream=True)


async def read(response):
    """Read a body to its end: that closes it."""
    async for _ in response.stream:
        assert not response.is_closed
    assert response.is_closed


async def left(provider, count):
    """Wait until the provider has so many connections."""
    with anyio.fail_after(PATIENCE):
        while provider.connections != count:
            await anyio.lowlevel.checkpoint()


async def test_so_many_idle_connections_are_kept(http):
    """More were open at once: the oldest of those that end are closed."""
    async with FaultProvider(stream=WHOLE) as provider:
        open_now = [await asked(http, provider) for _ in range(MORE)]
        assert MORE == provider.accepted
        for response in open_now:
            await read(response)
        await left(provider, IDLE)

        for response in [await asked(http, provider) for _ in range(IDLE)]:
            await read(response)
        assert MORE == provider.accepted


async def test_one_that_ends_is_kept_however_many_are_open(http):
    """What counts is how many are idle: the next request finds it."""
    done = anyio.Event()
    held = Reply(*FRAMES[:1], Until(done), *FRAMES[1:])
    script = [held] * MORE + [WHOLE] * 3
    async with FaultProvider(stream=script) as provider:
        open_now = [await asked(http, provider) for _ in range(MORE)]
        for _ in range(3):
            await read(await asked(http, provider))
        assert MORE + 1 == provider.accepted
        done.set()
        for response in open_now:
            await read(response)


async def test_an_idle_connection_is_for_its_own_origin(http):
    """Two providers, a connection each, in turns."""
    async with FaultProvider(stream=WHOLE) as one, FaultProvider(stream=WHOLE) as two:
        for _ in range(3):
            for provider in (one, two):
                await read(await asked(http, provider))

    assert (1, 1) == (one.accepted, two.accepted)


async def test_one_that_was_idle_for_too_long_is_closed(http, monkeypatch):
    """The next request that looks for it, or another that ends, closes it."""
    monkeypatch.setattr("streamkit.stages.pool.KEPT", -1.0)  # too long at once
    async with FaultProvider(stream=WHOLE) as provider:
        await read(await asked(http, provider))
        assert (1, 1) == (provider.accepted, provider.connections)
        first, second = await asked(http, provider), await asked(http, provider)
        await left(provider, 2)  # the first of all is gone
        await read(first)
        await read(second)  # and closes the one that ended before it
        await left(provider, 1)

    assert 3 == provider.accepted


async def test_closing_a_response_is_done_where_all_is_cancelled(http):
    """The provider sees its connection end."""
    async with FaultProvider(stream=Reply(*FRAMES[:2], Hold())) as provider:
        response = await asked(http, provider)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await response.aclose()
        with anyio.fail_after(PATIENCE):
            await provider.requests[0].disconnected.wait()


async def test_an_answer_that_is_over_is_closed_once(http):
    """Its connection is another's by then."""
    async with FaultProvider(stream=WHOLE) as provider:
        first = await asked(http, provider)
        await read(first)
        second = await asked(http, provider)
        await first.aclose()
        with pytest.raises(httpx.StreamClosed):
            await read(first)
        await read(second)

    assert 1 == provider.accepted


async def test_an_answer_that_breaks_takes_its_connection_along(http):
    """When it is closed, as whoever has it does."""
    async with FaultProvider(stream=[Reply(*FRAMES[:1], Drop()), WHOLE]) as provider:
        response = await asked(http, provider)
        with pytest.raises(h11.RemoteProtocolError):
            await read(response)
        await response.aclose()
        await read(await asked(http, provider))

    assert 2 == provider.accepted


async def test_closing_it_ends_what_is_under_way():
    """The idle and the busy: a run that reads is told, and the provider sees all of them end."""
    async with FaultProvider(stream=[WHOLE, Reply(*FRAMES[:2], Hold())]) as provider:
        http = Http()
        never = streamkit.ReroutePolicy(when=lambda error: False)
        async with streamkit.Client(base_url=provider.url, http=http, reroute=never) as client:
            await client.complete(BODY)
            run = client.start(BODY)
            async for text in run.text():
                assert "Hel" == text
                await http.aclose()
                break
            with pytest.raises(streamkit.TransportError):
                await run.response()
        await left(provider, 0)


async def test_a_response_may_be_closed_behind_its_pool():
    """Nothing is kept that nobody would close."""
    async with FaultProvider(stream=WHOLE) as provider:
        async with Http() as http:
            response = await asked(http, provider)
        with pytest.raises(httpx.ReadError):
            await read(response)
        await response.aclose()
        await left(provider, 0)
