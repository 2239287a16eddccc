"""Stages that act when time has passed, and the clock that says so."""

import gc
import math

import anyio
import attrs
import pytest

from streamkit.events import ResponseCompleted, TextDelta
from streamkit.pipeline import SystemClock, TimedTransform
from streamkit.stages import Accumulator
from streamkit.testing import answers

from .lines import Bytes, Pass, Silent, run

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(20)]  # what hangs fails soon

FRAMES = answers.text_stream("a", "b", "c")  # role, a, b, c, finish, done


@pytest.fixture(autouse=True)
def nothing_is_left_open():
    """Whatever a test leaves open is a warning, and warnings are errors."""
    yield
    gc.collect()


@attrs.define(eq=False)
class Jumping:
    """A clock that stands still, and jumps to the next deadline when all wait for it."""

    time: float = 0.0
    waits: list = attrs.field(factory=list)

    def now(self):
        return self.time

    async def wait(self, event, until):
        self.waits.append(until)
        await anyio.wait_all_tasks_blocked()
        self.time = max(self.time, until)


@attrs.define(eq=False)
class Batch:
    """Holds text back for *seconds*, then gives it joined."""

    clock: object
    seconds: float = 2.0
    wake_at: float | None = attrs.field(default=None, init=False)
    woken: list = attrs.field(factory=list, init=False)
    _held: list = attrs.field(factory=list, init=False)

    def __call__(self, event):
        if isinstance(event, TextDelta):
            self._held.append(event.text)
            self.wake_at = self.wake_at or self.clock.now() + self.seconds
            return ()
        return (*self._free(), event) if event.terminal else (event,)

    def wake(self, now):
        self.woken.append(now)
        return self._free()

    def _free(self):
        held, self._held, self.wake_at = "".join(self._held), [], None
        return (TextDelta(held),) if held else ()


def making(stage):
    """Give the factory that makes *stage*, once."""

    def make():
        return stage

    return make


@pytest.mark.parametrize("fuse", [True, False])
async def test_it_is_woken_when_its_time_has_come(fuse):
    """A timed stage is woken at the time it asked for, on the run's clock, without sleeping."""
    clock = Jumping(100.0)
    stage = Batch(clock)
    gate = anyio.Event()

    class Gated(Silent):
        async def _read(self):
            yield b"".join(FRAMES[:3])
            await gate.wait()
            yield b"".join(FRAMES[3:])

    def opening():
        def open_at_text(event):
            if isinstance(event, TextDelta):
                gate.set()
            return (event,)

        return open_at_text

    told = await run(Gated([]), making(stage), opening, Accumulator, clock=clock, fuse=fuse)
    assert ["ab", "c"] == [event.text for event in told.events if isinstance(event, TextDelta)]
    assert ([102.0], [102.0]) == (stage.woken, clock.waits)
    assert "abc" == told.response.text


async def test_an_end_that_comes_first_is_no_wake():
    """Where the answer ends before the time has come, the terminal frees what is held."""

    class Never(Jumping):
        async def wait(self, event, until):
            await event.wait()

    stage = Batch(Never())
    told = await run(Bytes(FRAMES), making(stage), clock=stage.clock)
    assert (["abc"], []) == (
        [event.text for event in told.events if isinstance(event, TextDelta)],
        stage.woken,
    )


async def test_what_is_due_already_is_woken_before_it_reads_on():
    """A time that has passed is not waited for, and data behind it does not starve it."""
    clock = Jumping(100.0)
    stage = Batch(clock, seconds=-1.0)
    told = await run(Bytes(FRAMES), making(stage), clock=clock)

    assert ["a", "b", "c"] == [event.text for event in told.events if isinstance(event, TextDelta)]
    assert ([100.0] * 3, []) == (stage.woken, clock.waits)


