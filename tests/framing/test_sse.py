"""Frames that go past httpx-sse, and those that do not: nobody can tell them apart."""

from contextlib import aclosing
from random import Random

import anyio
import pytest
from httpx_sse import EventSource
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from streamkit.errors import FrameTooLarge
from streamkit.framing import Frame, Guard, read_sse

from .bodies import bytewise, cut_at, cuts, pieces

PLAIN = [b'data: {"a":1}\n\n', b"data:1\n\n", "data:  é漢😀\u2028\x85\n\n".encode()]
ODD = [
    b"data: \n\n",
    b"data:\n\n",
    b"data: null\n\n",
    b"data: : not a comment\n\n",
    b"data: \xff\xe6\xbc\n\n",
    b"data: 1\r\n\r\n",
    b"data: 1\r\r",
    b"data: 1\rdata: 2\n\n",
    b"data: 1\ndata:2\n\n",
    b"data\n\n",
    b"event: ping\ndata: 1\n\n",
    b"event: ping\n",
    b"event: late\n\n",
    b"id: 7\ndata: 1\n\n",
    b"id: 8\n\n",
    b"retry: 5\n\n",
    b": ping\n\n",
    b": ping\n",
    b"\n",
    b"\xef\xbb\xbf",
    b"\xef\xbb\xbfdata: 1\n\n",
    b'{"error": 1}\n\n',
    b"data: open",
    b"dat",
    b" data: 1\n\n",
]
blocks = st.one_of(st.sampled_from(PLAIN), st.sampled_from(PLAIN + ODD))
reads = st.lists(st.lists(blocks, max_size=4).map(b"".join), max_size=8)


async def frames_of(chunks, limit, read):
    """Give the frames, how the body ended, and the residue."""
    frames, error = [], None
    async with aclosing(pieces(chunks)) as body:
        guard = Guard(body, max_frame_bytes=limit)
        try:
            await read(guard, frames.append)
        except FrameTooLarge as raised:
            error = str(raised)
    return frames, error, guard.residue, guard.cut


async def through_httpx_sse(guard, take):
    """Read every frame by httpx-sse."""
    async with aclosing(guard), aclosing(EventSource(guard).aiter_sse()) as events:
        async for sse in events:
            if sse.data or sse.event != "message":
                take(Frame(sse.data, sse.event, False, guard.cut))


@settings(max_examples=400)
@given(reads, cuts, st.sampled_from([9, 20, 1 << 20]))
def test_the_shortcut_changes_no_frame(chunks, places, limit):
    """With and without the way past httpx-sse, the frames, the end and the residue are the same."""

    async def check():
        whole = b"".join(chunks)
        for cut in (chunks, cut_at(whole, places), bytewise(whole), [b"data: 0\n\n", *chunks]):
            expected = await frames_of(cut, limit, through_httpx_sse)
            assert expected == await frames_of(cut, limit, read_sse)

    anyio.run(check)


@pytest.mark.parametrize(
    "reaches",
    [
        lambda reads: reads.count(PLAIN[0]) > 1,
        lambda reads: PLAIN[0] + PLAIN[1] + PLAIN[2] in reads,
        lambda reads: b"event: ping\n" in reads and PLAIN[0] in reads,
        lambda reads: any(read.endswith(b"data: 1\r\r") for read in reads[:-1]),
    ],
    ids=["plain reads", "several in one", "behind an open name", "behind a CR"],
)
def test_the_strategy_reaches(reaches):
    """The property test meets the cases it is for."""
    assert reaches(
        find(
            reads,
            reaches,
            random=Random(0),  # noqa: S311 (the same search every time)
            settings=settings(max_examples=20_000, database=None, phases=[Phase.generate]),
        )
    )


@pytest.mark.anyio
@pytest.mark.parametrize("read", [*PLAIN, PLAIN[0] + PLAIN[1], b"".join(PLAIN)])
async def test_plain_frames_go_past_httpx_sse(read):
    """Where nothing is open, frames of one line of data are handed on without a text."""
    for first in ([], [b": hi\n\n"]):
        taken = []
        async with aclosing(pieces([*first, read, b": bye\n\n"])) as body:
            guard = Guard(body, max_frame_bytes=1000)
            guard.take = taken.append
            texts = [text async for text in guard.aiter_text()]
        assert [*(text.decode() for text in first), ": bye\n\n"] == texts
        assert read.count(b"\n\n") == len(taken)


@pytest.mark.anyio
@pytest.mark.parametrize("first", [b"data: 1\n\n", b": hi\n\n", b"event: ping\ndata: 1\n\n"])
@pytest.mark.parametrize("take", [None, [].append])
async def test_a_byte_order_mark_opens_a_body_or_is_none(first, take):
    """Behind whole frames, however they went, the same bytes are text. Quirk 13."""
    async with aclosing(pieces([first, b"\xef\xbb\xbfdata: 2\n\n"])) as body:
        guard = Guard(body, max_frame_bytes=1000)
        guard.take = take
        texts = [text async for text in guard.aiter_text()]
    assert "\ufeffdata: 2\n\n" == texts[-1]


@pytest.mark.anyio
@pytest.mark.parametrize("before", [b"event: ping\n", b"id: 7\n", b"data: 0\n", b"da", b": hi\r"])
async def test_nothing_goes_past_what_is_open(before):
    """A name, an id, a line or a CR that waits for more is finished by httpx-sse."""
    taken = []
    async with aclosing(pieces([before, PLAIN[0]])) as body:
        guard = Guard(body, max_frame_bytes=1000)
        guard.take = taken.append
        texts = [text async for text in guard.aiter_text()]
    assert (before + PLAIN[0]).replace(b"\r", b"\n").decode() == "".join(texts)
    assert [] == taken
