"""The attempts of a run over real HTTP: the ladder, retries, the breaker, a collected stream."""

import anyio
import httpx
import pytest

import streamkit
from streamkit import Limits, ReroutePolicy
from streamkit.events import Rerouted, ResponseCompleted, ResponseFailed, TextDelta
from streamkit.framing import encode
from streamkit.stages import Collected
from streamkit.testing import Drop, FaultProvider, Hold, Reply, answers

from ..dialects import test_llama_stack_turn as agents

pytestmark = pytest.mark.anyio

BODY = {"model": "demo-1", "messages": []}
HELLO = Reply(*answers.text_stream("Hel", "lo"))
WHOLE = Reply(answers.completion("Hello"))
CUT = Reply(*answers.text_stream("Hel", "lo")[:2], Drop())
BUSY = Reply(answers.error("busy"), status=503, headers={"retry-after": "0.05"})
UNKNOWN = Reply(answers.error("Unrecognized request argument: stream_options"), status=400)
SOON = 5.0


def strict(request):
    """A server that has never heard of ``stream_options``."""
    return UNKNOWN if "stream_options" in request.json else HELLO


class Asking:
    """A provider and a client of it."""

    def __init__(self, stream, buffered=WHOLE, **options):
        self.provider = FaultProvider(stream=stream, buffered=buffered)
        self.options = options

    async def __aenter__(self):
        await self.provider.__aenter__()
        self.client = streamkit.Client(base_url=self.provider.url, **self.options)
        await self.client.__aenter__()
        return self

    async def __aexit__(self, *exc):
        await self.client.__aexit__(*exc)
        await self.provider.__aexit__(*exc)

    async def ask(self, body=BODY, **callbacks):
        """The answer."""
        with anyio.fail_after(SOON):
            return await self.client.complete(body, **callbacks)

    @property
    def asked(self):
        """How each call was made: stream, stream with options, or buffered."""
        kinds = {(True, True): "S", (True, False): "s", (False, False): "b"}
        return "".join(
            kinds[request.streaming, "stream_options" in request.json]
            for request in self.provider.requests
        )


async def test_a_field_that_the_endpoint_refuses_is_left_out_from_then_on():
    """The answer still streams, and the next one does at once."""
    async with Asking(strict) as asking:
        first, second = await asking.ask(), await asking.ask()
        asked = asking.asked

    assert ("Hello", False, 2) == (first.text, first.rerouted, first.timings.attempts)
    assert ("Hello", 1) == (second.text, second.timings.attempts)
    assert "Sss" == asked


async def test_without_a_ladder_the_contract_holds():
    """Any exception goes to the buffered call."""
    async with Asking(strict, reroute=ReroutePolicy(ladder=())) as asking:
        assert (await asking.ask()).rerouted
        assert "Sb" == asking.asked


async def test_a_transient_failure_is_streamed_again():
    """The wait is the provider's, and what was shown is not shown twice."""
    pieces = []
    policy = ReroutePolicy(retries=2, backoff=0.01)
    async with Asking([BUSY, CUT, HELLO], reroute=policy) as asking:
        response = await asking.ask(on_text=pieces.append)
        asked = asking.asked

    assert ("Hello", False, "SSS") == (response.text, response.rerouted, asked)
    assert "Hello" == "".join(pieces)


async def test_when_all_retries_failed_the_buffered_call_is_made():
    """Once, and its events say so once."""
    async with Asking([CUT], reroute=ReroutePolicy(retries=1, backoff=0.01)) as asking:
        async with asking.client.stream(BODY) as run:
            events = [event async for event in run]
        asked = asking.asked

    assert "SSb" == asked
    assert [Rerouted("transport", 3)] == [e for e in events if isinstance(e, Rerouted)]
    assert "Hello" == "".join(e.text for e in events if isinstance(e, TextDelta))


async def test_a_wait_longer_than_the_time_left_is_not_begun():
    """All attempts share one deadline."""
    slow = Reply(answers.error("busy"), status=503, headers={"retry-after": "60"})
    policy, limits = ReroutePolicy(retries=3), Limits(total=30)
    async with Asking([slow], reroute=policy, limits=limits) as asking:
        assert (await asking.ask()).rerouted
        assert "Sb" == asking.asked


async def test_a_run_is_cancelled_while_it_waits_to_try_again():
    """No wait holds a caller."""
    slow = Reply(answers.error("busy"), status=503, headers={"retry-after": "60"})
    async with Asking([slow], reroute=ReroutePolicy(retries=3)) as asking:
        run = asking.client.start(BODY)
        await asking.provider.arrival()
        with anyio.fail_after(SOON):
            await run.cancel()
            assert "cancelled" == (await run.response()).finish


