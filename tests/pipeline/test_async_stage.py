"""Stages in a task of their own: what they may do, and what becomes of their mistakes."""

import gc
from functools import partial

import anyio
import pytest

from streamkit.errors import StageError, TransportError
from streamkit.events import ResponseCompleted, ResponseStarted, TextDelta
from streamkit.stages import Accumulator
from streamkit.testing import answers

from .lines import (
    Bytes,
    MintAsync,
    MintAt,
    Pass,
    PassAsync,
    RaiseAsync,
    Silent,
    SwallowAsync,
    drive,
    line_of,
    pipeline_of,
    run,
)

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(20)]  # what hangs fails soon

FRAMES = answers.text_stream("a", "b", "c")  # role, a, b, c, finish, done


@pytest.fixture(autouse=True)
def nothing_is_left_open():
    """Whatever a test leaves open is a warning, and warnings are errors."""
    yield
    gc.collect()


def stage_of(function):
    """Give the factory of a stage that is an async function."""

    def making():
        return function

    return making


async def test_it_reads_one_event_at_a_time():
    """Whatever a read gave, the stage receives single events, and the end once."""
    seen = []

    async def watching(source, sink):
        async for event in source:
            seen.append(event)
            await sink.send(event)
        with pytest.raises(anyio.EndOfStream):
            await source.receive()

    told = await run(Bytes([b"".join(FRAMES)]), stage_of(watching))
    assert told.events == seen
    assert ["a", "b", "c"] == [event.text for event in seen if isinstance(event, TextDelta)]
    assert [False] * 5 + [True] == [event.terminal for event in seen]


async def test_a_stage_that_waits_holds_nothing_back():
    """What a stage has sent arrives although the stage then waits, and the read gave more."""
    gate, came = anyio.Event(), anyio.Event()

    async def waiting(source, sink):
        async for event in source:
            await sink.send(event)
            if isinstance(event, TextDelta):
                await gate.wait()

    shown = []

    def deliver(batch):
        shown.extend(batch)
        if isinstance(batch[-1], TextDelta):
            came.set()

    pipeline = pipeline_of(Bytes([b"".join(FRAMES)]), stage_of(waiting), Pass)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drive, line_of(pipeline, deliver), pipeline.source)
        await came.wait()
        assert [ResponseStarted, TextDelta] == [type(event) for event in shown]
        gate.set()

    assert isinstance(shown[-1], ResponseCompleted)


# -- its mistakes ----------------------------------------------------------------


async def test_one_that_raises_is_named():
    """Its exception is a `StageError` with its name, behind what it sent, with the cause."""
    told = await run(Bytes(FRAMES), partial(RaiseAsync, 3), Pass)

    assert ("a", "stage 'RaiseAsync' raised ValueError: event 3") == (told.text, str(told.raised))
    assert ValueError is type(told.raised.__cause__)


async def test_one_that_keeps_the_terminal_is_told_so():
    """A stage that read the terminal and did not send it broke a rule; the error says which."""
    told = await run(Bytes(FRAMES), SwallowAsync)

    assert "abc" == told.text
    assert "stage 'SwallowAsync' broke the rule that the terminal event is passed on" in str(
        told.raised
    )


async def test_one_that_returns_early_is_told_so():
    """A stage that returns before the end of what it reads broke a rule; the error says which."""

    async def hasty(source, sink):
        await sink.send(await source.receive())

    told = await run(Bytes(FRAMES), stage_of(hasty))

    assert [ResponseStarted] == [type(event) for event in told.events]
    assert "stage 'making' broke the rule that it reads to the end" in str(told.raised)


async def test_one_that_sends_behind_the_terminal_changes_nothing():
    """The sink is closed behind the terminal: the answer that was sent stands."""

    async def chatty(source, sink):
        async for event in source:
            await sink.send(event)
        with pytest.raises(anyio.ClosedResourceError):
            await sink.send(TextDelta("late"))
        raise ValueError("too late")

    told = await run(Bytes(FRAMES), stage_of(chatty), Accumulator, Pass)
    assert ("abc", None) == (told.response.text, told.raised)