async def test_what_a_wake_gives_waits_for_room():
    """A wake whose events fill the log waits until there is room, like any batch."""
    clock, waited = Jumping(), []

    async def room():
        waited.append(clock.now())

    class Twice(Batch):
        def wake(self, now):
            self.woken.append(now)
            free = self._free()
            if len(self.woken) == 2:
                return (ResponseCompleted(),)
            self.wake_at = now + 2.0
            return free

    stage = Twice(clock)
    told = await run(
        Silent(FRAMES[:2]), making(stage), Pass, clock=clock, is_full=lambda: True, room=room
    )
    assert (["a"], [2.0, 4.0]) == (
        [event.text for event in told.events if isinstance(event, TextDelta)],
        stage.woken,
    )
    assert 2.0 == waited[-1]


async def test_the_end_of_the_line_is_the_end_of_a_timed_stage():
    """A stage whose upstream is gone while it waits for its time is woken no more."""
    gate = anyio.Event()

    async def leaving(source, sink):
        await sink.send(await source.receive())
        await sink.send(await source.receive())
        await gate.wait()
        raise ValueError("gone")

    class Opening(Jumping):
        async def wait(self, event, until):
            gate.set()
            await event.wait()

    stage = Batch(Opening())
    told = await run(Bytes(FRAMES), lambda: leaving, making(stage), clock=stage.clock)
    assert ("stage 'leaving' raised ValueError: gone", []) == (str(told.raised), stage.woken)


async def test_one_that_raises_when_woken_is_named():
    """What a stage raises in its wake is a `StageError` with its name, and it is woken no more."""

    class Broken(Batch):
        def wake(self, now):
            self.woken.append(now)
            raise ValueError("asleep")

    stage = Broken(Jumping())
    told = await run(Silent(FRAMES[:3]), making(stage), clock=stage.clock)
    assert ("stage 'make' raised ValueError: asleep", 1) == (str(told.raised), len(stage.woken))


async def test_one_that_stays_due_breaks_a_rule():
    """A stage that leaves its time in the past would be woken for ever: that is an error."""

    class Restless(Batch):
        def wake(self, now):
            return ()

    stage = Restless(Jumping())
    told = await run(Silent(FRAMES[:3]), making(stage), clock=stage.clock)
    assert "stage 'make' broke the rule that waking it moves wake_at on" in str(told.raised)


async def test_it_may_end_the_answer_when_woken():
    """A wake may mint the terminal; the source that says nothing more is left."""

    class Enough(Batch):
        def wake(self, now):
            return (*self._free(), ResponseCompleted(evidence="done_marker"))

    source = Silent(FRAMES[:3])
    stage = Enough(Jumping())
    told = await run(source, making(stage), Accumulator, clock=stage.clock)
    assert ("ab", "done_marker", 1) == (told.response.text, told.response.evidence, source.left)


async def test_a_wake_that_gives_events_behind_the_terminal_breaks_the_rule():
    """The rule of the terminal holds for what a wake gives, too."""

    class Over(Batch):
        def wake(self, now):
            self.wake_at = None
            return (ResponseCompleted(), TextDelta("late"))

    stage = Over(Jumping())
    told = await run(Silent(FRAMES[:3]), making(stage), clock=stage.clock)
    assert "got TextDelta(text='late', choice=0) behind it" in str(told.raised)


async def test_the_systems_clock_waits_for_the_time_or_the_event():
    """The clock of the machine returns at the time, or as soon as the event is set."""
    clock = SystemClock()
    before = clock.now()
    await clock.wait(anyio.Event(), before + 0.01)
    assert before + 0.009 <= clock.now()

    event = anyio.Event()
    event.set()
    await clock.wait(event, math.inf)
    await clock.wait(anyio.Event(), -math.inf)


async def test_a_timed_stage_is_known_by_its_shape():
    """What has ``wake_at`` and ``wake`` is timed; a plain transform is not."""
    assert isinstance(Batch(Jumping()), TimedTransform)
    assert not isinstance(Accumulator(), TimedTransform)
