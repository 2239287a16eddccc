"""
Whether anything is left of a run: ``python -m benchmarks.soak``.

Thousands of runs, many at a time, in one process, against a provider on
loopback that misbehaves in every way it knows; half of them are cancelled,
left early, cut or stalled. Each must end as its script says. Between the
reports nothing runs, so what memory still holds then is what runs left
behind: that of streamkit's own lines (tracemalloc, without `streamkit.testing`)
and the process's (resident). Exit 1 where memory grows, a run hung, or one
ended otherwise than scripted.
"""

import argparse
import gc
import os
import random
import resource
import sys
import time
import tracemalloc
from collections import Counter
from functools import cache
from pathlib import Path

import anyio
import attrs

import streamkit
from streamkit.events import ResponseCancelled, ResponseCompleted, ResponseFailed, TextDelta
from streamkit.testing import Drop, FaultProvider, Hold, Reply, Reset, answers

PACKAGE = Path(streamkit.__file__).parent
HUNG = 30.0
"""Seconds after which a run counts as hung."""
IDLE = 0.05
"""Seconds of silence that the client of the stalled streams allows."""
PIECES = ("Seven ", "herons ", "stood ", "in ", "the ", "reeds.")
TEXT, OTHER = "".join(PIECES), "Eight herons flew away."
FRAMES = answers.text_stream(*PIECES, usage=(10, 5))

BARS = {"own": (8.0, 64.0), "resident": (128.0, 4096.0)}
"""
What counts as growth: more KiB per 1,000 runs than the first, if it comes to more than the
second by the end. The first is 8 (128) bytes a run: less than any object. The second is what
allocators and caches move without any leak, so that a short soak is not judged by them.
"""

WHOLE = Reply(answers.completion(TEXT))


# -- the scripts -----------------------------------------------------------------


@attrs.frozen
class Kind:
    """A way a run goes: what the provider does, what the caller does, and how it must end."""

    stream: Reply
    buffered: Reply = WHOLE
    act: str = "read"
    """What the caller does: read, cancel or leave."""
    end: type = ResponseCompleted
    text: str = TEXT
    rerouted: bool = True
    idle: bool = False
    """Whether it needs the client that allows no silence."""


HALF = FRAMES[:4]
KINDS = {
    "healthy": Kind(Reply(*FRAMES), rerouted=False),
    "tool call": Kind(
        Reply(*answers.tool_stream("f", '{"a"', ":1}", before=PIECES)), rerouted=False
    ),
    "drop": Kind(Reply(*HALF, Drop())),
    "reset": Kind(Reply(*HALF, Reset())),
    "truncated": Kind(Reply(*HALF)),
    "malformed": Kind(Reply(*HALF, "data: {broken\n\n", *FRAMES[4:])),
    "in-band error": Kind(Reply(*HALF, b"data: " + answers.error("overloaded") + b"\n\n")),
    "503": Kind(Reply(answers.error("busy"), status=503)),
    "503 twice": Kind(
        Reply(answers.error("busy"), status=503),
        Reply(answers.error("busy"), status=503),
        end=ResponseFailed,
        text="",
    ),
    "cut twice": Kind(
        Reply(*HALF, Drop()),
        Reply(before=[Reset()]),
        end=ResponseFailed,
        text="Seven herons stood ",
    ),
    "stall": Kind(Reply(*HALF, Hold()), idle=True),
    "another answer": Kind(Reply(*HALF, Drop()), Reply(answers.completion(OTHER)), text=OTHER),
    "cancelled": Kind(Reply(*HALF, Hold()), act="cancel", end=ResponseCancelled),
    "left early": Kind(Reply(*HALF, Hold()), act="leave", end=ResponseCancelled),
}
WEIGHTS = {"healthy": 4, "cancelled": 2, "left early": 2}


def provider():
    """The provider: the model's name is the kind."""
    return FaultProvider(
        stream=lambda request: KINDS[request.json["model"]].stream,
        buffered=lambda request: KINDS[request.json["model"]].buffered,
    )


# -- a run -----------------------------------------------------------------------


@attrs.define
class Clients:
    """Two clients of the provider: one is patient, one is not."""

    patient: streamkit.Client
    hasty: streamkit.Client

    def of(self, kind):
        return self.hasty if kind.idle else self.patient


def told(text, event):
    """The text a watcher has after *event*."""
    if isinstance(event, TextDelta):
        return text + event.text
    return "" if isinstance(event, streamkit.events.Retracted) else text


async def read(run, kind):
    """Read to the end, or to the first text, and give the text that was shown."""
    text = ""
    async for event in run:
        text = told(text, event)
        if text and kind.act != "read":
            break
    if kind.act == "cancel":
        await run.cancel()
    return text


async def one(client, name):
    """Make one run; give what it came to: its kind, or what is wrong with it."""
    kind, heard = KINDS[name], []
    body = {"model": name, "messages": [{"role": "user", "content": "How many?"}]}
    with anyio.move_on_after(HUNG):
        async with client.stream(body, on_result=heard.append) as run:
            text = await read(run, kind)
        return verdict(name, kind, heard, text)
    return f"HUNG: {name}"


def verdict(name, kind, heard, text):
    """The kind's name where the run ended as it must; else what it did."""
    (outcome,) = heard
    answer = outcome.response
    whole = kind.act == "read"
    same = (kind.end, kind.text) == (type(outcome), text) if whole else TEXT.startswith(text)
    told_so = kind.end is type(outcome) and text in ("", answer.text[: len(text)])
    rerouted = kind.end is not ResponseCompleted or answer.rerouted == kind.rerouted
    if same and told_so and rerouted:
        return name
    return f"UNSCRIPTED: {name}: {type(outcome).__name__}, {text!r}, {answer.text!r}"


