"""Text comes at a pace, never later than it may, and all of it."""

import math
from itertools import pairwise

import anyio
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamkit
from streamkit.errors import MisuseError
from streamkit.events import (
    Finished,
    Metadata,
    ReasoningDelta,
    ResponseCompleted,
    TextDelta,
    ToolCallStarted,
)
from streamkit.pipeline import TimedTransform
from streamkit.stages import Smooth
from streamkit.testing import FaultProvider, JumpingClock, Reply, answers, check_stage

from ..pipeline.lines import Silent, run

BODY = {"model": "demo-1", "messages": [{"role": "user", "content": "hello"}]}
END = ResponseCompleted(evidence="finish_reason")


@attrs.define
class Watched:
    """A stage, driven as the pipeline drives it: what came out when."""

    stage: Smooth
    now: float = 100.0
    out: list = attrs.field(factory=list)

    def give(self, *events):
        """Hand events in at once; then wake the stage where it is due."""
        for event in events:
            self._note(self.stage(event))
        self.wait(0.0)
        return self

    def wait(self, seconds):
        """Let time pass, from one wake to the next."""
        until = self.now + seconds
        while self.stage.wake_at is not None and self.stage.wake_at <= until:
            self.now = max(self.now, self.stage.wake_at)
            self._note(self.stage.wake(self.now))
            assert self.stage.wake_at is None or self.stage.wake_at > self.now
        self.now = until
        return self

    def _note(self, events):
        self.out += [(round(self.now - 100.0, 6), event) for event in events]

    @property
    def texts(self):
        return [(at, event.text) for at, event in self.out]


def watched(*args, **kwargs):
    return Watched(Smooth(*args, **kwargs))


# -- by word ---------------------------------------------------------------------


def test_a_word_comes_when_it_is_whole():
    """A word waits for what follows it, and then comes at once, with the words before it."""
    run = watched("word", delay=5.0).give(TextDelta("Hel")).wait(1.0).give(TextDelta("lo, my wor"))

    assert [(1.0, "Hello, my ")] == run.texts
    run.wait(0.5).give(TextDelta("ld."), END)
    assert [(1.0, "Hello, my "), (1.5, "world."), (1.5, END)] == [
        (at, getattr(event, "text", event)) for at, event in run.out
    ]


def test_a_word_that_goes_on_for_long_comes_in_time():
    """After *delay* seconds a piece comes, whole or not."""
    run = watched(delay=2.0).give(TextDelta("super")).wait(1.0).give(TextDelta("cali")).wait(9.0)

    assert [(2.0, "supercali")] == run.texts


def test_languages_without_spaces_have_words_too():
    """Each Chinese or Japanese character is one; it waits for nothing."""
    assert [(0.0, "你好。か")] == watched(delay=5.0).give(TextDelta("你好。か")).texts
    assert [(0.0, "a 漢")] == watched(delay=5.0).give(TextDelta("a 漢b")).texts


# -- at a rate -------------------------------------------------------------------


def test_a_burst_comes_word_by_word():
    """Two a second: the first at once, each other in its turn; then it starts afresh."""
    run = watched("word", rate=2.0, delay=10.0).give(TextDelta("a b c ")).wait(5.0)
    run.give(TextDelta("d e ")).wait(5.0)

    assert [(0.0, "a "), (0.5, "b "), (1.0, "c "), (5.0, "d "), (5.5, "e ")] == run.texts


def test_a_burst_comes_character_by_character():
    """A character comes with the marks that belong to it."""
    run = watched("char", 4.0, 10.0).give(TextDelta("ae\u0301👨\u200d👩 ")).wait(5.0)

    assert [(0.0, "a"), (0.25, "e\u0301"), (0.5, "👨\u200d👩"), (0.75, " ")] == run.texts


def test_what_cannot_be_in_time_comes_in_one():
    """No piece waits longer than *delay*, however slow the rate."""
    run = watched("word", 10.0, 0.25).give(TextDelta("a b c d e f ")).wait(1.0)

    assert [(0.0, "a "), (0.1, "b "), (0.2, "c "), (0.25, "d e f ")] == run.texts


def test_a_late_wake_delays_no_later_piece():
    """Woken late, it keeps the beat; woken very late, it takes up a new one."""
    stage = Smooth("char", 10.0, 10.0)
    stage(TextDelta("abcdef"))
    heard = []
    for now in (0.0, 0.11, 0.2, 0.59, 0.69):
        heard += [(now, event.text) for event in stage.wake(now)]

    assert [(0.0, "a"), (0.11, "b"), (0.2, "c"), (0.59, "d"), (0.69, "e")] == heard


arrivals = st.lists(
    st.tuples(st.sampled_from([0.0, 0.01, 0.1, 0.5, 3.0]), st.text("ab é漢\n\u0301", max_size=8)),
    max_size=8,
)
paces = st.one_of(
    st.tuples(st.just("word"), st.sampled_from([None, 0.5, 20.0, 1e6])),
    st.tuples(st.just("char"), st.sampled_from([0.5, 20.0, 1e6])),
)


