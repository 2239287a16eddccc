"""The log itself: what is appended, its ids, and its memory."""

import tracemalloc

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.events import Finished, Gap, Retracted, TextDelta
from streamkit.logs import Coalesce, Disconnect, MemoryLog

from .readers import END, filled, letters, rest, take, told

pytestmark = pytest.mark.anyio


def test_events_are_numbered_from_one():
    """The head is the number of the newest event; nothing is folded at first."""
    log = MemoryLog("run")
    assert (0, 0) == (log.head, log.base)
    log.append(log.begin(), letters("abc"))
    assert (3, 0) == (log.head, log.base)


def test_an_id_is_its_epoch_and_its_number():
    """Every id finds its event again, and no other text does."""
    log = MemoryLog("run")
    log.append(log.begin(), letters("ab"))
    log.append(log.begin(), letters("c"))
    ids = [log.id_of(position) for position in (1, 2, 3)]
    assert ["1-1", "1-2", "2-3"] == ids
    assert [1, 2, 3] == [log.position_of(id_) for id_ in ids]


@pytest.mark.parametrize(
    "id_", ["", "-", "1", "1-", "1-0", "0-1", "2-1", "1-3", "1--1", "x-1", "1-x", "1-²", "1-1 "]
)
def test_an_id_never_given_is_none(id_):
    """Wherever an id comes from, it is looked up and never trusted."""
    log, _ = filled(letters("ab"))
    assert log.position_of(id_) is None


def test_an_id_of_many_digits_is_none():
    """A number too long to be read is no reason to raise."""
    log, _ = filled(letters("ab"))
    assert log.position_of("1-" + "1" * 10_000) is None


def test_an_older_epoch_is_refused():
    """The attempt that was given up cannot write any more."""
    log = MemoryLog("run")
    old, new = log.begin(), log.begin()
    assert not log.append(old, letters("a"))
    assert log.append(new, letters("b"))
    assert not log.append(old, letters("c"))
    assert not log.append(new + 1, letters("d"))
    assert [TextDelta("b")] == log.between(0, log.head)


def test_before_the_first_epoch_nothing_is_written():
    """A log takes events only from an attempt that began."""
    log = MemoryLog("run")
    assert log.append(0, ()) == (log.head == 0)
    assert 0 == log.head


def test_after_the_terminal_nothing_is_written():
    """The terminal is the last event, whoever would write one more."""
    log, epoch = filled([*letters("a"), END])
    assert log.ended
    assert not log.append(epoch, letters("b"))
    assert not log.append(log.begin(), letters("b"))
    assert 2 == log.head


def test_appending_nothing_is_no_event():
    """An empty batch of the newest epoch is taken, and changes nothing."""
    log, epoch = filled(letters("a"))
    assert log.append(epoch, [])
    assert (1, False) == (log.head, log.ended)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=12), st.integers(1, 4))
def test_ids_are_found_again_however_the_log_grew(turns, window):
    """Over epochs and folds, each id leads to its number and to no other."""
    log = MemoryLog("run", window)
    epoch, expected = log.begin(), []
    for anew, count in turns:
        epoch = log.begin() if anew else epoch
        assert log.append(epoch, letters("x" * count))
        expected += [f"{epoch}-{log.head - count + n + 1}" for n in range(count)]
    assert expected == [log.id_of(n) for n in range(1, log.head + 1)]
    assert list(range(1, log.head + 1)) == [log.position_of(id_) for id_ in expected]


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 4))
async def test_a_log_never_keeps_more_than_two_windows(counts, window):
    """What is older than the window is folded, and a joiner is still told all of it."""
    log, text = MemoryLog("run", window), ""
    epoch = log.begin()
    for count in counts:
        words = "abcde"[:count]
        log.append(epoch, letters(words))
        text += words
        assert 2 * window >= len(log.kept)
        assert (len(text), len(text) - len(log.kept)) == (log.head, log.base)
    log.append(epoch, [END])
    words, others = told(await rest(log.subscribe()))
    assert (text, [END]) == ("".join(words.values()), others)


async def test_a_fold_forgets_what_was_taken_back():
    """A joiner is told the answer, not its history."""
    log, epoch = filled(letters("wrong"), [Retracted("text")], letters("right"), window=2)
    log.append(epoch, [Finished(0, "stop"), END])
    assert "right" == "".join(told(await rest(log.subscribe()))[0].values())


def test_a_window_has_room_for_one():
    """A log of no window is refused."""
    with pytest.raises(ValueError, match="window"):
        MemoryLog("run", 0)


async def _written_and_read(log, epoch, count):
    """Write *count* deltas of eight characters, one reader keeping up. Gives the memory taken."""
    reader = log.subscribe()
    tracemalloc.start()
    try:
        for n in range(count):
            log.append(epoch, (TextDelta(f"word{n % 1000:04}"),))
            assert f"word{n % 1000:04}" == (await anext(reader)).text
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_memory_follows_the_answer_not_the_number_of_deltas():
    """100,000 deltas leave two windows of events and one text; a stuck reader adds one text."""
    count = 100_000
    log = MemoryLog("run")
    epoch, stuck = log.begin(), log.subscribe()
    # Two copies of 800 kB of text (the fold's and the stuck reader's), and 2,048 events.
    assert 4_000_000 > anyio.run(_written_and_read, log, epoch, count)
    assert 2 * log.window >= len(log.kept)
    assert 1 == len(log.folded())
    log.append(epoch, [END])
    words, others = told(anyio.run(rest, stuck))
    assert (count * 8, [END]) == (len("".join(words.values())), others)


async def test_a_larger_window_of_a_reader_is_kept_for_it():
    """A policy's window holds where it is larger than the log's own."""
    log = MemoryLog("run", 2)
    epoch = log.begin()
    patient, strict = log.subscribe(policy=Coalesce(9)), log.subscribe(policy=Disconnect(9))
    for letter in "abcdefghi":
        log.append(epoch, letters(letter))
    assert letters("abcdefghi") == await take(patient, 9) == await take(strict, 9)
    await patient.aclose()
    await strict.aclose()
    log.append(epoch, letters("j"))
    assert 4 >= len(log.kept)


async def test_subscribers_are_counted_while_attached():
    """From the making of a cursor until it is closed, once."""
    log, _ = filled(letters("a"))
    assert 0 == log.subscribers
    async with log.subscribe(), log.subscribe() as other:
        assert 2 == log.subscribers
        await other.aclose()
        await other.aclose()
        assert 1 == log.subscribers
    assert 0 == log.subscribers


async def test_a_gap_tells_which_id_was_asked_for():
    """What follows a `Gap` is the answer so far, whole."""
    log, _ = filled(letters("abc"), [END])
    assert [Gap("9-9"), *letters("abc"), END] == await rest(log.subscribe(after="9-9"))


async def test_text_that_is_none_stays_in_its_event():
    """A stage may put anything there; who comes later is given an event all the same."""
    log = MemoryLog("run")
    epoch = log.begin()
    odd = [TextDelta(None), TextDelta("a"), TextDelta("b", 1), TextDelta("c")]
    for event in odd:
        log.append(epoch, [event])
    async with log.subscribe() as events:
        assert odd == [await anext(events) for _ in odd]
