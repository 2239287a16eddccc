"""Bodies of openai-chat streams, healthy and not, and what is put between their bytes and us."""

from functools import partial

from hypothesis import strategies as st

from streamkit.errors import Stalled, TransportError
from streamkit.stages import Accumulator, Suppressor
from streamkit.testing import answers

from .lines import (
    Double,
    Drop,
    Echo,
    Hold,
    MintAsync,
    MintAt,
    NothingAt,
    Pass,
    PassAsync,
    RaiseAsync,
    RaiseAt,
    Swallow,
    SwallowAsync,
    Twice,
)

words = st.text("aé漢😀 \n", max_size=5)
indexes = st.sampled_from([0, 0, 0, 1])


def _tool(index, **fields):
    return answers.chunk({"tool_calls": [{"index": 0, **fields}]}, index=index)


deltas = st.one_of(
    st.builds(lambda text, index: answers.chunk({"content": text}, index=index), words, indexes),
    words.map(lambda text: answers.chunk({"reasoning_content": text})),
    words.map(lambda text: answers.chunk({"refusal": text})),
    st.builds(
        lambda index, name: _tool(index, id=name, function={"name": name, "arguments": ""}),
        indexes,
        st.sampled_from(["f", "g"]),
    ),
    st.builds(
        lambda index, piece: _tool(index, function={"arguments": piece}),
        indexes,
        st.sampled_from(['{"a":', "1}", "é"]),
    ),
)
strange = st.sampled_from(
    [
        b": keep-alive\n\n",
        b'data: {"x": 1}\n\n',
        b'event: ping\ndata: {"type": "ping"}\n\n',
        b"data:\n\n",
        b"id: 7\n\n",
    ]
)
broken = st.sampled_from(
    [
        b'data: {"choices": oops\n\n',
        b'data: {"error": {"message": "overloaded", "code": "busy"}}\n\n',
        b"error: out of memory\n",
    ]
)
endings = st.sampled_from(
    [
        (answers.chunk({}, finish_reason="stop"), answers.done()),
        (answers.chunk({}, finish_reason="stop"), answers.usage_chunk(3, 4), answers.done()),
        (answers.chunk({}, finish_reason="tool_calls"), answers.done(), answers.done()),
        (answers.chunk({}, finish_reason="length"), answers.done(), answers.usage_chunk(1, 2)),
        (answers.chunk({}, finish_reason="stop"),),
        (answers.done(),),
        (),
    ]
)


@st.composite
def bodies(draw):
    """Build the body of one answer, in one line end, perhaps cut short."""
    frames = draw(st.lists(st.one_of(deltas, deltas, deltas, strange), max_size=8))
    if draw(st.sampled_from([False, False, True])):
        frames.insert(draw(st.integers(0, len(frames))), draw(broken))
    body = b"".join([*frames, *draw(endings)])
    body = body.replace(b"\n", draw(st.sampled_from([b"\n", b"\n", b"\r\n"])))
    return body[: len(body) - draw(st.sampled_from([0, 0, 0, 1, 2, 9, 40]))]


@st.composite
def cut_bodies(draw):
    """Build a body, and where to cut it: anywhere, in a CRLF, in a character."""
    body = draw(bodies())
    tight = [
        at
        for at in range(1, len(body))
        if body[at - 1 : at + 1] == b"\r\n" or 0x80 <= body[at] < 0xC0
    ]
    anywhere = st.integers(0, len(body))
    places = st.one_of(anywhere, anywhere, st.sampled_from(tight)) if tight else anywhere
    return body, draw(st.lists(places, max_size=12))


nths = st.integers(1, 8)
failures = st.sampled_from(
    [None, None, ConnectionResetError("reset"), TransportError("dropped"), Stalled("idle", 5)]
)

decent = st.one_of(
    st.just(Pass),
    st.builds(partial, st.just(Drop), every=st.integers(2, 4)),
    st.just(Twice),
    st.builds(partial, st.just(Hold), size=st.integers(0, 4)),
    st.just(Accumulator),
    st.just(Suppressor),
    st.builds(partial, st.just(MintAt), nth=nths),
    st.just(PassAsync),
    st.builds(partial, st.just(MintAsync), nth=nths),
)
faulty = st.one_of(
    st.builds(partial, st.just(RaiseAt), nth=nths),
    st.builds(partial, st.just(NothingAt), nth=nths),
    st.builds(partial, st.just(RaiseAsync), nth=nths),
    st.sampled_from([Swallow, SwallowAsync, Echo, Double]),
)


def _changes_the_answer_in_front(line):
    """Whether what ends an answer early stands before the accumulator, as it should."""
    kinds = [getattr(stage, "func", stage) for stage in line]
    folded = kinds.index(Accumulator) if Accumulator in kinds else len(kinds)
    return not any(kind in (MintAt, MintAsync) for kind in kinds[folded:])


stages = st.lists(st.one_of(decent, decent, decent, faulty), max_size=4).filter(
    _changes_the_answer_in_front
)
