"""One client's connection: h11 reads requests and frames replies, steps are taken."""

from __future__ import annotations

import os
import socket
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

import anyio
import attrs
from anyio.abc import SocketAttribute, SocketStream

from .recorded import Recorded
from .reply import Reply

try:
    import h11
except ImportError as missing:
    raise ImportError(
        "streamkit.testing needs h11; install it with: pip install 'streamkit[testing]'"
    ) from missing

__all__ = ["MAX_REQUEST", "Connection"]

MAX_REQUEST: Final = 64 * 1024 * 1024
"""Bytes of one request's body, or sent ahead of a reply; a client that sends more is hung up on."""

_LINGER = struct.pack("ii", 1, 0)  # on, 0 s: close() sends RST instead of FIN (socket(7))
_GZIP = 16 + zlib.MAX_WBITS  # the container gzip, not zlib's own (zlib.h)
_UNDER_WAY = (h11.SEND_RESPONSE, h11.SEND_BODY)
_GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError)


@attrs.define(eq=False)
class Connection:
    """
    Serve the requests of one connection, one after the other.

    It is the `Wire` that steps are given. While a reply is under way a watch
    task reads, so that a client's leaving cancels the step that waits. A client
    that only says EOF has left: HTTP clients do not half-close.

    Args:
        stream: the accepted connection; `serve` closes it.
        answer: called with each request as it arrives; says what it gets.
        failed: called with what a step raised: a bug in the script.
    """

    _stream: SocketStream
    _answer: Callable[[Recorded], Reply]
    _failed: Callable[[Exception], None]
    _http: h11.Connection = attrs.field(init=False, factory=lambda: h11.Connection(h11.SERVER))
    _closed: bool = attrs.field(init=False, default=False)
    _gzip: Any = attrs.field(init=False, default=None)
    """What compresses the reply under way; None where none does."""

    async def serve(self) -> None:
        """Serve until either side closes; a client that breaks HTTP is hung up on."""
        async with self._stream:
            with suppress(h11.RemoteProtocolError, *_GONE):
                while recorded := await self._next_request():
                    await self._attend(recorded)
                    if self._http.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
                        return
                    self._http.start_next_cycle()

    # -- the request ---------------------------------------------------------

    async def _next_request(self) -> Recorded | None:
        request = await self._next_event()
        if not isinstance(request, h11.Request):
            return None  # the client closed between requests
        parts: list[bytes] = []
        size = 0
        while isinstance(event := await self._next_event(), h11.Data):
            parts.append(bytes(event.data))
            size += len(event.data)
            if size > MAX_REQUEST:
                return None
        return _record(request, b"".join(parts)) if isinstance(event, h11.EndOfMessage) else None

    async def _next_event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._put(h11.InformationalResponse(status_code=100, headers=[]))
            try:  # no timeout: the client's own, or the end of the provider
                self._http.receive_data(await self._stream.receive())
            except anyio.EndOfStream:
                self._http.receive_data(b"")
        return event

    # -- the reply -----------------------------------------------------------

    async def _attend(self, recorded: Recorded) -> None:
        try:
            reply = self._answer(recorded)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch, recorded, tasks.cancel_scope)
                await self._play(reply, recorded)
                tasks.cancel_scope.cancel()
        finally:
            recorded.finished.set()

    async def _watch(self, recorded: Recorded, reply: anyio.CancelScope) -> None:
        """Read while *reply* is played; cancel it when the client goes away, or we did."""
        ahead = 0
        try:
            while ahead <= MAX_REQUEST:
                data = await self._stream.receive()
                ahead += len(data)
                self._http.receive_data(data)  # h11 keeps it for the next cycle
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            self._note_gone(recorded)
        except anyio.ClosedResourceError:
            pass  # by a step
        reply.cancel()

    async def _play(self, reply: Reply, recorded: Recorded) -> None:
        zipped = reply.gzip and recorded.method != "HEAD"
        self._gzip = zlib.compressobj(wbits=_GZIP) if zipped else None
        try:
            for silent in reply.before:
                await silent(self)
            await self._send_head(reply, recorded)
            for step in reply.steps if recorded.method != "HEAD" else ():
                await (self.send(step) if isinstance(step, bytes) else step(self))
            if not self._closed:  # by a step: then the body need not be whole
                await self._end_body()
        except anyio.BrokenResourceError:
            self._note_gone(recorded)
        except anyio.ClosedResourceError:
            pass  # by a step
        except Exception as bug:  # noqa: BLE001 -- it is the script's, and raised when the provider ends
            self._failed(bug)

    async def _end_body(self) -> None:
        if self._gzip is not None:
            await self._put(h11.Data(data=self._gzip.flush()))
        await self._put(h11.EndOfMessage())

    def _note_gone(self, recorded: Recorded) -> None:
        # A client that has read the end of a body may leave before we look up.
        if self._http.our_state in _UNDER_WAY:
            recorded.disconnected.set()

    async def _send_head(self, reply: Reply, recorded: Recorded) -> None:
        streamed = recorded.streaming and reply.status < HTTPStatus.BAD_REQUEST
        headers = reply.head("text/event-stream" if streamed else "application/json")
        if reply.framing == "close":
            # The one way to make h11 leave a body unframed: it does so for HTTP/1.0 alone.
            self._http.their_http_version = b"1.0"
        await self._put(h11.Response(status_code=reply.status, headers=headers))

    async def _put(self, event: h11.Event) -> None:
        if data := self._http.send(event):
            await self._stream.send(data)  # waits for the client to read, or to leave

    # -- the wire, as steps see it -------------------------------------------

    async def send(self, data: bytes) -> None:
        """Send *data* as one piece of the body, framed and compressed as the reply says."""
        if self._gzip is not None:
            data = self._gzip.compress(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        await self._put(h11.Data(data=data))

    async def send_eof(self) -> None:
        """Say that nothing more will be sent; reading goes on."""
        with suppress(OSError):  # the client has reset the connection
            await self._stream.send_eof()

    async def reset(self) -> None:
        """Close with a TCP reset."""
        # The option belongs to the connection, so a second descriptor sets it,
        # on event loops too whose sockets cannot (uvloop). Where the client was
        # faster there may be no socket left to ask (on uvloop it is None).
        with suppress(OSError, AttributeError):
            descriptor = self._stream.extra(SocketAttribute.raw_socket).fileno()
            with socket.socket(fileno=os.dup(descriptor)) as twin:
                twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        await self.aclose()

    async def aclose(self) -> None:
        """Close, whatever is left unsaid."""
        self._closed = True
        await self._stream.aclose()


def _record(request: h11.Request, body: bytes) -> Recorded:
    headers: dict[str, str] = {}
    for raw_name, raw_value in request.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    path, _, query = request.target.decode("latin-1").partition("?")
    return Recorded(request.method.decode("ascii"), path, query, headers, body)
