"""What kind of body it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.framing import Kind, sniff

from .bodies import message

OBJECT = json.dumps({"choices": [{"text": "a"}]}).encode()
SPREAD = json.dumps({"choices": [{"text": "a"}]}, indent=1).encode()
BODIES = [
    (b"data: {}\n\n", "", Kind.SSE),
    (b"data:{}\n\n", "application/json", Kind.SSE),
    (b"data\n\n", "", Kind.SSE),
    (b": hello\n\n", "text/plain", Kind.SSE),
    (b"id: 1\n", "", Kind.SSE),
    (b"retry: 1\n", "", Kind.SSE),
    (b"event: ping\r\n", "", Kind.SSE),
    (b'error: {"code": 1}\n', "", Kind.SSE),
    (b"x-custom: 1\n", "text/event-stream; charset=utf-8", Kind.SSE),
    (b"\xef\xbb\xbf\n data: {}\n\n", "", Kind.SSE),
    (OBJECT + b"\n\ndata: {}\n\n", "text/event-stream", Kind.SSE),
    (OBJECT + b"\n" + OBJECT + b"\n", "", Kind.NDJSON),
    (OBJECT + b"\r\n\r\n" + OBJECT, "application/json", Kind.NDJSON),
    (OBJECT, "application/x-ndjson", Kind.NDJSON),
    (SPREAD, "Application/JSONL;x=y", Kind.NDJSON),
    (b"[1]\n[2]\n", "application/stream+json", Kind.NDJSON),
    (b"[{}]", "", Kind.ARRAY),
    (b"\r\n[{}]", "application/json", Kind.ARRAY),
    (message(b"{}"), "", Kind.AWS),
    (message(b"{}"), "application/vnd.amazon.eventstream", Kind.AWS),
    (b"\0" * 12, "application/vnd.amazon.eventstream", Kind.AWS),
    (b"\0" * 11 + b"\1", "", Kind.WHOLE),
    (b"\0" * 11 + b"\1", "text/event-stream", Kind.SSE),
    (OBJECT, "application/vnd.amazon.eventstream", Kind.WHOLE),
    (OBJECT, "text/event-stream", Kind.WHOLE),
    (OBJECT + b"\n", "", Kind.WHOLE),
    (OBJECT + b"\noops", "", Kind.WHOLE),
    (OBJECT + b"\nda", "", Kind.WHOLE),
    (SPREAD, "text/event-stream", Kind.WHOLE),
    (b"<html>", "text/event-stream", Kind.WHOLE),
    (b"Bad Gateway", "text/plain", Kind.WHOLE),
    (b"dat", "", Kind.WHOLE),
    (b"dat", "text/event-stream", Kind.SSE),
    (b"", "", Kind.WHOLE),
    (b"", "text/event-stream", Kind.SSE),
    (b"\xef\xbb", "", Kind.WHOLE),
]


@pytest.mark.parametrize(("body", "content_type", "kind"), BODIES)
def test_the_first_bytes_decide(body, content_type, kind):
    """The bytes decide, the content type only breaks ties. Quirks 18, 20, 22, 23 and 24."""
    assert kind is sniff(body, content_type, eof=True)


@pytest.mark.parametrize(("body", "content_type", "kind"), BODIES)
def test_a_decision_is_never_revised(body, content_type, kind):
    """A shorter head gives the same kind or none."""
    heads = [sniff(body[:size], content_type) for size in range(len(body) + 1)]
    decided = next((at for at, seen in enumerate(heads) if seen), len(heads))
    assert {None} >= set(heads[:decided])
    assert {kind} >= set(heads[decided:])


def test_an_empty_head_decides_nothing():
    """Blanks and half a byte order mark say nothing, whatever the content type."""
    heads = [b"", b" \r\n", b"\xef", b"\xef\xbb", b"\xef\xbb\xbf"]
    assert [None] * 5 == [sniff(head, "text/event-stream") for head in heads]


@given(st.binary(max_size=40), st.sampled_from(["", "text/event-stream", "application/jsonl"]))
def test_any_body_has_a_kind(body, content_type):
    """At the end of the body there is always a kind, and more bytes keep it."""
    early = sniff(body[: len(body) // 2], content_type)
    final = sniff(body, content_type, eof=True)
    assert isinstance(final, Kind)
    assert early in (None, final)


def test_a_long_first_line_is_waited_for_in_vain():
    """Beyond *look* bytes without a line end the body is read whole."""
    assert Kind.WHOLE is sniff(OBJECT + b"\n" + OBJECT, look=10)
    assert None is sniff(OBJECT[:9], look=10)
