"""JSON text to values and back."""

import math

import pytest

from streamkit.errors import MalformedStream, TruncatedStream
from streamkit.framing import DONE, Frame, decode, encode, encode_ascii, payloads


@pytest.mark.parametrize("data", ['{"a": [1, null]}', b'{"a": [1, null]}'])
def test_text_and_bytes_read_alike(data):
    """JSON is read from text and from its bytes."""
    assert {"a": [1, None]} == decode(data)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (r'"\ud83d"', "\ud83d"),
        ("-Infinity", -math.inf),
        ("9" * 400, int("9" * 400)),
        ('"a\tb"', "a\tb"),
        (b'\xef\xbb\xbf"bom"', "bom"),
        (b'"\xff"', "\ufffd"),
    ],
    ids=["lone surrogate", "infinity", "huge", "control", "bom", "not UTF-8"],
)
def test_what_providers_send_is_read(data, value):
    """Text beyond RFC 8259 is read by the second try. Quirk 12 and the like."""
    assert value == decode(data)


def test_nan_is_read():
    """NaN is a number to providers."""
    assert math.isnan(decode("NaN"))


@pytest.mark.parametrize("data", ["", "{", b"\xff", "[" * 100_000, "{'a': 1}"])
def test_what_is_not_json_is_a_value_error(data):
    """Text that neither decoder reads raises ValueError, however deep it is nested."""
    with pytest.raises(ValueError):
        decode(data)


@pytest.mark.parametrize("value", [{"a": [1, "ü", None]}, "\ud83d", 10**40])
def test_what_is_written_can_be_read(value):
    """Encode and decode are inverse, lone surrogates and huge integers included."""
    assert value == decode(encode(value))


def test_written_json_is_compact():
    """No blank is written."""
    assert b'{"a":[1,2]}' == encode({"a": [1, 2]})


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", ["ü\u2028\u0085", "\ud800", {"é": [10**40, "\n"]}, "plain"])
def test_ascii_json_is_one_line_that_says_the_same(value):
    """No decoder on the way can cut a character in two, or take one for the end of a line."""
    text = encode_ascii(value)

    assert text.isascii()
    assert 1 == len(text.decode().splitlines())
    assert value == decode(text)


@pytest.mark.parametrize("beside", ["a", "ü", "\ud800", 10**40])
def test_what_is_no_number_is_written_as_null(beside):
    """JSON has no word for NaN, and a page would not read the one that Python writes."""
    value = {"a": float("nan"), "b": [float("inf"), (1.5,)], "c": beside}

    assert {"a": None, "b": [None, [1.5]], "c": beside} == decode(encode_ascii(value))


@pytest.mark.parametrize("value", [object(), nested(100_000), [10**40, object()]])
def test_what_is_not_json_cannot_be_written(value):
    """Encode raises TypeError for what is not JSON."""
    with pytest.raises(TypeError):
        encode(value)


@pytest.mark.parametrize("data", ["", " ", "null", b"null", ": : keep-alive", ":", " : x"])
def test_a_frame_may_say_nothing(data):
    """Empty data, ``null`` and comments sent as data carry no value. Quirks 3, 4 and 5."""
    assert () == tuple(payloads(Frame(data)))


@pytest.mark.parametrize("data", ["0", "false", '""', "[]", "{}"])
def test_a_false_value_is_a_value(data):
    """Only null says nothing; other values that are false in Python are values."""
    assert (decode(data),) == tuple(payloads(Frame(data)))


def test_json_lines_in_one_frame_are_split():
    """A missing blank line between two events costs neither of them. Quirk 16."""
    frame = Frame('{"a":1}\n\n: ping\nnull\n{"b":2}\n[DONE]')
    assert ({"a": 1}, {"b": 2}, DONE) == payloads(frame)


def test_one_value_over_several_lines_is_one_value():
    """Data lines that are one JSON text together are not split."""
    assert ({"a": 1},) == payloads(Frame('{"a":\n1}'))


@pytest.mark.parametrize("data", [DONE, DONE.encode(), " [DONE]"])
def test_the_done_marker_is_itself(data):
    """The done marker is no JSON and no fault."""
    assert (DONE,) == payloads(Frame(data))


def test_cut_json_is_truncated():
    """JSON that only the end of the body ended was cut off. Quirk 15."""
    with pytest.raises(TruncatedStream, match=r"rest of a JSON text.*ended after"):
        payloads(Frame('{"a":', cut=True))


@pytest.mark.parametrize("whole", [True, False])
def test_text_that_is_not_json_is_malformed(whole):
    """A proxy's page is quoted in the error. Quirk 22."""
    with pytest.raises(MalformedStream, match=r"expected .*JSON.*got '<html>'"):
        payloads(Frame("<html>", whole=whole))


def test_one_bad_line_among_good_ones_is_malformed():
    """Lines are split only where all of them are JSON. Quirk 73."""
    with pytest.raises(MalformedStream):
        payloads(Frame('{"a":1}\noops'))
