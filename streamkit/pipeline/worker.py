"""One synchronous stage between two memory streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from ..dialects import Decoder
from ..errors import (
    ProviderError,
    StageError,
    StreamkitError,
    excerpt,
    most_upstream,
)
from ..events import Event, Finished
from ..framing import Ended
from ..policy import Marks
from .stage import Broken, Item

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

__all__ = ["Link", "ParserWorker", "StageWorker", "Worker", "stage_error"]

_PARDONED = frozenset({"transport", "stalled", "truncated", "malformed", "limit"})
"""Codes of errors that a complete answer turns into diagnostics; never a stage's own."""

_ROOM = 2
"""Items a link between synchronous neighbours holds: a batch, and what broke behind it."""


@attrs.define(eq=False)
class Link:
    """The memory stream between two stages. It carries items, never single events."""

    sink: MemoryObjectSendStream[Item]
    """Where items go in."""
    source: MemoryObjectReceiveStream[Item]
    """Where they come out."""

    @classmethod
    def of(cls, room: int = _ROOM) -> Link:
        """Open one that holds *room* items."""
        return cls(*anyio.create_memory_object_stream[Item](room))

    def close(self) -> None:
        """Close both ends."""
        self.sink.close()
        self.source.close()


@attrs.define(eq=False)
class Worker:
    """One synchronous stage between two links; it never waits."""

    broken: Broken | None = attrs.field(default=None, init=False)
    """What broke behind the batch that `handle` gave, as long as it is not passed on."""
    over: bool = attrs.field(default=False, init=False)
    """Whether the sink has the terminal, or what broke: nothing may come behind it."""

    def step(self, items: int, before: Link, after: Link) -> int:
        """Take that many items from the link before; give how many went to the one behind."""
        sent = 0
        for _ in range(items):
            item = before.source.receive_nowait()
            if not self.over:
                sent += self.pass_on(self.handle(item), after)
        return sent

    def handle(self, item: Item) -> Item | None:
        """Give what *item* becomes; what broke behind it goes to `broken`."""
        raise NotImplementedError

    def pass_on(self, out: Item | None, after: Link) -> int:
        """Send *out*, and what broke behind it; give how many items went to the link."""
        sent = 0
        if out:
            after.sink.send_nowait(out)
            self.over = type(out) is not list or out[-1].terminal
            sent = 1
        if self.broken is not None:
            after.sink.send_nowait(self.broken)
            self.broken, self.over = None, True
            sent += 1
        return sent


@attrs.define(eq=False)
class StageWorker(Worker):
    """A `Transform` at work."""

    name: str
    stage: Any
    _batches: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # A stage of the house may take a batch in one call: most of its
        # events pass it untouched, and a list is then handed on uncopied.
        own = type(self.stage)
        house = own.__module__.partition(".")[0] == __name__.partition(".")[0]
        self._batches = house and "batch" in vars(own)

    def handle(self, item: Item) -> Item | None:
        """Run the stage over a batch; a failure passes by."""
        if type(item) is not list:
            return item
        out: list[Event] = []
        try:
            stage = self.stage
            if self._batches:
                return stage.batch(item)  # type: ignore[no-any-return]
            for event in item:
                out.extend(stage(event))
                if out and out[-1].terminal:
                    break  # it ended the answer, perhaps early: it is asked for no more
        except Exception as error:  # noqa: BLE001 (whatever a stage raises reroutes the request)
            self.broken = Broken(stage_error(self.name, error))
        self._keep_the_rule(out, ends=item[-1].terminal)
        return out

    @property
    def due(self) -> float | None:
        """When a timed stage is to be woken; None for not at all."""
        return None if self.over else self.stage.wake_at

    def wake(self, now: float, after: Link) -> int:
        """Run what a timed stage has due; give how many items went to the link."""
        out: list[Event] = []
        try:
            out.extend(self.stage.wake(now))
            if self.stage.wake_at is not None and self.stage.wake_at <= now:
                raise StageError(
                    self.name,
                    "broke the rule that waking it moves wake_at on: expected a later time than "
                    f"{now:g}, or None; got {self.stage.wake_at:g}",
                )
        except Exception as error:  # noqa: BLE001
            self.broken = Broken(stage_error(self.name, error))
        self._keep_the_rule(out, ends=False)
        return self.pass_on(out, after)

    def _keep_the_rule(self, out: list[Event], *, ends: bool) -> None:
        """See that the terminal is passed on, once and last; cut *out* before what is not."""
        first = next((n for n, event in enumerate(out) if getattr(event, "terminal", True)), None)
        if first is None:
            if ends and self.broken is None:
                self.broken = Broken(_not_last(self.name, "nothing"))
            return
        odd: object = out[first]
        behind = out[first + 1 :]
        if not isinstance(odd, Event):
            self.broken = Broken(_no_events(self.name, f"{odd!r} is none"))
        elif behind:
            self.broken = Broken(_not_last(self.name, f"{behind[0]!r} behind it"))
        else:
            return
        del out[first:]


