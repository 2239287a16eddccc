"""A stream as a response of Django's, served by Daphne and by uvicorn."""

import statistics
from contextlib import asynccontextmanager
from itertools import pairwise

import anyio
import httpx
import pytest

from streamkit.testing import Drop, FaultProvider, Hold, Pause, Reply, Until, answers

from . import daphne as server
from .frames import parse, text
from .servers import serve
from .sse_client import connect

pytestmark = pytest.mark.anyio

BODY = {"model": "m", "messages": []}
HELLO = answers.text_stream("Hel", "lo")
NO = Reply(answers.error("busy"), status=503, headers={"retry-after": "7"})
SOON = 5.0
"""How long anything may take that should happen at once (seconds)."""


@pytest.fixture(scope="module")
def anyio_backend():
    """Django runs on asyncio alone; the client's loop is not in question here."""
    return "asyncio"


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
async def url(anyio_backend, request):
    """Give the URL of a server of all these tests: Daphne, or uvicorn in this process."""
    async with daphne() if request.param == "daphne" else uvicorn() as base:
        yield f"{base}/answers"


@asynccontextmanager
async def daphne():
    """Run Daphne."""
    async with server.daphne(DIALECT="openai-chat") as process:
        yield process.url


@asynccontextmanager
async def uvicorn():
    """Run uvicorn here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIALECT", "openai-chat")
        from .django_app import application

        async with serve(application) as base:
            yield base


def ask(url, provider, **more):
    """Ask for an answer."""
    return connect(url, method="POST", json=BODY, headers=named(provider, more), **more)


async def ask_in_vain(url, provider):
    """Ask, and wait for a head that does not come."""
    async with ask(url, provider):
        raise AssertionError("expected no head")


def come(url, provider, run_id, method="GET", **more):
    """Come for the answer of a run, or to stop it."""
    return connect(f"{url}/{run_id}", method=method, headers=named(provider, more), **more)


def named(provider, more):
    """The headers, with the provider's URL."""
    return {"x-provider": provider.url, **more.pop("headers", {})}


def replies(gate, *rest):
    """A reply that says "Hel", and goes on once *gate* is set."""
    return [Reply(*HELLO[:2], Until(gate), *(rest or HELLO[2:]))]


async def first_text(response):
    """Read up to the first frame with text, and give it."""
    with anyio.fail_after(SOON):
        while (frame := await response.frame()).json["type"] != "text_delta":
            pass
    return frame


async def soon(event):
    """Wait for what happens at once."""
    with anyio.fail_after(SOON):
        await event.wait()


async def arrived(provider, index=0):
    """Wait for a request, which is on its way."""
    with anyio.fail_after(SOON):
        return await provider.arrival(index)


def run_of(response):
    """The id of the run that is streamed."""
    return response.headers["x-streamkit-run"]


def kinds(frames):
    """What the frames tell."""
    return [frame.json["type"] for frame in frames]


async def test_an_answer_is_streamed(url):
    """Frame by frame, with our headers, and one end."""
    gate = anyio.Event()
    async with FaultProvider(stream=replies(gate)) as provider:
        async with ask(url, provider) as response:
            await first_text(response)
            gate.set()
            frames = await response.all()

    assert 200 == response.status
    assert "text/event-stream; charset=utf-8" == response.headers["content-type"]
    assert "no-cache, no-transform" == response.headers["cache-control"]
    assert "no" == response.headers["x-accel-buffering"]
    assert {"type": "run", "id": run_of(response)} == frames[0].json
    assert "Hello" == text(frames)
    assert ["response_completed"] == [kind for kind in kinds(frames) if "response_c" in kind]
    assert "response_completed" == kinds(frames)[-1]


async def test_no_middleware_compresses_it(url):
    """Django would make a file of every chunk, and httpx would read the first one."""
    async with FaultProvider(stream=[Reply(*HELLO[:2], Pause(0.05), *HELLO[2:])]) as provider:
        async with httpx.AsyncClient(timeout=SOON) as http:
            response = await http.post(url, json=BODY, headers={"x-provider": provider.url})

    assert "gzip" in response.request.headers["accept-encoding"]
    assert "identity" == response.headers["content-encoding"]
    assert "Hello" == text(parse(response.content)[0])


