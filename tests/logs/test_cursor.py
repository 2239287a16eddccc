"""One reader of a log, quick or slow, early or late."""

import anyio
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from streamkit.errors import MisuseError
from streamkit.events import (
    Citation,
    Finished,
    Gap,
    Heartbeat,
    ReasoningDelta,
    Rerouted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
)
from streamkit.logs import Block, Coalesce, Disconnect, DropDeltas, MemoryLog
from streamkit.response import ToolCall

from .readers import END, Waiter, filled, letters, rest, take, told

pytestmark = pytest.mark.anyio

HOUR = 3600.0


async def test_who_joins_at_the_start_reads_all():
    """A cursor without an id begins at the beginning."""
    log, _ = filled(letters("abc"), [END])
    async with log.subscribe() as events:
        assert [*letters("abc"), END] == [event async for event in events]


async def test_who_joins_after_an_id_reads_what_follows():
    """The id of the last event seen is all that is needed to go on."""
    log, _ = filled(letters("abc"), [END])
    first = log.subscribe()
    await take(first, 2)
    assert "1-2" == first.id
    assert [TextDelta("c"), END] == await rest(log.subscribe(after=first.id))


async def test_an_id_is_none_before_the_first_event():
    """There is nothing to go on from yet."""
    log, _ = filled(letters("a"))
    cursor = log.subscribe()
    assert cursor.id is None
    await take(cursor, 1)
    assert "1-1" == cursor.id


async def test_who_joins_after_the_newest_id_waits_for_the_next():
    """An id at the head is no gap, and none at the head of what is folded either."""
    log, epoch = filled(letters("abcde"), window=2)
    assert 3 == log.base
    at_head, at_base = log.subscribe(after="1-5"), log.subscribe(after="1-3")
    log.append(epoch, [END])
    assert [END] == await rest(at_head)
    assert [*letters("de"), END] == await rest(at_base)


async def test_an_id_inside_the_fold_is_a_gap_and_the_fold():
    """Events that are no longer there one by one are told as the answer so far."""
    log, epoch = filled(letters("abcde"), window=2)
    log.append(epoch, [END])
    cursor = log.subscribe(after="1-1")
    assert [Gap("1-1"), TextDelta("abc"), *letters("de"), END] == await rest(cursor)


@pytest.mark.parametrize("after", ["7-1", "1-99", "", "latest", "1-" + "9" * 5000])
async def test_an_unknown_id_is_a_gap_and_the_answer_so_far(after):
    """Whatever a client sends as its last id, it is told the whole answer."""
    log, epoch = filled(letters("abcde"), window=2)
    log.append(epoch, [END])
    events = await rest(log.subscribe(after=after))
    assert [Gap(after), TextDelta("abc"), *letters("de"), END] == events


async def test_a_piece_of_a_fold_has_an_id_that_is_a_gap():
    """Who leaves in the middle of a fold is told, and gets it anew: never a hole, never twice."""
    log, _ = filled([TextDelta("a"), ReasoningDelta("b"), *letters("cdef")], window=2)
    cursor = log.subscribe()
    assert [TextDelta("acd")] == await take(cursor, 1)
    assert "0-0~1" == cursor.id
    assert [Gap("0-0~1"), TextDelta("acd")] == await take(log.subscribe(after=cursor.id), 2)
    assert [ReasoningDelta("b")] == await take(cursor, 1)
    assert "1-4" == cursor.id


async def test_the_id_before_the_first_event_is_the_start():
    """An id is there for who was told something before any event."""
    log, _ = filled(letters("ab"), [END])

    assert [*letters("ab"), END] == await rest(log.subscribe(after="0-0"))


async def test_a_nudge_is_a_heartbeat_at_once():
    """Whether the reader waits or not: it is given one, and then goes on."""
    log, epoch = filled(letters("a"))
    cursor = log.subscribe()
    assert cursor.ready
    await take(cursor, 1)
    assert not cursor.ready
    cursor.nudge()
    assert [Heartbeat()] == await take(cursor, 1)

    async with anyio.create_task_group() as tasks:
        given = []

        async def read():
            given.extend(await take(cursor, 1))

        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        cursor.nudge()
    assert [Heartbeat()] == given
    log.append(epoch, [END])
    assert [END] == await rest(cursor)


