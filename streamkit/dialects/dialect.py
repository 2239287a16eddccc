"""What a dialect is: one provider API, as pure functions and one small decoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from ..events import Event
from ..framing import Frame
from ..response import Finish, Usage
from .answer import Answer, ChoiceFold
from .encoder import Encoder

__all__ = ["Decoder", "Dialect", "HttpCall"]


@attrs.frozen
class HttpCall:
    """How one call is sent."""

    path: str
    """Relative to the client's base URL, without a leading slash."""
    body: dict[str, Any]
    headers: Mapping[str, str] = attrs.field(factory=dict)
    params: Mapping[str, str] = attrs.field(factory=dict)


class Decoder(Protocol):
    """Frames of one answer to events. Fresh for every attempt."""

    @property
    def evidence(self) -> str | None:
        """What proves the end so far (see `streamkit.Response.evidence`)."""

    @property
    def said(self) -> bool:
        """Whether the answer says anything so far: text, a refusal or a call; not reasoning."""

    def feed(self, frame: Frame, /) -> Iterable[Event]:
        """
        Read the next frame.

        Returns:
            The events it holds, often none; `ResponseCompleted`, last, once
            nothing more can come. A frame it does not know is `Unknown`. An
            error behind events of the same frame is raised by the iteration.

        Raises:
            InBandError: the frame is the provider's error.
            MalformedStream: the frame cannot be read.
            TruncatedStream: the frame was cut by the end of the body.
        """

    def eof(self, residue: str = "", /) -> Sequence[Event]:
        """
        Judge the end of the body.

        Args:
            residue: lines of the body that were no part of the framing.

        Returns:
            The last events, `ResponseCompleted` at their end.

        Raises:
            TruncatedStream: there is no evidence that the answer is complete.
            InBandError: *residue* is the provider's error, and there is none.
        """


class Dialect(Protocol):
    """One provider API. Never awaits, knows no clock."""

    @property
    def name(self) -> str:
        """What it is chosen by."""

    def streaming(self, request: Mapping[str, Any], /) -> HttpCall:
        """Say how the streaming call for *request* is sent."""

    def buffered(self, request: Mapping[str, Any], /) -> HttpCall:
        """Say how the buffered call for *request* is sent."""

    def authorization(self, api_key: str, /) -> Mapping[str, str]:
        """Give the headers that carry *api_key*."""

    def decoder(self) -> Decoder:
        """Give a fresh decoder, for one attempt."""

    def encoder(self) -> Encoder:
        """
        Give a fresh encoder, for one watcher: it writes what the decoder reads.

        What it writes of any answer, of this API or of another, is read back
        as the same text, tool calls and end; of its own API, field by field.
        """

    def read_buffered(self, body: Any, /) -> Sequence[Event]:
        """
        Give the events of a buffered answer, `ResponseCompleted` last.

        Args:
            body: the decoded JSON of a non-streaming answer.

        Raises:
            InBandError: *body* is the provider's error.
            MalformedStream: *body* is no answer.
        """

    def response(self, answer: Answer, /) -> dict[str, Any]:
        """Give the provider's non-streaming JSON of an accumulated answer."""

    def usage(self, raw: Mapping[str, Any], /) -> Usage:
        """Read the provider's usage object."""

    def finish(self, choice: ChoiceFold, /) -> Finish:
        """Give the neutral word for why a complete choice ended."""
