"""A reader that is stuck costs a window, however long the answer: its backlog is shared."""

import gc
import tracemalloc

import pytest

from streamkit.events import ResponseCancelled, TextDelta
from streamkit.logs import Coalesce, MemoryLog
from streamkit.response import Response

pytestmark = pytest.mark.anyio

WINDOW = 16
STUCK = 200


@pytest.fixture
def anyio_backend():
    """One backend: what is measured is no event loop's."""
    return "asyncio"


async def grown(events, stuck):
    """Bytes that so many stuck readers hold, once so many events have passed them by."""
    log = MemoryLog("run", window=WINDOW)
    epoch = log.begin()
    cursors = []
    for number in range(stuck):  # each at a place of its own
        log.append(epoch, [TextDelta(f"{number:6} ")])
        cursors.append(log.subscribe(policy=Coalesce(WINDOW)))
        await anext(cursors[-1])
    tracemalloc.start()
    for number in range(events):
        log.append(epoch, [TextDelta(f"{number:6} ")])
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    log.append(epoch, [ResponseCancelled(Response())])
    return held, cursors


async def test_its_memory_does_not_follow_the_length_of_the_answer():
    """Ten times the answer is ten times the answer, once: nothing of it for each of the readers."""
    short = (await grown(1_000, STUCK))[0] - (await grown(1_000, 1))[0]
    long = (await grown(10_000, STUCK))[0] - (await grown(10_000, 1))[0]

    # A reader with a fold of its own would hold 7 bytes more for each of 9,000 events.
    assert long - short < STUCK * 7 * 9_000 / 100


async def test_it_is_told_everything_all_the_same():
    """Each of them, from where it stands, and every piece once."""
    _, cursors = await grown(500, STUCK)
    said = "".join(f"{n:6} " for n in range(STUCK)) + "".join(f"{n:6} " for n in range(500))

    for number, cursor in enumerate(cursors):
        texts = [event.text async for event in cursor if isinstance(event, TextDelta)]
        assert said.endswith("".join(texts)), number
        assert 7 * 500 <= len("".join(texts)), number


async def test_those_who_left_hold_nothing():
    """Pages are kept by who has still to read them, and by nobody else."""
    _, cursors = await grown(10_000, 2)
    page = cursors[0]._backlog.page
    assert page.next is not None
    for cursor in cursors:
        await cursor.aclose()

    assert not any(cursor.backed_up for cursor in cursors)
