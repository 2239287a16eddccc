"""Redis gone, back, empty, full or paused: who watches where it is written never notices."""

import logging
from contextlib import asynccontextmanager

import anyio
import pytest

from streamkit.errors import LogError, ProducerLost
from streamkit.events import Gap, ResponseCompleted, ResponseFailed, TextDelta, Unknown
from streamkit.logs import Coalesce, RedisLog
from streamkit.response import Response

from ...redis_server import Server
from ...serving.servers import until
from ..readers import END, letters, rest, take

pytestmark = [pytest.mark.anyio, pytest.mark.interop]

LEASE = 0.6
SOON = 10.0
WARNING = logging.WARNING


@asynccontextmanager
async def two(redis, **settings):
    """The logs of two processes, as far as Redis can tell."""
    settings = {"lease": LEASE, **settings}
    async with (
        RedisLog.from_url(redis.url, **settings) as one,
        RedisLog.from_url(redis.url, **settings) as other,
    ):
        yield one, other


async def found(log, run_id="run"):
    """The run, once Redis has it."""
    with anyio.fail_after(SOON):
        while True:
            try:
                if (mirror := await log.find(run_id)) is not None:
                    return mirror
            except LogError:
                pass
            await anyio.sleep(0.01)


async def text_of(events):
    """What the deltas say, to the end."""
    with anyio.fail_after(SOON):
        return "".join([event.text async for event in events if isinstance(event, TextDelta)])


async def arrived(mirror, count):
    """Wait until so many events are there."""
    with anyio.fail_after(SOON):
        async with mirror.subscribe() as cursor:
            while mirror.head < count:
                await anext(cursor)


def written(log, *texts, end=False):
    """Append to the run, as one attempt."""
    log.append(log._epoch or log.begin(), [*letters("".join(texts)), *([END] if end else [])])


async def test_a_restart_loses_nothing(redis):
    """Redis comes back empty: what it had is written again, under the ids it had."""
    async with two(redis) as (one, other):
        log = one("run")
        written(log, "abc")
        mirror = await found(other)
        async with mirror.subscribe() as far, log.subscribe() as near:
            assert letters("abc") == await take(far, 3)
            redis.kill()
            await until(lambda: one.state == other.state == "unreachable")
            written(log, "def")
            assert letters("abcdef") == await take(near, 6)
            await redis.start()
            written(log, "g", end=True)
            assert [*letters("defg"), END] == await rest(far)
            assert "1-8" == far.id
        await until(lambda: one.state == other.state == "connected")
        assert (None, None) == (one.error, other.error)
        async with (await found(other)).subscribe() as late:
            assert [*letters("abcdefg"), END] == await rest(late)


async def test_what_ended_while_redis_was_gone_is_there_when_it_is_back(redis):
    """The answer completes where it is asked for, and is told elsewhere later."""
    async with two(redis) as (one, other):
        redis.kill()
        log = one("run")
        written(log, "abc", end=True)
        async with log.subscribe() as near:
            assert [*letters("abc"), END] == await rest(near)
        await until(lambda: one.state == "unreachable")
        await redis.start()
        async with (await found(other)).subscribe() as far:
            assert [*letters("abc"), END] == await rest(far)


async def test_a_lost_tail_is_written_again(redis):
    """Redis comes back with what it had saved a while ago; nobody reads anything twice."""
    async with two(redis) as (one, other):
        log = one("run")
        written(log, "abc")
        mirror = await found(other)
        await arrived(mirror, 3)
        await redis.ask("SAVE")
        written(log, "def")
        async with mirror.subscribe() as far:
            assert letters("abcdef") == await take(far, 6)
            redis.kill()
            await redis.start()
            written(log, "g", end=True)
            assert [*letters("g"), END] == await rest(far)
        async with (await found(other)).subscribe() as late:
            assert [*letters("abcdefg"), END] == await rest(late)


