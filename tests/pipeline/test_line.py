"""The links between stages: what passes them, in which order, and what is left open."""

import gc
from functools import partial

import anyio
import pytest

from streamkit.errors import (
    InBandError,
    MalformedStream,
    StageError,
    Stalled,
    TransportError,
    TruncatedStream,
)
from streamkit.events import ResponseCompleted, ResponseStarted, TextDelta
from streamkit.policy import Marks
from streamkit.stages import Accumulator
from streamkit.testing import answers

from .lines import (
    Bytes,
    Double,
    Echo,
    Hold,
    MintAt,
    NothingAt,
    Pass,
    PassAsync,
    RaiseAt,
    Silent,
    Swallow,
    body_of,
    drive,
    line_of,
    pipeline_of,
    run,
)

pytestmark = pytest.mark.anyio

PATIENCE = 5.0  # seconds: what never happens has not happened by then
FRAMES = answers.text_stream("a", "b", "c")  # role, a, b, c, finish, done


@pytest.fixture(params=[True, False], ids=["together", "apart"])
def fuse(request):
    """Whether one task drives the line, or each stage has its own."""
    return request.param


@pytest.fixture(autouse=True)
def nothing_is_left_open():
    """Whatever a test leaves open is a warning, and warnings are errors."""
    yield
    gc.collect()


# -- what broke ------------------------------------------------------------------


@pytest.mark.parametrize("line", [[], [Pass], [PassAsync], [Pass, PassAsync, Pass]])
async def test_what_came_before_a_failure_arrives_before_it(line, fuse):
    """Data sent before the connection broke is delivered, in order, and only then it fails."""
    told = await run(Bytes(FRAMES[:3], ConnectionResetError("reset")), *line, fuse=fuse)

    assert "ab" == told.text
    assert "transport" == told.raised.code
    assert "the source raised ConnectionResetError: reset" == str(told.raised)


async def test_an_error_of_the_tree_passes_unchanged(fuse):
    """What a source raises of the error tree is what the run ends with, itself."""
    error = Stalled("idle", 5)
    told = await run(Bytes(FRAMES[:3], error), PassAsync, fuse=fuse)

    assert error is told.raised


async def test_a_failure_frees_nothing_that_is_held(fuse):
    """What a stage holds back when the stream breaks is never shown: the attempt has failed."""
    source = Bytes(FRAMES[:4], TransportError("dropped"))
    told = await run(source, partial(Hold, size=9), fuse=fuse)

    assert ([], "dropped") == (told.events, str(told.raised))


async def test_evidence_pardons_what_breaks_behind_it(fuse):
    """A connection lost behind the finish reason has lost nothing: the answer is whole."""
    told = await run(Bytes(FRAMES[:5], TransportError("dropped")), Accumulator, fuse=fuse)

    assert ("abc", "finish_reason") == (told.response.text, told.response.evidence)


@pytest.mark.parametrize(
    ("last", "error"),
    [
        (b"data: {oops\n\n", MalformedStream),
        (answers.error("busy").join([b"data: ", b"\n\n"]), InBandError),
        (b"", TruncatedStream),
    ],
)
async def test_the_parser_breaks_in_band(last, error, fuse):
    """What the parser cannot read breaks the answer behind the data that came before."""
    told = await run(Bytes([b"".join(FRAMES[:3]) + last]), fuse=fuse)

    assert "ab" == told.text
    assert error is type(told.raised)


async def test_a_bug_in_a_dialect_is_an_error_of_the_parser(fuse):
    """Whatever a dialect raises by mistake is a `StageError` that names the parser."""

    class Buggy:
        name = "buggy"
        evidence = None

        def streaming(self, request):
            return None

        def decoder(self):
            return self

        def feed(self, frame):
            raise KeyError("choices")

    pipeline = pipeline_of(Bytes(FRAMES), fuse=fuse, dialect=Buggy())
    with pytest.raises(StageError, match=r"^stage 'parser' raised KeyError: 'choices'$"):
        await drive(line_of(pipeline, [].append), pipeline.source)


