"""Server-sent events: what nearly every read is, at a glance; all the rest by httpx-sse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final, cast

import attrs
from httpx_sse import EventSource, ServerSentEvent

from streamkit.framing.frame import Frame
from streamkit.framing.framer import Framer, too_large
from streamkit.framing.guard import Guard

__all__ = ["ServerSentEvents", "read_events"]

_UNNAMED: Final = "message"  # WHATWG HTML 9.2.6
_EMPTY: Final = len(b"data: \n\n")


@attrs.define(eq=False)
class ServerSentEvents(Framer):
    """
    Cut a body into server-sent events.

    A read that is nothing but frames of one ``data:`` line each, perhaps
    named, is cut where it is, as long as nothing is open before it; what else
    comes goes through a `Guard` and httpx-sse.

    Frames without data and without a name say nothing and are dropped: a bare
    ``data:``, a lone ``retry:`` or ``id:`` (WHATWG HTML 9.2.6).
    """

    max_frame_bytes: int
    """Bytes of the lines of one frame; comments and line ends do not count."""
    _guard: Guard = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._guard = Guard(self.max_frame_bytes)

    @property
    def residue(self) -> str:
        """The last lines that are no part of SSE, bounded: often an error in the clear."""
        return self._guard.residue

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take the next bytes and return the frames they complete (see `Framer.feed`)."""
        guard, length = self._guard, len(chunk)
        if guard.fresh and length <= self.max_frame_bytes:
            if (
                chunk.find(b"\n") == length - 2
                and length > _EMPTY
                and chunk.startswith(b"data: ")
                and chunk.endswith(b"\n")
                and b"\r" not in chunk
            ):  # a frame of one line of data, as nearly all are
                guard.begun = True
                return [Frame(str(chunk[6:-2], "utf-8", "replace"))]
            frames = _plain(chunk)
            if frames is not None:
                guard.begun = True
                return frames
        return super().feed(chunk)

    def _cut(self, chunk: bytes) -> Iterator[Frame]:
        text, fits = self._guard.feed(chunk)
        yield from self._frames(text)
        if not fits:
            raise too_large("an SSE frame", self.max_frame_bytes)

    def _finish(self) -> Iterator[Frame]:
        return self._frames(self._guard.eof())

    def _frames(self, text: str) -> Iterator[Frame]:
        for sse in read_events(text):
            data, event = sse.data, sse.event
            if data or event != _UNNAMED:
                yield Frame(data, event, False, self._guard.cut)


def read_events(text: str) -> Iterator[ServerSentEvent]:
    """Have httpx-sse read the text of whole frames."""
    return EventSource(cast("Any", _Text(text))).iter_sse() if text else iter(())


@attrs.frozen
class _Text:
    """What httpx-sse needs of a response."""

    headers: ClassVar[dict[str, str]] = {"content-type": "text/event-stream"}

    text: str

    def iter_text(self) -> Iterator[str]:
        yield self.text


def _plain(chunk: bytes) -> list[Frame] | None:
    """Cut *chunk* where it is nothing but frames of a line of data, named or not."""
    if chunk[-2:] != b"\n\n" or b"\r" in chunk:
        return None
    frames = []
    for block in chunk[:-2].split(b"\n\n"):
        event, line = _UNNAMED, block
        if block[:6] == b"event:":
            name, _, line = block.partition(b"\n")
            event = _value(name[6:]) or _UNNAMED
        if line[:5] != b"data:" or b"\n" in line:
            return None
        data = _value(line[5:])
        if data or event != _UNNAMED:
            frames.append(Frame(data, event))
    return frames


def _value(part: bytes) -> str:
    return part.decode("utf-8", "replace").removeprefix(" ")
