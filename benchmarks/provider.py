"""
The provider of the benchmarks: a process of its own, as cheap as can be.

The model's name is the script (see `benchmarks.wire`): ``text-``, ``tools-``
and ``reasoning-EVENTS-PER_CHUNK`` send everything at once; ``drip-GROUP``
joins a group of streams that say nothing until the harness says how much;
``cut-EVENTS`` hangs up after so many, and answers the buffered call with all
of it. Run as a script it prints its port, then takes commands on its standard
input, a line of JSON each, and answers each with a line.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from functools import partial
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None

if __package__:
    from . import wire
    from .unavailable import Unavailable
else:
    sys.path[:0] = [str(Path(__file__).parents[1])]
    from benchmarks import wire
    from benchmarks.unavailable import Unavailable

JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
PATIENCE = 60
"""How long a command may take (seconds)."""
CUT_EVENTS = 40
"""Deltas of the buffered answer to a ``cut`` script."""


class Groups:
    """Streams that wait to be told to speak."""

    def __init__(self):
        self.writers = {}
        self.spoken = Counter()
        """How many events each group was sent: the next stream is the one whose turn it is."""
        self.cuts = []
        """When answers were cut whose buffered call has not come yet (nanoseconds)."""

    def __getitem__(self, group):
        return self.writers.setdefault(group, [])

    async def joined(self, group, streams):
        """Wait until so many have joined."""
        while len(self[group]) < streams:  # noqa: ASYNC110 (a harness may look now and then)
            await asyncio.sleep(0.01)
        return {"streams": len(self[group])}

    async def drip(self, group, events, rate):
        """
        Send so many events at an even pace, to each stream in turn.

        Args:
            group: whose turn it is.
            events: a count, of all streams together.
            rate: events per second, of all streams together.
        """
        streams, began = self[group], time.monotonic()
        halves = {name: wire.stamped(name) for name in wire.PATHS}
        for number in range(events):
            ahead = began + number / rate - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)
            writer, name, _ = streams[(self.spoken[group] + number) % len(streams)]
            before, behind = halves[name]
            writer.write(wire.chunked(b"%b%d%b" % (before, _stamp(), behind)))
        self.spoken[group] += events
        return {"seconds": time.monotonic() - began}

    async def end(self, group):
        """End the answers of a group."""
        for writer, name, done in self.writers.pop(group, []):
            writer.write(b"".join(map(wire.chunked, wire.closing(name))) + wire.END)
            done.set()
        return {}


def _stamp():
    """The time, of the same length always."""
    return 10 ** (len(wire.STAMP) - 1) + time.monotonic_ns()


async def _drip(writer, name, groups, group):
    writer.write(wire.HEAD + b"".join(map(wire.chunked, wire.opening(name))))
    done = asyncio.Event()
    groups[group].append((writer, name, done))
    await done.wait()


async def _cut(writer, events, *, stream, cuts):
    if not stream:
        text = wire.expected("text", CUT_EVENTS)
        data = wire.completion(text, f"cut-{cuts.pop(0)}")
        writer.write(JSON_HEAD % (len(data), data))
        return
    half = wire.frames("openai", "text", CUT_EVENTS)[: events + 1]
    writer.write(wire.HEAD + b"".join(map(wire.chunked, half)))
    await writer.drain()
    await asyncio.sleep(0.002)  # so that it is read before the connection is seen to end
    cuts.append(time.monotonic_ns())
    writer.close()


async def _answer(writer, path, request, groups):
    name = "anthropic" if path.endswith(b"/messages") else "openai"
    kind, _, rest = request["model"].partition("-")
    if kind == "drip":
        await _drip(writer, name, groups, rest)
    elif kind == "cut":
        await _cut(writer, int(rest), stream=request.get("stream", False), cuts=groups.cuts)
    else:
        kind, events, per_chunk = wire.parse(request["model"])
        writer.write(wire.HEAD + wire.body(name, kind, events, per_chunk))


async def _serve(groups, reader, writer):
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.lower().split(b"\r\n")
            lengths = [line for line in lines if line.startswith(b"content-length")]
            request = json.loads(await reader.readexactly(int(lengths[0].partition(b":")[2])))
            await _answer(writer, lines[0].split()[1], request, groups)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _obey(groups):
    """Take commands until the harness goes away."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        work = getattr(groups, command.pop("do"))(**command)
        try:
            answer = await asyncio.wait_for(work, PATIENCE)
        except Exception as error:  # noqa: BLE001 (the harness is told, whatever it was)
            answer = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


async def main():
    """Serve, and obey."""
    if resource is not None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    groups = Groups()
    serve = partial(_serve, groups)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await _obey(groups)


class Provider:
    """The harness's handle of it."""

    def __init__(self, process):
        self._process = process
        self.root = f"http://127.0.0.1:{process.stdout.readline().strip()}"

    @property
    def pid(self):
        return self._process.pid

    def tell(self, do, **command):
        """Give a command, and wait until it is done."""
        print(json.dumps({"do": do, **command}), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline() or '{"failed": "it is gone"}')
        if "failed" in answer:
            raise Unavailable(f"the provider: {answer['failed']}")
        return answer


@contextmanager
def provider():
    """Start the provider, and end it."""
    with subprocess.Popen(
        [sys.executable, Path(__file__)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Provider(process)
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(main())
