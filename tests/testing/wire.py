"""A client that sees everything: each HTTP chunk, and how the connection ended."""

import json
from typing import Literal

import anyio
import attrs
import h11
import httpx

from streamkit.dialects import get_dialect
from streamkit.framing import Frame
from streamkit.testing import FaultProvider

PATIENCE = 10.0  # seconds: what never comes has not come by then
QUIET = 0.1  # seconds: where nothing more is to come, how long it is waited for
DIALECTS = ("openai-chat", "llama-stack-turn")


@attrs.define(eq=False)
class Seen:
    """What came of one request."""

    status: int = 0
    headers: dict = attrs.field(factory=dict)
    chunks: list = attrs.field(factory=list)
    """The body, an HTTP chunk each."""
    ending: Literal["whole", "eof", "reset", "silence", "left"] = "whole"
    seconds: float = 0.0
    """From before the connection to the end."""
    head: float = 0.0
    """When status and headers came (seconds since then)."""
    times: list = attrs.field(factory=list)
    """When each chunk came (seconds since then)."""

    @property
    def body(self):
        """All that came."""
        return b"".join(self.chunks)

    @property
    def json(self):
        """The body, as JSON."""
        return json.loads(self.body)

    @property
    def frames(self):
        """The body's events, an SSE frame each."""
        return [part + b"\n\n" for part in self.body.split(b"\n\n") if part]

    @property
    def values(self):
        """What the frames hold: JSON, or the done marker."""
        texts = [frame.decode().removeprefix("data: ").strip() for frame in self.frames]
        return [text if text == "[DONE]" else json.loads(text) for text in texts]

    def events(self, dialect):
        """What the dialect's decoder makes of the frames."""
        decoder = get_dialect(dialect).decoder()
        frames = [Frame(frame.decode().removeprefix("data: ").strip()) for frame in self.frames]
        return [event for frame in frames for event in decoder.feed(frame)]


async def ask(provider, body=None, *, silent_after=None, leave_after=None):
    """
    Send one request: a stream, unless *body* says otherwise.

    After *silent_after* chunks nothing more is expected; after *leave_after*
    nothing more is wanted.
    """
    content = json.dumps({"stream": True} if body is None else body).encode()
    head = f"POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n\r\n"
    reader, seen = Reader(), Seen()
    started = anyio.current_time()
    async with await anyio.connect_tcp("127.0.0.1", httpx.URL(provider.url).port) as raw:
        await raw.send(reader.sent(head.encode() + content))
        while not reader.over:
            quiet = silent_after is not None and len(seen.chunks) >= silent_after
            data = await receive(raw, QUIET if quiet else PATIENCE, seen)
            if data is None:
                break
            reader.read(data, seen)
            seen.seconds = anyio.current_time() - started
            seen.head = seen.head or (seen.seconds if seen.status else 0.0)
            seen.times += [seen.seconds] * (len(seen.chunks) - len(seen.times))
            if leave_after is not None and len(seen.chunks) >= leave_after:
                seen.ending = "left"
                break
    return seen


async def receive(raw, seconds, seen):
    """Give what comes, nothing for EOF; None for a reset, or where nothing came for so long."""
    with anyio.move_on_after(seconds):
        try:
            return await raw.receive()
        except anyio.EndOfStream:
            return b""
        except anyio.BrokenResourceError:
            seen.ending = "reset"
            return None
    seen.ending = "silence"
    return None


async def play(script, dialect="openai-chat", body=None, **how):
    """Ask a provider that plays *script*, once."""
    async with FaultProvider.scripted(script, dialect) as provider:
        return await ask(provider, body, **how)


@attrs.define(eq=False)
class Reader:
    """Bytes of one response, chunk by chunk."""

    over: bool = False
    _http: h11.Connection = attrs.field(factory=lambda: h11.Connection(h11.CLIENT))
    _open: bytes = b""

    def sent(self, data):
        """Know what was asked."""
        self._http.send(h11.Request(method="POST", target="/v1/x", headers=[("host", "x")]))
        self._http.send(h11.EndOfMessage())
        return data

    def read(self, data, seen):
        """Read what came; nothing is EOF."""
        self._http.receive_data(data)
        try:
            while (event := self._http.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                self._take(event, seen)
                if self.over:
                    return
        except h11.RemoteProtocolError:
            seen.ending, self.over = "eof", True

    def _take(self, event, seen):
        if isinstance(event, h11.Response):
            seen.status = event.status_code
            seen.headers = {k.decode(): v.decode() for k, v in event.headers}
        elif isinstance(event, h11.Data):
            self._open += bytes(event.data)
            if event.chunk_end:
                seen.chunks.append(self._open)
                self._open = b""
        elif isinstance(event, h11.EndOfMessage):
            self.over = True
        else:
            seen.ending, self.over = "eof", True
