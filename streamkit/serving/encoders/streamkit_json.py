"""streamkit's own events as JSON: nothing is lost on the way but what is nobody's business."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import attrs

from ...codec import to_json
from ...events import Event, Heartbeat, ResponseFailed
from ...framing import Frame, encode_ascii
from ...response import Response

__all__ = ["StreamkitJson"]


@attrs.define(eq=False)
class StreamkitJson:
    """
    Every event as one frame of JSON, as `streamkit.codec` tells it to anyone.

    Beside the events a page reads ``{"type": "run", "id": …}``, first, and
    ``{"type": "farewell"}``, last, where the server leaves before the run
    ends: connect again, after the last id (`streamkit.codec.ASIDES`).

    No frame has a name: a browser's ``EventSource`` gives named ones to
    listeners of their own, and takes one named ``error`` for its own.
    """

    irrevocable: ClassVar[frozenset[str]] = frozenset()
    remembers: ClassVar[bool] = False

    response: bool = True
    """Whether terminals carry the answer, beside the deltas that told it."""
    raw: bool = False
    """Whether that answer carries the provider's own JSON."""

    def opening(self, run_id: str) -> Sequence[Frame]:
        """Give the run's id, by which a page comes back, or cancels the run."""
        return (_frame({"type": "run", "id": run_id}),)

    def encode(self, event: Event) -> Sequence[Frame]:
        """Give the one frame of the next event."""
        said = to_json(event, public=True)
        if event.terminal:
            self._trim(said)
        return (_frame(said),)

    def heartbeat(self) -> Frame:
        """Give a frame, where a comment would do: pages cannot see comments."""
        return _frame(to_json(Heartbeat()))

    def farewell(self) -> Frame:
        """Give the last frame of a stream that ends before its run."""
        return _frame({"type": "farewell"})

    def failure(self, error: Exception) -> dict[str, Any]:
        """Give the terminal a stream would have ended in, as the body of an HTTP status."""
        return to_json(ResponseFailed(error, Response()), public=True)

    def _trim(self, said: dict[str, Any]) -> None:
        if not self.response:
            said.pop("response", None)
        elif not self.raw:
            said.get("response", {}).pop("raw", None)


def _frame(value: dict[str, Any]) -> Frame:
    return Frame(encode_ascii(value))
