"""Events to the bytes of an SSE stream, each frame with its id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from ..dialects import Encoder
from ..errors import StreamkitError, explain
from ..events import Event, Gap, ResponseCancelled, ResponseFailed
from ..framing import Frame, encode_ascii
from ..policy import Irrevocable
from ..response import Response
from .frame_id import START, FrameId

__all__ = ["COMMENT", "Scribe"]

COMMENT: Final = b": ping\n\n"
"""The heartbeat of formats that have no word for it: a comment, which no reader takes for data."""

_LAST_WORDS: Final = Frame(
    encode_ascii({"error": {"code": StreamkitError.code, "message": explain(StreamkitError.code)}})
)


@attrs.define(eq=False)
class Scribe:
    """
    Write one run for one client: pure, in the order of the log.

    LF alone ends a line, a space follows ``data:``, the JSON is one line of
    ASCII, and a frame is never without data: each forced by a client that
    breaks otherwise. The id comes first, so a cut frame moves nothing.

    Source: WHATWG HTML 9.2.5.
    """

    encoder: Encoder
    view: Irrevocable | None
    """What a format that cannot retract is told instead; None for one that can."""
    retry: float | None = None
    """Seconds after which a client comes back, said with the first frame."""
    over: bool = attrs.field(default=False, init=False)
    """Whether the terminal frame was written."""
    _at: str = attrs.field(default=START, init=False)
    """The id of the last event that was written whole."""
    _said: int = attrs.field(default=0, init=False)
    """How many frames were written since, those not said again among them (a count)."""
    _skip: int = attrs.field(default=0, init=False)
    """How many frames are not said again."""
    _beats: int = attrs.field(default=0, init=False)

    def resume(self, stands: FrameId) -> None:
        """Go on where a client stands."""
        self._at, self._skip, self._beats = stands.event, stands.frames, stands.beats

    def open(self, run_id: str) -> bytes:
        """Write what is said before any event."""
        return self._part(self.encoder.opening(run_id))

    def remember_opening(self, run_id: str) -> None:
        """Have the encoder say again, to nobody, what it said before any event."""
        self.encoder.opening(run_id)

    def remember(self, event: Event) -> None:
        """Have the encoder read what the client was told before."""
        for told in self._told(event):
            self.encoder.encode(told)

    def write(self, event: Event, id_: str | None) -> bytes:
        """
        Write the frames of *event*; often one, or none.

        Args:
            event: the next one of the run.
            id_: its id in the log; None where the log has none for it.
        """
        id_ = id_ or self._still()
        if isinstance(event, Gap):
            self._skip = 0
        told = self._told(event)
        frames = [frame for each in told for frame in self.encoder.encode(each)]
        if told and told[-1].terminal:
            self.over = True
        written = self._part(frames[:-1]) if len(frames) > 1 else b""
        if frames:
            written += self._frame(frames[-1], id_)
        self._at, self._said, self._skip, self._beats = id_, 0, 0, 0
        return written

    def fail(self, error: Exception) -> bytes:
        """Write the end where something broke here; an encoder that is broken is passed over."""
        try:
            return self.write(ResponseFailed(error, Response()), None)
        except Exception:  # noqa: BLE001 (it raised before: that is why this is asked)
            self.over = True
            return self._frame(_LAST_WORDS, self._still())

    def beat(self) -> bytes:
        """Write that the server is there."""
        frame = self.encoder.heartbeat()
        return COMMENT if frame is None else self._frame(frame, self._still())

    def farewell(self, retry: float) -> bytes:
        """
        Write that the stream ends before its run, and when to come back.

        Where the format's clients cannot come back the run ends for them.
        """
        frame = self.encoder.farewell()
        if frame is None:
            return self.write(ResponseCancelled(Response()), None)
        self.over, self.retry = True, retry
        return self._frame(frame, self._still())

    def _told(self, event: Event) -> Sequence[Event]:
        return (event,) if self.view is None else self.view(event)

    def _part(self, frames: Sequence[Frame]) -> bytes:
        """Write frames behind which more of the same event, or the first event, follows."""
        written = b""
        for frame in frames:
            self._said += 1
            if self._skip:
                self._skip -= 1
            else:
                written += self._frame(frame, f"{self._at}.{self._said}")
        return written

    def _still(self) -> str:
        """Give an id that is new and moves nothing."""
        self._beats += 1
        told = f".{self._said}" if self._said else ""
        return f"{self._at}{told}+{self._beats}"

    def _frame(self, frame: Frame, id_: str) -> bytes:
        data = frame.data if isinstance(frame.data, bytes) else frame.data.encode()
        if b"\n" in data or b"\r" in data:  # an encoder of somebody else's
            data = b"\ndata: ".join(data.splitlines())
        head = b"id: " + id_.encode() + b"\n"
        if frame.event != "message":
            head += b"event: " + frame.event.encode() + b"\n"
        if self.retry is not None:
            head += b"retry: %d\n" % round(self.retry * 1000)
            self.retry = None
        return head + b"data: " + data + b"\n\n"
