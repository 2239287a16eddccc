"""What is made of chunks that came without waiting is handed over before somebody waits."""

from contextlib import aclosing
from types import coroutine

import anyio
import pytest

from streamkit.framing import read_frames
from streamkit.framing.waiting import telling

pytestmark = pytest.mark.anyio

BOUNDS = {"max_frame_bytes": 1000, "max_response_bytes": 100_000}


class Taker:
    """Takes batches, and notes how it was given each."""

    def __init__(self, after=None):
        self.given = []
        self.after = after

    async def __call__(self, frames):
        self.given.append(("awaited", [frame.data for frame in frames]))

    def nowait(self, frames):
        self.given.append(("at once", [frame.data for frame in frames]))
        return self.after


async def body(*steps):
    """Bytes come without waiting; an event is waited for."""
    for step in steps:
        if isinstance(step, bytes):
            yield step
        elif isinstance(step, Exception):
            raise step
        else:
            await step()


async def read(steps, taker):
    """Read it all."""
    async with aclosing(body(*steps)) as source:
        return await read_frames(source, taker, content_type="text/event-stream", **BOUNDS)


async def test_chunks_that_come_without_waiting_are_one_batch():
    """It is handed over right before the wait; the rest at the end."""
    taker = Taker()
    frames = [b"data: %d\n\n" % number for number in range(5)]
    await read([*frames[:3], anyio.lowlevel.checkpoint, *frames[3:]], taker)

    assert [("at once", ["0", "1", "2"]), ("awaited", ["3", "4"])] == taker.given


async def test_nobody_waits_with_a_frame_in_hand():
    """What has come is there before the task gives way."""
    taker = Taker()
    seen = []

    @coroutine
    def wait():
        seen.append(list(taker.given))
        yield from anyio.lowlevel.checkpoint().__await__()
        seen.append(list(taker.given))

    await read([b"data: 0\n\n", b"data: 1\n\n", wait], taker)

    before, after = seen
    assert [] == before
    assert [("at once", ["0", "1"])] == after


async def test_what_must_be_awaited_is_awaited_before_the_next_chunk():
    """So a slow reader holds the provider up by one read at most."""
    order = []

    async def after():
        order.append("room")

    taker = Taker(after)
    await read([b"data: 0\n\n", b"data: 1\n\n", anyio.lowlevel.checkpoint, b"data: 2\n\n"], taker)

    assert ["room"] == order


async def test_what_is_awaited_may_end_the_reading():
    """As an emit that raises does."""

    async def after():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await read([b"data: 0\n\n", b"data: 1\n\n", anyio.lowlevel.checkpoint, b"x"], Taker(after))


async def test_a_body_that_breaks_without_a_wait_loses_nothing():
    """The frames before the fault are handed over first."""
    taker = Taker()
    with pytest.raises(ZeroDivisionError):
        await read([b"data: 0\n\n", b"data: 1\n\n", ZeroDivisionError()], taker)

    assert [["0", "1"]] == [data for _, data in taker.given]


async def test_a_body_that_never_waits_is_handed_over_in_bounded_batches():
    """A batch has a bound, too."""
    taker = Taker()
    await read([b"data: 0\n\n"] * 3000, taker)

    assert 3000 == sum(len(data) for _, data in taker.given)
    assert max(len(data) for _, data in taker.given) <= 1024


async def test_cancellation_reaches_the_read():
    """A read that waits is cancelled where it waits."""
    cancelled = []

    async def wait():
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            cancelled.append(True)
            raise

    with anyio.CancelScope() as scope:
        await telling(wait(), scope.cancel)

    assert [True] == cancelled
    assert scope.cancelled_caught


async def test_it_tells_of_each_wait_and_gives_what_was_awaited():
    """As ``await`` gives it; without a wait nothing is told."""
    waits = []

    async def waiting(times):
        for _ in range(times):
            await anyio.lowlevel.checkpoint()
        return times

    async def failing():
        await anyio.lowlevel.checkpoint()
        raise ZeroDivisionError

    assert 0 == await telling(waiting(0), lambda: waits.append(True))
    assert [] == waits
    assert 3 == await telling(waiting(3), lambda: waits.append(True))
    assert len(waits) >= 3  # a checkpoint of trio's may be more than one
    with pytest.raises(ZeroDivisionError):
        await telling(failing(), lambda: None)


async def test_an_answer_to_a_wait_arrives():
    """What the event loop sends in is what was waited for."""

    @coroutine
    def ask():
        return (yield "what?")

    async def asking():
        return [await ask(), await ask()]

    waiting = telling(asking(), lambda: None)
    assert "what?" == waiting.send(None)
    assert "what?" == waiting.send(1)
    with pytest.raises(StopIteration) as given:
        waiting.send(2)

    assert [1, 2] == given.value.value


async def test_what_is_given_up_is_closed():
    """Whoever closes the waiting coroutine closes what waits in it."""
    left = []

    @coroutine
    def wait():
        try:
            yield "a wait of no event loop"
        finally:
            left.append(True)

    async def waiting():
        await wait()

    told = telling(waiting(), lambda: None)
    assert "a wait of no event loop" == told.send(None)
    told.close()

    assert [True] == left


async def test_an_end_that_was_waited_for_is_an_end():
    """What came before it was handed over before the wait."""
    taker = Taker()
    await read([b"data: 0\n\n", anyio.lowlevel.checkpoint], taker)

    assert [("at once", ["0"])] == taker.given


async def test_an_interrupt_in_the_hand_over_is_raised_behind_the_wait():
    """The read is under way: nothing may break it but a cancellation."""
    waited = []

    class Interrupted(BaseException):
        pass

    class Breaks(Taker):
        def nowait(self, frames):
            raise Interrupted

    async def wait():
        await anyio.lowlevel.checkpoint()
        waited.append(True)

    with pytest.raises(Interrupted):
        await read([b"data: 0\n\n", wait, b"data: 1\n\n"], Breaks())

    assert [True] == waited