@pytest.mark.parametrize("encoder", ["streamkit", "openai-chat"])
async def test_heartbeats_go_out_of_the_silence(url, encoder):
    """By the clock, through a reroute too; a comment where the format has no word for it."""
    reply = Reply(*HELLO[:2], Pause(0.35), Drop())
    buffered = Reply(answers.completion("Hello"), before=[Pause(0.35)])
    async with FaultProvider(stream=[reply], buffered=[buffered]) as provider:
        async with ask(f"{url}?encoder={encoder}", provider) as response:
            frames = await response.all()

    if encoder == "streamkit":
        assert "Hello" == text(frames)
        beats = kinds(frames).count("heartbeat")
    else:
        assert "[DONE]" == frames[-1].data
        beats = response.comments
    assert 4 <= beats <= (response.parts[-1].at - response.asked) / 0.1
    assert 0.5 > max(after.at - before.at for before, after in pairwise(response.parts))
    assert 2 == len(provider.requests)


async def test_an_early_failure_is_a_status(url):
    """Nothing was sent yet; ``Retry-After`` is kept."""
    async with FaultProvider(stream=[NO], buffered=[NO]) as provider:
        async with ask(url, provider) as response:
            said = await response.json()

    assert (503, "7") == (response.status, response.headers["retry-after"])
    assert "application/json" == response.headers["content-type"]
    assert ("response_failed", "rejected") == (said["type"], said["error"]["code"])


async def test_a_heartbeat_commits_the_status(url):
    """What fails after it is told in band, by the one terminal frame."""
    late = Reply(answers.error("busy"), status=503, before=[Pause(0.25)])
    async with FaultProvider(stream=[late], buffered=[NO]) as provider:
        async with ask(url, provider) as response:
            frames = await response.all()

    assert 200 == response.status
    assert ["run", "heartbeat"] == kinds(frames)[:2]
    assert "response_failed" == kinds(frames)[-1]
    assert 1 == kinds(frames).count("response_failed")


async def test_a_bug_in_an_encoder_is_one_terminal_frame(url):
    """Django is not told, and the client is."""
    async with FaultProvider(stream=[Reply(*HELLO)]) as provider:
        async with ask(f"{url}?encoder=buggy", provider) as response:
            frames = await response.all()

    assert "Hel" == text(frames[:-1])
    assert ("response_failed", "error") == (kinds(frames)[-1], frames[-1].json["error"]["code"])


async def test_who_goes_away_is_noticed_at_once(url):
    """From the client's going to the provider's closed connection: 50 ms, and never 500."""
    async with FaultProvider(stream=Reply(*HELLO[:2], Hold())) as provider:
        latencies = []
        for index in range(20):
            async with ask(f"{url}?on_disconnect=cancel", provider) as response:
                await first_text(response)
                asked = await arrived(provider, index)
            left = anyio.current_time()
            await soon(asked.disconnected)
            latencies.append(anyio.current_time() - left)

    assert statistics.median(latencies) <= 0.05
    assert max(latencies) <= 0.5


async def test_who_goes_before_the_status_is_noticed_too(url):
    """The view is cancelled while it waits, and lets go."""
    async with FaultProvider(stream=[Reply(before=[Hold()])]) as provider:
        async with anyio.create_task_group() as tasks:
            wanted = f"{url}?on_disconnect=cancel&heartbeat=30"
            tasks.start_soon(ask_in_vain, wanted, provider)
            asked = await arrived(provider)
            tasks.cancel_scope.cancel()
        await soon(asked.disconnected)

    assert 1 == len(provider.requests)


async def test_a_response_that_nobody_sends_is_let_go(url):
    """A middleware that answers itself closes nothing; the grace begins all the same."""
    async with FaultProvider(stream=[Reply(*HELLO[:2], Hold())]) as provider:
        wanted = f"{url}?on_disconnect=grace&heartbeat=30"
        async with ask(wanted, provider, headers={"x-drop": "yes"}) as response:
            assert b"another" == await response.body()
            await soon((await arrived(provider)).disconnected)


