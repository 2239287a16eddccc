"""How a client is measured: processor time of this process, runs interleaved, medians."""

import asyncio
import gc
import platform
import statistics
import time
from contextlib import AsyncExitStack
from importlib.metadata import version

from .clients import CLIENTS
from .provider import CLIENTS as STREAMS

__all__ = ["machine", "measure", "middle", "versions"]

PACKAGES = (
    "streamkit",
    "anyio",
    "attrs",
    "h11",
    "httpcore",
    "httpx",
    "httpx-sse",
    "msgspec",
    "openai",
)


async def measure(url, scenario, names, runs):
    """
    Measure what a chunk costs each client.

    Args:
        url: the provider's base URL.
        scenario: the model's name; see `benchmarks.provider`.
        names: which clients.
        runs: how often each is measured (a count), in turn, after one warm-up.

    Returns:
        By client: the processor time of each run, in microseconds a chunk.
    """
    events = int(scenario.split("-")[1])
    streams = STREAMS if scenario.startswith("drip") else 1
    times = {name: [] for name in names}
    async with AsyncExitStack() as stack:
        read = {name: await stack.enter_async_context(CLIENTS[name](url)) for name in names}
        for run in range(runs + 1):
            for name in names:
                gc.collect()
                began = time.process_time()
                counts = await asyncio.gather(*(read[name](scenario) for _ in range(streams)))
                spent = time.process_time() - began
                if set(counts) != {events}:
                    raise SystemExit(f"{name}: expected {events} deltas a stream, got {counts}")
                if run:
                    times[name].append(spent / (events * streams) * 1e6)
    return times


def middle(times):
    """The median of each client's runs."""
    return {name: statistics.median(runs) for name, runs in times.items()}


def versions():
    """What was measured."""
    return {package: version(package) for package in PACKAGES}


def machine():
    """Where it was measured."""
    return {"python": platform.python_version(), "machine": platform.machine()} | {
        "system": platform.system(),
        "processor": platform.processor() or "unknown",
    }
