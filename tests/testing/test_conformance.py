"""The kit finds what breaks a rule of a stage, says which one, and finds nothing else."""

import itertools
from functools import partial

import anyio
import attrs
import pytest

from streamkit.errors import MisuseError
from streamkit.events import (
    Event,
    Metadata,
    ReasoningDelta,
    ResponseCompleted,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Unknown,
    UsageReported,
)
from streamkit.stages import Accumulator, Suppressor
from streamkit.testing import ConformanceError, JumpingClock, check_stage

from ..pipeline.lines import (  # fmt: skip
    Double,
    Echo,
    MintAsync,
    NothingAt,
    Pass,
    PassAsync,
    RaiseAsync,
    RaiseAt,
    Swallow,
    SwallowAsync,
)


def broken(factory, **settings):
    """The error the kit raises."""
    with pytest.raises(ConformanceError) as raised:
        check_stage(factory, **settings)
    return raised.value


def plain(function):
    """The factory of a stage that is a function."""

    def making():
        return function

    return making


# -- those that keep the rules ---------------------------------------------------


@attrs.define(eq=False)
class Cut:
    """Cuts *marker* out of the text of each choice."""

    marker: str = "<x>"
    _held: dict = attrs.field(factory=dict, init=False)

    def __call__(self, event):
        if not isinstance(event, TextDelta):
            freed = [TextDelta(text, choice) for choice, text in self._held.items() if text]
            self._held.clear()
            return (*freed, event)
        *cut, rest = (self._held.get(event.choice, "") + event.text).split(self.marker)
        sizes = range(len(self.marker) - 1, 0, -1)
        size = next((n for n in sizes if rest.endswith(self.marker[:n])), 0)
        self._held[event.choice] = rest[len(rest) - size :]
        text = "".join(cut) + rest[: len(rest) - size]
        return (attrs.evolve(event, text=text),) if text else ()


def shout(event):
    """Text in capitals: changed, not lost."""
    return (attrs.evolve(event, text=event.text.upper()),) if type(event) is TextDelta else (event,)


def footer(event):
    """Text before the terminal."""
    return (TextDelta(" (the end)"), event) if event.terminal else (event,)


async def tidy(source, sink):
    """Cleans up behind a shield, within bounds."""
    try:
        async for event in source:
            await sink.send(event)
    finally:
        with anyio.move_on_after(1, shield=True):
            await anyio.lowlevel.checkpoint()


@attrs.define(eq=False)
class Slow:
    """Holds all text for two seconds of its clock."""

    clock: object
    wake_at: float | None = attrs.field(default=None, init=False)
    _held: list = attrs.field(factory=list, init=False)

    def __call__(self, event):
        if type(event) is TextDelta and event.choice == 0:
            self._held.append(event)
            self.wake_at = self.wake_at or self.clock.now() + 2.0
            return ()
        return (*self._free(), event)

    def wake(self, _now):
        return self._free()

    def _free(self):
        held, self._held, self.wake_at = self._held, [], None
        return held


CLOCK = JumpingClock()


@pytest.mark.parametrize(
    ("factory", "settings"),
    [
        (Pass, {}),
        (PassAsync, {}),
        (Accumulator, {}),
        (Accumulator(), {}),
        ("streamkit.stages:Accumulator", {}),
        (partial(Cut, marker="and no"), {"drops": [TextDelta]}),
        (Cut, {"texts": ["<x>", "a<x", "<<x>b<x><x>c"], "hold": 2}),
        (Suppressor, {"drops": (TextDelta,)}),
        (plain(shout), {"hold": 0}),
        (plain(footer), {}),
        (plain(tidy), {}),
        (partial(Slow, CLOCK), {"clock": CLOCK}),
    ],
)
def test_what_keeps_the_rules_passes(factory, settings):
    """Nothing is found where nothing is wrong; changing text, and adding some, is not."""
    assert None is check_stage(factory, **settings)


# -- those that break one --------------------------------------------------------


@pytest.mark.parametrize("factory", [Swallow, Echo, SwallowAsync])
def test_the_terminal_is_kept_and_last(factory):
    """A terminal that is swallowed, or followed by something, is told with what to do."""
    error = broken(factory)

    assert error.rule.startswith("the terminal event is passed on")
    assert "expected" in error.saw
    assert "ResponseCompleted" in error.saw
    assert error.mend.startswith(("give what you hold", "send what you read last"))


def test_the_terminal_comes_once():
    """Nothing may be sent behind the terminal, though the pipeline would only ignore it."""

    async def chatty(source, sink):
        async for event in source:
            await sink.send(event)
        await sink.send(TextDelta("late"))

    error = broken(plain(chatty))
    assert "the terminal event is passed on, once and last" == error.rule
    assert "TextDelta(text='late', choice=0)" in error.saw
    assert "the terminal event is passed on" in broken(Double).rule


