"""NDJSON, JSON arrays, AWS event streams and whole bodies, fed in pieces."""

import json
import struct
from binascii import crc32
from unittest.mock import ANY

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamkit.errors import (
    FrameTooLarge,
    MalformedStream,
    ResponseTooLarge,
    StreamkitError,
    TruncatedStream,
)
from streamkit.framing import ArrayItems, AwsEventStream, Frame, Lines, WholeBody, payloads

from .bodies import bytewise, cut_at, cuts, header, message

BIG = 1 << 20


def through(framer, chunks):
    """All frames of *chunks*, then the error's name if there was one."""
    out = []
    try:
        for chunk in chunks:
            out += framer.feed(chunk)
            out += framer.feed(b"")
        out += framer.eof()
        framer.feed(b"")
    except StreamkitError as error:
        out.append(repr(error))
    return out


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
texts = st.builds(
    lambda value, ascii_only, indent: json.dumps(
        value, ensure_ascii=ascii_only, indent=indent
    ).encode(),
    json_values,
    st.booleans(),
    st.sampled_from([None, 1]),
)
gaps = st.sampled_from([b",", b" ,\n", b"\r\n,"])


def array_of(items, gap):
    return b"[" + gap.join(items) + b"]"


@given(st.lists(texts, max_size=5), gaps, cuts, st.sampled_from([8, 30, BIG]))
@example([b'{"a":"\\\\\\"]}"}', b'"\\""'], b",", [5, 6, 7, 8, 9, 10], BIG)
def test_an_array_is_blind_to_the_cuts(items, gap, places, limit):
    """However an array is cut, the same values come out, or the same error."""
    body = array_of(items, gap)
    whole = through(ArrayItems(limit), [body])
    assert whole == through(ArrayItems(limit), cut_at(body, places))
    assert whole == through(ArrayItems(limit), bytewise(body))
    if limit == BIG:
        assert [Frame(item) for item in items] == whole


@given(st.binary(max_size=60), cuts)
def test_any_bytes_are_an_array_blind_to_the_cuts(body, places):
    """Garbage never breaks the scanner, and is cut the same everywhere."""
    body = b"[" + body
    assert through(ArrayItems(20), [body]) == through(ArrayItems(20), cut_at(body, places))


lines = texts.filter(lambda text: b"\n" not in text)


@given(
    st.lists(lines, max_size=5), st.sampled_from([b"\n", b"\r\n", b"\r", b" \n\n"]), st.booleans(),
    cuts, st.sampled_from([8, BIG]),
)  # fmt: skip
def test_lines_are_blind_to_the_cuts(items, end, ended, places, limit):
    """However JSON lines are cut, the same come out, or the same error. Quirk 23."""
    body = end.join(items) + (end if ended else b"")
    whole = through(Lines(limit), [body])
    assert whole == through(Lines(limit), cut_at(body, places))
    assert whole == through(Lines(limit), bytewise(body))
    if limit == BIG:
        last = len(items) - (not ended)
        assert [Frame(item, cut=at == last) for at, item in enumerate(items)] == whole


@given(
    st.lists(st.tuples(st.sampled_from(["chunk", "metadata"]), texts), max_size=4),
    cuts,
    st.integers(0, 3),
    st.sampled_from([40, BIG]),
)
def test_aws_messages_are_blind_to_the_cuts(items, places, lost, limit):
    """However messages are cut, the same come out, or the same error. Quirk 24."""
    body = b"".join(message(data, header(":event-type", name)) for name, data in items)
    body = body[: len(body) - lost]
    whole = through(AwsEventStream(limit), [body])
    assert whole == through(AwsEventStream(limit), cut_at(body, places))
    assert whole == through(AwsEventStream(limit), bytewise(body))
    if limit == BIG and not lost:
        assert [Frame(data, name) for name, data in items] == whole