async def test_what_was_folded_meanwhile_is_a_gap(redis):
    """An outage longer than the window: a watcher elsewhere is told so, and all of the answer."""
    async with two(redis, window=4) as (one, other):
        log = one("run")
        written(log, "ab")
        mirror = await found(other)
        async with mirror.subscribe(policy=Coalesce(4)) as far:
            assert letters("ab") == await take(far, 2)
            redis.kill()
            for letter in "cdefghijklmnop":
                written(log, letter)
            await redis.start()
            written(log, "", end=True)
            gap, *events = await rest(far)

    assert Gap("1-2") == gap
    assert "abcdefghijklmnop" == "".join(event.text for event in events[:-1])


async def test_a_full_redis_is_told_and_the_answer_completes(redis, caplog):
    """Where it is asked for; elsewhere the rest comes once there is room again."""
    caplog.set_level(WARNING, "streamkit")
    async with two(redis) as (one, other):
        log = one("run")
        written(log, "abc")
        mirror = await found(other)
        async with mirror.subscribe() as far, log.subscribe() as near:
            assert letters("abc") == await take(far, 3)
            await redis.ask("CONFIG", "SET", "maxmemory", "1kb")
            written(log, "def", end=True)
            assert [*letters("abcdef"), END] == await rest(near)
            await until(lambda: one.state == "full")
            assert "OutOfMemoryError" in str(one.error)
            assert "raise its maxmemory" in str(one.error)
            with anyio.move_on_after(2 * LEASE):  # its lease is renewed all the same
                await anext(far)
                raise AssertionError("nothing can have been written")
            await redis.ask("CONFIG", "SET", "maxmemory", "0")
            assert [*letters("def"), END] == await rest(far)
        await until(lambda: one.state == "connected")
    assert 1 == sum("state=full" in message for message in caplog.messages)
    assert "text_delta" not in caplog.text, "what failed quotes an answer"


@pytest.mark.parametrize("key", ["events", "lease", "fold"])
async def test_what_was_evicted_is_written_again(redis, key):
    """Redis may throw any key away; the writer sees that, and nobody counts as gone."""
    async with two(redis, window=4) as (one, other):
        log = one("run")
        for letter in "abcdefghijkl":
            written(log, letter)
        mirror = await found(other)
        await arrived(mirror, 12)
        async with mirror.subscribe(after="1-12", policy=Coalesce(4)) as far:
            assert 1 == await redis.ask("DEL", f"streamkit:{{run}}:{key}")
            await anyio.sleep(2 * LEASE)  # longer than its lease: it is not taken for gone
            written(log, "m")
            assert letters("m") == await take(far, 1)
            written(log, "n", end=True)
            assert [*letters("n"), END] == await rest(far)
        if key != "fold":
            async with (await found(other)).subscribe(policy=Coalesce(4)) as late:
                assert "abcdefghijklmn" == await text_of(late)


async def test_a_beginning_that_is_gone_is_a_gap(redis):
    """The fold was evicted once the run was over: who joins is told that something is missing."""
    async with two(redis, window=4) as (one, other):
        log = one("run")
        for letter in "abcdefghijkl":
            written(log, letter)
        written(log, "", end=True)
        await until(lambda: not one._writer.live)
        await redis.ask("DEL", "streamkit:{run}:fold")
        async with (await found(other)).subscribe() as late:
            first, *others = await rest(late)

    assert isinstance(first, Gap)
    assert "abcdefghijkl".endswith("".join(event.text for event in others[:-1]))
    assert END == others[-1]


async def test_a_redis_that_hangs_is_left_and_found_again(redis):
    """It answers nothing, and its connections stand: a time limit tells."""
    async with two(redis, lease=LEASE) as (one, other):
        log = one("run")
        written(log, "abc")
        mirror = await found(other)
        async with mirror.subscribe() as far, log.subscribe() as near:
            assert letters("abc") == await take(far, 3)
            redis.pause()
            try:
                written(log, "def")
                assert letters("abcdef") == await take(near, 6)
                await until(lambda: one.state == "unreachable", patience=SOON)
                with pytest.raises(LogError):
                    await other.find("another")
            finally:
                redis.resume()
            written(log, "", end=True)
            assert [*letters("def"), END] == await rest(far)


