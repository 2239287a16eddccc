"""One synchronous stage between two memory streams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anyio
import attrs
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ..dialects import Decoder
from ..errors import StageError, StreamkitError, TruncatedStream, excerpt
from ..events import Event, Finished
from ..framing import Ended, Frame
from ..policy import Marks
from .stage import Broken, Item

__all__ = ["Link", "ParserWorker", "StageWorker", "Worker"]

_PARDONED = frozenset({"transport", "stalled", "truncated", "malformed", "limit"})
"""Codes of errors that a complete answer turns into diagnostics; never a stage's own."""

_ROOM = 2
"""Items a link between synchronous neighbours holds: a batch, and what broke behind it."""


@attrs.frozen
class Link:
    """The memory stream between two stages. It carries items, never single events."""

    sink: MemoryObjectSendStream[Item]
    source: MemoryObjectReceiveStream[Item]

    @classmethod
    def open(cls, room: int = _ROOM) -> Link:
        """Open a link that holds *room* items."""
        return cls(*anyio.create_memory_object_stream[Item](room))

    def close(self) -> None:
        """Close both ends."""
        self.sink.close()
        self.source.close()


@attrs.define(eq=False)
class Worker:
    """One synchronous stage between two links; it never waits."""

    source: MemoryObjectReceiveStream[Item]
    sink: MemoryObjectSendStream[Item]

    def step(self, items: int) -> int:
        """Take that many items from the source; give how many went to the sink."""
        sent = 0
        for _ in range(items):
            for item in self.handle(self.source.receive_nowait()):
                self.sink.send_nowait(item)
                sent += 1
        return sent

    def handle(self, item: Item) -> Sequence[Item]:
        """Give what *item* becomes: nothing, a batch, what broke, or a batch and what broke."""
        raise NotImplementedError


@attrs.define(eq=False)
class StageWorker(Worker):
    """A `Transform` at work."""

    name: str
    stage: Any
    _batched: Callable[[list[Event]], list[Event]] | None = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # A stage of the house may take a batch in one call: most of its
        # events pass it untouched, and a list is then handed on uncopied.
        self._batched = getattr(self.stage, "batch", None)

    def handle(self, item: Item) -> Sequence[Item]:
        """Run the stage over a batch; a failure passes by."""
        if type(item) is not list:
            return (item,)
        out: list[Event] = []
        try:
            if self._batched is not None:
                out = self._batched(item)
            else:
                stage = self.stage
                for event in item:
                    out.extend(stage(event))
                if item[-1].terminal or any(event.terminal for event in out):
                    self._keeps_the_terminal(out)
        except Exception as error:  # noqa: BLE001 (whatever a stage raises reroutes the request)
            return _broken(out, _stage_error(self.name, error))
        return (out,) if out else ()

    def wake(self, now: float) -> Sequence[Item]:
        """Run what a timed stage has due."""
        try:
            out = list(self.stage.wake(now))
        except Exception as error:  # noqa: BLE001
            return _broken([], _stage_error(self.name, error))
        return (out,) if out else ()

    def _keeps_the_terminal(self, out: list[Event]) -> None:
        if sum(event.terminal for event in out) != 1 or not out[-1].terminal:
            last = repr(out[-1]) if out else "nothing"
            raise StageError(
                self.name,
                "broke the rule that the terminal event is passed on, once and last: expected "
                f"ResponseCompleted at the end; got {last}; give what you hold, then the terminal",
            )


@attrs.define(eq=False)
class ParserWorker(Worker):
    """A decoder at work: frames to events, and the verdict at the end."""

    decoder: Decoder
    marks: Marks
    now: Callable[[], float]
    poke: Callable[[], None]
    """Called when a deadline may have come nearer."""

    def handle(self, item: Item) -> Sequence[Item]:
        """Decode the frames of a batch, or judge the end of the body."""
        out: list[Event] = []
        try:
            if type(item) is list:
                self._feed(item, out)
            elif isinstance(item, Broken):
                return self._settle(out, item.error)
            elif isinstance(item, Ended):
                out.extend(self.decoder.eof(item.residue))
        except StreamkitError as error:
            return self._settle(out, error)
        except Exception as error:  # noqa: BLE001 (a bug in a dialect breaks no call)
            return _broken(out, _stage_error("parser", error))
        return (out,) if out else ()

    def _feed(self, frames: list[Frame], out: list[Event]) -> None:
        feed = self.decoder.feed
        try:
            for frame in frames:
                out.extend(feed(frame))
        finally:
            self._stamp(out)

    def _stamp(self, out: list[Event]) -> None:
        for event in out:
            if event.progress:
                self.marks.progress = now = self.now()
                if self.marks.first_progress is None:
                    self.marks.first_progress = now
                    self.poke()
                break
        finished = self.marks.finished is None and any(type(e) is Finished for e in out)
        if finished and self.decoder.evidence is not None:
            self.marks.finished = self.now()
            self.poke()

    def _settle(self, out: list[Event], error: Exception) -> Sequence[Item]:
        """Judge what broke: evidence of a whole answer pardons what came after it."""
        if getattr(error, "code", None) in _PARDONED:
            try:
                return ([*out, *self.decoder.eof()],)
            except TruncatedStream:
                pass
        return _broken(out, error)


def _broken(out: list[Event], error: Exception) -> Sequence[Item]:
    return (out, Broken(error)) if out else (Broken(error),)


def _stage_error(name: str, error: Exception) -> Exception:
    if isinstance(error, StageError):
        return error
    wrapped = StageError(name, f"raised {type(error).__name__}: {excerpt(error)}")
    wrapped.__cause__ = error
    return wrapped