async def test_a_call_that_cannot_be_made_breaks_the_attempt(fuse):
    """What a dialect raises when asked how to send is no crash but the attempt's end."""

    class Speechless(Bytes):
        def call(self, dialect, request):
            raise LookupError("no model")

    told = await run(Speechless([]), fuse=fuse)
    assert "the source raised LookupError: no model" == str(told.raised)


# -- what stages may not do ------------------------------------------------------


async def test_a_stage_that_raises_is_named(fuse):
    """A stage's exception is a `StageError` with its name, behind what it gave, with the cause."""
    told = await run(Bytes([b"".join(FRAMES)]), Pass, partial(RaiseAt, 3), Pass, fuse=fuse)

    assert "a" == told.text
    assert "stage 'RaiseAt' raised ValueError: event 3" == str(told.raised)
    assert ("RaiseAt", ValueError) == (told.raised.stage, type(told.raised.__cause__))


async def test_the_first_of_two_failures_counts(fuse):
    """Two stages that raise over one read: the run ends with what is first in the stream."""
    line = [partial(RaiseAt, 4), partial(RaiseAt, 2), PassAsync]
    told = await run(Bytes([b"".join(FRAMES)]), *line, fuse=fuse)

    assert "stage 'RaiseAt' raised ValueError: event 2" == str(told.raised)


async def test_a_stages_own_stage_error_is_not_wrapped(fuse):
    """A stage that raises `StageError` says itself what is wrong."""
    mine = StageError("policy", "refused the answer")

    def refusing():
        def refuse(event):
            raise mine

        return refuse

    assert mine is (await run(Bytes(FRAMES), refusing, fuse=fuse)).raised


RULES = [
    (Swallow, "passed on, once and last: expected ResponseCompleted at the end; got nothing;"),
    (Echo, "passed on, once and last: expected ResponseCompleted at the end; got TextDelta("),
    (Double, "passed on, once and last: expected ResponseCompleted at the end; got ResponseComp"),
    (partial(NothingAt, 5), "gives a sequence of events: 'NoneType' object is not iterable; "),
]


@pytest.mark.parametrize(("stage", "rule"), RULES)
async def test_a_stage_that_breaks_a_rule_is_told_which(stage, rule, fuse):
    """A terminal kept, doubled or overtaken, or None for a sequence: the error says the rule."""
    told = await run(Bytes([b"".join(FRAMES)]), stage, Accumulator, fuse=fuse)

    assert f"stage {told.raised.stage!r} broke the rule that" in str(told.raised)
    assert rule in str(told.raised)
    assert told.text[:1] == "a"
    assert not any(event.terminal for event in told.events)


@pytest.mark.parametrize(
    "given", ["text", TextDelta("x"), [TextDelta("x"), 5], [None], [5, TextDelta("x")]]
)
async def test_what_is_no_event_goes_nowhere(given, fuse):
    """A stage that gives text, a bare event, or anything else breaks the answer, not the next."""

    def giving():
        return lambda event: given

    told = await run(Bytes(FRAMES), giving, Accumulator, fuse=fuse)

    assert "stage 'giving' broke the rule that it gives a sequence of events" in str(told.raised)
    assert all(isinstance(event, TextDelta) for event in told.events)


async def test_a_rule_broken_at_length_is_quoted_in_brief():
    """The message quotes what came behind the terminal, but no more than an excerpt of it."""

    def talkative():
        return lambda event: (event, TextDelta("x" * 999)) if event.terminal else (event,)

    told = await run(Bytes(FRAMES), talkative)
    assert len(str(told.raised)) < 500


# -- the end ---------------------------------------------------------------------


async def test_a_stage_may_end_the_answer_early(fuse):
    """What a stage ends is an answer as far as it came; nothing behind that is read or shown."""
    source = Silent([b"".join(FRAMES[:3])])
    with anyio.fail_after(PATIENCE):
        told = await run(source, partial(MintAt, 2), Accumulator, fuse=fuse)

    assert ("a", "done_marker") == (told.response.text, told.response.evidence)
    assert told.response is told.events[-1].response
    assert 1 == source.left