# -- many ------------------------------------------------------------------------


@attrs.define
class Soak:
    """What is asked for, and what came of it."""

    runs: int
    concurrency: int
    until: float
    """When to stop (seconds of the monotonic clock)."""
    dice: random.Random
    begun: int = 0
    counts: Counter = attrs.field(factory=Counter)

    @property
    def done(self):
        return self.counts.total()

    @property
    def over(self):
        return self.begun >= self.runs or time.monotonic() >= self.until

    @property
    def wrong(self):
        """Runs that hung or ended otherwise, by what they did."""
        return {name: count for name, count in self.counts.items() if name not in KINDS}

    async def batch(self, clients, size):
        """Make *size* runs, and wait until nothing is left of them."""
        goal = min(self.begun + size, self.runs)
        async with anyio.create_task_group() as tasks:
            for _ in range(self.concurrency):
                tasks.start_soon(self._work, clients, goal)

    async def _work(self, clients, goal):
        weights = [WEIGHTS.get(name, 1) for name in KINDS]
        while self.begun < goal and not self.over:
            self.begun += 1
            (name,) = self.dice.choices([*KINDS], weights)
            self.counts[await one(clients.of(KINDS[name]), name)] += 1


@cache
def own(file):
    """Whether a file is streamkit's own code, and not what tests it."""
    if file.startswith("<attrs generated"):
        return "streamkit." in file and "streamkit.testing" not in file
    return PACKAGE in Path(file).parents and PACKAGE / "testing" not in Path(file).parents


def memory():
    """What is held now, in KiB: by streamkit's own lines, and by the process."""
    gc.collect()
    files = tracemalloc.take_snapshot().statistics("filename")
    held = sum(file.size for file in files if own(file.traceback[0].filename))
    return {"own": held / 1024, "resident": resident()}


def resident():
    """The process's resident memory (KiB)."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform == "darwin" else float(peak)


def slope(points):
    """How much *y* grows with *x*, least squares; 0 of fewer than two points."""
    middle_x = sum(x for x, _ in points) / max(len(points), 1)
    middle_y = sum(y for _, y in points) / max(len(points), 1)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


async def soak(wanted, every):
    """Make the runs, and report after *every* of them. Gives what was held at each report."""
    held, began = [], time.monotonic()
    limits = streamkit.Limits(idle=IDLE)
    never = streamkit.ReroutePolicy(trip_after=None)  # each run is to stream
    async with (
        provider() as server,
        streamkit.Client(base_url=server.url, reroute=never) as patient,
        streamkit.Client(base_url=server.url, reroute=never, limits=limits) as hasty,
    ):
        while not wanted.over:
            before = Counter(wanted.counts)
            await wanted.batch(Clients(patient, hasty), every)
            server.requests.clear()
            held.append((wanted.done, memory()))
            report(wanted, wanted.counts - before, held[-1][1], time.monotonic() - began)
    return held


def report(wanted, counts, now, seconds):
    """One line of progress."""
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    print(
        f"{wanted.done:6,} runs  {seconds:5.0f} s  own {now['own']:8.1f} KiB  "
        f"resident {now['resident']:9,.0f} KiB  | {kinds}",
        flush=True,
    )


def judge(held, what):
    """Say whether *what* grows over the second half of the reports."""
    half = [(runs / 1000, now[what]) for runs, now in held[len(held) // 2 :]]
    rise, (bar, least) = slope(half), BARS[what]
    over = rise * (half[-1][0] - half[0][0]) if half else 0.0
    grows = rise > bar and over > least
    print(
        f"{what + ':':9} {rise:+8.2f} KiB per 1,000 runs over the second half, {over:+.0f} KiB in "
        f"all; growing is more than {bar:g} per 1,000 and {least:g} in all"
    )
    return grows


def main():
    """Soak, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--runs", type=int, default=20_000, help="how many")
    parser.add_argument("--concurrency", type=int, default=50, help="how many at a time")
    parser.add_argument("--seconds", type=float, default=300, help="when to stop all the same")
    parser.add_argument("--seed", type=int, default=1, help="of the mix of faults")
    parser.add_argument("--backend", choices=("asyncio", "trio"), default="asyncio")
    options = parser.parse_args()

    tracemalloc.start()
    began = time.monotonic()
    dice = random.Random(options.seed)
    wanted = Soak(options.runs, options.concurrency, began + options.seconds, dice)
    every = max(1, min(1000, options.runs // 5))
    held = anyio.run(soak, wanted, every, backend=options.backend)
    seconds = time.monotonic() - began
    raise SystemExit(concluded(wanted, held, seconds))


def concluded(wanted, held, seconds):
    """Print the summary; give the exit code."""
    bound = "" if wanted.done == wanted.runs else f" of {wanted.runs:,}: the time was up"
    print(f"\n{wanted.done:,} runs{bound}; {seconds:.0f} s; {wanted.done / seconds:.0f} runs/s")
    for name, count in wanted.wrong.items():
        print(f"{count} x {name}")
    growing = [what for what in BARS if judge(held, what)]
    memory_ = f"growing ({', '.join(growing)})" if growing else "flat"
    wrong = sum(wanted.wrong.values())
    print(f"verdict: memory is {memory_}; {wrong} runs hung or ended otherwise than scripted")
    return 1 if growing or wrong or not wanted.done else 0


if __name__ == "__main__":
    main()
