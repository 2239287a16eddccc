"""As many streams at once as are asked for: what the pool of an HTTP client has to do with it."""

import anyio
import httpx
import httpx2
import pytest

import streamkit
from streamkit.healing import HealingTransport
from streamkit.testing import FaultProvider, Reply, Until, answers

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]

BODY = {"model": "demo-1", "messages": []}
AT_ONCE = 120  # streams: more than the 100 connections that an HTTP client has left to itself
PATIENCE = 10.0  # seconds: what has not come by then waits for something that will not come
SOON = 0.05  # seconds: a connection that is not free is not waited for any longer
EACH_LIBRARY = pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
FRAMES = answers.text_stream("Hel", "lo")


async def test_a_client_of_streamkits_own_has_no_ceiling():
    """More streams than httpx's hundred connections are open at once, and none is rerouted."""
    all_are_here = anyio.Event()
    reply = Reply(*FRAMES[:2], Until(all_are_here), *FRAMES[2:])
    async with (
        FaultProvider(stream=reply) as provider,
        streamkit.Client(base_url=provider.url) as client,
    ):
        runs = [client.start(BODY) for _ in range(AT_ONCE)]
        with anyio.fail_after(PATIENCE):
            await provider.arrival(AT_ONCE - 1)
        all_are_here.set()
        told = [await run.response() for run in runs]

    assert [("Hello", False)] * AT_ONCE == [(each.text, each.rerouted) for each in told]
    assert AT_ONCE == provider.accepted


@EACH_LIBRARY
async def test_nor_has_a_healing_transport(library):
    """An SDK's own clients have room for a thousand: below them is no less."""
    all_are_here = anyio.Event()
    reply = Reply(*FRAMES[:2], Until(all_are_here), *FRAMES[2:])
    asked = {**BODY, "stream": True}
    told = []

    async def ask(http, url):
        told.append((await http.post(f"{url}/chat/completions", json=asked)).status_code)

    async with (
        FaultProvider(stream=reply) as provider,
        library.AsyncClient(transport=HealingTransport(), timeout=None) as http,
    ):
        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(ask, http, provider.url)
            with anyio.fail_after(PATIENCE):
                await provider.arrival(AT_ONCE - 1)
            all_are_here.set()

    assert [200] * AT_ONCE == told


@EACH_LIBRARY
async def test_a_full_pool_is_said(library):
    """Whose pool it is, how long it was waited for, and what to raise; both calls had to wait."""
    done = anyio.Event()
    one = library.Limits(max_connections=1)
    reply = Reply(*FRAMES[:2], Until(done), *FRAMES[2:])
    async with (
        FaultProvider(stream=reply) as provider,
        library.AsyncClient(base_url=provider.url, limits=one, timeout=None) as http,
        streamkit.Client(http=http) as patient,
        streamkit.Client(http=http, limits=streamkit.Limits(connect=SOON)) as hasty,
    ):
        first = patient.start(BODY)
        await provider.arrival()
        with pytest.raises(streamkit.Stalled) as raised:
            await hasty.complete(BODY)
        done.set()
        response = await first.response()

    error = raised.value
    assert ("stalled", "connect", SOON) == (error.code, error.clock, error.seconds)
    assert (
        "the pool of the HTTP client had no connection free for longer than Limits.connect = "
        "0.05 s; raise httpx.Limits(max_connections=...) of the client passed as http="
    ) == str(error)
    assert str(error) == str(error.__cause__)
    assert ("Hello", False, 1) == (response.text, response.rerouted, len(provider.requests))
