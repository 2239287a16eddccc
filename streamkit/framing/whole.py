"""A body that is one document: a provider that ignored ``stream=True`` has answered."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from functools import partial

import attrs

from streamkit.errors import ResponseTooLarge
from streamkit.framing.frame import Frame
from streamkit.framing.framer import Framer
from streamkit.framing.json_array import ArrayItems
from streamkit.framing.jsontext import decode
from streamkit.framing.ndjson import Lines
from streamkit.framing.sniff import Kind, sniff
from streamkit.framing.sse import ServerSentEvents

__all__ = ["WholeBody", "response_too_large"]


_SSE_DATA = re.compile(rb"^data:", re.MULTILINE)


@attrs.define(eq=False)
class WholeBody(Framer):
    """
    Collect a body and give it as one frame, ``whole``, at its end.

    A body that turns out to be JSON lines is given line by line instead, and
    one with server-sent events behind a document, event by event. One that is
    an unfinished JSON document is ``cut``. HTML and the like are given as they
    are, for the dialect to report.
    """

    max_response_bytes: int
    """Bytes of the whole body."""
    max_frame_bytes: int
    """Bytes of one frame, where it turns out to have many."""
    residue: str = attrs.field(default="", init=False)
    _body: bytearray = attrs.field(factory=bytearray, init=False)

    def _cut(self, chunk: bytes) -> Iterator[Frame]:
        if len(self._body) + len(chunk) > self.max_response_bytes:
            raise response_too_large(self.max_response_bytes)
        self._body += chunk
        return iter(())

    def _finish(self) -> Iterator[Frame]:
        whole = bytes(self._body)
        body = whole.strip().removeprefix(BOM_UTF8).lstrip()
        if not body:
            return
        if _is_json(body):
            yield Frame(body, whole=True)
        elif sniff(body, eof=True, look=len(body)) is Kind.NDJSON:
            yield from _all(Lines(len(body)), body)
        elif body.startswith(b"{") and not _is_unfinished(body) and _SSE_DATA.search(body):
            events = ServerSentEvents(self.max_frame_bytes)
            yield from _all(events, whole)
            self.residue = events.residue
        else:
            yield Frame(body, whole=True, cut=_is_unfinished(body))


def _all(framer: Framer, body: bytes) -> Iterator[Frame]:
    """Frame a body that is all there."""
    for step in (partial(framer.feed, body), framer.eof):
        yield from step()
        if framer.fault is not None:
            raise framer.fault


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
