"""`Runs` over Redis: what one server of many says where another one asked, or Redis is gone."""

from contextlib import asynccontextmanager

import anyio
import pytest

import streamkit
from streamkit.errors import MisuseError
from streamkit.events import ResponseCancelled, ResponseCompleted, TextDelta
from streamkit.logs import RedisLog
from streamkit.serving import Plain, Refusal, Runs
from streamkit.testing import FaultProvider, Hold, Reply, Until, answers

from .frames import parse, text
from .servers import until

pytestmark = [pytest.mark.anyio, pytest.mark.interop]


@pytest.fixture
def anyio_backend():
    """redis-py needs asyncio."""
    return "asyncio"


BODY = {"model": "m", "messages": []}
FIRST, *OTHERS = answers.text_stream("Hel", "lo")


@asynccontextmanager
async def place(redis, provider, **settings):
    """One server of many."""
    async with (
        RedisLog.from_url(redis.url, lease=0.6) as log,
        streamkit.Client(base_url=provider.url) as client,
        Runs(client, log, **settings) as runs,
    ):
        yield runs


@asynccontextmanager
async def two(redis, *steps, **settings):
    """Two servers of many, and the provider that both ask."""
    async with (
        FaultProvider(stream=Reply(*(steps or (FIRST, *OTHERS)))) as provider,
        place(redis, provider, **settings) as one,
        place(redis, provider, **settings) as other,
    ):
        yield one, other, provider


async def body(stream):
    """All that is served."""
    return b"".join([part async for part in await stream.open()])


async def test_a_run_of_elsewhere_is_a_run(redis):
    """It is iterated, its text is taken, and its answer waited for."""
    async with two(redis) as (one, other, _):
        run = await one.start(BODY)
        assert "Hello" == (await run.response()).text
        found = await other.get(run.id)
        assert run is not found
        assert (run.id, False) == (found.id, found.has_subscribers)
        assert ["Hel", "lo"] == [piece async for piece in found.text()]
        assert "Hello" == (await found.response()).text
        async with found.subscribe() as cursor:
            events = [event async for event in cursor]
        assert [TextDelta("Hel"), TextDelta("lo")] == [e for e in events if type(e) is TextDelta]
        assert ResponseCompleted is type(found.outcome)
        assert [] == [event async for event in found]


async def test_a_client_that_is_ahead_of_redis_gets_no_gap(redis):
    """It read an event where it was written, and comes back elsewhere before Redis has it."""
    more = anyio.Event()
    async with two(redis, FIRST, Until(more), *OTHERS) as (one, other, _):
        run = await one.start(BODY)
        found = None
        while found is None:
            found = await other.get(run.id)
        more.set()
        await run.response()
        async with run.subscribe() as cursor:
            ids = [cursor.id async for _ in cursor]
        served = await body(await other.watch(found, after=ids[-2]))
        (frame,), _ = parse(served)

    assert "response_completed" in frame.data
    assert ids[-1] == frame.id


async def test_a_run_of_elsewhere_is_joined_by_key_and_by_id(redis):
    """And refused to another request, and to who may not see it."""
    allowed = True
    async with two(redis, Hold(), authorize=lambda _scope, _run: allowed) as (one, other, asked):
        run = await one.start(BODY, key="k")
        for again in ({"key": "k"}, {"run_id": run.id}, {"key": "k", "run_id": "another"}):
            joined = await other.start(BODY, **again)
            assert run.id == joined.id
        with pytest.raises(Refusal, match="first used with") as refused:
            await other.start({**BODY, "n": 2}, key="k")
        assert 422 == refused.value.status
        allowed = False
        scope = {"type": "http", "headers": [], "query_string": b""}
        with pytest.raises(Refusal, match="may not") as refused:
            await other.start(BODY, key="k", scope=scope)
        assert 403 == refused.value.status
        allowed = True
        assert await other.cancel(run.id)
        assert ResponseCancelled is type(run.outcome)
        assert 1 == len(asked.requests)


async def test_a_key_whose_run_is_gone_is_refused(redis):
    """It was asked before, and nobody knows the answer any more: so it is not asked in secret."""
    async with two(redis) as (one, other, _):
        run = await one.start(BODY, key="k")
        await run.response()
        await until(lambda: not one.log._writer.live)
        for what in ("events", "about"):
            await redis.ask("DEL", f"streamkit:{{{run.id}}}:{what}")
        with pytest.raises(Refusal, match="not kept any more") as refused:
            await other.start(BODY, key="k")
        assert 409 == refused.value.status


async def test_a_run_that_cannot_start_frees_its_key(redis):
    """A request that is none of JSON is refused, and may be sent again mended."""
    async with two(redis) as (one, other, _):
        with pytest.raises(MisuseError):
            await one.start({"x": object()}, key="k")
        assert "Hello" == (await (await other.start(BODY, key="k")).response()).text


async def test_without_redis_an_answer_is_streamed_all_the_same(redis):
    """Where it is asked for; what may be elsewhere cannot be told, and that is said."""
    async with two(redis) as (one, other, _):
        redis.kill()
        run = await one.start(BODY, key="k")
        frames, _ = parse(await body(await one.watch(run)))
        assert "Hello" == text(frames)
        refusal = await other.watch(run.id)
        assert (Plain, 503) == (type(refusal), refusal.status)
        assert "retry-after" in refusal.headers
        with pytest.raises(Refusal, match="cannot be reached") as refused:
            await other.cancel(run.id)
        assert 503 == refused.value.status
        assert run is await one.start(BODY, key="k")


async def test_an_id_of_no_good_shape_is_not_looked_up(redis):
    """What a client sends never becomes a part of a key unseen."""
    async with two(redis) as (one, _, _):
        assert await one.get("a}b") is None
        assert await one.get("x" * 200) is None
