"""What planted defects once got away with, before these tests: see ``tests/defects``."""

import gc

import anyio
import pytest

import streamkit
from streamkit import Limits
from streamkit.events import (
    Finished,
    Rerouted,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    Retracted,
    TextDelta,
)
from streamkit.logs import Block, MemoryLog
from streamkit.policy import Marks
from streamkit.testing import Drop, FaultProvider, Hold, Reply, Until, answers

from .clocks import HandClock

pytestmark = pytest.mark.anyio

BODY = {"model": "demo-1", "messages": []}
HELLO = answers.text_stream("Hel", "lo")
NO = Reply(answers.error("no"), status=500)
NEVER = dict.fromkeys(("first_byte", "first_content", "idle", "total", "buffered_total"), 1e6)
"""Clocks that no test here turns so far (seconds)."""
SOON = 5.0
"""How long anything may take here (seconds)."""


class Stuck:
    """A stage that passes on an event of one kind, and then sleeps for ever."""

    def __init__(self, kind):
        self.kind = kind

    async def __call__(self, source, sink):
        """Pass on what comes."""
        async for event in source:
            await sink.send(event)
            if isinstance(event, self.kind):
                await anyio.sleep_forever()


async def events_of(client):
    """Every event of a run."""
    async with client.stream(BODY) as run:
        return [event async for event in run]


async def first_text(run):
    """Read until there is text."""
    async for event in run:
        if isinstance(event, TextDelta):
            return


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
                await first_text(run)
                await run.cancel()
                # Nothing is awaited from here on: it must be so already.
                over = run.done.is_set(), run.log.ended, type(run.outcome)

    assert (True, True, ResponseCancelled) == over


async def test_a_run_is_over_when_its_block_is_left():
    """Whoever goes on has no connection open behind him."""
    async with FaultProvider(stream=Reply(*HELLO[:2], Hold())) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            with anyio.fail_after(SOON):
                async with client.stream(BODY) as run:
                    await first_text(run)
                over = run.done.is_set(), run.log.ended, type(run.outcome)

    assert (True, True, ResponseCancelled) == over


async def test_nothing_is_asked_for_a_run_that_is_over_before_it_began():
    """Not even what an SDK does before it first waits."""
    asked = []

    async def ask():
        asked.append(1)

    async with streamkit.supervise(stream=ask, buffered=ask) as run:
        pass

    assert ([], ResponseCancelled) == (asked, type(run.outcome))


async def test_a_failure_that_a_cancellation_brought_about_is_none():
    """An SDK that turns one into an exception of its own is not rerouted."""
    waits = anyio.Event()

    async def stream():
        yield {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}
        waits.set()
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            raise ConnectionError("the connection was lost") from None

    async def buffered():
        return answers.completion("Hello")

    with anyio.fail_after(SOON):
        async with streamkit.supervise(stream=stream, buffered=buffered) as run:
            await waits.wait()
            await run.cancel()
            events = [event async for event in run]

    assert [] == [event for event in events if isinstance(event, Rerouted)]
    assert ResponseCancelled is type(events[-1])


async def test_a_shorter_buffered_answer_is_all_that_is_left():
    """What it did not repeat was shown, and is taken back."""
    whole = Reply(answers.completion("Hel"))
    async with FaultProvider(stream=Reply(*HELLO[:3], Drop()), buffered=whole) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            with anyio.fail_after(SOON):
                events = await events_of(client)

    shown = [event for event in events if isinstance(event, TextDelta | Retracted)]
    assert [TextDelta("Hel"), TextDelta("lo"), Retracted("text"), TextDelta("Hel")] == shown


async def test_a_hook_that_hangs_holds_nobody_up():
    """It has Limits.finalise, and the answer is there."""
    let_go = anyio.Event()
    async with FaultProvider(stream=Reply(*HELLO)) as provider:
        limits = Limits(finalise=0.05)
        async with streamkit.Client(base_url=provider.url, limits=limits) as client:
            run = client.start(BODY, on_result=lambda _: let_go.wait())
            with anyio.move_on_after(SOON) as waited:
                await run.response()
            let_go.set()

    assert not waited.cancelled_caught
    assert "Hello" == run.outcome.response.text