async def test_a_stage_that_ended_the_answer_is_asked_no_more(fuse):
    """Events of the same read behind the one a stage ended the answer with are not given to it."""
    seen = []

    def ending():
        def end(event):
            seen.append(event)
            return (ResponseCompleted(),)

        return end

    told = await run(Bytes([b"".join(FRAMES)]), ending, fuse=fuse)
    assert [ResponseStarted] == [type(event) for event in seen]
    assert 1 == len(told.events)


async def test_frames_behind_the_done_marker_are_no_part_of_the_answer(fuse):
    """A doubled done marker, or a chunk behind it, in the same read or not, changes nothing."""
    late = [answers.done(), answers.chunk({"content": "late"}), b"data: {oops\n\n"]
    whole = await run(Bytes([b"".join([*FRAMES, *late])]), Pass, Pass, Accumulator, fuse=fuse)
    cut = await run(Bytes([*FRAMES, *late]), Pass, Pass, Accumulator, fuse=fuse)

    assert "abc" == whole.response.text
    assert (whole.events, None) == (cut.events, cut.error)


async def test_without_an_accumulator_the_response_is_empty(fuse):
    """The accumulator makes the response; a line without one ends all the same."""
    told = await run(Bytes(FRAMES), fuse=fuse)

    assert ("", ()) == (told.response.text, told.response.choices)
    assert "abc" == told.text


async def test_partial_tells_how_far_the_answer_came(fuse):
    """A line that broke still knows the answer as far as its accumulator saw it."""
    pipeline = pipeline_of(Bytes(FRAMES[:3]), Pass, Accumulator, fuse=fuse)
    line = line_of(pipeline, [].append)
    with pytest.raises(TruncatedStream):
        await drive(line, pipeline.source)

    assert ("ab", None) == (line.partial().text, line.partial().finish)
    assert "" == line_of(pipeline_of(Bytes([])), [].append).partial().text


async def test_a_line_that_lost_its_end_is_truncated():
    """A source that ends a line without an end or an error is a truncated stream."""

    class Endless(Bytes):
        async def fetch(self, call, dialect, emit, taps):
            return []

    with pytest.raises(TruncatedStream, match="expected the stages to pass on a terminal event"):
        raise (await run(Endless([]))).raised


# -- state -----------------------------------------------------------------------


@pytest.mark.parametrize("recipe", [partial(Hold, size=2), Hold(size=2), lambda: Hold(size=2)])
async def test_no_state_leaks_between_two_runs(recipe, fuse):
    """Each attempt has stages of its own, also where a stage is given as an attrs instance."""
    broken = Bytes(FRAMES[:3], TransportError("dropped"))
    pipeline = pipeline_of(broken, recipe, Accumulator, fuse=fuse)
    for _ in range(2):
        shown = []
        with pytest.raises(TransportError):
            await drive(line_of(pipeline, shown.extend), broken)
        assert [ResponseStarted, TextDelta, TextDelta] == [type(event) for event in shown]

    whole = Bytes(FRAMES)
    shown = []
    response = await drive(line_of(pipeline, shown.extend), whole)
    assert "abc" == response.text
    assert ["a", "b", "c"] == [event.text for event in shown if isinstance(event, TextDelta)]


async def test_a_stage_with_settings_named_batch_is_not_mistaken(fuse):
    """Only stages of the house take whole batches; another's ``batch`` is its own affair."""

    class Batched(Pass):
        batch = 10

    class Loud(Accumulator):
        def __call__(self, event):
            loud = TextDelta(event.text.upper()) if isinstance(event, TextDelta) else event
            return super().__call__(loud)

    told = await run(Bytes(FRAMES), Batched, Loud, fuse=fuse)
    assert ("ABC", "ABC") == (told.text, told.response.text)


# -- waiting, and breaking off ---------------------------------------------------


async def test_the_clocks_stand_still_while_the_log_is_full(fuse):
    """Waiting for readers holds the provider's clocks, and ends when there is room again."""
    marks, full, held = Marks(0.0, 0.0), [], []

    async def room():
        await anyio.lowlevel.checkpoint()
        held.append(marks.held)

    def is_full():
        full.append(1)
        return len(full) == 2

    told = await run(Bytes(FRAMES), marks=marks, is_full=is_full, room=room, fuse=fuse)
    assert ("abc", None) == (told.text, told.raised)
    assert [fuse] == held  # apart, the source reads ahead: it waits where its link is full
    assert not marks.held


