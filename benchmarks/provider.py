"""
The provider of the benchmarks: a process of its own, as cheap as can be.

The model's name is the script: ``burst-EVENTS-PER_CHUNK`` sends everything at
once, with so many events in each HTTP chunk; ``drip-EVENTS-MILLISECONDS``
sends one event to every open stream, then waits. Run as a script it prints
its port.
"""

import asyncio
import json
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
ENVELOPE = {
    "id": "chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
    "model": "gpt-4o-2024-08-06",
    "system_fingerprint": "fp_0123456789",
}
CLIENTS = 200
"""Streams the drip waits for before it begins, and sends to in turn."""


def frame(delta, finish_reason=None):
    """One SSE frame, as the API sends it."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    text = json.dumps({**ENVELOPE, "choices": [choice]}, separators=(",", ":"))
    return f"data: {text}\n\n".encode()


def chunked(data):
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@cache
def frames(events):
    """The frames of an answer of so many text deltas."""
    pieces = [frame({"content": f" word{number % 97}"}) for number in range(events)]
    return [
        frame({"role": "assistant", "content": ""}),
        *pieces,
        frame({}, "stop"),
        b"data: [DONE]\n\n",
    ]


@cache
def burst(events, per_chunk):
    """A whole body, *per_chunk* events in each HTTP chunk."""
    all_frames = frames(events)
    groups = [all_frames[at : at + per_chunk] for at in range(0, len(all_frames), per_chunk)]
    return b"".join(chunked(b"".join(group)) for group in groups) + END


class Drip:
    """Every open stream gets its next event in the same round."""

    def __init__(self):
        self.waiting = []

    async def join(self, writer, events, pause):
        """Wait for the others, then send in rounds until all is sent."""
        done = asyncio.Event()
        self.waiting.append((writer, done))
        if len(self.waiting) == CLIENTS:
            group, self.waiting = self.waiting, []
            for piece in frames(events):
                for one, _ in group:
                    one.write(chunked(piece))
                await asyncio.sleep(pause)
            for _, finished in group:
                finished.set()
        await done.wait()
        writer.write(END)


async def serve():
    """Serve until the parent goes away."""
    drip = Drip()

    async def handle(reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lengths = [h for h in head.lower().split(b"\r\n") if h.startswith(b"content-len")]
                body = json.loads(await reader.readexactly(int(lengths[0].partition(b":")[2])))
                mode, events, setting = body["model"].split("-")
                writer.write(HEAD)
                if mode == "burst":
                    writer.write(burst(int(events), int(setting)))
                else:
                    await drip.join(writer, int(events), int(setting) / 1000)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def provider():
    """Start the provider; give its base URL."""
    process = subprocess.Popen([sys.executable, Path(__file__)], stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    asyncio.run(serve())
