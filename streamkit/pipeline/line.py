"""The stages of one attempt, joined and driven."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any, NoReturn

import anyio
import attrs

from ..cancellation import is_foreign
from ..dialects import Dialect
from ..errors import StageError, StreamkitError, TransportError, TruncatedStream, excerpt
from ..events import Event, ResponseCompleted
from ..policy import Marks
from ..response import Response
from .clock import Clock
from .recipe import is_async
from .segment import Over, Segment, Wait
from .stage import Broken, Delivering, Folding, Item, Source, Taps, folds, is_timed
from .tasked import TaskedStage
from .worker import Link, ParserWorker, StageWorker, Worker, stage_error

__all__ = ["Line"]

_AHEAD = 16
"""Batches a task may be ahead of the next (a count)."""
_LEFT = "the read was cancelled"
_LINGER = 0.05
"""Seconds a read behind the answer may take to end by itself, so that the connection lives on."""


@attrs.define(eq=False)
class Line:
    """
    The stages of one attempt, fresh, joined by memory streams, and driven.

    One task drives the source and the synchronous stages behind it. An
    asynchronous stage, and a timed one, begins a part of the line that has a
    task of its own; with *fuse* off, every stage does.
    """

    dialect: Dialect
    stages: Sequence[tuple[str, Any]]
    """What stands behind the parser, in order: name and fresh stage."""
    marks: Marks
    clock: Clock
    poke: Callable[[], None]
    delivery: Delivering
    fuse: bool = True
    final: Sequence[str] = ()
    """Stages whose exception fails the run, by name."""
    response: Response | None = attrs.field(default=None, init=False)
    broken: Exception | None = attrs.field(default=None, init=False)
    _reading: anyio.CancelScope = attrs.field(factory=anyio.CancelScope, init=False)
    """Around the source alone: cancelled, it breaks off behind the data that came."""
    _group: anyio.CancelScope | None = attrs.field(default=None, init=False)
    """Around all, where the end of the line is in another task than the source."""
    _cause: StreamkitError | None = attrs.field(default=None, init=False)
    """What it was broken off with."""
    _fold: Folding | None = attrs.field(default=None, init=False)
    """The first stage that folds."""
    _over: bool = attrs.field(default=False, init=False)
    _grace: float = attrs.field(default=0.0, init=False)
    """Seconds that a stage has for what it does behind the terminal."""
    _tasked: Sequence[TaskedStage] = attrs.field(default=(), init=False)

    def __attrs_post_init__(self) -> None:
        for _, stage in self.stages:
            if folds(stage):
                stage.bind(self.dialect)
                self._fold = self._fold or stage

    def partial(self) -> Response:
        """Give the answer as far as it came."""
        return self._fold.partial() if self._fold is not None else Response()

    @property
    def tools_ran(self) -> bool:
        """Whether a tool ran at the provider, as far as a folding stage knows."""
        return any(getattr(stage, "tools_ran", False) for _, stage in self.stages)

    def drive(
        self, source: Source, request: dict[str, Any], taps: Taps
    ) -> Coroutine[Any, Any, None]:
        """Fetch the answer and take it through every stage; `verdict` tells what came of it."""
        self._grace = taps.close
        first, *more = self._parts()
        if more:
            return self._drive_apart(source, request, taps, (first, *more))
        return self._drive(source, request, taps, Segment(first, self._end))

    def break_off(self, cause: StreamkitError, within: float | None = None) -> None:
        """
        Read no more: what came goes down the line, and then *cause*.

        Args:
            cause: what is raised, unless the answer was whole.
            within: seconds for all of it, however many tasks there are; None
                leaves them their time.
        """
        self._cause = cause
        self._reading.cancel()
        if self._group is not None and within is not None:
            self._group.deadline = anyio.current_time() + within

    def verdict(self) -> Response:
        """
        Give the answer.

        Raises:
            Exception: what broke, of the source, the parser or a stage.
        """
        if self.broken is not None:
            if isinstance(self.broken, StageError):
                self.broken.final = self.broken.stage in self.final
            raise self.broken
        if self.response is None:
            raise self._cause or TruncatedStream(
                "expected the stages to pass on a terminal event; none came"
            )
        return self.response

    async def _drive_apart(
        self, source: Source, request: dict[str, Any], taps: Taps, parts: Sequence[Any]
    ) -> None:
        # Nothing in here raises but cancellation: failures travel in band.
        links = [Link.of(_AHEAD) for _ in parts[1:]]
        segments: list[Segment] = []
        try:
            async with anyio.create_task_group() as tasks:
                self._group = tasks.cancel_scope
                for number, part in enumerate(parts):
                    last = number == len(links)
                    outlet = self._end if last else partial(self._hand_on, number, links[number])
                    if isinstance(part, tuple):
                        before, after = links[number - 1], links[number]
                        name, stage = part
                        tasked = TaskedStage(name, stage, before.source, after.sink)
                        self._tasked = (*self._tasked, tasked)
                        tasks.start_soon(tasked.run)
                        continue
                    segment = Segment(part, outlet)
                    segments.append(segment)
                    if number:
                        after_link = None if last else links[number]
                        tasks.start_soon(self._pull, segment, links[number - 1], after_link)
                await self._drive(source, request, taps, segments[0])
                links[0].sink.close()
        finally:
            for segment in segments:
                segment.close()
            for link in links:
                link.close()
        if self.broken is None and self.response is None:
            # The group may have ended by a cancellation that is not its own.
            await anyio.lowlevel.checkpoint_if_cancelled()

    async def _pull(self, segment: Segment, before: Link, after: Link | None) -> None:
        try:
            await segment.pull(before.source, self.clock)
        except Over:
            before.source.close()
        finally:
            if after is not None:
                after.sink.close()

    async def _drive(
        self, source: Source, request: dict[str, Any], taps: Taps, segment: Segment
    ) -> None:
        """Drive the source; how it ends goes down the line behind the data."""
        ended: Item
        emit = segment.push if self._apart else _Intake(self, segment)
        try:
            try:
                with self._reading:
                    ended = await source.fetch(
                        source.call(self.dialect, request), self.dialect, emit, taps
                    )
            except Over:
                raise
            except StreamkitError as error:
                ended = Broken(error)
            except Exception as error:  # noqa: BLE001 (the contract: any exception)
                ended = Broken(_unmapped(error))
            except anyio.get_cancelled_exc_class() as error:
                if not is_foreign():
                    raise
                ended = Broken(_unmapped(error))
            if self._reading.cancelled_caught:
                ended = Broken(self._cause or TransportError(_LEFT))
            if not self._over:
                await segment.push(ended)
        except Over:
            pass
        finally:
            segment.close()

    def let_go(self, seconds: float) -> None:
        """Give the body so many seconds to end by itself; nobody needs it."""
        self._reading.deadline = anyio.current_time() + seconds

    @property
    def _apart(self) -> bool:
        """Whether the end of the line is in another task than the source."""
        return self._group is not None

    def _hand_on(self, number: int, link: Link, item: Item) -> Wait | None:
        """Give what comes out of part *number* to the task of the next."""
        try:
            link.sink.send_nowait(item)
        except anyio.WouldBlock:
            sending = partial(_send, link, item)
            return sending if number else partial(self._held, sending)
        except anyio.BrokenResourceError:
            return _refused
        return None

    def _end(self, item: Item) -> Wait | None:
        """Take what comes out of the last stage."""
        try:
            if type(item) is list:
                self.delivery.deliver(item)
                if item[-1].terminal:
                    self._complete(item[-1])
                    self._finish()
                return self._wait_for_room if self.delivery.full else None
        except Over:
            raise
        except Exception as error:  # noqa: BLE001 (a log may be anyone's)
            self._break(error)
        if isinstance(item, Broken):
            self.broken = item.error
            self._finish()
        return None

    def _finish(self) -> NoReturn:
        self._over = True
        if self._apart:  # a read, or anything else, may be waited for that nobody needs
            self.let_go(_LINGER)
            for tasked in self._tasked:
                tasked.leave(self._grace)
        raise Over

    def _break(self, error: Exception) -> NoReturn:
        self.broken = stage_error("fanout", error)
        self._finish()

    async def _wait_for_room(self) -> None:
        try:
            await (self.delivery.room() if self._apart else self._held(self.delivery.room))
        except Exception as error:  # noqa: BLE001 (a log may be anyone's)
            self._break(error)

    async def _held(self, wait: Wait) -> None:
        """Wait for those behind: the provider is not to blame, so its clocks stand still."""
        self.marks.hold(self.clock.now())
        try:
            await wait()
        finally:
            self.marks.release(self.clock.now())
            self.poke()

    def _complete(self, last: Event) -> None:
        if isinstance(last, ResponseCompleted):
            if last.response is None and self._fold is not None:
                # What it would hold depends on how much of a read came with it.
                self.broken = StageError(
                    "behind the accumulator",
                    "broke the rule that the accumulator sees the terminal: expected a stage "
                    "that ends the answer early to stand before Accumulator; put it there",
                )
            self.response = last.response or Response()

    def _parts(self) -> Iterator[Any]:
        """Cut the line where a task begins: lists of workers, or one async stage."""
        part: list[Worker] = []
        if not self.fuse:
            yield part  # the source alone
            part = []
        part.append(ParserWorker(self.dialect.decoder(), self.marks, self.clock.now, self.poke))
        for name, stage in self.stages:
            own = is_async(stage)
            if part and (own or not self.fuse or is_timed(stage)):
                yield part
                part = []
            if own:
                yield (name, stage)
            else:
                part.append(StageWorker(name, stage))
        yield part


@attrs.define(eq=False)
class _Intake:
    """What a source emits to where one task drives the whole line."""

    line: Line
    segment: Segment

    async def __call__(self, frames: list[Any]) -> None:
        """Take a batch; nothing is read meanwhile."""
        await self.segment.push(frames)

    def nowait(self, frames: list[Any]) -> Wait | None:
        """Take a batch while a read is about to wait, which nothing may break but its scope."""
        try:
            return self.segment.push_nowait(frames)
        except Over:
            # A whole answer lets the body end by itself, so that its connection lives on.
            linger = _LINGER if self.line.broken is None else 0.0
            self.line.let_go(linger)
            return _raise_over


async def _raise_over() -> None:
    raise Over


async def _refused() -> None:
    # In a cancelled run the next task may have left before this one was told.
    await anyio.lowlevel.checkpoint()
    raise Over


async def _send(link: Link, item: Item) -> None:
    try:
        await link.sink.send(item)
    except anyio.BrokenResourceError:
        raise Over from None


def _unmapped(error: BaseException) -> TransportError:
    mapped = TransportError(f"the source raised {type(error).__name__}: {excerpt(error)}")
    mapped.__cause__ = error
    return mapped