@given(arrivals, paces, st.sampled_from([0.001, 0.05, 1.0]))
def test_it_adds_no_more_than_its_delay(arrivals, pace, delay):
    """All text comes, in order, each character at most *delay* seconds after it came."""
    run, came = Watched(Smooth(*pace, delay)), []
    for pause, text in arrivals:
        run.wait(pause)
        came += [run.now - 100.0] * len(text)
        run.give(TextDelta(text))
    run.wait(60.0)

    gone = [at for at, event in run.out for _ in event.text]
    assert "".join(text for _, text in arrivals) == "".join(event.text for _, event in run.out)
    assert all(b - a <= delay + 1e-5 for a, b in zip(came, gone, strict=True))
    assert None is run.stage.wake_at


@given(st.text("ab ", min_size=1, max_size=30), st.sampled_from(["word", "char"]))
def test_at_a_rate_no_piece_is_early(text, by):
    """As long as nothing has to hurry, pieces are at least ``1 / rate`` seconds apart."""
    run = (
        watched(by, 4.0, 1000.0)
        .give(
            TextDelta(text),
        )
        .wait(900.0)
    )

    assert all(b - a >= 0.25 - 1e-5 for (a, _), (b, _) in pairwise(run.texts))


# -- among other events ----------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        END,
        Finished(0, "stop"),
        ToolCallStarted(0, "1", "f"),
        Metadata(None, {"a": 1}),
        ReasoningDelta("hm"),
        TextDelta("x ", 1),
    ],
)
def test_anything_else_frees_what_is_held(event):
    """Any event that is not text of the same choice comes behind all that is held, at once."""
    run = watched(rate=1.0, delay=9.0).give(TextDelta("a b c"), event)

    assert [TextDelta("a b c"), event] == [each for _, each in run.out]
    assert None is run.wait(20.0).stage.wake_at
    assert 2 == len(run.out)


def test_an_empty_delta_frees_nothing():
    """A delta without text passes."""
    run = watched(delay=9.0).give(TextDelta("wo"), TextDelta(""), TextDelta("rd "))

    assert ["", "word "] == [event.text for _, event in run.out]


def test_reasoning_is_smoothed_where_it_is_asked_for():
    """Each channel that is named; its deltas keep their field."""
    run = watched(delay=9.0, channels=["reasoning"])
    run.give(ReasoningDelta("h", 0, "reasoning"), ReasoningDelta("m a", 0, "reasoning"))
    run.give(TextDelta("te"))

    assert [
        ReasoningDelta("hm ", 0, "reasoning"),
        ReasoningDelta("a", 0, "reasoning"),
        TextDelta("te"),
    ] == [event for _, event in run.out]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"by": "line"}, "expected by to be 'word' or 'char'; got 'line'"),
        ({"rate": 0}, "expected rate to be more than 0 a second; got 0"),
        ({"rate": math.inf}, "expected rate"),
        ({"by": "char"}, "expected a rate with by='char'"),
        ({"delay": 0}, "expected delay to be more than 0 seconds; got 0"),
        ({"delay": math.nan}, "expected delay"),
        ({"channels": "text"}, "expected channels such as"),
        ({"channels": ("tool_calls",)}, "expected channels such as"),
    ],
)
def test_settings_are_checked(settings, problem):
    """What cannot be is refused when it is made."""
    with pytest.raises(MisuseError, match=problem):
        Smooth(**settings)


# -- as a stage ------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Smooth, Smooth(rate=50.0, delay=1.0), Smooth("char", 90.0)])
def test_it_keeps_the_rules_of_a_stage(stage):
    """The conformance kit finds nothing."""
    check_stage(stage, texts=["one two 漢字 three"])


def test_it_is_timed():
    """The pipeline knows it for a stage that must be woken."""
    assert isinstance(Smooth(), TimedTransform)


@pytest.mark.anyio
@pytest.mark.parametrize("fuse", [True, False])
async def test_in_a_pipeline_it_is_woken_in_time(fuse):
    """On the run's clock, a provider that falls silent in the middle of a word delays nothing."""
    clock, gate, came = JumpingClock(), anyio.Event(), []

    class Gated(Silent):
        async def _read(self):
            yield b"".join(answers.text_stream("He", "llo wo")[:3])
            await gate.wait()
            yield answers.chunk({}, finish_reason="stop") + answers.done()

    def noting():
        def note(event):
            if isinstance(event, TextDelta):
                came.append((clock.now() - 1000.0, event.text))
                if event.text == "wo":
                    gate.set()
            return (event,)

        return note

    with anyio.fail_after(5):
        told = await run(Gated([]), Smooth(delay=0.5), noting, clock=clock, fuse=fuse)

    assert [(0.0, "Hello "), (0.5, "wo")] == came
    assert "Hello wo" == told.text


@pytest.mark.anyio
async def test_in_a_client_nothing_is_lost():
    """The text that was shown, and the response, are what the provider sent."""
    pieces = ["Smooth", "ly", " does", " it", " flow."]
    async with FaultProvider(stream=Reply(*answers.text_stream(*pieces))) as provider:
        async with streamkit.Client(base_url=provider.url, stages=[Smooth]) as client:
            async with client.stream(BODY) as run:
                shown = [text async for text in run.text()]
            response = await run.response()

    assert ("Smoothly does it flow.",) * 2 == ("".join(shown), response.text)