async def test_streaming_that_fails_again_and_again_is_left_for_a_while():
    """The buffered call comes first; after a while one stream is tried, and it heals."""
    policy = ReroutePolicy(trip_after=2, recover=0.2)
    async with Asking([CUT, CUT, HELLO], reroute=policy) as asking:
        for _ in range(3):
            assert "Hello" == (await asking.ask()).text
        asked = asking.asked
        await anyio.sleep(0.25)  # the breaker's own time, on the real clock
        again = await asking.ask()

        assert "SbSbb" == asked
        assert "SbSbbS" == asking.asked
    assert (False, "Hello") == (again.rerouted, again.text)


async def test_a_provider_that_is_down_says_nothing_about_streaming():
    """Where the buffered call fails, too, streaming goes on being tried."""
    policy = ReroutePolicy(trip_after=2)
    down = Reply(answers.error("down"), status=500)
    async with Asking([down], down, reroute=policy) as asking:
        for _ in range(4):
            with pytest.raises(streamkit.Rejected):
                await asking.ask()
        assert "SbSbSbSb" == asking.asked


async def test_an_interrupt_does_not_count():
    """Who stops reading says nothing about streaming."""
    waits = Reply(*answers.text_stream("Hel", "lo")[:2], Hold())
    async with Asking([waits, waits, waits, HELLO], reroute=ReroutePolicy(trip_after=2)) as asking:
        for _ in range(3):
            run = asking.client.start(BODY)
            async for event in run:
                if isinstance(event, TextDelta):
                    await run.cancel()
        assert "Hello" == (await asking.ask()).text
        assert "SSSS" == asking.asked


async def test_where_a_tool_ran_nothing_is_asked_again_unless_the_policy_says_yes():
    """It would run again: that is the caller's to decide."""
    frames = [b"data: " + encode(value) + b"\n\n" for value in agents.STREAM]
    ran = next(n for n, value in enumerate(agents.STREAM) if "tool_responses" in str(value))
    cut = Reply(*frames[: ran + 1], Drop())
    whole = Reply(encode(agents.as_json(agents.TURN)))
    for policy, kind, calls in (
        (ReroutePolicy(), ResponseFailed, 1),
        (ReroutePolicy(after_tools=True), ResponseCompleted, 2),
    ):
        async with Asking(cut, whole, dialect="llama-stack-turn", reroute=policy) as asking:
            async with asking.client.stream(agents.REQUEST) as run:
                events = [event async for event in run]
            requests = len(asking.provider.requests)
        assert (kind, calls) == (type(events[-1]), requests)


async def test_a_collected_stream_stands_for_the_buffered_call():
    """For providers that only stream: it is told whole, and as a buffered answer."""
    policy = ReroutePolicy(collect=True)
    async with Asking([CUT, HELLO], reroute=policy) as asking:
        async with asking.client.stream(BODY) as run:
            events = [event async for event in run]
        asked = asking.asked

    assert "SS" == asked
    assert "Hello" == "".join(e.text for e in events if isinstance(e, TextDelta))
    assert events[-1].response.rerouted


async def test_nothing_is_told_of_a_collected_stream_that_breaks():
    """Half of a second answer helps nobody."""
    policy = ReroutePolicy(collect=True)
    nothing = Reply(answers.error("no"), status=500)
    async with Asking([nothing, CUT], reroute=policy) as asking:
        async with asking.client.stream(BODY) as run:
            events = [event async for event in run]

    assert [] == [event for event in events if isinstance(event, TextDelta)]
    assert "transport" == events[-1].error.code


async def test_a_collected_source_can_be_composed_by_hand():
    """It is a source like the others, and truncation is told."""
    cut = Reply(*answers.text_stream("Hel", "lo")[:2])
    async with FaultProvider(stream=[cut, HELLO]) as provider:
        async with httpx.AsyncClient(base_url=provider.url) as http:
            pipeline = streamkit.Pipeline(
                [
                    Collected(http),
                    streamkit.ChunkParser("openai-chat"),
                    streamkit.Accumulator(),
                    streamkit.EventFanout(),
                ],
                supervisor=streamkit.Supervisor(),
            )
            async with pipeline:
                async with pipeline.stream(BODY) as run:
                    with pytest.raises(streamkit.TruncatedStream):
                        await run.response()
                async with pipeline.stream(BODY) as run:
                    assert "Hello" == (await run.response()).text