def test_the_strategies_reach_the_hard_cuts():
    """Cutting bytewise splits strings, escapes, characters, CRLF and preludes."""
    body = '[{"é\\"]":"\\\\"},\r\n"x,]", 1.5]'.encode()
    assert ['{"é\\"]":"\\\\"}', '"x,]"', "1.5"] == [
        frame.data.decode() for frame in through(ArrayItems(BIG), bytewise(body))
    ]


def test_an_object_does_not_wait_for_its_comma():
    """A value is given the moment its bracket closes."""
    assert [Frame(b'{"a":[1]}')] == ArrayItems(BIG).feed(b'[{"a":[1]}')


def test_what_follows_the_array_is_ignored():
    """The array's own bracket ends the stream."""
    assert [Frame(b"1")] == through(ArrayItems(4), [b"[1]", b" trailing text ", b"[2]"])


def test_a_cut_value_is_marked():
    """The value that only the end of the body ended is cut."""
    frames = through(ArrayItems(BIG), [b'[{"a":1},{"b":"x\\'])
    assert [Frame(b'{"a":1}'), Frame(b'{"b":"x\\', cut=True)] == frames


def test_an_array_cut_between_values_has_no_cut_value():
    """Nothing is cut where nothing was begun."""
    assert [Frame(b"{}")] == through(ArrayItems(BIG), [b"[{}, \n"])


def test_blanks_between_values_are_never_too_large():
    """Keep-alive blanks in an array never pass the bound."""
    assert [Frame(b"{}")] == through(ArrayItems(4), [b"[", *[b"  \n "] * 50, b"{}]"])


def test_a_value_passes_its_bound_before_it_ends():
    """A bound holds for values that never end, and the values before are given."""
    framer = ArrayItems(4)
    assert [Frame(b"1")] == framer.feed(b'[1,"aaaaaaaaaa')
    with pytest.raises(FrameTooLarge, match="max_frame_bytes = 4 bytes"):
        framer.feed(b"")


@pytest.mark.parametrize("body", [b"[1      ,2]", b"[1      ]", b"[       1 ,2]", b'["abcd",2]'])
def test_the_bound_of_a_value_is_blind_to_the_cuts(body):
    """Blanks before a value never count; those within and after it always do."""
    assert through(ArrayItems(4), [body]) == through(ArrayItems(4), bytewise(body))


def test_a_spent_framer_stays_spent():
    """A framer that has raised raises again."""
    framer = Lines(4)
    for _ in range(2):
        with pytest.raises(FrameTooLarge, match="a line of at most"):
            framer.feed(b"12345")


def test_the_last_line_needs_no_line_feed():
    """What the end of the body completes is read, and marked. Quirk 15."""
    assert [Frame(b"1"), Frame(b"2", cut=True)] == through(Lines(BIG), [b"1\n2"])


def test_an_aws_exception_names_itself():
    """An exception is a frame whose event says so. Quirk 24."""
    body = message(
        b'{"message":"slow down"}',
        header(":message-type", "exception"),
        header(":exception-type", "throttlingException"),
    )
    assert [Frame(b'{"message":"slow down"}', "exception:throttlingException")] == through(
        AwsEventStream(BIG), [body]
    )


def test_an_aws_error_is_in_its_headers():
    """An error without a payload is told by its headers."""
    body = message(
        b"",
        header(":message-type", "error"),
        header(":error-code", "500"),
        header(":error-message", "oops"),
    )
    (frame,) = through(AwsEventStream(BIG), [body])
    assert ("exception:500", ({"message": "oops"},)) == (frame.event, payloads(frame))


def test_every_aws_header_type_is_read():
    """Headers of all ten types are walked over, whatever their size."""
    sizes = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
    headers = [header(f"h{kind}", b"\0" * size, kind) for kind, size in sizes.items()]
    headers.append(header("raw", struct.pack(">H", 3) + b"\xff\0\1", 6))
    body = message(b"{}", *headers, header(":event-type", "last"))
    assert [Frame(b"{}", "last")] == through(AwsEventStream(BIG), [body])


