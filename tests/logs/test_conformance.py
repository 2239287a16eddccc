"""What every log promises, whoever keeps it: in memory, in Redis, and in Redis from elsewhere."""

import shutil
from contextlib import asynccontextmanager

import anyio
import attrs
import pytest

from streamkit.events import (
    Gap,
    Heartbeat,
    ReasoningDelta,
    Rerouted,
    ResponseFailed,
    Retracted,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from streamkit.logs import Coalesce, MemoryLog, RedisLog
from streamkit.response import Response

from ..redis_server import Server
from .readers import END, letters, rest, take, told

pytestmark = pytest.mark.anyio

PATIENCE = 5.0
WINDOW = 4


@attrs.frozen
class Place:
    """A run's log where it is written, and how it is found where it is read."""

    written: object
    find: object

    async def read_where(self, count):
        """The log as its readers see it, once *count* events can be read there."""
        log = await self.find()
        with anyio.fail_after(PATIENCE):
            async with log.subscribe() as cursor:
                while log.head < count:
                    await anext(cursor)
        return log


@asynccontextmanager
async def in_memory(tmp_path, window):
    log = MemoryLog("run", window)

    async def find():
        return log

    yield Place(log, find)


@asynccontextmanager
async def in_redis(tmp_path, window, *, elsewhere=False):
    server = Server(tmp_path)
    await server.start()
    try:
        async with (
            RedisLog.from_url(server.url, window=window) as here,
            RedisLog.from_url(server.url, window=window) as there,
        ):
            log = here("run")

            async def find():
                if not elsewhere:
                    return log
                with anyio.fail_after(PATIENCE):
                    while (found := await there.find("run")) is None:  # noqa: ASYNC110
                        await anyio.sleep(0.001)
                return found

            yield Place(log, find)
    finally:
        server.kill()


@asynccontextmanager
async def in_redis_elsewhere(tmp_path, window):
    async with in_redis(tmp_path, window, elsewhere=True) as place:
        yield place


KEPT = [
    pytest.param((in_memory, "asyncio"), id="memory"),
    pytest.param((in_memory, "trio"), id="memory-trio"),
    pytest.param((in_redis, "asyncio"), id="redis", marks=pytest.mark.interop),
    pytest.param((in_redis_elsewhere, "asyncio"), id="elsewhere", marks=pytest.mark.interop),
]


@pytest.fixture(params=KEPT)
def kept(request):
    """Where logs are kept, and on which event loop."""
    return request.param


@pytest.fixture
def anyio_backend(kept):
    """The event loop."""
    return kept[1]


@pytest.fixture
def window():
    """How many events are kept unfolded (a count); a test may say another number."""
    return 1024


@pytest.fixture
async def place(kept, tmp_path, window):
    """A run's log."""
    if kept[0] is not in_memory and shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    async with kept[0](tmp_path, window) as place:
        yield place


narrow = pytest.mark.parametrize("window", [WINDOW])


async def test_what_is_appended_is_read_in_order(place):
    """By one who was there before, and by one who comes when all is over."""
    epoch = place.written.begin()
    place.written.append(epoch, letters("ab"))
    log = await place.find()
    async with log.subscribe() as early:
        place.written.append(epoch, letters("c"))
        place.written.append(epoch, [END])
        assert [*letters("abc"), END] == await rest(early)
    async with (await place.find()).subscribe() as late:
        assert [*letters("abc"), END] == await rest(late)


async def test_ids_are_epoch_and_number_and_the_same_everywhere(place):
    """So that a client may go on anywhere."""
    place.written.append(place.written.begin(), letters("ab"))
    epoch = place.written.begin()
    place.written.append(epoch, [Rerouted("stalled", 2), END])
    async with (await place.find()).subscribe() as cursor:
        ids = [cursor.id async for _ in cursor]

    assert ["1-1", "1-2", "2-3", "2-4"] == ids


@pytest.mark.parametrize(("after", "text"), [("0-0", "abc"), ("1-1", "bc"), ("1-3", "")])
async def test_who_comes_back_reads_what_follows(place, after, text):
    """Behind the id it has, and nothing before."""
    epoch = place.written.begin()
    place.written.append(epoch, letters("abc"))
    log = await place.read_where(3)
    async with log.subscribe(after=after) as cursor:
        place.written.append(epoch, [END])
        assert [*letters(text), END] == await rest(cursor)


@pytest.mark.parametrize("after", ["2-1", "1-9", "nonsense", "", "1-1~2"])
async def test_an_id_that_was_never_given_is_a_gap(place, after):
    """And the answer so far; it is never taken for the start."""
    place.written.append(place.written.begin(), [*letters("ab"), END])
    log = await place.read_where(3)
    async with log.subscribe(after=after) as cursor:
        assert [Gap(after), *letters("ab"), END] == await rest(cursor)


@narrow
async def test_memory_is_bounded_and_nothing_is_lost(place):
    """What is older than two windows is folded: a joiner is told all of it, in few events."""
    epoch = place.written.begin()
    text = "abcdefghijklmnopqrstuvwxyz" * 4
    for letter in text:
        place.written.append(epoch, letters(letter))
    log = await place.read_where(len(text))
    place.written.append(epoch, [END])
    async with log.subscribe(policy=Coalesce(WINDOW)) as cursor:
        events = await rest(cursor)

    assert text == "".join(event.text for event in events[:-1])
    assert END == events[-1]
    assert len(events) <= 2 * WINDOW + 2


@narrow
async def test_an_id_inside_the_fold_is_a_gap(place):
    """What lies behind it is not kept piece by piece."""
    epoch = place.written.begin()
    for letter in "abcdefghijkl":
        place.written.append(epoch, letters(letter))
    log = await place.read_where(12)
    place.written.append(epoch, [END])
    async with log.subscribe(after="1-1", policy=Coalesce(WINDOW)) as cursor:
        gap, *events = await rest(cursor)

    assert Gap("1-1") == gap
    assert "abcdefghijkl" == "".join(event.text for event in events[:-1])


@narrow
async def test_what_was_taken_back_is_not_told_to_a_joiner(place):
    """The fold forgets it, with the retraction."""
    log = place.written
    log.append(log.begin(), letters("abcd"))
    epoch = log.begin()
    log.append(epoch, [Rerouted("truncated", 2), Retracted("text", 0), *letters("ABCDEFGHIJ"), END])
    async with (await place.read_where(17)).subscribe() as cursor:
        events = await rest(cursor)

    words, others = told(events)
    assert "ABCDEFGHIJ" in words.values()
    assert Retracted("text", 0) not in others


async def test_an_older_epoch_is_refused(place):
    """The attempt that was given up can write no more."""
    old, new = place.written.begin(), place.written.begin()
    assert not place.written.append(old, letters("a"))
    assert place.written.append(new, [*letters("b"), END])
    async with (await place.find()).subscribe() as cursor:
        assert [*letters("b"), END] == await rest(cursor)


async def test_the_terminal_is_the_last(place):
    """Nothing is written behind it; every reader ends."""
    epoch = place.written.begin()
    place.written.append(epoch, [END])
    assert not place.written.append(epoch, letters("a"))
    async with (await place.find()).subscribe() as cursor:
        assert [END] == await rest(cursor)
        assert [] == await rest(cursor)


async def test_a_log_that_was_given_up_ends_too(place):
    """Whatever broke, its readers are told."""
    place.written.append(place.written.begin(), letters("a"))
    place.written.give_up(ResponseFailed(ValueError("x"), Response()))
    async with (await place.find()).subscribe() as cursor:
        *others, end = await rest(cursor)

    assert (letters("a"), ResponseFailed) == (others, type(end))


async def test_heartbeats_come_out_of_the_silence(place):
    """They are the reader's own, and are in no log."""
    epoch = place.written.begin()
    place.written.append(epoch, letters("a"))
    log = await place.find()
    async with log.subscribe(heartbeat=0.02) as cursor:
        assert [*letters("a"), Heartbeat()] == await take(cursor, 2)
        place.written.append(epoch, [END])
        assert END == [event async for event in cursor][-1]


async def test_every_event_is_the_same_everywhere(place):
    """Whatever it holds."""
    events = [
        TextDelta("é\u2028\U0001f600\udc80", choice=1),
        ReasoningDelta("r"),
        ToolCallStarted(0, "call_1", "f"),
        ToolCallDelta(0, '{"a":'),
        Rerouted("stalled", 2),
        END,
    ]
    place.written.append(place.written.begin(), events)
    async with (await place.find()).subscribe() as cursor:
        assert events == await rest(cursor)


async def test_readers_are_counted_while_attached(place):
    """Here; who reads elsewhere is counted there."""
    place.written.append(place.written.begin(), letters("a"))
    log = await place.find()
    assert 0 == log.subscribers
    async with log.subscribe(), log.subscribe():
        assert 2 == log.subscribers
    assert 0 == log.subscribers
