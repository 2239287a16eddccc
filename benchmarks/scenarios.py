"""What is measured: each scenario knows how to prepare a subject, and how to measure it once."""

import json
import math
import subprocess
from dataclasses import dataclass, replace
from itertools import chain
from statistics import mean, median

from .figures import percentile
from .processes import ROOT, environment
from .subjects import SUBJECTS
from .unavailable import Unavailable

__all__ = ["DRAWN", "SCENARIOS", "Scenario", "quick"]

LONG_ENOUGH = 0.1
"""
What one measurement takes (seconds): a quick client reads its answer again, a slow one is
measured in laps. The shorter, the likelier is one that nothing else the machine does is in.
"""
MOST_REPEATS = 24
TIMES = ("cpu", "wall")
PERCENTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999)

RAW, HAND, OURS, APART = "raw httpx", "httpx-sse + json", "streamkit", "streamkit apart"
EVERY = tuple(SUBJECTS["clients"])
STANDING = tuple(name for name in EVERY if name not in ("raw httpx2", "raw httpx-aiohttp"))
"""Those whose streams are held open."""
DRAWN = (
    "raw httpx",
    "raw aiohttp",
    "httpx-sse + json",
    "streamkit",
    "streamkit, httpx-aiohttp",
    "openai helper",
    "anthropic helper",
    "litellm",
    "langchain-openai",
    "pydantic-ai",
)
"""Those that a plot has a line of."""


@dataclass(frozen=True)
class Scenario:
    """What is measured of whom, and against whom."""

    key: str
    title: str
    names: tuple
    base: str = RAW
    room: str = "clients"
    metrics: tuple = ("cpu",)
    """What `once` gives of a subject, beside ``late``, every event's lateness."""
    unit: str = "µs a chunk"
    turns: int = 1
    """Into how many short ones a round is cut: what the machine does for a second hits but some."""
    compared: str = ""
    """What those share whose figures are compared: subjects, their processes, and rounds."""

    def prepare(self, bench, name):
        """Warm up."""

    def once(self, bench, name):
        """Measure once."""
        raise NotImplementedError

    def joined(self, parts):
        """
        Make one measurement of those of a round's turns: the least of each metric.

        What else the machine does only adds: a neighbour on the same core
        doubles a tenth of a second. A peak only grows, so its last counts.
        """
        return {
            metric: (max if metric == "peak" else min)(part[metric] for part in parts)
            for metric in self.metrics
        }

    def smaller(self):
        """The same, to be tried out in seconds."""
        return self


