"""Frames that go past httpx-sse, and those that do not: nobody can tell them apart."""

from codecs import BOM_UTF8
from random import Random

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from streamkit.errors import FrameTooLarge
from streamkit.framing import Framer, ServerSentEvents, read_events

from .bodies import bytewise, cut_at, cuts

PLAIN = [b'data: {"a":1}\n\n', b"data:1\n\n", "data:  é漢😀\u2028\x85\n\n".encode()]
ODD = [
    b"data: \n\n",
    b"data:\n\n",
    b"event: ping\ndata: 1\n\n",
    b"event:ping\ndata:\n\n",
    b"event: \ndata: 1\n\n",
    b"event: message\ndata: \n\n",
    b"data: 1\nevent: ping\n\n",
    b"data: null\n\n",
    b"data: : not a comment\n\n",
    b"data: \xff\xe6\xbc\n\n",
    b"data: 1\r\n\r\n",
    b"data: 1\r\r",
    b"data: 1\rdata: 2\n\n",
    b"data: 1\ndata:2\n\n",
    b"data\n\n",
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


def frames_of(framer, chunks):
    """Give the frames, how the body ended, and the residue."""
    frames, error = [], None
    try:
        for chunk in chunks:
            frames += framer.feed(chunk)
        frames += framer.eof()
        framer.feed(b"")
    except FrameTooLarge as raised:
        error = str(raised)
    return frames, error, framer.residue


class ByHttpxSse(ServerSentEvents):
    """Every frame by httpx-sse."""

    feed = Framer.feed


@settings(max_examples=4 * settings.default.max_examples)
@given(reads, cuts, st.sampled_from([9, 20, 1 << 20]))
def test_the_shortcut_changes_no_frame(chunks, places, limit):
    """With and without the way past httpx-sse, the frames, the end and the residue are the same."""
    whole = b"".join(chunks)
    for cut in (chunks, cut_at(whole, places), bytewise(whole), [b"data: 0\n\n", *chunks]):
        expected = frames_of(ByHttpxSse(limit), cut)
        assert expected == frames_of(ServerSentEvents(limit), cut)


@settings(max_examples=4 * settings.default.max_examples)
@given(reads)
def test_what_is_whole_says_what_httpx_sse_says(chunks):
    """The guard takes nothing away: the frames are those of the whole text, read by httpx-sse."""
    whole = b"".join(chunks)
    text = whole.removeprefix(BOM_UTF8).replace(b"\r\n", b"\n").replace(b"\r", b"\n") + b"\n\n"
    events = read_events(text.decode("utf-8", "replace"))
    expected = [(sse.data, sse.event) for sse in events if sse.data or sse.event != "message"]
    frames, _, _ = frames_of(ServerSentEvents(1 << 20), chunks)
    assert expected == [(frame.data, frame.event) for frame in frames]


@pytest.mark.interop  # it takes long
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


NAMED = b"event: ping\ndata: 1\n\n"


@pytest.fixture
def odd(monkeypatch):
    """Give what reaches httpx-sse."""
    texts = []

    def read(text):
        texts.append(text)
        return read_events(text)

    monkeypatch.setattr("streamkit.framing.sse.read_events", read)
    return texts


@pytest.mark.parametrize("read", [*PLAIN, NAMED, PLAIN[0] + NAMED + PLAIN[1], b"".join(PLAIN)])
@pytest.mark.parametrize("first", [[], [b": hi\n\n"], [b"id: 1\ndata: 1\n\n"]])
def test_plain_frames_go_past_httpx_sse(first, read, odd):
    """Where nothing is open, frames of one line of data are cut where they are."""
    framer = ServerSentEvents(1000)
    for before in first:
        framer.feed(before)
    odd.clear()
    assert read.count(b"\n\n") == len(framer.feed(read))
    assert [] == odd


@pytest.mark.parametrize("first", [b"data: 1\n\n", b": hi\n\n", b"id: 1\ndata: 1\n\n"])
def test_a_byte_order_mark_opens_a_body_or_is_none(first):
    """Behind whole frames, however they went, the same bytes are text. Quirk 13."""
    framer = ServerSentEvents(1000)
    framer.feed(first)
    assert [] == framer.feed(b"\xef\xbb\xbfdata: 2\n\n")
    assert "\ufeffdata: 2" == framer.residue


@pytest.mark.parametrize("before", [b"event: ping\n", b"id: 7\n", b"data: 0\n", b"data: 0\r"])
def test_nothing_goes_past_what_is_open(before, odd):
    """A name, an id, a line or a CR that waits for more is finished by httpx-sse."""
    framer = ServerSentEvents(1000)
    assert [] == framer.feed(before)
    framer.feed(PLAIN[0])
    assert [(before + PLAIN[0]).replace(b"\r", b"\n").decode()] == list(filter(None, odd))
