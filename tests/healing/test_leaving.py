"""However an answer is left, or breaks off: nothing runs on, nothing is asked for, nobody waits."""

import asyncio
from contextvars import ContextVar

import anyio
import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from streamkit import Limits
from streamkit.dialects.openai_chat import OpenAIChatEncoder
from streamkit.healing import HealingTransport
from streamkit.testing import Drop, FaultProvider, Hold, Reply, Until

from ..serving.servers import until
from .healed import ASKED, FRAMES, HEL, LO, REST, ROLE, WHOLE, Healed, errors, said

pytestmark = pytest.mark.anyio

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
VARIABLE = ContextVar("VARIABLE", default="")


async def test_who_leaves_at_once_asks_for_nothing(http):
    """Also where the run's own task has not had its turn: which is first is chance, on trio."""
    async with Healed(http, ROLE, HEL, Hold(), limits=Limits(finalise=1)) as healed:
        healing = HealingTransport()
        url = f"{healed.provider.url}/chat/completions"
        async with healing:
            for _ in range(12):
                with anyio.CancelScope() as scope:
                    scope.cancel()
                    await healing.handle_async_request(http.Request("POST", url, json=ASKED))
                assert scope.cancelled_caught
                assert set() == healing._live
        assert [] == healed.provider.requests


@pytest.mark.parametrize(
    "steps", [(ROLE, HEL, Hold()), FRAMES, (HEL.replace(b"Hel", b"x" * 300_000),) * 9]
)
async def test_an_answer_that_nobody_reads_is_let_go(http, steps):
    """Whether it waits for the provider, is whole, or waits for its reader."""
    async with Healed(http, *steps) as healed:
        async with healed.stream() as response:
            assert 200 == response.status_code
        await until(lambda: not healed.client._transport._live)
        assert 1 == len(healed.provider.requests)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_that_is_cancelled_lets_go(http, anyio_backend):
    """By the event loop's own hand, which no shield of anyio's holds up."""
    async with Healed(http, ROLE, HEL, Hold()) as healed:
        began = anyio.Event()

        async def read():
            async with healed.stream() as response:
                async for _ in response.aiter_bytes():
                    began.set()

        task = asyncio.create_task(read())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not healed.client._transport._live)
        await until(lambda: healed.provider.connections == 0)
        assert 1 == len(healed.provider.requests)


async def test_closing_the_client_ends_what_is_being_read(http):
    """The reader is told in band; a run that lost its connection would have asked again."""
    async with Healed(http, ROLE, HEL, Hold()) as healed:
        async with healed.stream() as response:
            parts = response.aiter_text()
            read = await anext(parts)
            await healed.client.aclose()
            assert set() == healed.client._transport._live
            read += "".join([part async for part in parts])
        await until(lambda: healed.provider.connections == 0)
        assert 1 == len(healed.provider.requests)

    assert ["cancelled"] == [error["code"] for error in errors(read)]
    assert "[DONE]" not in read


async def test_closing_the_client_ends_what_is_waited_for(http):
    """Its own exception says so, to a request that has no answer yet."""
    async with Healed(http, [Reply(before=[Hold()])]) as healed:

        async def ask():
            with pytest.raises(http.ReadError, match="closed"):
                await healed.ask()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await healed.provider.arrival()
            await healed.client.aclose()
        await until(lambda: healed.provider.connections == 0)
        assert 1 == len(healed.provider.requests)


@pytest.mark.parametrize("shown", [True, False])
async def test_an_answer_that_cannot_be_written_is_no_answer(http, shown, monkeypatch):
    """A bug of ours ends in an error of the client's own, or in a status: never in silence."""

    def broken(_encoder, _event):
        raise RuntimeError

    monkeypatch.setattr(OpenAIChatEncoder, "encode", broken)
    more, strange = anyio.Event(), LO.replace(b'"index":0', b'"index":"0"')
    async with Healed(http, *([ROLE, HEL] if shown else []), Until(more), strange, *REST) as healed:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(set_once, more, healed)
            if shown:
                with pytest.raises(http.ReadError, match="broke off"):
                    await healed.ask()
            else:
                assert 500 == (await healed.ask()).status_code


async def set_once(event, healed):
    """Let the provider go on once it was asked."""
    await healed.provider.arrival()
    event.set()


async def test_the_clients_own_timeout_is_its_own_exception(http):
    """The SDK knows it, and retries."""
    silent = Reply(before=[Hold()])
    async with Healed(http, [silent], buffered=silent) as healed:
        with pytest.raises(http.ReadTimeout):
            await healed.ask(timeout=0.1)
        assert 2 == len(healed.provider.requests)


async def test_one_connection_is_enough(http):
    """The buffered call does not wait for the one that the stream had."""
    one = http.AsyncHTTPTransport(limits=http.Limits(max_connections=1))
    cut, whole = Reply(ROLE, HEL, Drop()), Reply(WHOLE)
    async with FaultProvider(stream=cut, buffered=whole) as provider:
        async with http.AsyncClient(transport=HealingTransport(one), timeout=5) as client:
            for _ in range(2):
                response = await client.post(f"{provider.url}/chat/completions", json=ASKED)
                assert ("Hello world", "stop") == said(response.text)


async def test_context_variables_are_the_callers(http):
    """What traces requests hangs on them, on every event loop."""
    seen = []

    class Tracing(http.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            seen.append(VARIABLE.get())
            return await super().handle_async_request(request)

    async with FaultProvider(stream=Reply(*FRAMES)) as provider:
        async with http.AsyncClient(transport=HealingTransport(Tracing())) as client:
            VARIABLE.set("a trace")
            await client.post(f"{provider.url}/chat/completions", json=ASKED)

    assert ["a trace"] == seen


# -- event loops that end ---------------------------------------------------------------


@BACKENDS
def test_a_loop_that_ends_takes_what_is_left_with_it(backend):
    """At once, and without a word: an answer that nobody closed holds up no program's end."""
    with start_blocking_portal() as portal:
        hold = Reply(ROLE, HEL, Hold())
        with portal.wrap_async_context_manager(FaultProvider(stream=hold)) as provider:

            async def main():
                client = httpx.AsyncClient(transport=HealingTransport())
                request = client.build_request("POST", url, json=ASKED)
                response = await client.send(request, stream=True)
                return client, response

            url = f"{provider.url}/chat/completions"
            client, _ = anyio.run(main, backend=backend)
            assert set() == client._transport._live
            portal.call(until, lambda: provider.connections == 0)
            assert 1 == len(provider.requests)


@BACKENDS
def test_a_second_loop_is_healed_as_the_first(backend):
    """Nothing is kept that belongs to a loop; connections are the transport's below."""
    with start_blocking_portal() as portal:
        cut, whole = Reply(ROLE, HEL, Drop()), Reply(WHOLE, framing="close")
        provider = FaultProvider(stream=cut, buffered=whole)
        with portal.wrap_async_context_manager(provider):
            client = httpx.AsyncClient(transport=HealingTransport())

            async def main(*, last):
                response = await client.post(f"{provider.url}/chat/completions", json=ASKED)
                if last:
                    await client.aclose()
                return said(response.text)

            for last in (False, True):
                read = anyio.run(lambda last=last: main(last=last), backend=backend)
                assert ("Hello world", "stop") == read