async def test_an_ended_log_ends_its_readers():
    """Behind the terminal a cursor stops, and stays stopped."""
    log, _ = filled([END])
    cursor = log.subscribe()
    assert [END] == await rest(cursor)
    assert [] == await rest(cursor)
    assert [] == await rest(log.subscribe(after="1-1"))


async def test_a_waiting_reader_wakes_for_the_next_event():
    """Nothing is polled: an append wakes every reader that waits."""
    log = MemoryLog("run")
    epoch, heard = log.begin(), []

    async def read(cursor):
        heard.append(await rest(cursor))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(read, log.subscribe())
        await anyio.wait_all_tasks_blocked()
        log.append(epoch, letters("a"))
        await anyio.wait_all_tasks_blocked()
        log.append(epoch, [])
        await anyio.wait_all_tasks_blocked()
        log.append(epoch, [END])
    assert [[TextDelta("a"), END]] * 3 == heard


async def test_two_tasks_cannot_read_one_cursor():
    """The second is told how to get one of its own; the first goes on."""
    log = MemoryLog("run")
    epoch, cursor, heard = log.begin(), log.subscribe(), []

    async def read():
        heard.append(await anext(cursor))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(MisuseError, match="subscribe"):
            await anext(cursor)
        log.append(epoch, letters("a"))
    assert letters("a") == heard


async def test_a_cancelled_wait_loses_nothing():
    """A reader that gave up waiting reads the next event when it comes back."""
    log = MemoryLog("run")
    epoch, cursor = log.begin(), log.subscribe()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await anext(cursor)
    assert scope.cancelled_caught
    assert not log._waiting
    log.append(epoch, letters("a"))
    assert letters("a") == await take(cursor, 1)


async def test_closing_ends_a_reader_that_waits():
    """`aclose` from another task stops the loop, without an error."""
    log = MemoryLog("run")
    cursor, heard = log.subscribe(), []

    async def read():
        heard.append(await rest(cursor))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await cursor.aclose()
    assert [[]] == heard
    assert 0 == log.subscribers


async def test_a_closed_cursor_reads_nothing_more():
    """Also where the log has more."""
    log, _ = filled(letters("abc"))
    async with log.subscribe() as cursor:
        await take(cursor, 1)
    assert [] == await rest(cursor)


async def test_up_to_a_window_behind_every_delta_comes_as_it_was():
    """A reader 1,024 events behind still gets each delta by itself."""
    log, epoch = filled()
    cursor = log.subscribe()
    log.append(epoch, letters("x" * 1024))
    assert 1024 == cursor.lag
    assert letters("x" * 1024) == await take(cursor, 1024)


async def test_beyond_the_window_deltas_are_merged():
    """One event more, and all it lags behind are as few as can be."""
    log, epoch = filled()
    cursor = log.subscribe()
    log.append(epoch, letters("x" * 1025))
    assert [TextDelta("x" * 1025)] == await take(cursor, 1)
    log.append(epoch, letters("yz"))
    assert letters("yz") == await take(cursor, 2)


events = st.one_of(
    st.builds(TextDelta, st.text("abc", max_size=2), st.integers(0, 1)),
    st.builds(ReasoningDelta, st.text("abc", max_size=2)),
    st.builds(ToolCallDelta, st.integers(0, 1), st.text("{}", max_size=2)),
    st.builds(ToolCallStarted, st.integers(0, 1)),
    st.builds(Finished, st.integers(0, 1), st.just("stop")),
)
turns = st.lists(st.one_of(st.lists(events, max_size=6), st.integers(1, 5)), max_size=20)


async def paced(log, cursor, turns):
    """Let a writer (lists of events) and a reader (counts) take turns. Gives what was read."""
    epoch, read = log.begin(), []
    for turn in turns:
        if isinstance(turn, list):
            log.append(epoch, turn)
            continue
        for _ in range(turn):
            with anyio.CancelScope() as scope:
                scope.cancel()  # only a wait is cancelled: what is there is read
                read.append(await anext(cursor))
    log.append(epoch, [END])
    return read + await rest(cursor)


def written(turns):
    """All that a writer wrote."""
    return [event for turn in turns if isinstance(turn, list) for event in turn]


@given(turns, st.integers(1, 5), st.integers(1, 5))
async def test_a_slow_reader_is_told_everything(turns, window, kept):
    """However a reader and the writer take turns, merging loses nothing and the end is last."""
    log = MemoryLog("run", kept)
    read = await paced(log, log.subscribe(policy=Coalesce(window)), turns)
    assert told([*written(turns), END]) == told(read)
    assert END == read[-1]