async def test_a_slow_stage_is_no_slow_provider():
    """While the source waits for a stage behind it, the provider's clocks stand still."""
    marks, gate, held = Marks(0.0, 0.0), anyio.Event(), []

    async def slow(source, sink):
        await gate.wait()
        async for event in source:
            await sink.send(event)

    pieces = [answers.chunk({"content": f"{n} "}) for n in range(100)]
    shown = []
    pipeline = pipeline_of(Bytes([*pieces, *FRAMES[4:]]), lambda: slow)
    line = line_of(pipeline, shown.extend, marks=marks)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drive, line, pipeline.source)
        with anyio.fail_after(PATIENCE):
            while not marks.held:
                await anyio.lowlevel.checkpoint()
        held.append(marks.held)
        gate.set()

    assert [True] == held
    assert not marks.held
    assert [f"{n} " for n in range(100)] == [e.text for e in shown if isinstance(e, TextDelta)]


@pytest.mark.parametrize("within", [None, 0.0, 5.0])
async def test_a_read_broken_off_fails_behind_the_data(within, fuse):
    """What came before is delivered, then the cause is raised."""
    cause = Stalled("idle", 5)
    pipeline = pipeline_of(Silent([b"".join(FRAMES[:3])]), Pass, fuse=fuse)
    came = anyio.Event()
    shown = []

    def deliver(batch):
        shown.extend(batch)
        came.set()

    line = line_of(pipeline, deliver)

    async def watch():
        await came.wait()
        line.break_off(cause, within)

    raised = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        with anyio.fail_after(PATIENCE):
            try:
                await drive(line, pipeline.source)
            except Stalled as error:
                raised.append(error)

    assert ["a", "b"] == [event.text for event in shown if isinstance(event, TextDelta)]
    assert cause is raised[0]


@pytest.mark.parametrize("line", [[], [PassAsync], [Pass, PassAsync, Pass]])
async def test_cancellation_leaves_nothing_open(line, fuse):
    """A run cancelled where it waits closes its streams and leaves the body, and raises nothing."""
    source = Silent(FRAMES[:3])
    pipeline = pipeline_of(source, *line, fuse=fuse)
    with anyio.CancelScope() as scope:
        await drive(line_of(pipeline, lambda batch: scope.cancel()), source)

    assert scope.cancelled_caught
    assert 1 == source.left
    gc.collect()


@pytest.mark.parametrize("line", [[], [PassAsync]])
async def test_a_log_that_raises_breaks_the_attempt(line, fuse):
    """What the log raises ends the attempt as the fan-out's error, not as a group's crash."""

    def deliver(batch):
        raise OSError("disk full")

    pipeline = pipeline_of(Silent(FRAMES[:3]), *line, fuse=fuse)
    with (
        anyio.fail_after(PATIENCE),
        pytest.raises(StageError, match=r"^stage 'fanout' raised OSError: disk full$"),
    ):
        await drive(line_of(pipeline, deliver), pipeline.source)


@pytest.mark.parametrize("line", [[], [PassAsync]])
async def test_a_log_that_raises_while_it_is_waited_for_breaks_the_attempt(line, fuse):
    """A log whose room never comes because it broke ends the attempt the same way."""

    async def room():
        raise OSError("gone")

    told = await run(Silent(FRAMES[:3]), *line, fuse=fuse, is_full=lambda: True, room=room)
    assert "stage 'fanout' raised OSError: gone" == str(told.raised)


async def test_a_long_answer_passes_a_short_link(fuse):
    """More reads than a link holds pass it, all of them, in order."""
    pieces = [f"{n} " for n in range(100)]
    told = await run(Bytes(answers.text_stream(*pieces)), PassAsync, Pass, PassAsync, fuse=fuse)

    assert "".join(pieces) == told.text


async def test_a_body_in_one_read_is_one_batch():
    """Together, what one read gave travels as one batch."""
    told = await run(Bytes([body_of("a", "b")]), Pass, Accumulator)
    assert 1 == len(told.batches)
