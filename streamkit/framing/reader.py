"""The way from a body to its frames: look at its start, then cut it as it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, TypeAlias

import attrs

from streamkit.framing.aws import AwsEventStream
from streamkit.framing.frame import Ended, Frame
from streamkit.framing.framer import Framer
from streamkit.framing.guard import Guard
from streamkit.framing.json_array import ArrayItems
from streamkit.framing.ndjson import Lines
from streamkit.framing.sniff import Kind, opening, sniff
from streamkit.framing.sse import read_sse
from streamkit.framing.waiting import GoOn
from streamkit.framing.whole import WholeBody, response_too_large

__all__ = ["Emit", "read_frames"]

Emit: TypeAlias = Callable[[list[Frame]], Awaitable[None]]
"""
Takes the frames of one read: never empty, and the list is the callee's to keep.

One that has a method ``nowait(frames)`` is handed the frames of all chunks that
came without waiting, right before the read that waits. It neither raises nor
waits, and gives what must be awaited before anything more is handed over: an
async function, or None.
"""

After: TypeAlias = Callable[[], Awaitable[None]] | None

BATCH: Final = 1024
"""Frames handed over at the latest, where a body never waits (a count)."""

_FRAMERS: dict[Kind, Callable[[int], Framer]] = {
    Kind.NDJSON: Lines,
    Kind.ARRAY: ArrayItems,
    Kind.AWS: AwsEventStream,
}


async def read_frames(
    body: AsyncIterator[bytes],
    emit: Emit,
    *,
    content_type: str = "",
    max_frame_bytes: int,
    max_response_bytes: int,
    on_bytes: Callable[[], None] | None = None,
) -> Ended:
    """
    Read *body* to its end and emit its frames, whatever kind of body it is.

    The frames of a read are emitted right before the next read is awaited, so
    no frame waits for a byte it does not need; those that only the end
    completes are emitted after it.

    Args:
        body: the decoded bytes; the caller owns and closes it.
        emit: takes each batch. What it raises ends the reading, unchanged.
        content_type: the header, for the cases the bytes leave open.
        max_frame_bytes: bound of one frame (bytes).
        max_response_bytes: bound of the whole body (bytes).
        on_bytes: called for every read that waited, when it has.

    Returns:
        How the body ended. Whether it was complete is the dialect's verdict.

    Raises:
        FrameTooLarge, ResponseTooLarge: a bound was passed.
        MalformedStream, TruncatedStream: the framing itself is broken.
            In each case the frames before the fault have been emitted.
    """
    intake = _Intake(body, emit, max_response_bytes, on_bytes)
    kind = await intake.look(content_type)
    async with aclosing(intake.chunks()) as chunks:
        try:
            residue = await _read(kind, chunks, intake, max_frame_bytes)
        except Exception:  # the body's, too: it may break without a wait before it
            await intake.flush()
            raise
    await intake.flush()
    return Ended(residue)


async def _read(
    kind: Kind, chunks: AsyncIterator[bytes], intake: _Intake, max_frame_bytes: int
) -> str:
    """Read *chunks* as *kind* says; return the residue."""
    if kind is Kind.SSE:
        return await _read_sse(chunks, intake, max_frame_bytes)
    if kind is not Kind.WHOLE:
        await _feed(_FRAMERS[kind](max_frame_bytes), chunks, intake)
        return ""
    whole = WholeBody(intake.max_response_bytes)
    async for chunk in chunks:
        whole.feed(chunk)
    frames = whole.eof()
    if whole.is_sse:
        return await _read_sse(_once(whole.body), intake, max_frame_bytes)
    intake.batch += frames
    return ""


async def _read_sse(chunks: AsyncIterator[bytes], intake: _Intake, max_frame_bytes: int) -> str:
    guard = Guard(chunks, max_frame_bytes=max_frame_bytes)
    await read_sse(guard, intake.batch.append)
    return guard.residue


async def _feed(framer: Framer, chunks: AsyncIterator[bytes], intake: _Intake) -> None:
    async for chunk in chunks:
        frames = framer.feed(chunk)
        while frames:  # a fault behind them is raised by the next call
            intake.batch += frames
            frames = framer.feed(b"")
    intake.batch += framer.eof()


async def _once(chunk: bytes) -> AsyncGenerator[bytes, None]:
    yield chunk


@attrs.define(eq=False)
class _Intake:
    """The body, measured as it comes in; each read first hands over the last one's frames."""

    body: AsyncIterator[bytes]
    emit: Emit
    max_response_bytes: int
    on_bytes: Callable[[], None] | None
    batch: list[Frame] = attrs.field(factory=list, init=False)
    _hand_over: Callable[[list[Frame]], After] | None = attrs.field(init=False)
    _fault: BaseException | None = attrs.field(default=None, init=False)
    _after: After = attrs.field(default=None, init=False)
    """What must be awaited before the next chunk is looked at."""
    head: bytes = attrs.field(default=b"", init=False)
    total: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._hand_over = getattr(self.emit, "nowait", None)

    async def look(self, content_type: str) -> Kind:
        """Read until the kind of body is plain, and keep what was read for `chunks`."""
        async for chunk in self.body:
            if chunk and self.on_bytes is not None:
                self.on_bytes()
            self.total += len(chunk)
            # Blanks in front say nothing; kept, a hostile flood of them would be searched anew
            # at every read.
            self.head = opening(self.head + (self._cut(chunk) if self._full else chunk))
            kind = sniff(self.head, content_type, eof=self._full)
            if kind is not None:
                return kind
        return sniff(self.head, content_type, eof=True) or Kind.WHOLE

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """
        Yield what each read brings; the first is what `look` has seen.

        Each read is begun by hand, to see whether it waits: one read of a
        socket often brings many chunks, and the HTTP client gives them one by
        one without waiting. No other task runs until somebody waits, so their
        frames are handed over as early as can be when that is done right
        before the wait: once a read, not once a chunk.
        """
        body, batch, limit = self.body, self.batch, self.max_response_bytes
        eager = self._hand_over is not None
        if self.head:
            yield self.head
        while True:
            if batch and (not eager or len(batch) >= BATCH):
                await self.flush()
            if self.total > limit:
                raise response_too_large(limit)
            try:
                read: Any = body.__anext__().__await__()
                waits_for = next(read)
            except StopIteration as got:
                chunk: bytes = got.value
            except StopAsyncIteration:
                return
            else:
                self._before_waiting()
                try:
                    chunk = await GoOn(read, waits_for)
                except StopAsyncIteration:
                    return
                await self._after_waiting()
            self.total += len(chunk)
            yield chunk if self.total <= limit else self._cut(chunk)

    def _before_waiting(self) -> None:
        """Hand over what has gathered: the next read waits."""
        if self.batch and self._hand_over is not None:
            batch = self.batch.copy()
            self.batch.clear()
            try:
                self._after = self._hand_over(batch)
            except BaseException as error:  # noqa: BLE001 (the read is under way: raised behind it)
                self._fault = error

    async def _after_waiting(self) -> None:
        """Tell that bytes came, and wait for those who took what was handed over."""
        if self._fault is not None:
            raise self._fault
        if self.on_bytes is not None:
            self.on_bytes()
        if self._after is not None:
            after, self._after = self._after, None
            await after()

    async def flush(self) -> None:
        """Emit what has gathered, if anything has."""
        if self.batch:
            batch = self.batch.copy()
            self.batch.clear()  # first: emit may raise, and then nothing is emitted twice
            await self.emit(batch)

    @property
    def _full(self) -> bool:
        """Whether more than the bound has come."""
        return self.total > self.max_response_bytes

    def _cut(self, chunk: bytes) -> bytes:
        """Give what of the newest chunk, counted already, is within the bound."""
        return chunk[: len(chunk) - (self.total - self.max_response_bytes)]
