"""What once broke the contract, each as small as it goes."""

import asyncio
import traceback

import anyio
import httpx
import pytest

import streamkit
from streamkit import Limits, ReroutePolicy
from streamkit.events import ResponseCompleted, ResponseFailed, TextDelta
from streamkit.testing import FaultProvider, Hold, Reply, answers

pytestmark = pytest.mark.anyio

BODY = {"model": "demo-1", "messages": []}
HEALTHY = Reply(*answers.text_stream("a", "b"))
NO = Reply(answers.error("no"), status=500)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_a_callback_had_cancelled_is_its_own(anyio_backend):
    """On asyncio it looks like a cancellation of the task; the other runs go on."""

    async def awaits_what_is_cancelled(_):
        job = asyncio.ensure_future(asyncio.sleep(9))
        await asyncio.sleep(0)
        job.cancel()
        await job

    gate = anyio.Event()

    async def wait(wire):
        await gate.wait()

    frames = answers.text_stream("a", "b")
    replies = [Reply(*frames[:2], wait, *frames[2:]), HEALTHY, HEALTHY]
    async with FaultProvider(stream=replies) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            good = client.start(BODY)
            await provider.arrival()
            bad = client.start(BODY, on_text=awaits_what_is_cancelled)
            worse = client.start(BODY, on_result=awaits_what_is_cancelled)
            assert "ab" == (await bad.response()).text == (await worse.response()).text
            gate.set()
            assert "ab" == (await good.response()).text


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_a_source_had_cancelled_is_a_failure(anyio_backend):
    """It reroutes, as any failure of the call does."""

    async def stream():
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        return await future

    async def buffered():
        return answers.completion("whole")

    async with streamkit.supervise(stream=stream, buffered=buffered) as run:
        response = await run.response()

    assert ("whole", True) == (response.text, response.rerouted)


async def test_a_policy_that_raises_is_passed_over():
    """The contract holds without it, and its exception is in no group."""

    def when(error):
        raise KeyError("bug")

    async with FaultProvider(stream=NO, buffered=Reply(answers.completion("ok"))) as provider:
        reroute = ReroutePolicy(when=when)
        async with streamkit.Client(base_url=provider.url, reroute=reroute) as client:
            assert "ok" == (await client.complete(BODY)).text


async def test_a_log_that_raises_ends_the_run():
    """Nobody waits for ever for a run whose events cannot be written."""

    class Gone(streamkit.logs.MemoryLog):
        def append(self, epoch, events, /):
            raise OSError("the log is gone")

    reply = Reply(*answers.text_stream("a"))
    provider = FaultProvider(stream=reply, buffered=NO)
    async with provider, httpx.AsyncClient(base_url=provider.url) as http:
        pipeline = streamkit.Pipeline(
            [
                streamkit.Transport(http),
                streamkit.ChunkParser("openai-chat"),
                streamkit.Accumulator(),
                streamkit.EventFanout(Gone),
            ],
            supervisor=streamkit.Supervisor(streamkit.Buffered(http)),
        )
        with anyio.fail_after(5):
            async with pipeline, pipeline.stream(BODY) as run:
                watched = [event async for event in run]
                with pytest.raises(OSError, match="the log is gone"):
                    await run.response()

    assert ["ResponseFailed"] == [type(event).__name__ for event in watched]


class Sleeps:
    """An AsyncStage that sleeps at an event, and never wakes."""

    def __init__(self, kind):
        self.kind = kind

    async def __call__(self, source, sink):
        async for event in source:
            await sink.send(event)
            if isinstance(event, self.kind):
                await anyio.sleep_forever()


async def test_the_total_clock_counts_behind_every_other():
    """A stage that hangs once the reading was broken off is not waited for."""
    reply = Reply(answers.chunk({"content": "a"}), Hold())
    async with FaultProvider(stream=reply) as provider:
        limits = Limits(idle=0.05, total=0.3)
        stages = [lambda: Sleeps(TextDelta)]
        async with streamkit.Client(base_url=provider.url, limits=limits, stages=stages) as client:
            with anyio.fail_after(5), pytest.raises(streamkit.Stalled) as caught:
                await client.complete(BODY)

    assert "total" == caught.value.clock


