"""The rules of what goes wrong."""

from __future__ import annotations

from functools import partial
from typing import Final

from ...dialects import Dialect
from ...errors import InBandError, MalformedStream, ProviderError, excerpt
from ...events import Event, ResponseCancelled, ResponseFailed, ToolCallCompleted
from ...framing import Frame, encode
from ...response import Response
from ..specimens import CHAT, CUT, SPECIMENS, accumulated, data_of
from .subject import Subject

__all__ = ["check_cut_call", "check_ends", "check_unreadable"]

_SECRET: Final = "sk-what-the-provider-said-0123456789"  # noqa: S105 (it stands for one)


def check_cut_call(subject: Subject) -> None:
    """A call that broke off is nobody's to make."""
    told = accumulated(subject.read(subject.written(CUT, CHAT)), subject.dialect)
    if any(isinstance(event, ToolCallCompleted) for event in told):
        raise subject.broke(
            "a call that broke off is nobody's to make",
            "expected no ToolCallCompleted for arguments that are the beginning of JSON; got one",
            "leave arguments as they were sent: never close, repair or replace them",
        )


def check_unreadable(subject: Subject) -> None:
    """What cannot be read is malformed."""
    page = "<html>no</html>"
    subject.raises(
        MalformedStream,
        "what cannot be read is malformed",
        "use framing.payloads, and in_band.not_json for a whole body",
        {
            "a frame that is no JSON": lambda: _fed(subject.dialect, Frame(page)),
            "a page in place of a body": lambda: _fed(subject.dialect, Frame(page, whole=True)),
            "a body that is no object": lambda: subject.dialect.read_buffered("words"),
            "a body that is no answer": lambda: subject.dialect.read_buffered({"unheard": 1}),
        },
    )


def check_ends(subject: Subject) -> None:
    """A run that failed or was cancelled is no answer, and tells nothing it should not."""
    error = InBandError(_SECRET, provider_code=_SECRET)
    begun = SPECIMENS["text"][:3]
    for end in (ResponseFailed(error, Response()), ResponseCancelled(Response())):
        frames = subject.encoded([*begun, end])
        _check_quiet(subject, b"".join(data_of(frame) for frame in frames))
        subject.raises(
            ProviderError,
            "a failed or cancelled run is read as no answer",
            "write the API's error, which the decoder raises",
            {f"what {type(end).__name__} is told as": partial(subject.read, frames)},
        )
    envelope = subject.dialect.encoder().failure(error)
    _check_quiet(subject, encode(envelope))
    subject.raises(
        InBandError,
        "an error is read as the provider's word",
        "look for errors with in_band.find_error before anything else",
        {"the encoder's own failure, as a body": lambda: subject.dialect.read_buffered(envelope)},
    )


def _check_quiet(subject: Subject, said: bytes) -> None:
    if _SECRET.encode() in said:
        raise subject.broke(
            "what the provider said of an error stays here",
            f"expected a code and a sentence of ours; got {excerpt(said)}",
            "tell errors.explain(error.code)",
        )


def _fed(dialect: Dialect, frame: Frame) -> list[Event]:
    return list(dialect.decoder().feed(frame))
