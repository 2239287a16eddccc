"""What an encoder is: the events of one run to the frames of one wire format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..events import Event
from ..framing import Frame

__all__ = ["Encoder"]


class Encoder(Protocol):
    """
    The events of one run, for one watcher, as frames. Fresh for every stream.

    It never awaits and knows no clock. A frame's data is one line of ASCII
    JSON (`streamkit.framing.encode_ascii`), or the format's own word (the
    chat API's ``[DONE]``), and is never empty.
    """

    @property
    def irrevocable(self) -> frozenset[str]:
        """
        The channels (`streamkit.events.CHANNELS`) it tells, and cannot take back.

        Empty for a format that retracts. Else it is never given `Retracted`
        of these, nor `Gap`: see `streamkit.policy.Irrevocable`.
        """

    @property
    def remembers(self) -> bool:
        """
        Whether a frame depends on the events before it.

        To a client that comes back, one that remembers is first given again
        what the client was told before.
        """

    def opening(self, run_id: str, /) -> Sequence[Frame]:
        """Give what is said before any event; often nothing."""

    def encode(self, event: Event, /) -> Sequence[Frame]:
        """
        Give the frames of the next event: often one, or none.

        A terminal gives all that is still to be said, the format's one
        terminal frame last. Nothing is encoded after it.
        """

    def heartbeat(self) -> Frame | None:
        """Give the frame that says no more than that the server is there; None is a comment."""

    def farewell(self) -> Frame | None:
        """
        Give the last frame of a stream that ends before its run: come back.

        None where clients of this format cannot come back after an id: to
        them the run is told as cancelled.
        """

    def failure(self, error: Exception, /) -> dict[str, Any]:
        """Give the JSON body of an HTTP status that says *error*, before any frame was sent."""