def test_a_stage_reads_to_the_end():
    """One that returns early is told so."""

    async def hasty(source, sink):
        await sink.send(await source.receive())

    assert "it reads to the end" == broken(plain(hasty)).rule


def test_ending_the_answer_early_loses_the_rest():
    """A stage that ends every answer early loses what it does not declare."""
    assert "nothing is lost that is not declared" == broken(partial(MintAsync, 2)).rule


@pytest.mark.parametrize("factory", [partial(RaiseAt, 2), partial(RaiseAsync, 2)])
def test_a_stage_raises_nothing(factory):
    """What it raised is told, and is the cause of the cause."""
    error = broken(factory)

    assert "it gives events and raises nothing" == error.rule
    assert "raised ValueError: event 2" in error.saw
    assert ValueError is type(error.__cause__.__cause__)


@pytest.mark.parametrize("factory", [NothingAt, plain(lambda _: ("text",))])
def test_a_stage_gives_events(factory):
    """None, or a string, is no sequence of events."""
    assert "it gives a sequence of events" == broken(factory).rule


def test_no_event_is_changed():
    """An event belongs to others, too: what is inside stays as it is."""

    def scribbles(event):
        if isinstance(event, Metadata):
            event.extra["seen"] = True
        return (event,)

    error = broken(plain(scribbles))
    assert "it changes no event it is given" == error.rule
    assert "'seen': True" in error.saw
    assert "attrs.evolve" in error.mend


class Greedy:
    """Keeps what it saw where every instance finds it."""

    seen: list = []  # noqa: RUF012 (the mistake in question)

    def __call__(self, event):
        self.seen.append(event)
        return (event,) if len(self.seen) < 9 or not isinstance(event, TextDelta) else ()


def test_no_state_is_shared():
    """A list of the class, an instance made once: the second run tells."""
    error = broken(Greedy)
    assert "no state is shared between runs" == error.rule
    assert "the text of choice 0 was 'Seven herons" in error.saw

    once, count = Cut("x" * 9), itertools.count()
    assert None is check_stage(plain(once))  # nothing held is nothing shared

    def counting(event):
        return (TextDelta(f"{next(count)}"), event) if event.terminal else (event,)

    assert "no state is shared between runs" == broken(plain(counting)).rule


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (UsageReported, "UsageReported"),
        (Unknown, "Unknown"),
        (ReasoningDelta, "'first' of ReasoningDelta"),
        (TextDelta, "'seven' of TextDelta"),
        (ToolCallDelta, "tool arguments"),
        (ToolCallStarted, "ToolCallStarted"),
    ],
)
def test_nothing_is_lost_unless_it_is_declared(kind, what):
    """What does not come out is named; declared, it may be dropped."""

    def dropping(event):
        return () if type(event) is kind else (event,)

    error = broken(plain(dropping))
    assert "nothing is lost that is not declared" == error.rule
    assert what in error.saw
    assert f"drops=({kind.__name__},)" in error.mend
    assert None is check_stage(plain(dropping), drops=(kind,))


@attrs.define(eq=False)
class Late:
    """Gives events of one kind only before the terminal."""

    kind: type
    _held: list = attrs.field(factory=list, init=False)

    def __call__(self, event):
        if event.terminal:
            return (*self._held, event)
        if type(event) is self.kind:
            self._held.append(event)
            return ()
        return (event,)


@pytest.mark.parametrize("kind", [TextDelta, UsageReported, ToolCallStarted, ReasoningDelta])
def test_the_order_is_kept(kind):
    """Held text is not overtaken by what is shown behind it, nor any event by another."""
    error = broken(partial(Late, kind))

    assert "the order is kept" == error.rule
    assert error.mend.startswith("give what you hold before")


def test_a_choice_is_not_mistaken_for_another():
    """A stage that forgets which choice a text is of has lost it."""

    def forgetful(event):
        return (TextDelta(event.text),) if type(event) is TextDelta else (event,)

    error = broken(plain(forgetful))
    assert "nothing is lost that is not declared" == error.rule
    assert "to come out in choice 1" in error.saw


def test_the_cuts_do_not_matter():
    """A stage that looks at single deltas is found by a text that is cut."""

    def naive(event):
        if type(event) is not TextDelta:
            return (event,)
        return (attrs.evolve(event, text=event.text.replace("secret", "***")),)

    check_stage(plain(naive))  # as long as nothing is ever replaced
    error = broken(plain(naive), texts=["my secret is"])

    assert "where the text is cut does not matter" == error.rule
    assert "the text of choice 0 was 'my *** is' and is 'my secret is'" in error.saw
    assert error.mend.startswith("hold back what may go on in the next delta")


