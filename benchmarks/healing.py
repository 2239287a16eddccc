"""
What healing brings, and what it costs.

``python -m benchmarks.healing [--venvs DIR] [--peer NAME]...``: what it brings.

Each peer, an SDK in a venv and a process of its own, reads each hostile
stream twice over loopback HTTP: as it is, and through `HealingTransport`. A
reading is right where it gives the answer that the stream holds, its tool
calls among it, and, where the stream holds none, an error. The provider
refuses the buffered call, so that nothing is healed by asking again.

The hostile streams are read from ``../shared/hostile`` beside the checkout.

``python -m benchmarks.healing --cost``: the processor time that a chunk of a
healthy stream costs, read from memory through httpx, as it is and healed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
from rich.console import Console
from rich.table import Table

from streamkit.healing import HealingTransport
from streamkit.testing import FaultProvider, Reply, answers

from .unavailable import Unavailable
from .venvs import CACHE, Venvs

ROOT = Path(__file__).parents[1]
HOSTILE = ROOT.parent / "shared" / "hostile" / "openai-chat.json"
NEEDS = ("attrs", "httpx-sse>=0.4.3,<0.5", "msgspec", "structlog", "anyio>=4.11", "httpx")
"""What streamkit needs in a peer's venv."""
PEERS = {
    "openai": "openai",
    "openai helper": "openai",
    "openai 2": "openai-2",
    "langchain-openai": "langchain",
    "pydantic-ai": "pydantic-ai",
    "litellm": "litellm",
}
"""By name: the family of pins each is installed from."""
CHUNKS, RUNS = 20_000, 7
"""Chunks of the stream whose cost is measured, and how often it is (counts)."""
PATIENCE = 300
"""What a peer may take for all streams (seconds)."""


def read_by(peer, python, url, count, *, healed):
    """Have a peer read every stream; gives what it made of each, by number."""
    command = [python, str(Path(__file__).with_name("peers.py")), peer, url, str(count)]
    ran = subprocess.run(
        [*command, *(["--heal"] if healed else [])],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(Path.home())},
    )
    lines = [line for line in ran.stdout.splitlines() if line.startswith('{"number"')]
    if len(lines) != count:
        last = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Unavailable(f"{peer} read {len(lines)} of {count} streams: {last}")
    return [json.loads(line) for line in lines]


def is_right(case, made):
    """Whether a reading is the right answer, or the honest error."""
    if case["must_fail"] or made["error"] is not None:
        return case["must_fail"] and made["error"] is not None
    wanted = [(call["name"], value_of(call["arguments"])) for call in case["tool_calls"]]
    calls = [(call["name"], value_of(call["arguments"])) for call in made["calls"]]
    return (case["text"], wanted) == (made["text"], calls)


def value_of(arguments):
    """Arguments as JSON where they are; an SDK may give them as it likes."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


async def measured(peers, venvs, say):
    """Read all streams by all peers; gives rows: peer, right as it is, right healed, what not."""
    cases = json.loads(HOSTILE.read_text("utf-8"))["cases"]
    replies = [Reply(*(chunk.encode("latin-1") for chunk in case["chunks"])) for case in cases]
    refusal = Reply(answers.error("not now"), status=500)

    def chosen(request):
        return replies[int(request.json["model"].rpartition("-")[2])]

    rows = []
    async with FaultProvider(stream=chosen, buffered=refusal) as provider:
        for peer in peers:
            try:
                made = await anyio.to_thread.run_sync(
                    read_twice, peer, venvs, provider.url, len(cases)
                )
            except (Unavailable, subprocess.SubprocessError) as error:
                say(f"{peer}: not measured: {error}")
            else:
                rows.append((peer, *judged(cases, made)))
    return len(cases), rows


def read_twice(peer, venvs, url, count):
    """Have a peer read every stream as it is, and healed; gives both readings."""
    python = venvs.python(PEERS[peer])
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, *NEEDS], check=True, capture_output=True)
    return {healed: read_by(peer, python, url, count, healed=healed) for healed in (False, True)}


def judged(cases, made):
    """How many readings are right as they are and healed, and those healed that are not."""
    right = {
        healed: [is_right(*pair) for pair in zip(cases, read, strict=True)]
        for healed, read in made.items()
    }
    wrong = [
        (case["name"], read)
        for case, read, good in zip(cases, made[True], right[True], strict=True)
        if not good
    ]
    return sum(right[False]), sum(right[True]), wrong


class Memory(httpx.AsyncBaseTransport):
    """A transport that answers from memory: one chunk after the other, no network."""

    def __init__(self, chunks):
        self.chunks = chunks

    async def handle_async_request(self, request):
        """Give them all."""

        class Body(httpx.AsyncByteStream):
            async def __aiter__(body):  # noqa: N805
                for chunk in self.chunks:
                    await anyio.lowlevel.checkpoint()  # as a socket would
                    yield chunk

        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Body())


async def read_from(transport):
    """Read a stream through a client; gives the processor time of a chunk (microseconds)."""
    asked = {"model": "m", "messages": [], "stream": True}
    async with httpx.AsyncClient(transport=transport) as client:
        began = time.process_time()
        url = "http://provider/v1/chat/completions"
        async with client.stream("POST", url, json=asked) as response:
            size = sum([len(part) async for part in response.aiter_raw()])
        spent = time.process_time() - began
    return spent / CHUNKS * 1e6, size


def cost():
    """Measure what healing adds to a chunk, interleaved; gives medians."""
    chunks = answers.text_stream(*["word "] * CHUNKS)
    direct, healed = [], []
    for run in range(RUNS + 1):
        for times, transport in (
            (direct, Memory(chunks)),
            (healed, HealingTransport(Memory(chunks))),
        ):
            spent, size = anyio.run(read_from, transport)
            if size != sum(map(len, chunks)):
                raise SystemExit("expected every byte to come through; some did not")
            if run:
                times.append(spent)
    return statistics.median(direct), statistics.median(healed)


def main(argv=None):
    """Print the table; the exit code is 0 where every peer that was measured reads all."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.healing", description=__doc__.splitlines()[1]
    )
    parser.add_argument("--venvs", type=Path, default=CACHE, help="where venvs are kept")
    parser.add_argument("--peer", action="append", choices=PEERS, help="this one only; repeatable")
    parser.add_argument("--cost", action="store_true", help="what it costs, in place of all else")
    options = parser.parse_args(argv)
    if options.cost:
        direct, healed = cost()
        sys.stdout.write(
            f"a chunk of a healthy stream, read from memory through httpx: {direct:.2f} us; "
            f"healed: {healed:.2f} us; added: {healed - direct:.2f} us\n"
        )
        return 0
    if not HOSTILE.exists():
        sys.stderr.write("expected the hostile streams beside the checkout; they are not there\n")
        return 2
    console = Console()
    count, rows = anyio.run(
        measured, options.peer or list(PEERS), Venvs(options.venvs), console.print
    )
    table = Table(
        "peer", "as it is", "through streamkit", title=f"right, of {count} hostile streams"
    )
    for peer, before, after, _ in rows:
        table.add_row(peer, str(before), str(after))
    console.print(table)
    for peer, _, _, wrong in rows:
        for name, read in wrong:
            console.print(f"{peer}: {name}: {read}", markup=False)
    return 0 if rows and all(after == count for _, _, after, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
