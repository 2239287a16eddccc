"""The guard around httpx-sse, on its own."""

import tracemalloc

import pytest

from streamkit.framing import RESIDUE, Guard, Lines, WholeBody

from .bodies import bytewise


def texts_of(chunks, limit=1000):
    """Give the texts of the frames that each chunk completes, and the guard."""
    guard = Guard(limit)
    texts = []
    for chunk in chunks:
        text, fits = guard.feed(chunk)
        texts.append(text)
        if not fits:
            return texts, guard
    return [*texts, guard.eof()], guard


def residue_of(chunks):
    """Give the residue of a body."""
    return texts_of(chunks)[1].residue


def test_a_frame_is_given_when_it_is_whole():
    """However its characters and its byte order mark are cut; a read that completes none is ''."""
    texts, _ = texts_of([b"", b"\xef", b"\xbb\xbf", b"data: \xc3", b"", b"\xa9\n", b"\nda"])
    assert ["", "", "", "", "", "", "data: é\n\n", ""] == texts


def test_a_frame_passes_with_the_read_that_ends_it():
    """Nothing that is whole is held back; comments are left out."""
    reads = [b"data: 1\n\n", b"data: 2\n\nid: 3\ndata: 3\n\n", b": ping\n\n", b"data: 4\r\n\r\n"]
    texts, guard = texts_of(reads)
    assert ["data: 1\n\n", "data: 2\n\nid: 3\ndata: 3\n\n", "", "data: 4\n\n", ""] == texts
    assert not guard.cut


def test_a_byte_order_mark_may_be_missing_in_part():
    """Two bytes of a byte order mark that never completes are a fault, not a mark. Quirk 13."""
    assert "\ufffddata: 1" == residue_of([b"\xef\xbb", b"data: 1\n\n"])


def test_a_lone_cr_ends_a_line_at_once():
    """No frame waits for the byte after a CR; the LF of a cut CRLF is swallowed. Quirk 14."""
    texts, guard = texts_of([b"data: 1\r", b"", b"\n\r", b"\n", b"data: 2\r\r"])
    assert ["", "", "data: 1\n\n", "", "data: 2\n\n", ""] == texts
    assert not guard.cut


@pytest.mark.parametrize("end", [b"", b"\n", b"\r"])
def test_the_end_completes_an_open_frame(end):
    """A body that does not end in a blank line gets one, and is cut. Quirk 15."""
    texts, guard = texts_of([b"data: 1" + end])
    assert ["", "data: 1\n\n"] == texts
    assert guard.cut


def test_half_a_character_at_the_end_is_a_fault():
    """A character cut by the end of the body becomes U+FFFD. Quirk 12."""
    texts, _ = texts_of([b"data: \xf0\x9f"])
    assert "data: \ufffd\n\n" == "".join(texts)


@pytest.mark.parametrize("cut", [lambda body: [body], bytewise])
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_lines_that_are_no_field_are_kept(cut, end):
    """Errors in the clear are residue; fields, comments and blank lines are not. Quirk 66."""
    lines = ["data: 1", "event: x", "id", "", '{"error": 1}', ": no", "error: {", "<p>", "data", ""]
    body = end.join(lines).encode()
    assert '{"error": 1}\nerror: {\n<p>' == residue_of(cut(body))


def test_the_last_line_may_be_residue():
    """An error without a line end is kept as well."""
    assert "oops" == residue_of([b"data: 1\n\noo", b"ps"])


def test_residue_may_look_like_a_frame():
    """Lines that end in a blank line, and come in one read, are residue all the same."""
    assert "oops" == residue_of([b"data: 1\n\n", b"oops\n\n"])


def test_residue_is_bounded_and_the_last_lines_stay():
    """However much is no SSE, the last lines are kept, and long ones by their start."""
    lines = [b"line %d" % at for at in range(5000)]
    residue = residue_of([b"\n\n".join(lines)])
    assert residue.endswith("line 4998\nline 4999")
    assert RESIDUE >= len(residue) > RESIDUE - 20
    _, guard = texts_of([b"a\n\n", b"x" * RESIDUE, b"y"], limit=2 * RESIDUE)
    assert "x" * RESIDUE == guard.residue


def test_comments_never_fill_a_frame():
    """Keep-alives without a blank line can go on for ever, and are not kept. Quirks 2 and 78."""
    texts, _ = texts_of([b"data: 1\n", *[b": ping\n", b": pi", b"ng\r\n"] * 500, b"\n"], limit=20)
    assert "data: 1\n\n" == "".join(texts)


@pytest.mark.parametrize("cut", [lambda body: [body], bytewise])
@pytest.mark.parametrize(
    "large", [b"data: 12345\n\n", b"id:1\ndata:23\n", b":" * 11, b"x" * 11, b"data: 12345"]
)
def test_a_frame_is_bounded(cut, large):
    """The lines of a frame, and an open comment, are bounded; frames before pass. Quirk 17."""
    texts, guard = texts_of(cut(b"data: 1\n\n" + large), limit=10)
    assert "data: 1\n\n" == "".join(texts)
    assert not guard.fresh


@pytest.mark.parametrize(
    "make", [lambda: Guard(1 << 20), lambda: Lines(1 << 20), lambda: WholeBody(1 << 20, 1 << 20)]
)
def test_a_line_in_very_many_parts_weighs_what_its_bytes_do(make):
    """A provider that sends two bytes a read costs two bytes a read."""
    framer = make()
    tracemalloc.start()
    for number in range(20_000):
        framer.feed(b"%02d" % (number % 100))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 40_000 <= held < 80_000


def test_a_frame_may_be_as_large_as_the_bound():
    """Line ends do not count."""
    texts, _ = texts_of([b"data: 1234\n\ndata: 5678\n\n"], limit=10)
    assert ["data: 1234\n\ndata: 5678\n\n", ""] == texts
