"""The network below streamkit's own HTTP client: a read opens no clock where none is asked for."""

from __future__ import annotations

import contextlib
import select
import ssl
from typing import Any, Final

import anyio
import attrs
import httpcore
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSStream

__all__ = ["Connected", "connect"]

_BROKEN: Final = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)
"""What a broken connection raises; TLS's own is an OSError."""
_NO_CLOCK: Final = contextlib.nullcontext()


async def connect(host: str, port: int, timeout: float | None = None) -> Connected:
    """
    Connect to *host*, within *timeout* seconds.

    Raises:
        httpcore.ConnectTimeout, httpcore.ConnectError
    """
    try:
        with _clock(timeout):
            return Connected(await anyio.connect_tcp(host, port))
    except TimeoutError as error:
        raise httpcore.ConnectTimeout(error) from error
    except _BROKEN as error:
        raise httpcore.ConnectError(error) from error


@attrs.define(eq=False)
class Connected(httpcore.AsyncNetworkStream):
    """
    One connection, plain or within TLS, as httpcore's HTTP/1.1 wants it.

    httpcore's own opens a cancel scope and two context managers around each
    read, whether it has a timeout or not; here `Limits` holds the clocks (issue
    9; *what a chunk costs*).

    What is written first behind a read goes with what is written next, or right
    before the next read: the headers of a request and its body in one packet.
    """

    stream: ByteStream
    _held: bytes | None = attrs.field(default=b"", init=False)
    """What is held back; None where the next write goes by itself."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """
        Read what has come, at most *max_bytes*; empty at the end.

        Raises:
            httpcore.ReadTimeout, httpcore.ReadError; of what was held back, as `write` does.
        """
        if self._held:
            await self._send(self._held, timeout)
        self._held = b""
        try:
            if timeout is None:  # on the way of every chunk: not even a context manager's steps
                return await self.stream.receive(max_bytes)
            with anyio.fail_after(timeout):
                return await self.stream.receive(max_bytes)
        except anyio.EndOfStream:
            return b""
        except TimeoutError as error:
            raise httpcore.ReadTimeout(error) from error
        except _BROKEN as error:
            raise httpcore.ReadError(error) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """
        Write all of *buffer*.

        Raises:
            httpcore.WriteTimeout, httpcore.WriteError
        """
        if self._held == b"":
            self._held = buffer
        elif buffer:
            held, self._held = self._held or b"", None
            await self._send(held + buffer, timeout)

    async def _send(self, data: bytes, timeout: float | None) -> None:
        try:
            with _clock(timeout):
                await self.stream.send(data)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(error) from error
        except _BROKEN as error:
            raise httpcore.WriteError(error) from error

    async def aclose(self) -> None:
        """Close it, whatever is under way."""
        await self.stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> Connected:
        """
        Go on within TLS; where that fails, the connection is closed.

        Raises:
            httpcore.ConnectTimeout, httpcore.ConnectError
        """
        try:
            with _clock(timeout):
                return Connected(
                    await TLSStream.wrap(
                        self.stream,
                        server_side=False,
                        hostname=server_hostname,
                        ssl_context=ssl_context,
                        standard_compatible=False,  # HTTP tells where a body ends
                    )
                )
        except BaseException as error:
            await anyio.aclose_forcefully(self.stream)
            if isinstance(error, TimeoutError):
                raise httpcore.ConnectTimeout(error) from error
            if isinstance(error, (*_BROKEN, anyio.EndOfStream)):
                raise httpcore.ConnectError(error) from error
            raise

    def get_extra_info(self, info: str) -> bool | None:
        """Give whether it ``is_readable``; httpcore's HTTP/1.1 asks for nothing else."""
        return self._has_something() if info == "is_readable" else None

    def _has_something(self) -> bool:
        """Whether a read would not wait: of a connection that is idle, that is its end."""
        raw = self.stream.extra(SocketAttribute.raw_socket, None)
        if raw is None or raw.fileno() < 0:
            return True
        if hasattr(select, "poll"):  # knows no highest descriptor, as select does
            poll = select.poll()
            poll.register(raw, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([raw], [], [], 0)[0])


def _clock(seconds: float | None) -> contextlib.AbstractContextManager[Any]:
    return _NO_CLOCK if seconds is None else anyio.fail_after(seconds)