@dataclass(frozen=True)
class Burst(Scenario):
    """A whole answer at once."""

    script: str = ""
    chunks: int = 0
    """Read in one measurement, whatever the answer's length; 0: as many as take `LONG_ENOUGH`."""
    turns: int = 4
    metrics: tuple = ("cpu", "wall", "peak")
    LAPS = 100
    """Of a measurement of so many chunks: a thousand each, the shortest of the answers."""

    def prepare(self, bench, name):
        events = int(self.script.split("-")[1])
        if self.chunks:
            bench.notes[name] = {"repeat": self.chunks // events, "laps": self.LAPS}
            return
        first = bench.workers[name].tell("burst", script=self.script, repeat=1)
        seconds = sum(first["wall"]) * events
        repeat = max(1, min(MOST_REPEATS, math.ceil(LONG_ENOUGH / seconds)))
        bench.notes[name] = {"repeat": repeat, "laps": max(1, round(seconds / LONG_ENOUGH))}

    def once(self, bench, name):
        said = bench.workers[name].tell("burst", script=self.script, **bench.notes[name])
        return said | {"peak": said["peak"] / 1024}

    def joined(self, parts):
        """Of every lap the least of the turns; an event's share of all laps."""
        least = {metric: _least([part[metric] for part in parts]) * 1e6 for metric in TIMES}
        return least | {"peak": parts[-1]["peak"]}

    def smaller(self):
        kind, events, per_chunk = self.script.split("-")
        events, chunks = max(int(events) // 10, 400), self.chunks // 10
        return replace(self, script=f"{kind}-{events}-{per_chunk}", chunks=chunks)


@dataclass(frozen=True)
class Drip(Scenario):
    """
    Open streams, all of them at once, and events at an even pace.

    The streams of every client stay open for the whole scenario and are
    silent but for their own turns, so a turn is steady streaming: opening and
    closing are not in the figures.
    """

    streams: int = 1
    rate: int = 1500
    """Events per second, of all streams together."""
    events: int = 200
    """Of one turn, of all streams together: short, so that few turns see the machine falter."""
    run_in: int = 100
    """Events before them that are not measured."""
    turns: int = 8
    metrics: tuple = ("cpu", "p50", "p99", "load")

    def group(self, name):
        return f"{self.key}.{EVERY.index(name)}"

    def prepare(self, bench, name):
        self.open(bench, name, self.group(name))
        self.once(bench, name)

    def open(self, bench, name, group):
        """Open the streams; where some do not come, their own reason is told."""
        worker = bench.workers[name]
        worker.tell("join", group=group, streams=self.streams)
        try:
            bench.provider.tell("joined", group=group, streams=self.streams)
        except Unavailable:
            worker.tell("alive")
            raise

    def once(self, bench, name):
        self._spoken(bench, name, self.run_in)  # the subject slept while the others had their turns
        return self._spoken(bench, name, self.events)

    def _spoken(self, bench, name, events):
        worker = bench.workers[name]
        worker.tell("mark")
        bench.provider.tell("drip", group=self.group(name), events=events, rate=self.rate)
        return worker.tell("collect", events=events)

    def joined(self, parts):
        return {
            "cpu": min(part["cpu"] for part in parts) * 1e6,
            "load": mean(part["load"] for part in parts),
            **_latencies(part["late"] for part in parts),
        }

    def smaller(self):
        return replace(self, events=self.rate // 5, streams=min(self.streams, 50))


@dataclass(frozen=True)
class Memory(Drip):
    """More and more open streams; what each batch of them adds to the process."""

    unit: str = "KiB a stream"
    metrics: tuple = ("memory",)
    turns: int = 1
    SPOKEN = 4
    """Deltas each stream has had when it is weighed."""

    def prepare(self, bench, name):
        bench.workers[name].tell("burst", script="text-400-1", repeat=1)
        bench.notes[name] = [0, bench.workers[name].tell("memory")["resident"]]
        for _ in range(2):  # the first batches grow what is kept for all of them
            self.once(bench, name)

    def once(self, bench, name):
        worker, (opened, before) = bench.workers[name], bench.notes[name]
        group = f"{self.group(name)}.{opened}"
        self.open(bench, name, group)
        events = self.streams * self.SPOKEN
        worker.tell("mark")
        bench.provider.tell("drip", group=group, events=events, rate=self.rate)
        worker.tell("collect", events=events)
        now = worker.tell("memory")["resident"]
        bench.notes[name] = [opened + self.streams, now]
        return {"memory": (now - before) / self.streams}

    def joined(self, parts):
        return Scenario.joined(self, parts)

    def smaller(self):
        return replace(self, streams=20)


def _least(turns):
    """Give what a turn takes at best: lap by lap, or as a whole where laps are no pairs."""
    if len({len(laps) for laps in turns}) > 1:  # pieces were told otherwise in another turn
        return min(map(sum, turns))
    return sum(map(min, zip(*turns, strict=True)))


def _latencies(turns):
    """
    Give the percentiles of a round: the medians of its turns', and all that was measured.

    What the machine does for a moment would be all that a p99 says. Not the
    least, as of processor time: a tail is what is measured here.
    """
    turns = [sorted(late) for late in turns]
    return {
        "p50": median(percentile(late, 0.5) for late in turns),
        "p99": median(percentile(late, 0.99) for late in turns),
        "late": sorted(chain.from_iterable(turns)),
    }


@dataclass(frozen=True)
class FanOut(Scenario):
    """One answer, and so many who watch it."""

    events: int = 1000
    watchers: int = 1
    turns: int = 8
    room: str = "fan-out"
    unit: str = "µs a delta and watcher"
    metrics: tuple = ("cpu", "wall", "peak")

    def prepare(self, bench, name):
        bench.notes[name] = 1
        said = self.once(bench, name)
        seconds = said["wall"] * self.events * self.watchers / 1e6
        bench.notes[name] = max(1, min(MOST_REPEATS, math.ceil(LONG_ENOUGH / seconds)))

    def once(self, bench, name):
        command = {"script": f"text-{self.events}-1", "watchers": self.watchers}
        times = bench.notes[name]
        said = bench.workers[name].tell("repeat", times=times, **command)
        if said["made"] != [[self.events] * self.watchers] * times:
            raise Unavailable(f"not every one of {self.watchers} watchers had every event")
        each = self.events * self.watchers * times / 1e6
        return {"cpu": said["cpu"] / each, "wall": said["wall"] / each, "peak": said["peak"] / 1024}

    def smaller(self):
        return replace(self, events=100)


@dataclass(frozen=True)
class Serve(Scenario):
    """An answer read and served on as server-sent events."""

    events: int = 2000
    turns: int = 8
    room: str = "serve"
    metrics: tuple = ("cpu", "wall", "peak")

    def prepare(self, bench, name):
        bench.notes[name] = 1
        seconds = self.once(bench, name)["wall"] * self.events / 1e6
        bench.notes[name] = max(1, min(MOST_REPEATS, math.ceil(LONG_ENOUGH / seconds)))

    def once(self, bench, name):
        times = bench.notes[name]
        said = bench.workers[name].tell("repeat", times=times, script=f"text-{self.events}-1")
        if min(said["made"]) < self.events:
            raise Unavailable(f"of {self.events} deltas {min(said['made'])} were served")
        each = self.events * times / 1e6
        return {"cpu": said["cpu"] / each, "wall": said["wall"] / each, "peak": said["peak"] / 1024}

    def smaller(self):
        return replace(self, events=400)


@dataclass(frozen=True)
class Reroute(Scenario):
    """A stream that is cut after 20 deltas; from the cut to the first delta behind it."""

    times: int = 20
    room: str = "reroute"
    unit: str = "µs from the cut to the first healed delta"
    turns: int = 4
    metrics: tuple = ("p50", "p99")

    def prepare(self, bench, name):
        self.once(bench, name)

    def once(self, bench, name):
        said = bench.workers[name].tell("repeat", times=self.times, script="cut-20")
        return {"late": said["made"]}

    def joined(self, parts):
        return _latencies(part["late"] for part in parts)

    def smaller(self):
        return replace(self, times=4)


IMPORT = """
import json, resource, time
wall, cpu = time.perf_counter(), time.process_time()
import {}
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
print(json.dumps([cpu, wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


@dataclass(frozen=True)
class Import(Scenario):
    """A fresh process that imports what a program must."""

    turns: int = 4
    room: str = "import"
    unit: str = "ms"
    metrics: tuple = ("cpu", "wall", "peak")

    def prepare(self, bench, name):
        self.once(bench, name)  # compiles, and reads the disk

    def once(self, bench, name):
        subject = SUBJECTS[self.room][name]
        ran = subprocess.run(
            [bench.venvs.python(subject.venv), "-c", IMPORT.format(subject.imports)],
            cwd=ROOT,
            env=environment() | subject.settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if ran.returncode:
            raise Unavailable(f"import {subject.imports}: {ran.stderr.strip().splitlines()[-1]}")
        cpu, wall, peak = json.loads(ran.stdout.splitlines()[-1])
        return {"cpu": cpu * 1e3, "wall": wall * 1e3, "peak": peak / 1024}


FLAT = (RAW, OURS)
SCENARIOS = (
    Burst("burst", "Burst, 1 event in each HTTP chunk", EVERY, script="text-2000-1", turns=6),
    Burst("burst-16", "Burst, 16 events in each HTTP chunk", EVERY, script="text-2000-16"),
    Burst("tools", "Tool calls, their arguments in 2,000 deltas", STANDING, script="tools-2000-1"),
    Burst("reasoning", "Reasoning, then text, 2,000 deltas", STANDING, script="reasoning-2000-1"),
    *(
        Burst(
            f"long-{events}",
            f"{events:,} chunks",
            FLAT,
            script=f"text-{events}-1",
            chunks=100_000,
            turns=4,
            compared="long",
            metrics=("cpu", "wall"),  # a peak would be that of the longest
        )
        for events in (1000, 10_000, 100_000)
    ),
    Drip("drip-1", "Drip, 1 stream", DRAWN, streams=1, rate=200, events=50, run_in=10),
    Drip("drip-100", "Drip, 100 streams", DRAWN, streams=100),
    Drip("drip-500", "Drip, 500 streams", STANDING, streams=500),
    Memory("memory", "Memory of an open stream", STANDING, streams=80, rate=4000),
    *(
        FanOut(
            f"fan-out-{watchers}",
            f"Fan-out to {watchers:,}",
            tuple(SUBJECTS["fan-out"]),
            base="a queue each",
            watchers=watchers,
            events=events,
        )
        for watchers, events in ((1, 4000), (10, 2000), (100, 1000), (1000, 200))
    ),
    Serve("serve", "Served on, to one client", tuple(SUBJECTS["serve"]), base="bytes passed on"),
    Reroute("reroute", "A cut stream, healed", tuple(SUBJECTS["reroute"]), base="by hand"),
    Import("import", "Import", tuple(SUBJECTS["import"]), base="what streamkit declares"),
)


def quick(scenarios):
    """The same scenarios, to be tried out: too small to publish."""
    return tuple(scenario.smaller() for scenario in scenarios)