async def test_a_broken_stream_of_its_own_is_its_own_failure():
    """A stage whose own connection breaks fails as itself; it is not taken for an early end."""

    async def moderated(source, sink):
        await sink.send(await source.receive())
        raise anyio.BrokenResourceError

    told = await run(Bytes(FRAMES), stage_of(moderated), Pass)
    assert "stage 'making' raised BrokenResourceError:" == str(told.raised).strip()
    assert anyio.BrokenResourceError is type(told.raised.__cause__)


# -- what breaks around it -------------------------------------------------------


async def test_a_failure_upstream_cancels_it_where_it_reads():
    """What broke upstream passes by: the stage is cancelled, may clean up, and sees no end."""
    ended, cleaned = [], []

    async def reading(source, sink):
        try:
            async for event in source:
                await sink.send(event)
            ended.append(True)
        finally:
            cleaned.append(True)

    told = await run(Bytes(FRAMES[:3], TransportError("dropped")), stage_of(reading))
    assert ("ab", "dropped", [], [True]) == (told.text, str(told.raised), ended, cleaned)


async def test_its_clean_up_does_not_hide_what_broke():
    """An exception raised while the stage is cancelled is not told in place of the failure."""

    async def careless(source, sink):
        try:
            async for event in source:
                await sink.send(event)
        finally:
            raise KeyError("already gone")

    told = await run(Bytes(FRAMES[:3], TransportError("dropped")), stage_of(careless))
    assert "dropped" == str(told.raised)


async def test_a_shielded_read_sees_the_end():
    """A stage that shields itself from the cancellation reads to the end of the stream."""

    async def shielded(source, sink):
        with anyio.CancelScope(shield=True):
            async for event in source:
                await sink.send(event)

    told = await run(Bytes(FRAMES[:3], TransportError("dropped")), stage_of(shielded))
    assert ("ab", "dropped") == (told.text, str(told.raised))


@pytest.mark.parametrize("behind", [partial(MintAt, 2), partial(MintAsync, 2)])
async def test_an_answer_that_ended_behind_it_ends_it(behind):
    """Ended early by a later stage, a stage that waits for something else is cancelled."""
    left = []

    async def waiting(source, sink):
        try:
            await sink.send(await source.receive())
            await sink.send(await source.receive())
            await anyio.sleep_forever()
        finally:
            left.append(True)

    source = Silent([b"".join(FRAMES[:4])])
    told = await run(source, stage_of(waiting), behind, Accumulator)
    assert ("a", [True], 1) == (told.response.text, left, source.left)


async def test_an_answer_that_ended_behind_it_refuses_more():
    """A stage that goes on sending when nobody reads ends without an error of its own."""

    async def flooding(source, sink):
        with anyio.CancelScope(shield=True):
            while True:
                await sink.send(TextDelta("x"))

    told = await run(Bytes(FRAMES), stage_of(flooding), partial(MintAt, 3), Pass)
    assert ("xxx", None) == (told.text, told.raised)


async def test_one_that_ends_the_answer_early():
    """A stage may send the terminal before it read to the end; upstream is left."""
    source = Silent([b"".join(FRAMES[:3])])
    told = await run(source, partial(MintAsync, 2), Accumulator)

    assert ("a", "done_marker", 1) == (told.response.text, told.response.evidence, source.left)


async def test_what_it_does_behind_the_terminal_is_done():
    """A stage that passed the terminal on is waited for: it may still save what it saw."""
    saved = []

    async def saving(source, sink):
        async for event in source:
            await sink.send(event)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        saved.append(True)

    told = await run(Bytes(FRAMES), stage_of(saving), Accumulator, PassAsync)
    assert ("abc", [True]) == (told.response.text, saved)


async def test_two_in_a_row_pass_a_failure_on():
    """Failures pass by any number of asynchronous stages, each behind its data."""
    told = await run(Bytes(FRAMES[:3]), PassAsync, PassAsync, PassAsync)

    assert ("ab", "truncated") == (told.text, told.raised.code)
    assert not isinstance(told.raised, StageError)
