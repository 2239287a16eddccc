"""Many processes, one Redis, one truth: whoever is killed, stopped, or has the wrong time."""

import anyio
import pytest

from streamkit.errors import ProducerLost
from streamkit.events import ResponseCancelled, ResponseCompleted, ResponseFailed, TextDelta
from streamkit.testing import FaultProvider, Hold, Reply, Until, answers

from ...serving.servers import until
from .nodes import node

pytestmark = [pytest.mark.anyio, pytest.mark.interop, pytest.mark.timeout(120)]

LEASE = 0.9
WORDS = [f"{number} " for number in range(40)]
FIRST, *OTHERS = answers.text_stream(*WORDS)
HALF = len(WORDS) // 2


def text(events):
    """What the deltas say."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def rest(events):
    """Everything to the end, within what any of it may take."""
    with anyio.fail_after(15):
        return [event async for event in events]


@pytest.fixture
def more():
    """Set it, and the provider says the second half."""
    return anyio.Event()


@pytest.fixture
async def provider(more):
    """One that says half of the answer, and the rest when it is told to."""
    steps = [FIRST, *OTHERS[:HALF], Until(more), *OTHERS[HALF:]]
    async with FaultProvider(stream=Reply(*steps), buffered=Reply(Hold())) as provider:
        yield provider


@pytest.mark.parametrize("skew", [0.0, 86_400.0, -86_400.0], ids=["", "a day ahead", "a day late"])
async def test_a_watcher_elsewhere_joins_leaves_and_resumes(redis, provider, more, skew):
    """Two processes, whatever their clocks say: no event is lost, and none comes twice."""
    async with (
        node(redis.url, provider.url, lease=LEASE, skew=skew) as one,
        node(redis.url, provider.url, lease=LEASE) as two,
    ):
        run_id = await one.post()
        async with two.follow(run_id) as events:
            seen = [await anext(events) for _ in range(HALF // 2)]
            stands = events.last_event_id
        async with one.follow(run_id, stands) as events:
            seen += [await anext(events) for _ in range(2)]
            stands = events.last_event_id
        more.set()
        async with two.follow(run_id, stands) as events:
            seen += await rest(events)
        async with two.follow(run_id) as events:
            again = await rest(events)

    assert "".join(WORDS) == text(seen) == text(again)
    assert [ResponseCompleted] == [type(event) for event in seen if event.terminal]
    assert "".join(WORDS) == seen[-1].response.text
    assert 1 == len(provider.requests)


async def test_a_producer_that_is_killed_leaves_a_truthful_end(redis, provider):
    """After its lease every watcher, here and there, is told the same, and what there was of it."""
    async with (
        node(redis.url, provider.url, lease=LEASE) as one,
        node(redis.url, provider.url, lease=LEASE) as two,
        node(redis.url, provider.url, lease=LEASE) as three,
    ):
        run_id = await one.post()
        async with two.follow(run_id) as here, three.follow(run_id) as there:
            seen = [await anext(here) for _ in range(HALF // 2)]
            began = anyio.current_time()
            one.kill()
            seen += await rest(here)
            took = anyio.current_time() - began
            assert text(seen) == text(await rest(there))
        async with three.follow(run_id) as late:
            told = await rest(late)

    end = seen[-1]
    assert (ResponseFailed, ProducerLost) == (type(end), type(end.error))
    assert "".join(WORDS).startswith(text(seen))
    assert text(seen) == end.response.text == text(told)
    assert end.response == told[-1].response
    assert took < 4 * LEASE


async def test_a_producer_that_was_stopped_is_fenced(redis, provider, more):
    """It goes on once its run was ended elsewhere: it can write nothing, and stops by itself."""
    async with (
        node(redis.url, provider.url, lease=LEASE) as one,
        node(redis.url, provider.url, lease=LEASE) as two,
    ):
        run_id = await one.post()
        async with two.follow(run_id) as events:
            await anext(events)
            one.pause()
            seen = await rest(events)
            assert ProducerLost is type(seen[-1].error)
            one.resume()
        await until(lambda: provider.connections == 0)
        more.set()
        for place in (one, two):
            async with place.follow(run_id) as events:
                told = await rest(events)
            assert text(seen) == text(told)
            assert seen[-1].response == told[-1].response


async def test_a_run_is_cancelled_from_either(redis, provider):
    """By who does not ask the provider, too; its connection is closed."""
    async with (
        node(redis.url, provider.url) as one,
        node(redis.url, provider.url) as two,
    ):
        for place in (two, one):
            run_id = await one.post()
            async with two.follow(run_id) as events:
                await anext(events)
                assert await place.cancel(run_id)
                assert ResponseCancelled is type((await rest(events))[-1])
            await until(lambda: provider.connections == 0)
            assert not await place.cancel(run_id)


async def test_one_key_is_one_upstream_call(redis, provider, more):
    """Two processes that are asked the same at once answer with the same run."""
    async with (
        node(redis.url, provider.url) as one,
        node(redis.url, provider.url) as two,
    ):
        ids = []

        async def ask(place):
            ids.append(await place.post(key="the same"))

        async with anyio.create_task_group() as tasks:
            for place in (one, two, one, two):
                tasks.start_soon(ask, place)
        assert 1 == len(set(ids))
        other = await two.http.post(
            two.url, json={"temperature": 1}, headers={"idempotency-key": "the same"}
        )
        assert 422 == other.status_code
        more.set()
        async with two.follow(ids[0]) as events:
            assert "".join(WORDS) == text(await rest(events))

    assert 1 == len(provider.requests)


async def test_who_watches_elsewhere_keeps_a_run_going(redis, provider, more):
    """It outlives its grace where its client came back to another process."""
    async with (
        node(redis.url, provider.url, grace=0.5, lease=LEASE) as one,
        node(redis.url, provider.url, grace=0.5, lease=LEASE) as two,
    ):
        run_id = await one.post()
        async with two.follow(run_id) as events:
            seen = [await anext(events)]
            await anyio.sleep(1.5)  # three times the grace: that much silence is the point
            more.set()
            seen += await rest(events)

    assert "".join(WORDS) == text(seen)


async def test_who_leaves_elsewhere_ends_it_after_its_grace(redis, provider):
    """As if it had left here."""
    async with (
        node(redis.url, provider.url, grace=0.2) as one,
        node(redis.url, provider.url, grace=0.2) as two,
    ):
        run_id = await one.post()
        async with two.follow(run_id) as events:
            await anext(events)
        await until(lambda: provider.connections == 0)
        async with one.follow(run_id) as events:
            assert ResponseCancelled is type((await rest(events))[-1])


async def test_a_server_that_dies_counts_no_more(redis, provider):
    """Nobody is left who watches: the run is cancelled where it is asked for."""
    async with (
        node(redis.url, provider.url, grace=0.2, lease=LEASE) as one,
        node(redis.url, provider.url, grace=0.2, lease=LEASE) as two,
    ):
        run_id = await one.post()
        async with two.follow(run_id) as events, two.follow(run_id) as more:
            await anext(events)
            await anext(more)
            two.kill()
            await until(lambda: provider.connections == 0, patience=15)
        async with one.follow(run_id) as events:
            assert ResponseCancelled is type((await rest(events))[-1])


async def test_nobody_knows_an_id_that_was_never_given(redis, provider):
    """Neither to watch nor to cancel."""
    async with node(redis.url, provider.url) as one:
        async with one.follow("nothing") as events:
            (end,) = await rest(events)
        assert ProducerLost is type(end.error)
        assert 404 == (await one.http.delete(f"{one.url}/nothing")).status_code
