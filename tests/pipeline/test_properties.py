"""Together or apart, and however the bytes are cut, the same comes out."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamkit.errors import InBandError, MalformedStream, StageError, TruncatedStream
from streamkit.events import TextDelta, ToolCallStarted

from .bodies import cut_bodies, failures, stages
from .lines import Bytes, PassAsync, cut_at, run

pytestmark = pytest.mark.anyio


@given(cut_bodies(), failures, stages, st.integers(0, 4))
async def test_together_or_apart_the_same_comes_out(cut_body, failure, line, at):
    """One task, a task for every stage, or one more task in between: same events, same error."""
    pieces = cut_at(*cut_body)
    together = await run(Bytes(pieces, failure), *line)
    apart = await run(Bytes(pieces, failure), *line, fuse=False)
    parted = await run(Bytes(pieces, failure), *line[:at], PassAsync, *line[at:])

    assert (together.events, together.error) == (apart.events, apart.error)
    assert (together.events, together.error) == (parted.events, parted.error)
    assert together.response == apart.response == parted.response


@given(cut_bodies(), failures, stages, st.booleans())
async def test_what_comes_out_is_blind_to_the_cuts(cut_body, failure, line, fuse):
    """Cut anywhere, or at every byte, a body gives the same events and the same error."""
    body, _ = cut_body
    whole = await run(Bytes([body], failure), *line, fuse=fuse)
    some = await run(Bytes(cut_at(*cut_body), failure), *line, fuse=fuse)
    every = await run(Bytes(cut_at(body, range(len(body))), failure), *line, fuse=fuse)

    assert (whole.events, whole.error) == (some.events, some.error)
    assert (whole.events, whole.error) == (every.events, every.error)
    assert whole.response == some.response == every.response


@given(cut_bodies(), failures, stages, st.booleans())
async def test_a_run_has_one_end(cut_body, failure, line, fuse):
    """Either an answer whose terminal is the last event, or an error and no terminal at all."""
    told = await run(Bytes(cut_at(*cut_body), failure), *line, fuse=fuse)

    terminals = [event.terminal for event in told.events]
    if told.raised is None:
        assert [False] * (len(terminals) - 1) + [True] == terminals
    else:
        assert None is told.response
        assert not any(terminals)


REACHED = {
    "a complete frame",
    "a frame over two reads",
    "several frames in a read",
    "a split character",
    "a split CRLF",
    "an answer",
    "a tool call",
    "a truncated body",
    "a malformed frame",
    "an error in band",
    "a dropped connection",
    "a stage that raised",
    "a stage that broke a rule",
    "an answer that a stage ended",
}


@pytest.mark.interop  # it takes long
async def test_the_strategies_reach_what_matters():
    """A fixed sample holds complete frames, split characters, split CRLF, and every failure."""
    samples = []

    @settings(max_examples=400, derandomize=True, database=None, deadline=None)
    @given(cut_bodies(), failures, stages)
    def collect(cut_body, failure, line):
        samples.append((cut_body, failure, line))

    collect()
    reached = Counter()
    for cut_body, failure, line in samples:
        pieces = cut_at(*cut_body)
        told = await run(Bytes(pieces, failure), *line)
        reached.update(told_of_cuts(pieces))
        reached.update(told_of_ends(told))

    assert REACHED == set(reached)
    assert 3 <= min(reached.values())


def told_of_cuts(pieces):
    """Name what the cuts of a body do to it."""
    blank = [piece.replace(b"\r\n", b"\n").count(b"\n\n") for piece in pieces]
    if any(blank):
        yield "a complete frame"
    if max(blank, default=0) > 1:
        yield "several frames in a read"
    for before, after in pairwise(pieces):
        if not before.endswith(b"\n"):
            yield "a frame over two reads"
        if before.endswith(b"\r") and after.startswith(b"\n"):
            yield "a split CRLF"
        if after[:1] and 0x80 <= after[0] < 0xC0:
            yield "a split character"


def told_of_ends(told):
    """Name how a run ended."""
    if told.response is not None and told.text:
        yield "an answer"
    if any(isinstance(event, ToolCallStarted) for event in told.events):
        yield "a tool call"
    if told.response is not None and told.events[-1].evidence == "done_marker":
        yield "an answer that a stage ended"
    if isinstance(told.raised, StageError):
        ruled = told.raised.__cause__ is None
        yield "a stage that broke a rule" if ruled else "a stage that raised"
    kinds = {
        TruncatedStream: "a truncated body",
        MalformedStream: "a malformed frame",
        InBandError: "an error in band",
    }
    if type(told.raised) in kinds:
        yield kinds[type(told.raised)]
    if getattr(told.raised, "code", None) in ("transport", "stalled"):
        yield "a dropped connection"
    assert all(isinstance(event.text, str) for event in told.events if type(event) is TextDelta)
