"""
What watching costs: ``python -m benchmarks.watchers [--check]``.

One run and a thousand subscribers, against as many tasks that wait for a bare
`anyio.Event`; what a stuck subscriber costs the rest, and in memory; and a
hundred live runs over a private redis-server, against one ``XADD`` for each
event. Processor time, runs interleaved, medians; ratios are of one run.
"""

# ruff: noqa: SLF001, ASYNC110 (it looks into a log to know when a round is over)

import argparse
import gc
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc

import anyio
import anyio.lowlevel

from streamkit.events import ResponseCancelled, TextDelta
from streamkit.logs import Coalesce, MemoryLog
from streamkit.response import Response

WATCHERS, EVENTS, RUNS = 1_000, 60, 7
"""Subscribers; events that each is given; how often each is measured (counts)."""
LIVE, EACH = 100, 200
"""Runs over Redis that are live at once; events of each (counts)."""
LENGTHS = (10_000, 100_000)
"""Events of a short answer and of a long one (counts)."""
STUCK = 500
"""Subscribers that are stuck while memory is measured (a count)."""

WAKE, HELD, GROWTH, REDIS = 4.0, 1.25, 64, 5.0
"""At most: times a bare wake-up; times what it costs without a stuck one; bytes a subscriber
that follow the answer's length. At least: times the events of one XADD for each."""

END = ResponseCancelled(Response())


async def bare():
    """Tasks that wait for an event each, as long as there is one more."""
    waiting = set()

    async def reader():
        for _ in range(EVENTS):
            event = anyio.Event()
            waiting.add(event)
            await event.wait()

    async with anyio.create_task_group() as tasks:
        for _ in range(WATCHERS):
            tasks.start_soon(reader)
        while len(waiting) < WATCHERS:
            await anyio.lowlevel.checkpoint()
        began = time.process_time()
        for number in range(EVENTS):
            woken = list(waiting)
            waiting.clear()
            for event in woken:
                event.set()
            while number < EVENTS - 1 and len(waiting) < WATCHERS:
                await anyio.lowlevel.checkpoint()
    return time.process_time() - began


async def watched(heartbeat=None, stuck=0):
    """A run's subscribers, each of which reads all of it; *stuck* ones read nothing."""
    log = MemoryLog("run", window=16)
    epoch = log.begin()
    held = [log.subscribe(policy=Coalesce(16)) for _ in range(stuck)]

    async def reader():
        async with log.subscribe(policy=Coalesce(16), heartbeat=heartbeat) as cursor:
            async for _ in cursor:
                pass

    async with anyio.create_task_group() as tasks:
        for _ in range(WATCHERS):
            tasks.start_soon(reader)
        while len(log._waiting) < WATCHERS:
            await anyio.lowlevel.checkpoint()
        began = time.process_time()
        for number in range(EVENTS):
            log.append(epoch, [TextDelta("abc ")] if number < EVENTS - 1 else [END])
            while number < EVENTS - 1 and len(log._waiting) < WATCHERS:
                await anyio.lowlevel.checkpoint()
    del held
    return time.process_time() - began


def stuck_bytes(events, stuck):
    """What so many stuck subscribers hold, once so many events went by (bytes)."""
    log = MemoryLog("run")
    epoch = log.begin()
    log.append(epoch, [TextDelta("abc ")])
    cursors = [log.subscribe() for _ in range(stuck)]
    gc.collect()
    tracemalloc.start()
    for _ in range(events):
        log.append(epoch, [TextDelta("abc ")])
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del cursors
    return held


async def one_by_one(url, run):
    """Events of all runs, each with an XADD of its own: how many a second."""
    from redis.asyncio import Redis

    from streamkit.logs.redis.entry import pack

    async with Redis.from_url(url) as redis:

        async def produce(number):
            for seq in range(1, EACH + 1):
                await redis.xadd(
                    f"plain:{run}:{number}", {"e": pack(TextDelta("abc "))}, f"1-{seq}"
                )

        began = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for number in range(LIVE):
                tasks.start_soon(produce, number)
        return LIVE * EACH / (time.perf_counter() - began)