async def test_a_stage_that_hangs_behind_the_terminal_is_left():
    """The answer is whole: it has the time of a hook, and no more."""
    async with FaultProvider(stream=HEALTHY) as provider:
        limits = Limits(finalise=0.05)
        stages = [lambda: Sleeps(ResponseCompleted)]
        async with streamkit.Client(base_url=provider.url, limits=limits, stages=stages) as client:
            with anyio.fail_after(5):
                assert "ab" == (await client.complete(BODY)).text


async def test_a_whole_answer_outlives_the_total_clock():
    """Its finish reason came in time; what the provider does after that is its own affair."""
    reply = Reply(*answers.text_stream("Hello", done=False), Hold())
    async with FaultProvider(stream=reply) as provider:
        limits = Limits(total=0.3, drain=5)
        async with streamkit.Client(base_url=provider.url, limits=limits) as client:
            response = await client.complete(BODY)

    assert ("Hello", "finish_reason") == (response.text, response.evidence)


async def test_a_stream_that_never_waits_and_never_ends_is_left():
    """Nothing is read behind the done marker, however fast it comes."""

    async def endless():
        for frame in answers.text_stream("Hi"):
            yield frame
        while True:
            yield b": more\n\n"

    with anyio.fail_after(5):
        async with streamkit.supervise(stream=endless) as run:
            assert "Hi" == (await run.response()).text


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": "hunter22hunter22\n"},
        {"headers": {"X-Api-Key": "hunter22hunter22"}},
        {"headers": {"Authorization": "Token hunter22hunter22"}},
        {"params": {"key": "hunter22hunter22"}},
    ],
)
async def test_no_secret_is_in_a_traceback(options):
    """Whatever way it was given, and whoever quotes it."""

    def echo(request):
        return Reply(f"you sent {request.headers} and {request.query}".encode(), status=401)

    async with FaultProvider(stream=echo, buffered=echo) as provider:
        async with streamkit.Client(base_url=provider.url, **options) as client:
            with pytest.raises(streamkit.StreamkitError) as caught:
                await client.complete(BODY)

    assert "hunter22" not in "".join(traceback.format_exception(caught.value))


def test_no_password_is_in_a_message():
    """Also where the URL is the mistake."""
    with pytest.raises(streamkit.MisuseError) as caught:
        streamkit.Client(base_url="htp://user:hunter22@host/")

    assert "hunter22" not in str(caught.value)


async def test_a_text_left_at_the_seam_goes_on_behind_it():
    """One run has one text, whoever asks for it again."""
    reply = Reply(*answers.text_stream("Bye")[:2])
    buffered = Reply(answers.completion("Hello"))
    async with FaultProvider(stream=reply, buffered=buffered) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            async with client.stream(BODY, seam="|") as run:
                told = []
                async for text in run.text():
                    told.append(text)
                    if text == "|":
                        break
                told.extend([text async for text in run.text()])

    assert ["Bye", "|", "Hello"] == told


async def test_the_client_is_closed_by_the_task_that_opened_it():
    """Another one, such as a callback's, is told so, and breaks nothing."""
    async with FaultProvider(stream=HEALTHY) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            told = []

            async def close(_):
                try:
                    await client.__aexit__(None, None, None)
                except streamkit.MisuseError as error:
                    told.append(str(error))

            await client.complete(BODY, on_first_delta=lambda: close(None))

    assert 1 == len(told)
    assert "the task that opened it" in told[0]


async def test_a_request_that_cannot_be_built_is_asked_for_once():
    """Nothing was sent, and asking again would not help."""
    async with FaultProvider(stream=HEALTHY) as provider:
        headers = {"x-team": "blüe\n"}
        async with streamkit.Client(base_url=provider.url, headers=headers) as client:
            async with client.stream(BODY) as run:
                events = [event async for event in run]
        assert [] == provider.requests

    assert isinstance(events[-1], ResponseFailed)
