"""What every incremental framer is, and how one breaks without losing a frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from streamkit.errors import FrameTooLarge, ProviderError
from streamkit.framing.frame import Frame

__all__ = ["Framer", "too_large"]


class Framer(ABC):
    """
    Bytes in, frames out; where the bytes are cut never matters.

    ``feed(a) + feed(b)`` equals ``feed(a + b)``, the error included: the
    frames before a fault are returned first, and the next call raises it; till
    then it is in *fault*. A framer that has one is spent.
    """

    fault: ProviderError | None = None

    @property
    def residue(self) -> str:
        """What was no part of the format, for the dialect to look at."""
        return ""

    def feed(self, chunk: bytes) -> list[Frame]:
        """
        Take the next bytes (0 is not the end) and return the frames they complete.

        Raises:
            FrameTooLarge: a frame passes the bound given at construction (bytes).
            MalformedStream: the bytes are not what the format allows.
        """
        return self._collect(self._cut(chunk))

    def eof(self) -> list[Frame]:
        """
        End the body, and return the frame that only its end completes.

        Raises:
            TruncatedStream: the last frame is incomplete beyond use.
        """
        return self._collect(self._finish())

    def _collect(self, frames: Iterator[Frame]) -> list[Frame]:
        if self.fault is not None:
            raise self.fault
        done: list[Frame] = []
        try:
            done.extend(frames)  # keeps what came before an error
        except ProviderError as error:
            self.fault = error
            if not done:
                raise
        return done

    @abstractmethod
    def _cut(self, chunk: bytes) -> Iterator[Frame]:
        """Yield the frames *chunk* completes; raise where the format is broken."""

    @abstractmethod
    def _finish(self) -> Iterator[Frame]:
        """Yield what the end of the body completes."""


def too_large(what: str, limit: int) -> FrameTooLarge:
    """Say that *what* ("a line", "a value") passes *limit* bytes."""
    return FrameTooLarge(
        f"expected {what} of at most Limits.max_frame_bytes = {limit} bytes, more came; "
        "raise the limit if the provider really sends that much at once"
    )