async def by_the_log(url, run):
    """The same events appended to as many logs, until Redis has them all: how many a second."""
    from streamkit.logs import RedisLog

    async with RedisLog.from_url(url) as shared:
        logs = [shared(f"{run}-{number}") for number in range(LIVE)]
        epochs = [log.begin() for log in logs]
        await shared._writer.flush()
        began = time.perf_counter()
        for _ in range(EACH):
            for log, epoch in zip(logs, epochs, strict=True):
                log.append(epoch, [TextDelta("abc ")])
            await anyio.lowlevel.checkpoint()
        while any(log.there < log.head for log in logs):
            await anyio.sleep(0.001)
        took = time.perf_counter() - began
        for log, epoch in zip(logs, epochs, strict=True):
            log.append(epoch, [END])
    return LIVE * EACH / took


def private_redis(folder):
    """Start a redis-server on loopback; gives the process and its URL."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    where = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
    process = subprocess.Popen(
        [shutil.which("redis-server"), *where, "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port), 0.1).close()
        except OSError:
            time.sleep(0.01)
        else:
            break
    return process, f"redis://127.0.0.1:{port}/0"


def medians(**measures):
    """Measure each in turn, so many times, after one warm-up; gives medians and the raw figures."""
    figures = {name: [] for name in measures}
    for run in range(RUNS + 1):
        for name, measure in measures.items():
            figure = anyio.run(measure, run) if name.startswith("redis") else anyio.run(measure)
            if run:
                figures[name].append(figure)
    return {name: statistics.median(each) for name, each in figures.items()}, figures


def ratio(figures, over, under):
    """The median of the ratios of runs that stood next to each other."""
    return statistics.median(a / b for a, b in zip(figures[over], figures[under], strict=True))


def in_process():
    """What subscribers of one run cost; gives each bar: what, figure, bound, whether it holds."""
    from functools import partial

    middle, figures = medians(
        bare=bare,
        cursors=watched,
        heartbeats=partial(watched, 15.0),
        beside=partial(watched, None, 1),
    )
    per = 1e6 / WATCHERS / EVENTS
    print(f"a bare event wakes a task: {middle['bare'] * per:.2f} us")
    for name, said in (("cursors", "a cursor"), ("heartbeats", "a cursor with heartbeats")):
        times = ratio(figures, name, "bare")
        print(f"{said} is given an event: {middle[name] * per:.2f} us")
        yield f"{said}, times a bare wake-up", times, WAKE, times <= WAKE
    times = ratio(figures, "beside", "cursors")
    yield "beside one that is stuck, times without it", times, HELD, times <= HELD
    short, long = (
        (stuck_bytes(events, STUCK) - stuck_bytes(events, 1)) / (STUCK - 1) for events in LENGTHS
    )
    print(f"a stuck subscriber holds {short:.0f} bytes after {LENGTHS[0]:,} events")
    yield f"bytes more after {LENGTHS[1]:,}", long - short, GROWTH, long - short <= GROWTH


def over_redis():
    """What a hundred live runs cost over Redis."""
    from functools import partial

    with tempfile.TemporaryDirectory() as folder:
        process, url = private_redis(folder)
        try:
            middle, figures = medians(
                redis_each=partial(one_by_one, url), redis_log=partial(by_the_log, url)
            )
        finally:
            process.kill()
            process.wait()
    print(f"{LIVE} runs, one XADD for each event: {middle['redis_each']:,.0f} events/s")
    print(f"{LIVE} runs, RedisLog: {middle['redis_log']:,.0f} events/s")
    times = ratio(figures, "redis_log", "redis_each")
    yield "RedisLog, times one XADD for each event", times, REDIS, times >= REDIS


def main(argv=None):
    """Measure, print, and with ``--check`` fail where a bar does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watchers", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 where a bar does not hold")
    options = parser.parse_args(argv)
    bars = [*in_process()]
    if shutil.which("redis-server") is None:
        print("left out: Redis (redis-server is not installed)")
    else:
        bars += over_redis()
    for what, figure, bound, holds in bars:
        print(f"{what}: {figure:.2f} (bound {bound:g}){'' if holds else '  FAILS'}")
    return 1 if options.check and not all(holds for *_, holds in bars) else 0


if __name__ == "__main__":
    sys.exit(main())
