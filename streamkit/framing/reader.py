"""The way from a body to its frames: look at its start, then cut it as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeAlias

import attrs

from streamkit.framing.aws import AwsEventStream
from streamkit.framing.frame import Ended, Frame
from streamkit.framing.framer import Framer
from streamkit.framing.json_array import ArrayItems
from streamkit.framing.ndjson import Lines
from streamkit.framing.sniff import Kind, opening, sniff
from streamkit.framing.sse import ServerSentEvents
from streamkit.framing.waiting import telling
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

_FRAMERS: Final[dict[Kind, Callable[[int], Framer]]] = {
    Kind.SSE: ServerSentEvents,
    Kind.NDJSON: Lines,
    Kind.ARRAY: ArrayItems,
    Kind.AWS: AwsEventStream,
}


def read_frames(
    body: AsyncIterator[bytes],
    emit: Emit,
    *,
    content_type: str = "",
    max_frame_bytes: int,
    max_response_bytes: int,
    on_bytes: Callable[[], None] | None = None,
) -> Awaitable[Ended]:
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
    bounds = max_frame_bytes, max_response_bytes
    intake = _Intake(body, emit, *bounds, on_bytes)
    return telling(intake.read(content_type), intake.before_waiting)


@attrs.define(eq=False)
class _Intake:
    """
    The body, measured as it comes in.

    One read of a socket often brings many chunks, and the HTTP client gives
    them one by one without waiting. No other task runs until somebody waits,
    so their frames are handed over as early as can be when that is done right
    before the wait: once a read, not once a chunk.
    """

    body: AsyncIterator[bytes]
    emit: Any
    max_frame_bytes: int
    max_response_bytes: int
    on_bytes: Callable[[], None] | None
    _eager: bool = attrs.field(init=False)
    """Whether it is handed over right before a wait."""
    _batch: list[Frame] = attrs.field(factory=list, init=False)
    _total: int = attrs.field(default=0, init=False)
    _waited: bool = attrs.field(default=False, init=False)
    _after: After = attrs.field(default=None, init=False)
    """What must be awaited before the next chunk is looked at."""

    def __attrs_post_init__(self) -> None:
        self._eager = hasattr(self.emit, "nowait")

    async def read(self, content_type: str) -> Ended:
        """Read to the end of the body."""
        most = BATCH if self._eager else 1
        try:
            framer = await self._look(content_type)
            if len(self._batch) >= most:
                await self._flush()
            async for chunk in self.body:
                if self._waited:
                    self._waited = False
                    if self.on_bytes is not None:
                        self.on_bytes()
                if self._after is not None:
                    await self._settle(self._after)
                self._take(framer, chunk)
                del chunk  # it may be long until the next
                if len(self._batch) >= most:
                    await self._flush()
            if self._after is not None:
                await self._settle(self._after)
            self._end(framer)
        except Exception:  # the body's, too: it may break without a wait before it
            await self._flush()
            raise
        await self._flush()
        return Ended(framer.residue)

    def before_waiting(self) -> None:
        """Hand over what has gathered: the next read waits."""
        self._waited = True
        if self._batch and self._eager:
            batch, self._batch = self._batch, []
            try:
                self._after = self.emit.nowait(batch)
            except BaseException as error:  # noqa: BLE001 (the read is under way: raised behind it)
                self._after = partial(_raise, error)

    async def _look(self, content_type: str) -> Framer:
        """Read until the kind of body is plain; give what frames it, and has what was read."""
        head, kind = b"", None
        async for chunk in self.body:
            if chunk and self.on_bytes is not None:
                self.on_bytes()
            # Blanks in front say nothing; kept, a hostile flood of them would be searched anew
            # at every read.
            before = len(head) + len(chunk)
            head = opening(head + chunk)
            self._total += before - len(head)
            full = self._total + len(head) > self.max_response_bytes
            kind = sniff(head, content_type, eof=full)
            if kind is not None:
                break
        kind = kind or sniff(head, content_type, eof=True) or Kind.WHOLE
        framer = (
            WholeBody(self.max_response_bytes, self.max_frame_bytes)
            if kind is Kind.WHOLE
            else _FRAMERS[kind](self.max_frame_bytes)
        )
        self._take(framer, head)
        self._waited = False
        return framer

    def _take(self, framer: Framer, chunk: bytes) -> None:
        self._total += len(chunk)
        if self._total > self.max_response_bytes:
            raise self._too_large(framer, chunk)
        self._batch += framer.feed(chunk)
        if framer.fault is not None:
            raise framer.fault

    def _too_large(self, framer: Framer, chunk: bytes) -> Exception:
        """Take what of *chunk* is within the bound; give what broke, there or then."""
        self._batch += framer.feed(chunk[: self.max_response_bytes - self._total])
        return framer.fault or response_too_large(self.max_response_bytes)

    def _end(self, framer: Framer) -> None:
        """Take what the end of the body completes."""
        self._batch += framer.eof()
        if framer.fault is not None:
            raise framer.fault

    async def _settle(self, after: Callable[[], Awaitable[None]]) -> None:
        """Wait for those who took what was handed over."""
        self._after = None
        await after()

    async def _flush(self) -> None:
        """Emit what has gathered, if anything has."""
        if self._batch:
            batch, self._batch = self._batch, []  # emit may raise: then nothing is emitted twice
            await self.emit(batch)


async def _raise(error: BaseException) -> None:
    raise error