def test_counting_events_is_seeing_cuts():
    """What depends on how many deltas there were depends on the cuts, too."""

    def counting():
        count = itertools.count()
        return lambda event: (event, Unknown(next(count))) if event.progress else (event,)

    error = broken(counting)
    assert "where the text is cut does not matter" == error.rule
    assert "the other events were" in error.saw


def test_together_equals_apart():
    """A stage that looks at the task it runs in is found out."""

    def making():
        home = anyio.get_current_task().id

        def tell(event):
            word = "home" if anyio.get_current_task().id == home else "away"
            return (TextDelta(word), event) if event.terminal else (event,)

        return tell

    assert "together equals apart" == broken(making).rule


def test_what_is_held_is_bounded():
    """A stage that waits for the end is told how much it held, and what may be declared."""
    error = broken(partial(Late, TextDelta), drops=(), hold=10**6)
    assert "the order is kept" == error.rule

    def by_line():
        held = []

        def lines(event):
            if type(event) is not TextDelta:
                freed, held[:] = tuple(held), []
                return (*freed, event)
            held.append(event)
            if "\n" not in event.text:
                return ()
            freed, held[:] = tuple(held), []
            return freed

        return lines

    error = broken(by_line)
    assert "what it holds back is bounded" == error.rule
    assert "expected at most 1024 characters held; got 4096 of 4096" in error.saw
    assert "hold=" in error.mend


# -- cancellation ----------------------------------------------------------------


async def swallows(source, sink):
    try:
        async for event in source:
            await sink.send(event)
    except anyio.get_cancelled_exc_class():
        pass


async def speaks(source, sink):
    try:
        async for event in source:
            await sink.send(event)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await sink.send(TextDelta("cancelled"))
        raise


async def raises(source, sink):
    try:
        async for event in source:
            await sink.send(event)
    except anyio.get_cancelled_exc_class():
        raise KeyError("cancelled") from None


async def shields(source, sink):
    with anyio.CancelScope(shield=True):
        async for event in source:
            await sink.send(event)


async def shields_what_it_sends(source, sink):
    async for event in source:
        with anyio.CancelScope(shield=True):
            await sink.send(event)


@pytest.mark.parametrize(
    ("stage", "what"),
    [
        (swallows, "it returned as if nothing were"),
        (speaks, "it sent TextDelta(text='cancelled', choice=0)"),
        (raises, "it raised KeyError"),
        (shields, "it goes on waiting"),
        (shields_what_it_sends, "cancelled where it sends; it goes on waiting"),
    ],
)
def test_a_cancelled_stage_ends(stage, what, monkeypatch):
    """It neither swallows the cancellation nor outlives it, and says nothing behind it."""
    monkeypatch.setattr("streamkit.testing.bench._PATIENCE", 0.01)
    error = broken(plain(stage))

    assert "a cancelled stage ends, and says nothing more" == error.rule
    assert what in error.saw
    assert error.mend.startswith("let the cancellation pass")


# -- the kit itself --------------------------------------------------------------


def test_the_error_is_a_failed_assertion_that_says_it_all():
    """It names the stage, the rule, what was seen, and how to mend it."""
    error = broken(Swallow)

    assert isinstance(error, AssertionError)
    assert f"stage 'Swallow' broke the rule that {error.rule}: {error.saw}; {error.mend}" == str(
        error
    )


def test_it_does_the_same_every_time():
    """Twice checked, twice the same error."""
    assert str(broken(partial(Late, TextDelta))) == str(broken(partial(Late, TextDelta)))


@pytest.mark.anyio
async def test_it_is_called_from_a_plain_function():
    """Within an event loop it cannot run its own; the error says what to write."""
    with pytest.raises(MisuseError, match="not `async def`"):
        check_stage(Pass)


@pytest.mark.parametrize("factory", [5, Pass(), "no.such.module:Stage", "no-such-stage"])
def test_what_makes_no_stage_is_misuse(factory):
    """The kit takes what a client's ``stages`` takes, and refuses what that refuses."""
    with pytest.raises(MisuseError):
        check_stage(factory)


@pytest.mark.anyio
async def test_the_clock_jumps():
    """It stands still until it is waited for; an event that is set is not waited for."""
    clock, event = JumpingClock(5.0), anyio.Event()

    await clock.wait(event, 9.0)
    assert 9.0 == clock.now()
    event.set()
    await clock.wait(event, 20.0)
    assert 9.0 == clock.now()


def test_a_stage_may_end_the_answer_where_that_is_declared():
    """A stage that ends answers early, wherever they are cut, keeps the rules."""

    async def stopping(source, sink):
        async for event in source:
            if isinstance(event, ToolCallStarted):
                await sink.send(ResponseCompleted(evidence="finish_reason"))
                return
            await sink.send(event)

    check_stage(plain(stopping), drops=(Event,))
    assert "nothing is lost that is not declared" == broken(plain(stopping)).rule
