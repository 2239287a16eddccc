"""
A provider that says one answer to whoever asks, as cheaply as can be: a process of its own.

Run as a script it reads what it sends from its standard input, a whole HTTP
response, prints its port, and serves until it is killed. `speaking` runs it.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Final

__all__ = ["speaking"]

_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
_READ: Final = 64 * 1024
"""How much of a request is read at a time (bytes)."""


@contextmanager
def speaking(frames: Sequence[bytes]) -> Iterator[str]:
    """
    Run it in another process; give the URL it listens at, without a path.

    Args:
        frames: the answer, one HTTP chunk each; sent all at once.
    """
    chunks = (b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames)
    with subprocess.Popen(  # noqa: S603 (this file, by this interpreter)
        [sys.executable, "-P", __file__],  # this one, and not what another folder has
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(_HEAD + b"".join(chunks) + b"0\r\n\r\n")
            process.stdin.close()
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def _serve(connection: socket.socket, answer: bytes) -> None:
    """Answer every request of a connection, whatever it asks."""
    with connection:
        held = b""
        while True:
            head, end, rest = held.partition(b"\r\n\r\n")
            length = _length(head)
            if end and len(rest) >= length:
                connection.sendall(answer)
                held = rest[length:]
            elif read := connection.recv(_READ):
                held += read
            else:
                return


def _length(head: bytes) -> int:
    """Give how long the body of a request is (bytes)."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _main() -> None:
    answer = sys.stdin.buffer.read()
    with socket.create_server(("127.0.0.1", 0)) as server:
        sys.stdout.write(f"{server.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            connection, _ = server.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Thread(target=_serve, args=(connection, answer), daemon=True).start()


if __name__ == "__main__":
    _main()
