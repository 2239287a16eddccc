"""The shape of a pipeline, and the way into it."""

import pytest

from streamkit.errors import MisuseError
from streamkit.events import ResponseCompleted
from streamkit.pipeline import Pipeline
from streamkit.stages import Accumulator, ChunkParser, EventFanout, Suppressor, Transport
from streamkit.supervisor import Supervisor

from .lines import REQUEST, Bytes, Pass, body_of

SOURCE, PARSER, FANOUT = Transport(None), ChunkParser("openai-chat"), EventFanout()

SHAPES = [
    ([], "a source such as Transport(http) at place 1", "nothing"),
    ([PARSER, FANOUT], "a source such as Transport(http) at place 1", "ChunkParser, EventFanout"),
    ([PARSER, PARSER, FANOUT], "a source such as Transport(http) at place 1", None),
    ([SOURCE, Accumulator(), FANOUT], "a ChunkParser at place 2", None),
    ([SOURCE, PARSER, Accumulator()], "an EventFanout last", "Transport, ChunkParser, Accumulator"),
    ([Transport, PARSER, FANOUT], "a source such as Transport(http)", "the class Transport"),
    ([SOURCE, ChunkParser, FANOUT], "a ChunkParser at place 2", "the class ChunkParser"),
    ([SOURCE, PARSER, Pass, EventFanout], "an EventFanout last", "the class EventFanout"),
]


@pytest.mark.parametrize(("stages", "wanted", "got"), SHAPES)
def test_a_pipeline_of_the_wrong_shape_says_which_place(stages, wanted, got):
    """The error names the place, what is wanted there, what came, and how to write it."""
    with pytest.raises(MisuseError) as raised:
        Pipeline(stages, supervisor=Supervisor())

    assert f"expected {wanted}" in str(raised.value)
    assert got is None or got in str(raised.value)
    assert "write [Transport(http), ChunkParser(dialect), *stages, EventFanout()]" in str(
        raised.value
    )


@pytest.mark.parametrize("stages", [None, 5, "abc", iter([SOURCE, PARSER, FANOUT])])
def test_stages_that_are_no_list_are_refused(stages):
    """Anything but a sequence is refused, text included."""
    with pytest.raises(MisuseError, match="expected the stages of a pipeline as a list"):
        Pipeline(stages, supervisor=Supervisor())


@pytest.mark.parametrize("stage", [FANOUT, SOURCE, PARSER])
def test_what_has_a_place_of_its_own_is_no_stage_between(stage):
    """A second fan-out, source or parser is refused when the pipeline is made, not when it runs."""
    with pytest.raises(MisuseError, match="expected a stage factory"):
        Pipeline([SOURCE, PARSER, stage, FANOUT], supervisor=Supervisor())


def test_a_stage_with_bad_settings_is_refused_at_once():
    """A suppressor knows two modes."""
    with pytest.raises(ValueError, match="must be in"):
        Suppressor(mode="loud")


@pytest.mark.anyio
@pytest.mark.parametrize("fuse", [True, False])
async def test_composed_by_hand_a_pipeline_runs_requests(fuse):
    """A pipeline is entered, streams a request, starts another, and closes after itself."""
    pipeline = Pipeline(
        [Bytes([body_of("a", "b")]), PARSER, Accumulator(), Suppressor(), EventFanout()],
        supervisor=Supervisor(),
        fuse=fuse,
    )
    async with pipeline:
        async with pipeline.stream(REQUEST) as run:
            events = [event async for event in run]
        started = pipeline.start(REQUEST, "mine")
        response = await started.response()

    assert isinstance(events[-1], ResponseCompleted)
    assert ("ab", "ab", "mine") == (events[-1].response.text, response.text, started.id)


def test_a_pipeline_that_is_not_entered_is_misuse():
    """Runs live in the task group that entering opens."""
    pipeline = Pipeline([SOURCE, PARSER, FANOUT], supervisor=Supervisor())
    with pytest.raises(MisuseError, match="expected the client to be open"):
        pipeline.stream(REQUEST)
