"""Every run ends once, truthfully, whatever happens on the way."""

import gc
import logging
import weakref

import anyio
import pytest

import streamkit
from streamkit import Limits
from streamkit.events import (
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    TextDelta,
)
from streamkit.stages import Suppressor
from streamkit.testing import Drop, FaultProvider, Hold, Reply, answers

pytestmark = pytest.mark.anyio

BODY = {"model": "demo-1", "messages": []}
HEALTHY = Reply(*answers.text_stream("a", "b"))
NO = Reply(answers.error("no"), status=500)


async def ended(client, **callbacks):
    """The events of a run."""
    async with client.stream(BODY, **callbacks) as run:
        return [event async for event in run]


def client_of(provider, **options):
    """A client whose hooks are let go of soon."""
    return streamkit.Client(base_url=provider.url, limits=Limits(finalise=0.1), **options)


@pytest.mark.parametrize(
    ("stream", "buffered", "kind"),
    [
        (HEALTHY, NO, ResponseCompleted),
        (NO, Reply(answers.completion("ab")), ResponseCompleted),
        (NO, NO, ResponseFailed),
        (Reply(b"data: [DONE]\n\n"), Reply(b"<html>"), ResponseFailed),
        (Reply(status=204), Reply(b""), ResponseFailed),
    ],
)
async def test_a_run_has_one_terminal_event_and_it_is_last(stream, buffered, kind):
    """Also where everything failed."""
    async with FaultProvider(stream=stream, buffered=buffered) as provider:
        async with client_of(provider) as client:
            events = await ended(client)

    assert [kind] == [type(event) for event in events if event.terminal]
    assert events[-1].terminal


async def test_on_result_that_hangs_is_left_after_its_time(caplog):
    """The outcome was decided before; a hook does not hold it up for ever."""
    async with FaultProvider(stream=HEALTHY) as provider, client_of(provider) as client:
        with anyio.fail_after(5):
            events = await ended(client, on_result=lambda outcome: anyio.sleep_forever())

    assert isinstance(events[-1], ResponseCompleted)
    assert any("on_result hung" in record.getMessage() for record in caplog.records)