async def test_after_all_that_is_kept_a_watcher_elsewhere_is_let_go(redis):
    """Redis is away for longer than it keeps anything: what became of the run nobody knows."""
    async with two(redis, keep=0.5) as (one, other):
        written(one("run"), "abc")
        mirror = await found(other)
        async with mirror.subscribe() as far:
            assert letters("abc") == await take(far, 3)
            redis.kill()
            with anyio.fail_after(SOON):
                (end,) = await rest(far)

    assert (ResponseFailed, LogError) == (type(end), type(end.error))


async def test_a_log_that_is_closed_early_says_so(redis, caplog):
    """Its runs go on where they are; elsewhere their writer is gone, at once."""
    caplog.set_level(WARNING, "streamkit")
    async with RedisLog.from_url(redis.url, lease=60) as other:
        async with RedisLog.from_url(redis.url, lease=60) as one:
            log = one("run")
            written(log, "abc")
            mirror = await found(other)
        async with mirror.subscribe() as far:
            *events, end = await rest(far)
        written(log, "def")
        async with log.subscribe() as near:
            assert letters("abcdef") == await take(near, 6)

    assert letters("abc") == events
    assert ProducerLost is type(end.error)
    assert "closed before a run of it ended" in caplog.text


async def test_another_process_writes_a_run_of_this_id(redis, caplog):
    """The first one has it; the second goes on by itself, and says so."""
    caplog.set_level(WARNING, "streamkit")
    async with two(redis) as (one, other):
        first = one("run")
        written(first, "abc")
        await found(other)
        second = other("run")
        written(second, "xyz", end=True)
        await until(lambda: "another process writes a run of this id" in caplog.text)
        written(first, "d", end=True)
        async with second.subscribe() as near, (await found(one)).subscribe() as far:
            assert [*letters("xyz"), END] == await rest(near)
            assert [*letters("abcd"), END] == await rest(far)


async def test_who_comes_back_is_told_what_came_meanwhile(redis):
    """A run that nobody watches is not read; who watches again misses nothing."""
    async with two(redis, window=4) as (one, other):
        log = one("run")
        written(log, "ab")
        mirror = await found(other)
        async with mirror.subscribe() as far:
            assert letters("ab") == await take(far, 2)
        await until(lambda: not other._mirrors.follow.__self__._followed)
        for letter in "cdefghijklmnop":
            written(log, letter)
        written(log, "", end=True)
        await until(lambda: not one._writer.live)
        async with mirror.subscribe(after="1-2", policy=Coalesce(4)) as far:
            events = await rest(far)

    assert Gap("1-2") in events
    assert "abcdefghijklmnop" == "".join(e.text for e in events if isinstance(e, TextDelta))


async def test_one_connection_reads_for_all(redis):
    """However many runs are watched, by however many."""
    async with two(redis, lease=15.0) as (one, other):
        logs = [one(f"run-{number}") for number in range(50)]
        for log in logs:
            written(log, "a")
        mirrors = [await found(other, log.run_id) for log in logs]
        cursors = [mirror.subscribe() for mirror in mirrors for _ in range(3)]
        for cursor in cursors:
            assert letters("a") == await take(cursor, 1)
        clients = (await redis.ask("CLIENT", "LIST")).decode().splitlines()
        waiting = [client for client in clients if "cmd=xread " in client]
        for log in logs:
            written(log, "b", end=True)
        for cursor in cursors:
            assert [*letters("b"), END] == await rest(cursor)

    assert len(waiting) <= 2, waiting


async def test_everything_expires(redis):
    """Nothing stays for ever: neither what has ended, nor what its writer left behind."""
    async with two(redis, keep=60.0) as (one, other):
        await one.claim("run", "key", b"digest")
        ended, left = one("run"), one("left")
        written(ended, "abc", end=True)
        written(left, "abc")
        await found(other, "left")
        await (await found(other, "left")).reach("1-3", 1.0)
        await until(lambda: "run" not in one._writer.live)
        keys = await redis.ask("KEYS", "*")
        assert 6 <= len(keys)
        for key in keys:
            assert 0 < await redis.ask("PTTL", key) <= 60_000, key


