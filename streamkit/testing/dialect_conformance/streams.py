"""The rules of a stream as it comes: with strangers in it, cut off, cut anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...dialects import Decoder
from ...errors import ProviderError, TruncatedStream, excerpt
from ...events import Event, Unknown
from ...framing import Frame, encode
from ...replay import replay
from ...response import Response
from ..conformance import ConformanceError
from ..specimens import bytes_of, data_of, difference, unlike
from .subject import Subject

__all__ = ["check_bytes", "check_cuts", "check_strangers"]

_UNHEARD: Final[dict[str, Any]] = {
    "type": "streamkit.unheard_of",
    "streamkit_unheard_of": {"deep": [1, None]},
}
_SIZES: Final = (1, 7, 64)
"""How a body is cut (bytes)."""


def check_strangers(subject: Subject, frames: list[Frame], events: list[Event]) -> None:
    """A frame that is not known is kept, and changes nothing; nor does a heartbeat."""
    odd = Frame(encode(_UNHEARD), _UNHEARD["type"])
    beat = subject.dialect.encoder().heartbeat()
    for at in (0, len(frames) // 2):
        got = subject.read([*frames[:at], odd, *frames[at:]])
        rest = [event for event in got if not isinstance(event, Unknown)]
        unknown = [event.data for event in got if isinstance(event, Unknown)]
        if unknown != [_UNHEARD] or rest != events:
            raise subject.broke(
                "a frame that is not known is kept as Unknown, and changes nothing",
                f"expected Unknown({excerpt(_UNHEARD)}) among the same events; got "
                f"{excerpt(unknown)}, and {difference('others', events, rest)}",
                "give Unknown(data, frame.event) for what no handler is found for",
            )
        if beat is not None and events != (
            heard := subject.read([*frames[:at], beat, *frames[at:]])
        ):
            raise subject.broke(
                "a heartbeat says nothing",
                difference("events", events, heard),
                "have the encoder give None, or what its decoder passes over",
            )


def check_cuts(subject: Subject, frames: list[Frame], whole: Response) -> None:
    """Before its evidence a stream is truncated, wherever it is cut."""
    for count in range(len(frames)):
        decoder = subject.dialect.decoder()
        events = [event for frame in frames[:count] for event in decoder.feed(frame)]
        evidence = decoder.evidence
        ended = _end(decoder)
        where = f"cut behind frame {count} of {len(frames)}"
        if evidence is None:
            if not isinstance(ended, TruncatedStream):
                raise _not_truncated(subject, where, ended)
            _check_cut_within(subject, frames, count)
            continue
        if isinstance(ended, Exception):
            raise subject.broke(
                "evidence is what eof goes by",
                f"expected an answer that is {where} with evidence {evidence!r} to end; "
                f"got {ended!r}",
                "let eof and evidence ask the same function",
            )
        subject.same(
            "evidence is of the whole answer",
            unlike(whole, subject.response([*events, *ended])),
            "give evidence once every choice has ended, and have the encoder tell ends last",
            f"{where}, with evidence {evidence!r}: ",
        )


def _check_cut_within(subject: Subject, frames: list[Frame], count: int) -> None:
    decoder = subject.dialect.decoder()
    for frame in frames[:count]:
        list(decoder.feed(frame))
    data = data_of(frames[count])
    half = Frame(data[: len(data) // 2], frames[count].event, cut=True)
    try:
        ended: object = list(decoder.feed(half))
    except ProviderError as error:
        ended = error
    if not isinstance(ended, TruncatedStream):
        raise _not_truncated(subject, f"cut within frame {count + 1} of {len(frames)}", ended)


def _not_truncated(subject: Subject, where: str, ended: object) -> ConformanceError:
    return subject.broke(
        "a stream that is cut before its evidence is truncated",
        f"expected TruncatedStream for a stream {where}; got {excerpt(repr(ended))}",
        "raise it in eof without evidence, and use framing.payloads for frames cut within",
    )


def _end(decoder: Decoder) -> Sequence[Event] | Exception:
    try:
        return decoder.eof()
    except Exception as error:  # noqa: BLE001 (whatever it raises is judged)
        return error


async def check_bytes(subject: Subject, frames: list[Frame], events: list[Event]) -> None:
    """The bytes of a stream may be cut anywhere."""
    body = bytes_of(frames)
    rule, mend = "where the bytes are cut does not matter", "read a frame as framing gives it"
    for size in _SIZES:
        read = await replay(body, subject.dialect, chunk=size, content_type="text/event-stream")
        failed = "" if read.error is None else repr(read.error)
        found = failed or unlike(subject.response(events), read.response, exact=True)
        subject.same(rule, found, mend, f"in pieces of {size}: ")
