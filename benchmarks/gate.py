"""
What CI holds a chunk to: ``python -m benchmarks.gate``.

No clock is read, so nothing can flake: the bytecode instructions that the
interpreter runs for a chunk are counted, and its calls of C functions, with no
network, in one process. The same answer is read twice, once longer, and the
difference is what chunks cost, without what a stream costs. The bars are
ratios to what one writes by hand (httpx-sse and json), counted by the same
interpreter and the same dependencies in the same run, with a quarter to spare.

*together*: a read brings 100 chunks, as in a burst. *alone*: every chunk wakes
the reader, as in a drip.
"""

import argparse
import asyncio
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import httpx

from streamkit import Client

from . import wire
from .clients.by_hand import sse_deltas
from .clients.ours import read_events

__all__ = ["BARS", "Count", "chunk", "growth", "judged"]

SHORT, LONG, LONGEST = 300, 800, 1300
"""Chunks of the answers that are compared (counts)."""
TOGETHER, ALONE = 100, 1
"""Chunks that one read brings."""
ROOT = "http://provider.invalid"


class Body(httpx.AsyncByteStream):
    """A body that is waited for once in so many chunks."""

    def __init__(self, frames, each):
        self._frames, self._each = frames, each

    async def __aiter__(self):
        for number, frame in enumerate(self._frames):
            if number % self._each == 0:
                await asyncio.sleep(0)
            yield frame


class Stub(httpx.AsyncBaseTransport):
    """A provider without a network."""

    def __init__(self, events, each):
        self._frames, self._each = wire.frames("openai", "text", events), each

    async def handle_async_request(self, _request):
        head = {"content-type": "text/event-stream"}
        return httpx.Response(200, headers=head, stream=Body(self._frames, self._each))


async def by_hand(http, script, seen):
    """What one writes by hand."""
    async for text in sse_deltas(http, ROOT, script):
        seen(text)


async def streamkit(http, script, seen):
    """A client, and one reader."""
    async with Client(base_url=ROOT, http=http) as client:
        await read_events(client, script, seen)


READERS = {"by hand": by_hand, "streamkit": streamkit}


@dataclass(frozen=True)
class Count:
    """What was counted, of so many chunks."""

    instructions: float
    calls: float
    rooms: dict
    """Instructions by package."""

    def __sub__(self, other):
        rooms = {room: self.rooms[room] - other.rooms.get(room, 0) for room in self.rooms}
        return Count(self.instructions - other.instructions, self.calls - other.calls, rooms)

    def over(self, chunks):
        """What one of so many chunks costs."""
        rooms = {room: count / chunks for room, count in self.rooms.items()}
        return Count(self.instructions / chunks, self.calls / chunks, rooms)


def counted(client, events, each):
    """Count what reading an answer takes."""
    instructions, calls = Counter(), 0

    def local(frame, event, _argument):
        if event == "opcode":
            instructions[frame.f_code.co_filename] += 1
        return local

    def traced(frame, _event, _argument):
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return local

    def profiled(_frame, event, _argument):
        nonlocal calls
        calls += event == "c_call"

    async def read():
        told = []
        async with httpx.AsyncClient(transport=Stub(events, each)) as http:
            sys.setprofile(profiled)
            sys.settrace(traced)
            try:
                await READERS[client](http, f"text-{events}-1", told.append)
            finally:
                sys.settrace(None)
                sys.setprofile(None)
        return "".join(told)

    if asyncio.run(read()) != wire.expected("text", events):
        raise RuntimeError(f"{client}: expected the whole answer, once")
    return Count(instructions.total(), calls, _rooms(instructions))


def _rooms(instructions):
    rooms = Counter()
    for file, count in instructions.items():
        rooms[room_of(file)] += count
    return dict(rooms)


def room_of(file):
    """The package a file belongs to; of streamkit the room."""
    parts = Path(file.removeprefix("<attrs generated methods ").replace(".", "/")).parts
    if "streamkit" in parts and "benchmarks" not in parts:
        at = len(parts) - 1 - parts[::-1].index("streamkit")
        return "/".join(parts[at : at + 2]).removesuffix("/py")
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1]
    return "benchmarks" if "benchmarks" in parts else Path(file).parent.name


def chunk(client, each, short=SHORT, long=LONG):
    """What a chunk costs a client, where one read brings so many."""
    counted(client, 2, each)  # what is made once and kept
    return (counted(client, long, each) - counted(client, short, each)).over(long - short)


def growth(each):
    """How many times as much a later chunk costs streamkit as an early one."""
    early = chunk("streamkit", each)
    return chunk("streamkit", each, LONG, LONGEST).instructions / early.instructions


MANNERS = {"together": TOGETHER, "alone": ALONE}
BARS = {
    ("together", "instructions"): 1.1,
    ("together", "calls"): 0.95,
    ("alone", "instructions"): 2.35,
    ("alone", "calls"): 1.7,
    ("together", "growth"): 1.02,
}
"""What streamkit's count may be of that by hand; and a later chunk's of an early one's."""


def judged():
    """Count; give each bar's name, its figure and its bar, and the counts themselves."""
    counts = {
        (client, manner): chunk(client, each)
        for manner, each in MANNERS.items()
        for client in READERS
    }
    rows = []
    for (manner, what), bar in BARS.items():
        if what == "growth":
            found = growth(MANNERS[manner])
        else:
            mine, theirs = counts["streamkit", manner], counts["by hand", manner]
            found = getattr(mine, what) / getattr(theirs, what)
        rows.append((f"{manner}, {what}", found, bar))
    return rows, counts


def table(counts):
    """The counts, by package, as Markdown."""
    heads = [f"{client}, {manner}" for client, manner in counts]
    rooms = Counter()
    for count in counts.values():
        rooms.update(count.rooms)
    lines = ["| a chunk | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    every = counts.values()
    for room, most in rooms.most_common():
        if most >= 1:
            cells = (f"{count.rooms.get(room, 0):.1f}" for count in every)
            lines.append(f"| {room} | " + " | ".join(cells) + " |")
    lines.append("| instructions | " + " | ".join(f"{c.instructions:.1f}" for c in every) + " |")
    lines.append("| calls of C functions | " + " | ".join(f"{c.calls:.1f}" for c in every) + " |")
    return "\n".join(lines)


def main():
    """Count, print and judge; give the exit status."""
    argparse.ArgumentParser("python -m benchmarks.gate", description=__doc__).parse_args()
    rows, counts = judged()
    print(table(counts))
    print()
    for name, found, bar in rows:
        print(f"{'held  ' if found <= bar else 'MISSED'}  {name}: {found:.3f}, at most {bar:g}")
    return int(any(found > bar for _, found, bar in rows))


if __name__ == "__main__":
    sys.exit(main())