async def test_on_result_that_raises_changes_nothing(caplog):
    """It is logged, by its class alone."""

    def boom(outcome):
        raise ValueError("secret")

    async with FaultProvider(stream=HEALTHY) as provider, client_of(provider) as client:
        events = await ended(client, on_result=boom)

    assert isinstance(events[-1], ResponseCompleted)
    assert any("on_result raised" in record.getMessage() for record in caplog.records)
    assert not any("secret" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("stream", [HEALTHY, Reply(*answers.text_stream("a")[:2], Hold()), NO])
async def test_on_result_is_told_every_kind_of_outcome(stream):
    """Completed, cancelled, failed: the hook is given the terminal event itself."""
    told = []
    async with FaultProvider(stream=stream, buffered=NO) as provider:
        async with client_of(provider) as client:
            async with client.stream(BODY, on_result=told.append) as run:
                async for event in run:
                    if isinstance(event, TextDelta) and stream is not HEALTHY:
                        break

    assert [run.outcome] == told
    assert isinstance(run.outcome, ResponseCompleted | ResponseCancelled | ResponseFailed)


async def test_a_callback_that_raises_is_detached_and_logged_once(caplog):
    """The run goes on without it."""

    def boom(text):
        raise ValueError(text)

    async with FaultProvider(stream=HEALTHY) as provider, client_of(provider) as client:
        async with client.stream(BODY, on_text=boom) as run:
            response = await run.response()
            assert not run.has_subscribers

    assert "ab" == response.text
    records = [r for r in caplog.records if r.name == "streamkit"]
    assert [logging.WARNING] == [record.levelno for record in records]


async def test_a_callback_that_raises_may_be_ignored():
    """With on_error='ignore' it is called for every piece all the same."""
    told = []

    def boom(text):
        told.append(text)
        raise ValueError

    async with FaultProvider(stream=HEALTHY) as provider, client_of(provider) as client:
        await client.complete(BODY, on_text=boom, on_error="ignore")

    assert ["a", "b"] == told


async def test_a_callback_that_raises_may_fail_the_run():
    """With on_error='fail' its exception is the run's, as it is, and nothing is rerouted."""

    def boom(text):
        raise ZeroDivisionError

    reply = Reply(*answers.text_stream("a", "b")[:2], Hold())
    async with FaultProvider(stream=reply, buffered=NO) as provider, client_of(provider) as client:
        with pytest.raises(ZeroDivisionError):
            await client.complete(BODY, on_text=boom, on_error="fail")
        assert 1 == len(provider.requests)


async def test_a_callback_that_hangs_is_let_go_after_the_end(caplog):
    """The answer is there: nobody waits for it for ever."""
    async with FaultProvider(stream=HEALTHY) as provider, client_of(provider) as client:
        with anyio.fail_after(5):
            response = await client.complete(BODY, on_text=lambda text: anyio.sleep_forever())

    assert "ab" == response.text
    assert any("callback hung" in record.getMessage() for record in caplog.records)


async def test_a_slow_callback_is_told_everything_before_the_answer_is_given():
    """As long as it gets on, it is waited for."""
    told = []

    async def slow(text):
        await anyio.sleep(0.02)
        told.append(text)

    async with FaultProvider(stream=HEALTHY) as provider, client_of(provider) as client:
        await client.complete(BODY, on_text=slow)
        assert ["a", "b"] == told
        async with client.stream(BODY, on_text=slow) as run:
            async for _ in run:
                pass
        assert ["a", "b", "a", "b"] == told


async def test_an_exception_in_the_loop_lets_hanging_callbacks_go():
    """Who leaves in anger does not wait."""
    async with FaultProvider(stream=HEALTHY) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            with anyio.fail_after(1), pytest.raises(ZeroDivisionError):
                async with client.stream(BODY, on_text=lambda text: anyio.sleep_forever()) as run:
                    async for _ in run:
                        raise ZeroDivisionError


async def test_the_total_clock_allows_no_second_call():
    """What is shared by all attempts and spent is spent."""
    async with FaultProvider(stream=Reply(Hold()), buffered=NO) as provider:
        limits = Limits(total=0.1)
        async with streamkit.Client(base_url=provider.url, limits=limits) as client:
            with pytest.raises(streamkit.Stalled, match=r"Limits\.total = 0\.1 s"):
                await client.complete(BODY)
        assert 1 == len(provider.requests)


async def test_the_buffered_call_has_a_clock_of_its_own():
    """Silence is allowed it, until its time is over."""
    async with FaultProvider(stream=NO, buffered=Reply(before=[Hold()])) as provider:
        limits = Limits(first_byte=0.4, first_content=0.4, buffered_total=0.6)
        async with streamkit.Client(base_url=provider.url, limits=limits) as client:
            with pytest.raises(streamkit.Stalled) as caught:
                await client.complete(BODY)

    assert "buffered_total" == caught.value.clock
    assert "rejected" == caught.value.__cause__.code


async def test_no_message_quotes_the_key_in_whole_or_in_part():
    """Also where the provider echoes it in a good answer, right at the quote's end."""
    key = "0123456789abcdef" * 2
    echo = b'data: {"error": {"message": "%b you sent %b"}}\n\n' % (b"x" * 175, key.encode())
    async with FaultProvider(stream=Reply(echo), buffered=Reply(echo)) as provider:
        async with streamkit.Client(base_url=provider.url, api_key=key) as client:
            with pytest.raises(streamkit.InBandError) as caught:
                await client.complete(BODY)

    for error in (caught.value, caught.value.__cause__):
        assert key[:6] not in str(error)
        assert "***" in str(error)


async def test_a_slow_reader_never_looks_like_a_slow_provider():
    """The stream's clocks stand still while the transport waits for its reader."""
    pieces = [f"{number} " for number in range(200)]
    reply = Reply(*answers.text_stream(*pieces))
    async with FaultProvider(stream=reply) as provider:
        limits = Limits(idle=0.2, first_content=0.2)
        async with streamkit.Client(base_url=provider.url, limits=limits) as client:
            run = client.start(BODY)
            policy = streamkit.logs.Block(window=4)
            async with run.subscribe(policy=policy) as events:
                seen = 0
                async for _ in events:
                    seen += 1
                    if seen == 20:
                        await anyio.sleep(0.5)  # longer than the clock: it must not run
            response = await run.response()

    assert "".join(pieces) == response.text
    assert not response.rerouted


async def test_runs_of_one_client_do_not_meet():
    """Many at once, each with its own answer, on one client."""

    def echo(request):
        return Reply(*answers.text_stream(*request.json["messages"][0]["content"]))

    async with FaultProvider(stream=echo) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            got = {}

            async def ask(text):
                body = {"model": "m", "messages": [{"role": "user", "content": text}]}
                got[text] = (await client.complete(body)).text

            async with anyio.create_task_group() as tasks:
                for number in range(50):
                    tasks.start_soon(ask, f"answer {number}")

    assert {text: text for text in got} == got
    assert 50 == len(got)


async def test_a_client_can_be_opened_again():
    """Closing it ends its runs; opening it begins anew."""
    async with FaultProvider(stream=HEALTHY) as provider:
        client = streamkit.Client(base_url=provider.url)
        for _ in range(2):
            async with client:
                assert "ab" == (await client.complete(BODY)).text
                with pytest.raises(streamkit.MisuseError, match="open already"):
                    await client.__aenter__()


async def test_a_stream_is_entered_once():
    """The context manager is one run."""
    async with FaultProvider(stream=HEALTHY) as provider, client_of(provider) as client:
        scope = client.stream(BODY)
        async with scope:
            with pytest.raises(streamkit.MisuseError, match="entered once"):
                await scope.__aenter__()


async def test_an_error_in_the_clients_block_is_not_wrapped():
    """No task group of ours wraps what is not ours."""
    async with FaultProvider(stream=Reply(Hold())) as provider:
        with pytest.raises(ZeroDivisionError):
            async with client_of(provider) as client:
                client.start(BODY)
                await provider.arrival()
                raise ZeroDivisionError
    gc.collect()


async def test_cancelling_the_client_from_outside_ends_its_runs():
    """Cancellation is no failure: the run is cancelled, and nothing is asked again."""
    async with FaultProvider(stream=Reply(*answers.text_stream("a")[:2], Hold())) as provider:
        with anyio.CancelScope() as scope:
            async with client_of(provider) as client:
                run = client.start(BODY)
                async with run.subscribe() as events:
                    async for event in events:
                        if isinstance(event, TextDelta):
                            scope.cancel()
        assert isinstance(run.outcome, ResponseCancelled)
        assert "a" == run.outcome.response.text
        assert 1 == len(provider.requests)


async def test_a_failed_run_keeps_the_partial_of_the_attempt_that_had_content():
    """Streaming came further than the buffered call: its part is the answer's."""
    reply = Reply(*answers.text_stream("half", " an")[:3], Drop())
    async with FaultProvider(stream=reply, buffered=NO) as provider:
        async with client_of(provider) as client:
            events = await ended(client)

    assert isinstance(events[-1], ResponseFailed)
    assert "half an" == events[-1].response.text
    assert "half an" == "".join(e.text for e in events if isinstance(e, TextDelta))


async def test_timings_tell_when_things_happened():
    """In seconds, in order, attempts counted."""
    async with FaultProvider(stream=HEALTHY) as provider, client_of(provider) as client:
        timings = (await client.complete(BODY)).timings

    assert 0 < timings.first_byte <= timings.first_progress <= timings.first_text <= timings.total
    assert 1 == timings.attempts


async def test_what_a_run_made_goes_with_it():
    """Not when the collector comes by: an answer may be long, and runs be many."""
    made = []

    def stage_of_one():
        stage = Suppressor()
        made.append(weakref.ref(stage))
        return stage

    async with FaultProvider(stream=HEALTHY) as provider:
        gc.disable()
        try:
            async with client_of(provider, stages=[stage_of_one]) as client:
                await ended(client)
            left = [ref() for ref in made]
        finally:
            gc.enable()

    assert [None] == left
