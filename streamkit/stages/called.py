"""A source that asks an SDK somebody else holds."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import attrs

from ..dialects import Dialect, HttpCall
from ..errors import (
    InBandError,
    MisuseError,
    ProviderError,
    Rejected,
    StreamkitError,
    TransportError,
    excerpt,
)
from ..framing import Ended, Frame, encode, read_frames
from ..pipeline import Emit, Taps

__all__ = ["Called"]

Call = Callable[[], Awaitable[Any]]
"""An async function without arguments: gives a stream of chunks, or an answer."""


@attrs.define(eq=False)
class Called:
    """
    Call an SDK, and read what it gives.

    A stream is an async iterator of the SDK's objects, of dicts, or of raw
    bytes; an answer is an object, a dict, or JSON text. Either is accepted
    from either call. The stream is closed on every way out.
    """

    ask: Call
    buffered: bool = attrs.field(default=False, kw_only=True)

    def call(self, _dialect: Dialect, _request: dict[str, Any], /) -> HttpCall:
        """Say nothing: the SDK knows how to ask."""
        return HttpCall("", {})

    async def fetch(self, _call: HttpCall, _dialect: Dialect, emit: Emit, taps: Taps, /) -> Ended:
        """
        Call, and emit what comes.

        Raises:
            Rejected, InBandError, TransportError: mapped from what the SDK
                raised, which is ``error.original``.
            MisuseError: what it gave is neither a stream nor an answer.
        """
        try:
            given = self.ask()
            if inspect.isawaitable(given):
                given = await given
            taps.on_bytes()
            if not hasattr(given, "__aiter__"):
                await emit([Frame(_as_json(given), whole=True)])
                return Ended()
            return await _read(given, emit, taps)
        except StreamkitError:
            raise
        except Exception as error:
            if type(error).__module__.startswith(__name__.partition(".")[0]):
                raise  # ours, and no failure: the answer ended before the stream
            raise map_sdk(error) from error


def map_sdk(error: Exception) -> ProviderError:
    """
    Map what an SDK raised, by what its exceptions have in common.

    One with a ``status_code`` was a rejection; one with a ``body`` came in
    the stream; whatever is left is the connection's.
    """
    said = excerpt(error)
    status = getattr(error, "status_code", None)
    mapped: ProviderError
    if isinstance(status, int):
        mapped = Rejected(f"the provider answered HTTP {status}: {said}", status=status)
    elif getattr(error, "body", None) is not None:
        mapped = InBandError(said)
    else:
        mapped = TransportError(f"the call failed: {type(error).__name__}: {said}")
    mapped.original = error
    return mapped


async def _read(stream: Any, emit: Emit, taps: Taps) -> Ended:
    """Read a stream of whatever it gives, judged by its first chunk, and close it."""
    chunks = aiter(stream)
    try:
        try:
            first = await anext(chunks)
        except StopAsyncIteration:
            return Ended()
        if isinstance(first, bytes | bytearray | memoryview):
            return await read_frames(
                _Bytes(first, chunks),
                partial(_awaited, emit),
                max_frame_bytes=taps.max_frame_bytes,
                max_response_bytes=taps.max_response_bytes,
                on_bytes=taps.on_bytes,
            )
        await emit([Frame(_as_json(first))])
        async for chunk in chunks:
            taps.on_bytes()
            await emit([Frame(_as_json(chunk))])
        return Ended()
    finally:
        await _close(stream, chunks, taps.close)


@attrs.define(eq=False)
class _Bytes:
    """Raw bytes, the first of them read already."""

    _first: Any
    _rest: AsyncIterator[Any]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return bytes(first)
        return bytes(await anext(self._rest))


async def _awaited(emit: Emit, frames: list[Frame]) -> None:
    """Emit between two reads only: what a caller's stream waits for, a stage may give."""
    await emit(frames)


async def _close(stream: Any, chunks: AsyncIterator[Any], seconds: float) -> None:
    """Leave a stream by a cancelled read, and close it by whatever name it has for that."""
    with anyio.move_on_after(seconds, shield=True), contextlib.suppress(Exception):
        with anyio.CancelScope() as scope, contextlib.suppress(Exception, StopAsyncIteration):
            scope.cancel()
            await anext(chunks)  # once: a stream that never waits would never end
        for thing in (chunks, stream):
            close = getattr(thing, "aclose", None) or getattr(thing, "close", None)
            if close is not None:
                closing = close()
                if inspect.isawaitable(closing):
                    await closing


def _as_json(value: Any) -> str | bytes:
    """Give a chunk or an answer as JSON text, no field added and none lost."""
    if isinstance(value, str | bytes):
        return value
    dump = getattr(value, "model_dump_json", None)
    if dump is not None:
        return str(dump(exclude_unset=True))
    try:
        return encode(value)
    except TypeError as error:
        raise MisuseError(
            "expected the SDK to give its objects, dicts, JSON text or bytes; got "
            f"{excerpt(repr(value))}; convert it in the function you pass"
        ) from error