@given(turns, st.integers(1, 5), st.integers(1, 5))
async def test_one_that_drops_deltas_drops_nothing_else(turns, window, kept):
    """Whatever is no delta arrives in order, and no delta arrives that was not written."""
    log = MemoryLog("run", kept)
    read = await paced(log, log.subscribe(policy=DropDeltas(window)), turns)
    assert told([*written(turns), END])[1] == told(read)[1]


@given(turns, st.integers(1, 5))
async def test_one_that_disconnects_reads_all_or_an_error(turns, window):
    """Until the error, what was read is what was written, event by event."""
    log = MemoryLog("run", 1)
    cursor = log.subscribe(policy=Disconnect(window))
    try:
        assert [*written(turns), END] == await paced(log, cursor, turns)
    except MisuseError:
        assert 0 == log.subscribers


@pytest.mark.interop  # it takes long
def test_the_turns_reach_a_reader_that_lags():
    """The properties above meet readers that fall behind, and ones that do not."""

    def lags(turns):
        return any(isinstance(turn, list) and len(turn) > 5 for turn in turns[1:])

    assert lags(find(turns, lags, settings=settings(database=None)))


async def test_a_stuck_reader_changes_nothing_for_others():
    """One that never reads neither slows nor merges what the others are told."""
    log = MemoryLog("run", 4)
    epoch, stuck, quick = log.begin(), log.subscribe(), log.subscribe()
    for letter in "abcdefghijklmnopqrstuvwxyz":
        log.append(epoch, letters(letter))
        assert not log.full
        assert letters(letter) == await take(quick, 1)
    log.append(epoch, [END])
    words, others = told(await rest(stuck))
    assert ("abcdefghijklmnopqrstuvwxyz", [END]) == ("".join(words.values()), others)


async def test_dropped_deltas_leave_what_must_be_acted_upon():
    """Past the window a completed call, a citation and the terminal still come."""
    log, epoch = filled()
    cursor = log.subscribe(policy=DropDeltas(2))
    kept = [
        ToolCallStarted(0, "call_1", "f"),
        Citation({"url": "u"}),
        ToolCallCompleted(0, ToolCall("call_1", "f", "{}", valid=True)),
        END,
    ]
    log.append(epoch, [*letters("abc"), kept[0], ToolCallDelta(0, "{}"), *kept[1:]])
    assert kept == await rest(cursor)


async def test_dropping_every_event_is_waiting_for_the_next():
    """A backlog of nothing but deltas leaves nothing to give."""
    log, epoch = filled()
    cursor = log.subscribe(policy=DropDeltas(2))
    log.append(epoch, letters("abc"))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await anext(cursor)
    log.append(epoch, [TextDelta("d"), END])
    assert [TextDelta("d"), END] == await rest(cursor)


async def test_one_that_may_not_lag_is_disconnected():
    """It is told why and what to do, and is detached for good."""
    log, epoch = filled()
    cursor = log.subscribe(policy=Disconnect(2))
    log.append(epoch, letters("ab"))
    assert letters("a") == await take(cursor, 1)
    log.append(epoch, letters("cd"))
    with pytest.raises(MisuseError, match=r"within 2 events.*coalesce"):
        await anext(cursor)
    assert 0 == log.subscribers
    assert [] == await rest(cursor)


async def test_one_that_may_not_lag_may_join_late():
    """What was written before it joined is not its fault."""
    log, epoch = filled(letters("abcd"))
    cursor = log.subscribe(policy=Disconnect(2))
    assert [TextDelta("abcd")] == await take(cursor, 1)
    log.append(epoch, [TextDelta("e"), END])
    assert [TextDelta("e"), END] == await rest(cursor)


async def test_a_blocking_reader_holds_the_writer_up():
    """From the window on the writer waits, until the reader has moved."""
    log, epoch = filled()
    cursor = log.subscribe(policy=Block(2, patience=HOUR))
    log.append(epoch, letters("a"))
    assert not log.full
    log.append(epoch, letters("b"))
    assert log.full
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer := Waiter(log))
        await anyio.wait_all_tasks_blocked()
        assert not writer.done.is_set()
        assert letters("a") == await take(cursor, 1)
        await writer.done.wait()
    assert not log.full