async def test_the_buffered_call_has_what_streaming_left_of_the_total():
    """Six seconds of ten went to the stream; four are left, not another ten."""
    clock, limits = HandClock(), Limits(**{**NEVER, "idle": 6, "total": 10})
    stream, buffered = Reply(*HELLO[:2], Hold()), Reply(before=[Hold()])
    async with FaultProvider(stream=stream, buffered=buffered) as provider:
        async with streamkit.Client(base_url=provider.url, limits=limits, clock=clock) as client:
            with anyio.fail_after(SOON):
                run = client.start(BODY)
                await first_text(run)
                clock.move(6)
                await provider.arrival(1)
                clock.move(4)
                with pytest.raises(streamkit.Stalled) as caught:
                    await run.response()

    assert ("total", 10) == (caught.value.clock, clock.now())


async def test_no_clock_of_the_stream_runs_while_a_reader_holds_it_up():
    """A minute of its own is no minute of the provider's."""
    full, held, go_on = (anyio.Event() for _ in range(3))

    class Telling(MemoryLog):
        async def room(self):
            held.set()
            await super().room()

    *pieces, more, last = answers.text_stream(*"0123456789", done=False)
    reply = Reply(*pieces, Until(full), more, Until(go_on), last)
    clock, limits = HandClock(), Limits(**{**NEVER, "idle": 5})
    async with FaultProvider(stream=reply, buffered=NO) as provider:
        async with streamkit.Client(base_url=provider.url, limits=limits, clock=clock) as client:
            run = client.start(BODY, log=Telling)
            with anyio.fail_after(SOON):
                async with run.subscribe(policy=Block(window=4)) as events:
                    await first_text(events)
                    while not run.log.full:
                        await anyio.lowlevel.checkpoint()
                    full.set()
                    await held.wait()  # the next read was taken, and may not be handed over
                    waits = clock.waits
                    clock.move(60)
                    await clock.waited(waits + 1)  # the watch has looked
                    go_on.set()
                    rest = [event async for event in events]

    assert ("0123456789", False) == (rest[-1].response.text, rest[-1].response.rerouted)


async def test_an_answer_that_was_whole_in_time_is_not_too_late():
    """A stage may take its time behind the terminal; the total clock does not undo it."""
    reply = Reply(answers.chunk({"content": "Hello"}), answers.done())
    async with FaultProvider(stream=reply, buffered=NO) as provider:
        options = {"limits": Limits(total=0.1), "stages": [lambda: Stuck(ResponseCompleted)]}
        async with streamkit.Client(base_url=provider.url, **options) as client:
            with anyio.fail_after(SOON):
                response = await client.complete(BODY)

    assert ("Hello", "done_marker") == (response.text, response.evidence)


async def test_a_stage_that_hangs_behind_the_finish_reason_ends_with_the_total():
    """The answer was on its way through the stages, and has the time of a hook to arrive."""
    reply = Reply(*answers.text_stream("Hello", done=False), Hold())
    limits = Limits(total=0.1, drain=1e6, finalise=0.05)
    async with FaultProvider(stream=reply, buffered=NO) as provider:
        options = {"limits": limits, "stages": [lambda: Stuck(Finished)]}
        async with streamkit.Client(base_url=provider.url, **options) as client:
            with anyio.fail_after(SOON), pytest.raises(streamkit.Stalled) as caught:
                await client.complete(BODY)

    assert "total" == caught.value.clock


async def test_an_attempt_that_ended_is_watched_no_longer():
    """Else each would be kept until Limits.total is over."""
    gc.collect()
    before = {id(each) for each in gc.get_objects() if type(each) is Marks}
    async with FaultProvider(stream=Reply(*HELLO)) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            await client.complete(BODY)
            gc.collect()
            watched = [each for each in gc.get_objects() if type(each) is Marks]

    assert [] == [each for each in watched if id(each) not in before]
