"""
Where the time goes: ``python -m benchmarks.rooms``.

The same frames through one room after the other, in this process and without
a network: processor time, in microseconds a chunk, the best of several runs.
"""

import asyncio
import gc
import time

import httpx_sse

from streamkit.dialects import OpenAIChat
from streamkit.framing import read_frames
from streamkit.logs import MemoryLog
from streamkit.pipeline import SystemClock
from streamkit.stages import Accumulator, Suppressor
from streamkit.supervisor.delivery import Delivery
from streamkit.supervisor.timeline import Timeline

from .wire import frames

CHUNKS, RUNS, READ = 20_000, 7, 300
"""Chunks of the answer; runs; chunks that one read of a socket brings (counts)."""

BODY = frames("openai", "text", CHUNKS)
BOUNDS = {"max_frame_bytes": 1 << 24, "max_response_bytes": 1 << 30}


async def body():
    """The body, a frame in each chunk; now and then one is waited for."""
    for number, frame in enumerate(BODY):
        if number % READ == 0:
            await asyncio.sleep(0)
        yield frame


class Taker:
    """Takes batches, and keeps them."""

    def __init__(self):
        self.batches = []

    async def __call__(self, batch):
        self.batches.append(batch)

    def nowait(self, batch):
        self.batches.append(batch)


class Plain:
    """A response as httpx-sse wants it, without the guard."""

    headers = {"content-type": "text/event-stream"}  # noqa: RUF012

    async def aiter_text(self):
        async for chunk in body():
            yield chunk.decode()


async def sse_alone():
    """httpx-sse, and nothing else."""
    async for _ in httpx_sse.EventSource(Plain()).aiter_sse():
        pass


async def framing():
    """Sniffing, the guard, frames; what is not plain would go through httpx-sse."""
    taker = Taker()
    await read_frames(body(), taker, content_type="text/event-stream", **BOUNDS)
    return taker.batches


def dialect(batches):
    """JSON, and openai-chat."""
    decoder, out = OpenAIChat().decoder(), []
    for batch in batches:
        events = []
        for frame in batch:
            events.extend(decoder.feed(frame))
        out.append(events)
    return out


def accumulator(batches):
    """The answer, folded."""
    stage = Accumulator()
    stage.bind(OpenAIChat())
    for batch in batches:
        stage.batch(batch)


def suppressor(batches):
    """The view, unsuppressed."""
    stage = Suppressor()
    for batch in batches:
        stage.batch(batch)


def delivery(batches):
    """The ledger and the log."""
    made = Delivery(MemoryLog("run"), 1024, Timeline(0.0), SystemClock())
    made.begin()
    for batch in batches:
        made.deliver(batch)


async def cursor(batches):
    """The log, and one reader that keeps up."""
    log = MemoryLog("run")
    epoch, reader = log.begin(), log.subscribe()
    for batch in batches:
        log.append(epoch, batch)
        while reader.lag:
            await anext(reader)


def cost(work):
    """What *work* costs a chunk; the best run, and what it gave."""
    best, gave = float("inf"), None
    for _ in range(RUNS):
        gc.collect()
        began = time.process_time()
        gave = work()
        best = min(best, time.process_time() - began)
    return best / CHUNKS * 1e6, gave


def main():
    """Measure room by room, and print a table."""
    sse, _ = cost(lambda: asyncio.run(sse_alone()))
    framed, batches = cost(lambda: asyncio.run(framing()))
    decoded, events = cost(lambda: dialect(batches))
    rows = [
        ("framing: sniffing, the guard, frames", framed),
        ("JSON and the dialect", decoded),
        ("accumulator", cost(lambda: accumulator(events))[0]),
        ("suppressor", cost(lambda: suppressor(events))[0]),
        ("delivery: ledger and log", cost(lambda: delivery(events))[0]),
        ("the log and one cursor", cost(lambda: asyncio.run(cursor(events)))[0]),
    ]
    print("| room | µs a chunk |\n|---|---:|")
    for room, figure in rows:
        print(f"| {room} | {figure:.2f} |")
    print(f"| all | {sum(figure for _, figure in rows):.2f} |")
    print(f"\nhttpx-sse alone, which plain frames go past: {sse:.2f}")


if __name__ == "__main__":
    main()