async def test_a_blocking_reader_never_has_its_deltas_merged():
    """One read may bring more than its window: each delta comes by itself all the same."""
    log, epoch = filled()
    cursor = log.subscribe(policy=Block(2, patience=HOUR))
    log.append(epoch, letters("abcdefgh"))
    assert letters("abcdefgh") == await take(cursor, 8)


async def test_a_blocking_reader_that_leaves_frees_the_writer():
    """Nobody waits for one who is gone."""
    log, epoch = filled()
    cursor = log.subscribe(policy=Block(2, patience=HOUR))
    log.append(epoch, letters("ab"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer := Waiter(log))
        await anyio.wait_all_tasks_blocked()
        await cursor.aclose()
        await writer.done.wait()


async def test_patience_ends_and_the_reader_goes_on_merging():
    """After its patience the writer goes on, and never waits for that reader again."""
    log, epoch = filled()
    cursor = log.subscribe(policy=Block(2, patience=0.01))
    log.append(epoch, letters("ab"))
    await log.room()
    assert Coalesce(2) == cursor.policy
    log.append(epoch, letters("cd"))
    await log.room()
    assert [TextDelta("abcd")] == await take(cursor, 1)


async def test_each_reader_has_its_own_patience():
    """That one reader was given up says nothing about another."""
    log, epoch = filled()
    hasty = log.subscribe(policy=Block(2, patience=0.01))
    patient = log.subscribe(policy=Block(2, patience=HOUR))
    log.append(epoch, letters("ab"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer := Waiter(log))
        while isinstance(hasty.policy, Block):
            await anyio.wait_all_tasks_blocked()
        assert (Coalesce(2), Block(2, patience=HOUR)) == (hasty.policy, patient.policy)
        assert not writer.done.is_set()
        await take(patient, 1)
        await writer.done.wait()


async def test_a_late_joiner_does_not_stall_the_writer():
    """It blocks only once it has caught up; until then it is told merged deltas."""
    log, epoch = filled(letters("abcd"))
    cursor = log.subscribe(policy=Block(2, patience=HOUR))
    assert not log.full
    await log.room()
    assert [TextDelta("abcd")] == await take(cursor, 1)
    log.append(epoch, letters("ef"))
    assert not log.full
    assert letters("ef") == await take(cursor, 2)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await anext(cursor)
    log.append(epoch, letters("gh"))
    assert log.full


async def test_one_who_joins_at_the_head_has_caught_up():
    """A blocking reader of a run that begins counts before its first read."""
    log, epoch = filled(letters("ab"))
    cursor = log.subscribe(after="1-2", policy=Block(2, patience=HOUR))
    log.append(epoch, letters("cd"))
    assert log.full
    assert letters("cd") == await take(cursor, 2)


async def test_room_without_blocking_readers_is_at_once():
    """Whoever only merges never holds the writer up."""
    log, epoch = filled(letters("a" * 5000))
    cursors = [log.subscribe(policy=policy) for policy in ("coalesce", "drop_deltas", "disconnect")]
    log.append(epoch, letters("a" * 5000))
    assert not log.full
    await log.room()
    assert 3 == log.subscribers == len(cursors)


async def test_only_a_blocking_reader_has_patience():
    """For all others the writer waits no time at all."""
    log, _ = filled()
    assert 7 == log.subscribe(policy=Block(patience=7)).patience
    assert 0 == log.subscribe().patience


async def test_a_heartbeat_comes_after_silence():
    """It comes as often as it stays silent, is in no log, and moves no id."""
    log, epoch = filled(letters("a"))
    cursor = log.subscribe(heartbeat=0.01)
    assert [TextDelta("a"), Heartbeat(), Heartbeat()] == await take(cursor, 3)
    assert ("1-1", 1) == (cursor.id, log.head)
    log.append(epoch, [Rerouted("stalled"), END])
    assert [Rerouted("stalled"), END] == await rest(cursor)


async def test_without_silence_there_is_no_heartbeat():
    """An event that comes in time comes instead of it."""
    log = MemoryLog("run")
    epoch, cursor, heard = log.begin(), log.subscribe(heartbeat=HOUR), []

    async def read():
        heard.append(await rest(cursor))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        log.append(epoch, letters("a"))
        await anyio.wait_all_tasks_blocked()
        log.append(epoch, [END])
    assert [[TextDelta("a"), END]] == heard
