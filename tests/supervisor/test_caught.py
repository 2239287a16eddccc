"""What a planted defect once got past every other test: see ``tests/defects``."""

import anyio
import pytest

import streamkit
from streamkit import Limits
from streamkit.events import ResponseCancelled, ResponseFailed, Retracted, TextDelta
from streamkit.testing import Drop, FaultProvider, Hold, Reply, answers

from .clocks import HandClock

pytestmark = pytest.mark.anyio

BODY = {"model": "demo-1", "messages": []}
HELLO = answers.text_stream("Hel", "lo")
NO = Reply(answers.error("no"), status=500)
SOON = 5.0
"""How long anything may take here (seconds)."""


async def events_of(client):
    """Every event of a run."""
    async with client.stream(BODY) as run:
        return [event async for event in run]


async def test_a_buffered_call_that_failed_is_not_made_again():
    """One request asks for a stream, one for the whole answer, and that is all."""
    async with FaultProvider(stream=NO, buffered=NO) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            with anyio.fail_after(SOON):
                events = await events_of(client)
        asked = [request.streaming for request in provider.requests]

    assert ResponseFailed is type(events[-1])
    assert [True, False] == asked


async def test_a_run_is_over_when_cancel_returns():
    """Its connection is closed, its outcome is decided, and its log has ended."""
    async with FaultProvider(stream=Reply(*HELLO[:2], Hold())) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            with anyio.fail_after(SOON):
                run = client.start(BODY)
                async for event in run:
                    if isinstance(event, TextDelta):
                        break
                await run.cancel()
                # Nothing is awaited here: it must be so already.
                over = run.done.is_set(), run.log.ended, type(run.outcome)

    assert (True, True, ResponseCancelled) == over


async def test_a_shorter_buffered_answer_is_all_that_is_left():
    """What it did not repeat was shown, and is taken back."""
    whole = Reply(answers.completion("Hel"))
    async with FaultProvider(stream=Reply(*HELLO[:3], Drop()), buffered=whole) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            with anyio.fail_after(SOON):
                events = await events_of(client)

    shown = [event for event in events if isinstance(event, TextDelta | Retracted)]
    assert [TextDelta("Hel"), TextDelta("lo"), Retracted("text"), TextDelta("Hel")] == shown


async def test_the_buffered_call_has_what_streaming_left_of_the_total():
    """Six seconds of ten went to the stream; four are left, not another ten."""
    clock = HandClock()
    limits = Limits(idle=6, total=10, first_byte=1e6, first_content=1e6, buffered_total=1e6)
    stream, buffered = Reply(*HELLO[:2], Hold()), Reply(before=[Hold()])
    async with FaultProvider(stream=stream, buffered=buffered) as provider:
        async with streamkit.Client(base_url=provider.url, limits=limits, clock=clock) as client:
            with anyio.fail_after(SOON):
                run = client.start(BODY)
                async for event in run:
                    if isinstance(event, TextDelta):
                        clock.move(6)
                        break
                await provider.arrival(1)
                clock.move(4)
                with pytest.raises(streamkit.Stalled) as caught:
                    await run.response()

    assert ("total", 10) == (caught.value.clock, clock.now())


async def test_a_hook_that_hangs_holds_nobody_up():
    """It has Limits.finalise, and the answer is there."""
    let_go = anyio.Event()
    async with FaultProvider(stream=Reply(*HELLO)) as provider:
        limits = Limits(finalise=0.05)
        async with streamkit.Client(base_url=provider.url, limits=limits) as client:
            run = client.start(BODY, on_result=lambda _: let_go.wait())
            with anyio.move_on_after(SOON) as waited:
                response = await run.response()
            let_go.set()

    assert not waited.cancelled_caught
    assert "Hello" == response.text
