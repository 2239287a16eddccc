"""What kind of body this is, by its first bytes; the content type breaks ties."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from enum import StrEnum
from typing import Final

from streamkit.framing.aws import PRELUDE, is_prelude
from streamkit.framing.jsontext import decode

__all__ = ["LOOK", "Kind", "opening", "sniff"]

LOOK: Final = 64 * 1024
"""How many bytes of a first JSON line are worth waiting for (bytes)."""


class Kind(StrEnum):
    """How a body is cut into frames."""

    SSE = "sse"
    NDJSON = "ndjson"
    ARRAY = "json-array"
    AWS = "aws"
    WHOLE = "whole"


_SSE: Final = "text/event-stream"
_AWS: Final = "application/vnd.amazon.eventstream"
_NDJSON: Final = frozenset(
    f"application/{name}"
    for name in (
        "x-ndjson", "ndjson", "jsonl", "x-jsonl", "jsonlines", "x-jsonlines", "json-lines",
        "stream+json", "x-json-stream",
    )
)  # fmt: skip
_FIRST: Final = {b"[": Kind.ARRAY, b"<": Kind.WHOLE}

# "error" is no field of SSE, but recorded streams open with it: the guard keeps it as residue.
_FIELDS: Final = (b"data", b"event", b"id", b"retry", b"error")
_FIELD_LINE: Final = re.compile(rb":|(?:data|event|id|retry|error)[:\r\n]")
_LINE_END: Final = re.compile(rb"[\r\n]")


def sniff(
    head: bytes, content_type: str = "", *, eof: bool = False, look: int = LOOK
) -> Kind | None:
    """
    Decide how a body that starts with *head* is framed.

    More bytes never change a decision. A body that opens with ``{`` is NDJSON
    where the content type says so, or where its first line is one JSON value
    and another object follows; it is SSE where fields follow that line (the
    line is then residue: an error in the clear); else it is one whole body,
    even where the content type promises SSE.

    Args:
        head: the first bytes, a byte order mark and blanks allowed.
        content_type: the header, parameters included; "" where there was none.
        eof: whether *head* is all there is.
        look: how far to look for the end of a first JSON line (bytes).

    Returns:
        None where more bytes are needed (never at *eof*).
    """
    media = content_type.partition(";")[0].strip().lower()
    kind = _by_bytes(opening(head), media, eof=eof, look=look)
    return _otherwise(media) if kind is None and eof else kind


def opening(head: bytes) -> bytes:
    """Take the byte order mark and the blanks off the start of a body: they say nothing."""
    return head.lstrip().removeprefix(BOM_UTF8).lstrip()


def _otherwise(media: str) -> Kind:
    return {_SSE: Kind.SSE, _AWS: Kind.AWS}.get(media, Kind.WHOLE)


def _by_bytes(head: bytes, media: str, *, eof: bool, look: int) -> Kind | None:
    first = head[:1]
    if first in {b"{", b"["} and media in _NDJSON:
        return Kind.NDJSON
    if first == b"{":
        return _by_first_line(head[:look], full=eof or len(head) >= look)
    if first in _FIRST:
        return _FIRST[first]
    if first == b"\0" and media != _AWS:
        return _by_prelude(head, media)
    if BOM_UTF8.startswith(head):  # nothing yet, or a byte order mark cut in two
        return None
    return _otherwise(media) if media in {_SSE, _AWS} else _by_field(head)


def _by_prelude(head: bytes, media: str) -> Kind | None:
    if len(head) < PRELUDE.size:
        return None
    return Kind.AWS if is_prelude(head) else _otherwise(media)


def _by_field(head: bytes) -> Kind | None:
    if _FIELD_LINE.match(head):
        return Kind.SSE
    return None if any(field.startswith(head) for field in _FIELDS) else Kind.WHOLE


def _by_first_line(head: bytes, *, full: bool) -> Kind | None:
    """Decide what a body that opens with a brace is, by its first line and what follows."""
    undecided = Kind.WHOLE if full else None
    line, *rest = _LINE_END.split(head, maxsplit=1)
    if not rest:
        return undecided
    try:
        decode(line)
    except ValueError:
        return Kind.WHOLE  # a document over several lines
    after = rest[0].lstrip()
    if not after:
        return undecided
    return Kind.NDJSON if after.startswith(b"{") else (_by_field(after) or undecided)
