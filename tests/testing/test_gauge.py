"""The gauge: it reads what is sent, in turn, and says what it read."""

import pytest

import streamkit
from streamkit.testing import FaultProvider, Reply, answers, gauge

PIECES = ("Hel", "lo", "!")
REQUEST = {"model": "demo-1", "messages": []}


def provider(*pieces):
    """A provider that streams *pieces*."""
    return FaultProvider(stream=Reply(*answers.text_stream(*pieces)))


@pytest.mark.anyio
async def test_everybody_reads_in_turn():
    """A round is one answer for each, after one that is not measured."""
    subjects = {"raw": gauge.raw("openai-chat"), "ours": gauge.client("openai-chat")}
    async with provider(*PIECES) as server:
        readings = await gauge.compare(subjects, server.url, REQUEST, rounds=2)

    assert 3 * len(subjects) == len(server.requests)
    assert {"raw": 2, "ours": 2} == {name: len(rounds) for name, rounds in readings.items()}
    assert [3, 3] == [reading.count for reading in readings["ours"]]
    assert [2, 2] == [len(reading.gaps) for reading in readings["ours"]]
    assert all(reading.wall >= reading.first > 0 for reading in readings["ours"])


@pytest.mark.anyio
async def test_nothing_is_rerouted_while_it_is_measured():
    """A stream that fails is no figure."""
    async with FaultProvider(stream=Reply(answers.error("no"), status=503)) as server:
        with pytest.raises(streamkit.errors.Rejected):
            await gauge.compare({"ours": gauge.client("openai-chat")}, server.url, REQUEST)


@pytest.mark.anyio
async def test_what_is_no_client_is_told():
    """Before anything is asked."""
    with pytest.raises(streamkit.MisuseError, match="expected a client or a pipeline"):
        await gauge.compare({"mine": gauge.through(lambda url: url)}, "http://x.invalid", REQUEST)


@pytest.mark.parametrize(
    ("samples", "median", "spread"), [([2.0], 2.0, 0.0), ([1.0, 2.0, 3.0], 2.0, 0.5), ([0.0], 0, 0)]
)
def test_a_figure_is_a_median_and_its_spread(samples, median, spread):
    """The distance between the quartiles, as a share of it."""
    assert gauge.Figure(median, spread, len(samples)) == gauge.figure(samples)


def test_no_samples_make_no_figure():
    """It is told, not divided by."""
    with pytest.raises(streamkit.MisuseError, match="got none"):
        gauge.figure([])


@pytest.mark.parametrize("dialect", ["openai-chat", "llama-stack-turn"])
@pytest.mark.anyio
async def test_frames_say_as_many_deltas(dialect):
    """In every dialect."""
    body = b"".join(gauge.frames(dialect, 5))
    replayed = await streamkit.replay.replay(body, dialect)

    assert None is replayed.error
    assert " word00 word01 word02 word03 word04" == replayed.response.text
