"""One task keeps the deadlines of all attempts, on a clock that is injected."""

import anyio
import pytest

import streamkit
from streamkit import Limits
from streamkit.events import TextDelta
from streamkit.policy import Expired, Marks, next_deadline
from streamkit.supervisor.watch import Watch
from streamkit.testing import FaultProvider, Hold, Reply, answers

from .clocks import HandClock

pytestmark = pytest.mark.anyio

BODY = {"model": "demo-1", "messages": []}
PATIENT = Limits(idle=3600, first_byte=1e6, first_content=1e6, total=1e6, buffered_total=1e6)
LIMITS = Limits(first_byte=10, first_content=20, idle=5, total=100, drain=1)


async def watching(tasks, clock, limits=LIMITS):
    """A watch at work."""
    watch = Watch(limits, clock)
    tasks.start_soon(watch.run)
    await clock.waited(1)
    return watch


async def test_an_attempt_expires_when_its_clock_runs_out():
    """Not before, and with the clock that ran out."""
    clock, ran_out, expired = HandClock(), anyio.Event(), []
    async with anyio.create_task_group() as tasks:
        watch = await watching(tasks, clock)
        watch.add(Marks(0, 0), lambda cause: (expired.append(cause), ran_out.set()))
        await clock.waited(2)
        clock.move(9.9)
        assert [] == expired
        clock.move(0.2)
        await ran_out.wait()
        tasks.cancel_scope.cancel()

    assert [Expired("first_byte", 10)] == expired


async def test_progress_puts_the_deadline_off():
    """A stamp is enough: the watch looks again when the old deadline is due."""
    clock, ran_out, expired = HandClock(), anyio.Event(), []
    marks = Marks(0, 0)
    async with anyio.create_task_group() as tasks:
        watch = await watching(tasks, clock)
        watched = watch.add(marks, lambda cause: (expired.append(cause), ran_out.set()))
        await clock.waited(2)
        marks.byte, marks.first_progress, marks.progress = 8, 8, 8
        watch.poke(watched)
        clock.move(12)
        await clock.waited(3)
        assert [] == expired
        clock.move(1)
        await ran_out.wait()
        tasks.cancel_scope.cancel()

    assert [Expired("idle", 5)] == expired


async def test_a_removed_attempt_never_expires():
    """An attempt that ended is not watched."""
    clock, expired = HandClock(), []
    async with anyio.create_task_group() as tasks:
        watch = await watching(tasks, clock)
        watched = watch.add(Marks(0, 0), expired.append)
        watch.remove(watched)
        clock.move(1000)
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()

    assert [] == expired


async def test_a_silence_costs_the_same_beside_many(monkeypatch):
    """Who is due is looked at, and nobody else: else each of many would cost as much as all."""
    looks = []

    def look(marks, limits):
        looks.append(marks)
        return next_deadline(marks, limits)

    monkeypatch.setattr("streamkit.supervisor.watch.next_deadline", look)
    clock, many, expired = HandClock(), 200, []
    async with anyio.create_task_group() as tasks:
        watch = await watching(tasks, clock)
        for number in range(many):
            clock.time = number / many
            watch.add(Marks(0, clock.now()), expired.append)
        assert many == len(looks)
        for number in range(many):
            await clock.waited(2 + number)
            clock.move(10 + number / many - clock.now())
        await clock.waited(2 + many)
        tasks.cancel_scope.cancel()

    assert [Expired("first_byte", 10)] * many == expired
    assert 2 * many == len(looks)


async def test_who_is_gone_leaves_nothing_behind():
    """However many were watched, and however long their deadlines are."""
    clock = HandClock()
    watch = Watch(LIMITS, clock)
    standing = watch.add(Marks(0, 0), [].append)
    for number in range(1000):
        watched = watch.add(Marks(0, number), [].append)
        watched.marks.byte = watched.marks.progress = watched.marks.finished = number
        watch.remove(watch.poke(watched))

    assert len(watch._watched) < 100
    assert [standing] == [each for each in watch._watched if each.expire is not None]


async def test_hours_pass_over_real_http_without_waiting():
    """A run on an injected clock stalls when the clock says so, not before."""
    clock = HandClock()
    reply = Reply(*answers.text_stream("Hel", "lo")[:2], Hold())
    async with (
        FaultProvider(stream=reply, buffered=Reply(answers.completion("Hello"))) as provider,
        streamkit.Client(base_url=provider.url, limits=PATIENT, clock=clock) as client,
        client.stream(BODY) as run,
    ):
        with anyio.fail_after(5):
            async for event in run:
                if isinstance(event, TextDelta):
                    clock.move(60)
                    break
            async with anyio.create_task_group() as tasks:

                async def let_time_pass():
                    while len(provider.requests) == 1:
                        clock.move(600)
                        await anyio.lowlevel.checkpoint()

                tasks.start_soon(let_time_pass)
                response = await run.response()

    assert ("Hello", True) == (response.text, response.rerouted)
    assert response.timings.total > 3600
