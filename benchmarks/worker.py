"""
The process a client is measured in: one client, one venv, one command at a time.

``python -m benchmarks.worker ROOM NAME ROOT`` opens client NAME of table ROOM
(see `benchmarks.subjects`) on the provider at ROOT, says so, then takes
commands on its standard input, a line of JSON each, and answers each with a
line. What is measured is checked: the deltas, joined, must be the answer.
"""

import asyncio
import gc
import json
import os
import re
import resource
import sys
import time
from functools import partial
from importlib.metadata import distributions
from itertools import pairwise
from pathlib import Path

from . import wire
from .subjects import SUBJECTS, opener

STAMPED = re.compile(rb"1\d{%d}" % (len(wire.STAMP) - 1))
PATIENCE = 20.0
"""How late a drip's last event may be (seconds)."""
KNOCK = "text-1-1"
"""Asked for before a burst, so that connecting is in no figure."""
GRACE = 0.02
"""What a drip's last event may take before anybody looks (seconds)."""


def resident():
    """The resident memory of this process (KiB)."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    return peak()


def peak():
    """The most resident memory this process ever had (KiB)."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // 1024 if sys.platform == "darwin" else most


class Meter:
    """Processor and wall time between entering and leaving."""

    def __enter__(self):
        gc.collect()
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *exc):
        self.cpu = time.process_time() - self._cpu
        self.wall = time.perf_counter() - self._wall


class Laps(Meter):
    """
    The same, lap by lap.

    Args:
        events: after how many pieces told a lap ends (a count).
        most: laps there are at most (a count); the last has what is left.
    """

    def __init__(self, events, most):
        self._events, self._most, self._left = events, most, events
        self._marks = []

    def keeping(self, kept):
        """A way to tell a piece that is kept; it knows where a lap ends."""
        if self._most == 1:
            return kept.append

        def tell(piece):
            kept.append(piece)
            self._left -= 1
            if not self._left:
                self._left = self._events
                self._marks.append((time.process_time(), time.perf_counter()))

        return tell

    def __exit__(self, *exc):
        end = time.process_time(), time.perf_counter()
        marks = [(self._cpu, self._wall), *self._marks[: self._most - 1], end]
        cpu, wall = ([b - a for a, b in pairwise(times)] for times in zip(*marks, strict=True))
        self.cpu, self.wall = cpu, wall


class Wrong(Exception):
    """What came is not what was sent."""


class Worker:
    """What can be asked of it: its methods that are coroutines."""

    def __init__(self, subject, work):
        self.subject, self.work = subject, work
        self._tasks = []
        self._told = ([], [])

    # -- bursts

    async def burst(self, script, repeat, laps=1):
        """Read an answer so many times, one after the other; gives each lap's times an event."""
        kind, events, *_ = wire.parse(script)
        told = [[] for _ in range(repeat)]
        await self.work(KNOCK, [].append)  # an idle connection may have been closed meanwhile
        with Laps(events * repeat // laps, laps) as meter:
            for pieces in told:
                text = await self.work(script, meter.keeping(pieces))
        for pieces in told:
            self._check(kind, events, pieces)
        if text is not None and text != wire.expected(kind, events, ("text",)):
            raise Wrong(f"the accumulated text has {len(text)} characters")
        each = events * repeat
        cpu, wall = ([lap / each for lap in times] for times in (meter.cpu, meter.wall))
        return {"cpu": cpu, "wall": wall, "peak": peak()}

    def _check(self, kind, events, pieces):
        subject = self.subject
        if subject.raw:
            got, must = sum(map(len, pieces)), wire.size(subject.wire, kind, events)
        else:
            got, must = "".join(pieces), wire.expected(kind, events, subject.shows)
        if got != must:
            sizes = got if subject.raw else len(got), must if subject.raw else len(must)
            raise Wrong(f"of {events} deltas came {len(pieces)}: size {sizes[0]}, not {sizes[1]}")

    # -- drips

    async def join(self, group, streams):
        """Open so many more streams of a group; they stay open."""

        def seen(text, now=time.monotonic_ns):
            times, texts = self._told
            times.append(now())
            texts.append(text)

        read = partial(self.work, f"drip-{group}", seen)
        self._tasks += [asyncio.ensure_future(read()) for _ in range(streams)]
        return {}

    async def mark(self):
        """Begin to measure."""
        self._told = ([], [])
        gc.collect()
        self._began = time.perf_counter(), time.process_time()
        return {}

    async def collect(self, events):
        """Measure up to the last of so many events, which have all been sent."""
        wall, cpu = self._began
        until, looking = time.monotonic() + PATIENCE, 0.0
        while True:
            await asyncio.sleep(GRACE)
            now = time.process_time()
            spent, seconds = now - cpu - looking, time.perf_counter() - wall
            late = self._late()
            if len(late) >= events or time.monotonic() > until:
                break
            self._alive()
            looking += time.process_time() - now
        if len(late) != events:
            raise Wrong(f"of {events} events came {len(late)}")
        late.sort()
        return {"cpu": spent / events, "load": spent / seconds, "late": late}

    def _late(self):
        """How late every event was (microseconds)."""
        late, base = [], 10 ** (len(wire.STAMP) - 1)
        for now, text in zip(*self._told, strict=True):
            data = text if isinstance(text, bytes) else text.encode()
            late += [(now - int(stamp) + base) // 1000 for stamp in STAMPED.findall(data)]
        return late

    async def alive(self):
        """Fail as the first of the streams did that are open no more."""
        self._alive()
        return {}

    def _alive(self):
        for task in self._tasks:
            if task.done() and task.exception():
                raise task.exception()

    async def memory(self):
        """What is resident now, nothing being garbage."""
        self._told = ([], [])
        self._alive()
        gc.collect()
        return {"resident": resident(), "peak": peak()}

    # -- whatever else a subject does

    async def repeat(self, times, **command):
        """Do the subject's work so many times; it gives its own measures, or counts."""
        with Meter() as meter:
            made = [await self.work(**command) for _ in range(times)]
        return {"cpu": meter.cpu, "wall": meter.wall, "peak": peak(), "made": made}

    async def about(self):
        """What is installed here."""
        found = {each.metadata["Name"]: each.version for each in distributions()}
        python = ".".join(map(str, sys.version_info[:3]))
        return {"python": python, "packages": dict(sorted(found.items(), key=_folded))}

    async def leave(self):
        """Let go of the streams that are open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return {}


def _folded(item):
    return item[0].lower()


async def obey(worker, say):
    """Take commands until the harness goes away."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        try:
            answer = await getattr(worker, command.pop("do"))(**command)
        except Exception as error:  # noqa: BLE001 (a rival may raise anything: the harness is told)
            answer = {"failed": _said(error)}
        say(answer)
    await worker.leave()


def _said(error):
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


async def main(room, name, root, say):
    """Open the client, and obey."""
    subject = SUBJECTS[room][name]
    try:
        opened = opener(subject)(root)
        work = await opened.__aenter__()
    except Exception as error:  # noqa: BLE001 (a rival may raise anything: the harness is told)
        say({"failed": _said(error)})
        return
    say({"ready": name})
    await obey(Worker(subject, work), say)
    await opened.__aexit__(None, None, None)


def speaker():
    """A way to answer that nobody else can print into."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(answer):
        print(json.dumps(answer), file=out, flush=True)

    return say


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:], speaker()))
