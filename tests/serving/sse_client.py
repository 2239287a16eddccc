"""
A client of event streams that trusts nobody: raw TCP, h11, and the rules of `frames`.

::

    async with connect(url, method="POST", json={...}) as response:
        assert 200 == response.status
        async for frame in response.frames():
            ...

Leaving closes the connection, whatever is still to come. What came is kept
with the time it came, and comments among it: `Response.parts`.
"""

import json as jsonlib
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
import attrs
import h11

from .frames import Frame, parse

__all__ = ["PATIENCE", "Part", "Response", "connect"]

PATIENCE = 5.0
"""How long nothing may come, unless a test says otherwise (seconds)."""
LONGEST = 20.0
"""How long a response is read at most: heartbeats for ever are no end (seconds)."""


@attrs.frozen
class Part:
    """A frame, or a comment, and when its last byte was there."""

    at: float
    """Seconds, on the event loop's clock."""
    frame: Frame | None
    """None for a comment."""


@attrs.define(eq=False)
class Response:
    """What a server answered, as far as it came."""

    _tcp: anyio.abc.SocketStream
    _http: h11.Connection
    idle: float
    """Seconds without a byte after which this client gives up: TimeoutError."""
    status: int = 0
    headers: dict[str, str] = attrs.field(factory=dict)
    """Names in lower case."""
    asked: float = attrs.field(factory=anyio.current_time)
    """When the request was sent (seconds of the event loop's clock)."""
    raw: bytearray = attrs.field(factory=bytearray)
    """The body, chunks put together."""
    parts: list[Part] = attrs.field(factory=list)
    """All that was read by `frames`, in order."""
    ended: bool = False
    """Whether the body ended the way HTTP says; a connection that just ends is an error."""
    _taken: int = 0
    """How much of *raw* was read as frames (bytes)."""
    _given: int = 0
    """How many of *parts* were given (a count)."""

    @property
    def comments(self):
        """How many comments came (a count)."""
        return sum(part.frame is None for part in self.parts)

    def frames(self):
        """Give each frame as it comes, from where reading stopped before."""
        return Frames(self)

    async def frame(self):
        """
        Give the next frame; None once the body ended.

        What breaks a rule of ours is an AssertionError.
        """
        while True:
            while self._given < len(self.parts):
                self._given += 1
                if (frame := self.parts[self._given - 1].frame) is not None:
                    return frame
            if self.ended:
                assert not self._rest, f"a frame that never ended: {self._rest!r}"
                return None
            await self._more()
            self._read()

    async def body(self):
        """Give the whole body, of any kind, once it ended."""
        while not self.ended:
            await self._more()
        return bytes(self.raw)

    async def json(self):
        """Give what the whole body says."""
        return jsonlib.loads(await self.body())

    @property
    def seen(self):
        """The frames that were read so far."""
        return [part.frame for part in self.parts if part.frame is not None]

    async def all(self):
        """Give every frame of the body, once it ended."""
        while await self.frame() is not None:
            pass
        return self.seen

    @property
    def _rest(self):
        return bytes(self.raw[self._taken :])

    def _read(self):
        """Take apart what is whole."""
        rest = self._rest
        assert rest.isascii(), f"a frame is ASCII: {rest!r}"
        assert b"\r" not in rest, f"LF alone ends a line: {rest!r}"
        *blocks, _ = rest.split(b"\n\n")
        for block in blocks:
            self._taken += len(block) + 2
            frames, _ = parse(block + b"\n\n")
            self.parts.append(Part(anyio.current_time(), *(frames or (None,))))
        ids = [frame.id for frame in self.seen]
        assert len(set(ids)) == len(ids), f"an id twice: {ids}"

    async def _more(self):
        """Wait for the next bytes of the body, or its end."""
        match await self._event():
            case h11.Data(data=data):
                self.raw += data
            case h11.EndOfMessage():
                self.ended = True

    async def _event(self):
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._received())
        return event

    async def _received(self):
        with anyio.fail_after(min(self.idle, self.asked + LONGEST - anyio.current_time())):
            try:
                return await self._tcp.receive()
            except anyio.EndOfStream:
                return b""  # h11 knows whether that is the end, or a cut

    async def _start(self, request, body):
        data = self._http.send(request) or b""
        data += self._http.send(h11.Data(data=body)) or b""
        await self._tcp.send(data + (self._http.send(h11.EndOfMessage()) or b""))
        head = await self._event()
        assert isinstance(head, h11.Response), f"a response was expected; got {head!r}"
        self.status = head.status_code
        self.headers = {name.decode(): value.decode() for name, value in head.headers}


@attrs.frozen
class Frames:
    """The frames that are still to come."""

    response: Response

    def __aiter__(self):
        return self

    async def __anext__(self):
        if (frame := await self.response.frame()) is None:
            raise StopAsyncIteration
        return frame


@asynccontextmanager
async def connect(url, *, method="GET", headers=None, json=None, idle=PATIENCE):
    """
    Ask *url*, and give the `Response` once its head is there.

    Args:
        url: with a query, or without.
        method: the HTTP method.
        headers: added to those every client sends.
        json: what is posted; None posts nothing.
        idle: seconds without a byte, the head's included, after which this
            client gives up: TimeoutError; so it does after `LONGEST` in all.
    """
    parts = urlsplit(url)
    body = b"" if json is None else jsonlib.dumps(json).encode()
    named = {"host": parts.netloc, "accept": "text/event-stream", **(headers or {})}
    if body:
        named |= {"content-type": "application/json", "content-length": str(len(body))}
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    request = h11.Request(method=method, target=target, headers=list(named.items()))
    with anyio.fail_after(PATIENCE):
        tcp = await anyio.connect_tcp(parts.hostname, parts.port)
    async with tcp:
        response = Response(tcp, h11.Connection(h11.CLIENT), idle)
        await response._start(request, body)
        yield response