@attrs.define(eq=False)
class ParserWorker(Worker):
    """A decoder at work: frames to events, and the verdict at the end."""

    decoder: Decoder
    marks: Marks
    now: Callable[[], float]
    poke: Callable[[], None]
    """Called when a deadline may have come nearer."""

    def handle(self, item: Item) -> Item | None:
        """Decode the frames of a batch, or judge the end of the body."""
        out: list[Event] = []
        try:
            if type(item) is list:
                feed = self.decoder.feed
                item.reverse()
                try:
                    while item:  # a frame that was read is let go, before the collector looks
                        out += feed(item.pop())
                        if out and out[-1].terminal:
                            break  # frames behind the end of the answer are no part of it
                finally:
                    if out:
                        self._stamp(out)
            elif isinstance(item, Broken):
                self._settle(out, item.error)
            elif isinstance(item, Ended):
                out.extend(self.decoder.eof(item.residue))
        except StreamkitError as error:
            self._settle(out, error)
        except Exception as error:  # noqa: BLE001 (a bug in a dialect breaks no call)
            self.broken = Broken(stage_error("parser", error))
        return out

    def _stamp(self, out: list[Event]) -> None:
        """Note when a delta came, or the finish reason."""
        progress = out[-1].progress or any(event.progress for event in out)
        if progress and self.marks.progressed(self.now()):
            self.poke()  # the first: another clock runs from now on
        if not progress or len(out) > 1:
            self._stamp_finished(out)

    def _stamp_finished(self, out: list[Event]) -> None:
        finished = self.marks.finished is None and Finished in map(type, out)
        if finished and self.decoder.evidence is not None:
            self.marks.finished = self.now()
            self.poke()

    def _settle(self, out: list[Event], error: Exception) -> None:
        """Judge what broke: evidence of a whole answer pardons what came after it."""
        code = getattr(error, "code", None)
        # A provider's own word against an answer that says nothing counts; one that is
        # there is not asked for, and paid for, again.
        if code in _PARDONED or (code == "in_band" and self.decoder.said):
            try:
                out.extend(self.decoder.eof())
            except ProviderError:
                pass
            else:
                return
        self.broken = Broken(error)


def stage_error(name: str, error: Exception) -> Exception:
    """Give the `StageError` for what stage *name* raised, or for what it gave."""
    if isinstance(error, StageError):
        return error
    inside = error.__traceback__ is not None and error.__traceback__.tb_next is not None
    if isinstance(error, TypeError | AttributeError) and not inside:  # what it gave, raised here
        return _no_events(name, error)
    return raised(name, error)


def raised(name: str, error: BaseException) -> StageError:
    """Give the `StageError` for an exception out of stage *name*; of a group, for the first."""
    error = most_upstream(error) if isinstance(error, Exception) else error
    if isinstance(error, attrs.exceptions.FrozenInstanceError):
        problem = (
            "broke the rule that events are never changed: others hold the same one; it assigned "
            "to a field; make a new event, `attrs.evolve(event, ...)`"
        )
    else:
        problem = f"raised {type(error).__name__}: {excerpt(error)}"
    wrapped = StageError(name, problem)
    wrapped.__cause__ = error
    return wrapped


def _no_events(name: str, said: object) -> StageError:
    return StageError(
        name,
        f"broke the rule that it gives a sequence of events: {excerpt(said)}; give a tuple, "
        "`(event,)`, or `()` for none",
    )


def _not_last(name: str, got: str) -> StageError:
    return StageError(
        name,
        "broke the rule that the terminal event is passed on, once and last: expected "
        f"ResponseCompleted at the end; got {excerpt(got)}; give what you hold, then the terminal",
    )
