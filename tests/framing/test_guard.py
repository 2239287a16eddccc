"""The guard around httpx-sse, on its own."""

from contextlib import aclosing

import pytest

from streamkit.errors import FrameTooLarge
from streamkit.framing import RESIDUE, Guard

from .bodies import bytewise, pieces

pytestmark = pytest.mark.anyio


async def texts_of(chunks, limit=1000):
    """Give the texts a guard yields, and the guard."""
    guard = Guard(pieces(chunks), max_frame_bytes=limit)
    return [text async for text in guard.aiter_text()], guard


async def residue_of(chunks):
    """Give the residue of a body."""
    return (await texts_of(chunks))[1].residue


async def test_text_is_never_empty():
    """Pieces that complete no character yield nothing: httpx-sse takes no empty text."""
    texts, _ = await texts_of([b"", b"\xef", b"\xbb\xbf", b"data: \xc3", b"", b"\xa9", b"\n\n"])
    assert ["data: ", "é", "\n\n"] == texts


async def test_a_read_passes_as_it_came():
    """Whole frames are yielded read by read, nothing is held back."""
    reads = [b"data: 1\n\n", b"data: 2\n\ndata: 3\n\n", b": ping\n\n", b"data: 4\r\n\r\n"]
    texts, guard = await texts_of(reads)
    assert [read.decode() for read in reads] == texts
    assert not guard.cut


async def test_a_byte_order_mark_may_be_missing_in_part():
    """Two bytes of a byte order mark that never completes are a fault, not a mark. Quirk 13."""
    texts, _ = await texts_of([b"\xef\xbb", b"data: 1\n\n"])
    assert "\ufffddata: 1\n\n" == "".join(texts)


async def test_a_lone_cr_ends_a_line_at_once():
    """No frame waits for the byte after a CR; the LF of a cut CRLF is swallowed. Quirk 14."""
    texts, guard = await texts_of([b"data: 1\r", b"", b"\n\r", b"\n", b"data: 2\r\r"])
    assert ["data: 1\n", "\n", "data: 2\n\n"] == texts
    assert not guard.cut


@pytest.mark.parametrize("end", [b"", b"\n", b"\r"])
async def test_the_end_completes_an_open_frame(end):
    """A body that does not end in a blank line gets one, and is cut. Quirk 15."""
    texts, guard = await texts_of([b"data: 1" + end])
    assert "data: 1\n\n" == "".join(texts).replace("\n\n\n", "\n\n")
    assert guard.cut


async def test_half_a_character_at_the_end_is_a_fault():
    """A character cut by the end of the body becomes U+FFFD. Quirk 12."""
    texts, _ = await texts_of([b"data: \xf0\x9f"])
    assert "data: \ufffd\n\n" == "".join(texts)


@pytest.mark.parametrize("cut", [lambda body: [body], bytewise])
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
async def test_lines_that_are_no_field_are_kept(cut, end):
    """Errors in the clear are residue; fields, comments and blank lines are not. Quirk 66."""
    lines = ["data: 1", "event: x", "id", "", '{"error": 1}', ": no", "error: {", "<p>", "data", ""]
    body = end.join(lines).encode()
    assert '{"error": 1}\nerror: {\n<p>' == await residue_of(cut(body))


async def test_the_last_line_may_be_residue():
    """An error without a line end is kept as well."""
    assert "oops" == await residue_of([b"data: 1\n\noo", b"ps"])


async def test_residue_may_look_like_a_frame():
    """Lines that end in a blank line, and come in one read, are residue all the same."""
    assert "oops" == await residue_of([b"data: 1\n\n", b"oops\n\n"])


async def test_residue_is_bounded_and_the_last_lines_stay():
    """However much is no SSE, the last lines are kept, and long ones by their start."""
    lines = [b"line %d" % at for at in range(5000)]
    residue = await residue_of([b"\n\n".join(lines)])
    assert residue.endswith("line 4998\nline 4999")
    assert RESIDUE >= len(residue) > RESIDUE - 20
    _, guard = await texts_of([b"a\n\n", b"x" * RESIDUE, b"y"], limit=2 * RESIDUE)
    assert "x" * RESIDUE == guard.residue


async def test_comments_never_fill_a_frame():
    """Keep-alives without a blank line can go on for ever. Quirks 2 and 78."""
    texts, _ = await texts_of([b": ping\n", b": pi", b"ng\r\n"] * 500, limit=10)
    assert {": ping\n", ": pi", "ng\n"} == set(texts)


@pytest.mark.parametrize("cut", [lambda body: [body], bytewise])
@pytest.mark.parametrize(
    "large", [b"data: 12345\n\n", b"id:1\ndata:23\n", b":" * 11, b"x" * 11, b"data: 12345"]
)
async def test_a_frame_is_bounded(cut, large):
    """The lines of a frame, and an open comment, are bounded; frames before pass. Quirk 17."""
    texts = []

    async def read(body):
        async for text in Guard(body, max_frame_bytes=10).aiter_text():
            texts.append(text)  # noqa: PERF401 (an error must leave what came before)

    async with aclosing(pieces(cut(b"data: 1\n\n" + large))) as body:
        with pytest.raises(FrameTooLarge, match="an SSE frame of at most"):
            await read(body)
    assert "".join(texts).startswith("data: 1\n\n")


async def test_a_frame_may_be_as_large_as_the_bound():
    """Line ends do not count."""
    texts, _ = await texts_of([b"data: 1234\n\ndata: 5678\n\n"], limit=10)
    assert ["data: 1234\n\ndata: 5678\n\n"] == texts


async def test_a_guard_may_be_closed_unread():
    """Closing before the first text, or in the midst of it, is allowed."""
    body = pieces([b"data: 1\n\n"] * 2)
    guard = Guard(body, max_frame_bytes=10)
    await guard.aclose()
    assert "data: 1\n\n" == await anext(guard.aiter_text())
    await guard.aclose()
    assert b"data: 1\n\n" == await anext(body)
    await body.aclose()