async def test_what_is_no_json_is_told_as_far_as_it_goes(redis):
    """Its own process has all of it; elsewhere it stands for itself."""
    async with two(redis) as (one, other):
        log = one("run")
        bad = ResponseCompleted(Response(raw={"x": object()}), "done_marker")
        log.append(log.begin(), [Unknown(object()), bad])
        async with (await found(other)).subscribe() as far:
            first, end = await rest(far)

    assert Unknown("Unknown") == first
    assert (ResponseFailed, LogError) == (type(end), type(end.error))


@pytest.mark.parametrize("url", ["redis://:{}@127.0.0.1:{}/0", "redis://u:{}@127.0.0.1:{}/0"])
async def test_a_password_is_never_told(redis, caplog, url):
    """Neither in a log, nor in an error, nor where the log is shown."""
    caplog.set_level(logging.DEBUG)
    secret = "hunter2hunter2"  # noqa: S105
    await redis.ask("CONFIG", "SET", "requirepass", "another")
    log = RedisLog.from_url(url.format(secret, redis.port), lease=LEASE)
    async with log:
        written(log("run"), "abc")
        await until(lambda: log.state == "unreachable")
        with pytest.raises(LogError) as raised:
            await log.find("run")
        shown = f"{log!r} {log.error} {raised.value} {raised.value.__cause__!r} {caplog.text}"

    assert secret not in shown
    assert "AuthenticationError" in shown


async def test_with_its_password_it_is_used(redis):
    """From the URL, where it is quoted."""
    await redis.ask("CONFIG", "SET", "requirepass", "a/b:c")
    url = f"redis://:a%2Fb%3Ac@127.0.0.1:{redis.port}/0"
    async with RedisLog.from_url(url) as one, RedisLog.from_url(url) as other:
        written(one("run"), "abc", end=True)
        async with (await found(other)).subscribe() as far:
            assert [*letters("abc"), END] == await rest(far)


async def test_keys_begin_with_the_prefix(redis):
    """Two applications may share one Redis; what is of one run shares a slot of a cluster."""
    async with (
        RedisLog.from_url(redis.url, prefix="mine:") as mine,
        RedisLog.from_url(redis.url, prefix="yours:") as yours,
    ):
        written(mine("run"), "abc")
        await found(mine)
        assert await yours.find("run") is None
        keys = {key.decode() for key in await redis.ask("KEYS", "*")}

    assert {"mine:{run}:events", "mine:{run}:lease"} <= keys
    assert all(key.startswith(("mine:", "yours:inbox:")) for key in keys)


async def test_over_a_socket_of_the_host(redis, tmp_path):
    """``unix://`` works as any other."""
    redis.kill()
    other = Server(tmp_path)
    path = tmp_path / "redis.sock"
    await other.start("--unixsocket", str(path))
    try:
        async with RedisLog.from_url(f"unix://{path}") as log:
            written(log("run"), "abc", end=True)
            async with (await found(log)).subscribe() as far:
                assert [*letters("abc"), END] == await rest(far)
    finally:
        other.kill()


async def test_a_redis_that_evicts_is_told_of(redis, caplog):
    """Before anything is lost."""
    caplog.set_level(WARNING, "streamkit")
    await redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    async with RedisLog.from_url(redis.url):
        await anyio.sleep(0.05)
        assert "evict" not in caplog.text
    await redis.ask("CONFIG", "SET", "maxmemory", "100mb")
    async with RedisLog.from_url(redis.url):
        await until(lambda: "Redis may evict runs" in caplog.text)
    assert "policy=allkeys-lru" in caplog.text


async def test_runs_survive_real_eviction(redis):
    """Under memory pressure Redis throws keys away; a live run is written again, and ends well."""
    await redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
    async with two(redis, lease=15.0) as (one, other):
        log = one("run")
        written(log, "abc")
        mirror = await found(other)
        async with mirror.subscribe() as far:
            assert letters("abc") == await take(far, 3)
            await redis.ask("CONFIG", "SET", "maxmemory", "2mb")
            for number in range(300):
                await redis.ask("SET", f"filler-{number}", "x" * 16_384)
            assert 0 < (await redis.ask("INFO", "stats"))["evicted_keys"]
            await redis.ask("CONFIG", "SET", "maxmemory", "0")
            written(log, "def", end=True)
            assert [*letters("def"), END] == await rest(far)