async def test_a_client_has_its_grace(url):
    """The run goes on for so long, and then it ends."""
    async with FaultProvider(stream=[Reply(*HELLO[:2], Hold())]) as provider:
        async with ask(f"{url}?on_disconnect=grace", provider) as response:
            await first_text(response)
            asked = await arrived(provider)
        left = anyio.current_time()
        await soon(asked.disconnected)
        lingered = anyio.current_time() - left

    assert lingered >= 0.45


async def test_a_client_that_comes_back_in_time_misses_nothing(url):
    """It says what it has; the grace is over then, and the run goes on."""
    gate = anyio.Event()
    async with FaultProvider(stream=replies(gate, HELLO[2], Hold())) as provider:
        async with ask(f"{url}?on_disconnect=grace", provider) as response:
            last = await first_text(response)
        before = response.seen
        back = {"last-event-id": last.id}
        wanted = f"{run_of(response)}?on_disconnect=cancel"
        async with come(url, provider, wanted, headers=back) as again:
            while anyio.current_time() < response.asked + 0.7:  # until the grace would be over
                await again.frame()
            gate.set()
            await first_text(again)
            asked = await arrived(provider)
            assert not asked.disconnected.is_set()
        await soon(asked.disconnected)

    frames = [*before, *again.seen]
    assert "Hello" == text(frames)
    assert len(frames) == len({frame.id for frame in frames})
    assert 1 == len(provider.requests)


async def test_a_run_may_be_left_to_itself(url):
    """It runs to its end, and can be read until it is forgotten; then there is nothing."""
    gate = anyio.Event()
    async with FaultProvider(stream=replies(gate)) as provider:
        async with ask(f"{url}?on_disconnect=detach", provider) as response:
            await first_text(response)
        gate.set()
        asked = await arrived(provider)
        await soon(asked.finished)
        async with come(url, provider, run_of(response)) as again:
            frames = await again.all()
        had = {"last-event-id": frames[-1].id}
        async with come(url, provider, run_of(response), headers=had) as after:
            rest = await after.body()

    assert not asked.disconnected.is_set()
    assert "Hello" == text(frames)
    assert (204, b"") == (after.status, rest)
    assert "content-type" not in after.headers


async def test_there_is_nothing_to_say_of_a_run_that_is_unknown(url):
    """204: a browser that would come back again does not."""
    async with FaultProvider() as provider, come(url, provider, "unknown") as response:
        assert (204, b"") == (response.status, await response.body())

    assert "content-type" not in response.headers


async def test_a_run_is_stopped_for_all(url):
    """To stop is another thing than to go away, and is told to those who watch."""
    async with FaultProvider(stream=[Reply(*HELLO[:2], Hold())]) as provider:
        async with ask(url, provider) as response:
            await first_text(response)
            async with come(url, provider, run_of(response), method="DELETE") as stop:
                assert {"cancelled": True} == await stop.json()
            frames = await response.all()
            await soon((await arrived(provider)).disconnected)
            async with come(url, provider, run_of(response), method="DELETE") as stop:
                assert {"cancelled": False} == await stop.json()

    assert "response_cancelled" == kinds(frames)[-1]


async def test_head_is_answered_with_headers_alone(url):
    """Who asks for them watches nothing, and leaves nothing."""
    gate = anyio.Event()
    async with FaultProvider(stream=replies(gate)) as provider:
        async with ask(f"{url}?on_disconnect=detach", provider) as response:
            await first_text(response)
        wanted = f"{run_of(response)}?on_disconnect=cancel"
        async with come(url, provider, wanted, method="HEAD") as head:
            assert b"" == await head.body()
        gate.set()
        async with come(url, provider, run_of(response)) as again:
            frames = await again.all()

    assert (200, response.headers["content-type"]) == (head.status, head.headers["content-type"])
    assert "Hello" == text(frames)


@pytest.mark.interop  # it takes long
async def test_a_server_that_is_told_to_end_says_so():
    """Daphne would cut the stream; its clients are told to come back, and when."""
    async with FaultProvider(stream=[Reply(*HELLO[:2], Hold())]) as provider:
        async with server.daphne(DIALECT="openai-chat", DRAIN="yes") as process:
            async with ask(f"{process.url}/answers", provider) as response:
                await first_text(response)
                assert 0 == await process.terminate()
                frames = await response.all()

    assert ("farewell", 3000) == (kinds(frames)[-1], frames[-1].retry)