def test_a_bare_aws_message_is_a_message():
    """Without headers the event is ``message``."""
    assert [Frame(b"{}")] == through(AwsEventStream(BIG), [message(b"{}")])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\0\0\0\x10" + b"\0" * 12, "a prelude whose checksum holds"),
        (message(b"{}")[:-1] + b"!", "a message whose checksum holds"),
        (message(b"{}", header("x", b"", 77)), "headers of known types"),
        (message(b"{}", b"\x09x"), "headers of known types"),
        (message(b"{}", b"\x01x"), "headers of known types"),
        (message(b"{}", b"\x01x\x07\0"), "headers of known types"),
    ],
)
def test_damaged_aws_messages_are_malformed(body, said):
    """Checksums and headers are checked, and messages before the damage are given. Quirk 24."""
    framer = AwsEventStream(BIG)
    assert [Frame(b"1")] == framer.feed(message(b"1") + body)
    with pytest.raises(MalformedStream, match=said):
        framer.feed(b"")


def test_an_impossible_aws_length_is_malformed():
    """A message cannot be shorter than its own headers."""
    lengths = struct.pack(">II", 15, 0)
    with pytest.raises(MalformedStream, match=r"16 bytes or more .* got 15 bytes"):
        AwsEventStream(BIG).feed(lengths + struct.pack(">I", crc32(lengths)))


def test_a_large_aws_message_is_refused_by_its_prelude():
    """The bound holds before the message has come."""
    with pytest.raises(FrameTooLarge, match="a message of at most"):
        AwsEventStream(100).feed(message(b"x" * 100)[:12])


def test_an_incomplete_aws_message_is_truncated():
    """A last message that is cut never looks complete. Quirk 24."""
    framer = AwsEventStream(BIG)
    assert [Frame(b"1")] == framer.feed(message(b"1") + message(b"2")[:-1])
    with pytest.raises(TruncatedStream, match="16 bytes into it"):
        framer.eof()


@pytest.mark.parametrize(
    ("body", "frames"),
    [
        (b"", []),
        (b" \n", []),
        (b'\xef\xbb\xbf {"a":\n1}\n', [Frame(b'{"a":\n1}', whole=True)]),
        (b'{"a":1}\n{"b":2}', [Frame(b'{"a":1}'), Frame(b'{"b":2}', cut=True)]),
        (b'{"a":{}', [Frame(b'{"a":{}', whole=True, cut=True)]),
        (b'{"a":1} oops', [Frame(b'{"a":1} oops', whole=True)]),
        (b"<html>, [", [Frame(b"<html>, [", whole=True)]),
    ],
)
def test_a_whole_body_is_given_at_its_end(body, frames):
    """One document is one frame; JSON lines are not one document. Quirks 20, 22 and 23."""
    assert frames == through(WholeBody(BIG, BIG), bytewise(body))


def test_a_document_with_sse_behind_it_is_told():
    """A document over several lines with SSE behind it shows only at the end."""
    framer = WholeBody(BIG, BIG)
    assert [] == framer.feed(b'{\n"error":1}\ndata: 1\n\n')
    assert [Frame("1")] == framer.eof()
    assert '{\n"error":1}' == framer.residue


def test_a_frame_behind_a_document_is_bounded():
    """As any frame is; those before it are told."""
    assert [Frame("1"), ANY] == through(
        WholeBody(BIG, 8), [b'{\n"er":1}\n\ndata: 1\n\ndata: 2345678\n\n']
    )


def test_a_whole_body_is_bounded():
    """A body that is collected is bounded."""
    framer = WholeBody(3, 3)
    framer.feed(b"123")
    with pytest.raises(ResponseTooLarge, match="max_response_bytes = 3 bytes"):
        framer.feed(b"4")
