"""A body that is one document: a provider that ignored ``stream=True`` has answered."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator

import attrs

from streamkit.errors import ResponseTooLarge
from streamkit.framing.frame import Frame
from streamkit.framing.framer import Framer
from streamkit.framing.json_array import ArrayItems
from streamkit.framing.jsontext import decode
from streamkit.framing.ndjson import Lines
from streamkit.framing.sniff import Kind, sniff

__all__ = ["WholeBody", "response_too_large"]


_SSE_DATA = re.compile(rb"^data:", re.MULTILINE)


@attrs.define(eq=False)
class WholeBody(Framer):
    """
    Collect a body and give it as one frame, ``whole``, at its end.

    A body that turns out to be JSON lines is given line by line instead. One
    that is an unfinished JSON document is ``cut``. HTML and the like are given
    as they are, for the dialect to report.
    """

    max_response_bytes: int
    """Bytes of the whole body."""
    is_sse: bool = attrs.field(default=False, init=False)
    """Whether, at its end, a document with SSE behind it is what it turned out to be."""
    _parts: list[bytes] = attrs.field(factory=list, init=False)
    _size: int = attrs.field(default=0, init=False)

    @property
    def body(self) -> bytes:
        """What was collected so far."""
        return b"".join(self._parts)

    def _cut(self, chunk: bytes) -> Iterator[Frame]:
        self._size += len(chunk)
        if self._size > self.max_response_bytes:
            raise response_too_large(self.max_response_bytes)
        self._parts.append(chunk)
        return iter(())

    def _finish(self) -> Iterator[Frame]:
        body = self.body.strip().removeprefix(BOM_UTF8).lstrip()
        if not body:
            return
        if _is_json(body):
            yield Frame(body, whole=True)
        elif sniff(body, eof=True, look=len(body)) is Kind.NDJSON:
            lines = Lines(len(body))
            yield from lines.feed(body)
            yield from lines.eof()
        else:
            cut = _is_unfinished(body)
            self.is_sse = body.startswith(b"{") and not cut and bool(_SSE_DATA.search(body))
            yield Frame(body, whole=True, cut=cut)


def _is_json(body: bytes) -> bool:
    try:
        decode(body)
    except ValueError:
        return False
    return True


def _is_unfinished(body: bytes) -> bool:
    """Whether *body* is a JSON object or array that never closes."""
    return body[:1] in {b"{", b"["} and not ArrayItems(len(body)).feed(b"[" + body)


def response_too_large(limit: int) -> ResponseTooLarge:
    """Say that the body passes *limit* bytes."""
    return ResponseTooLarge(
        f"expected a body of at most Limits.max_response_bytes = {limit} bytes, more came; "
        "raise the limit if answers are really that long"
    )
