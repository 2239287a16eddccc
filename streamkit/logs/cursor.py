"""One reader of a log."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Self

import anyio
import attrs

from ..errors import MisuseError
from ..events import (
    Event,
    Gap,
    Heartbeat,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)
from .bell import Bell, bell
from .fold import Backlog, Fold, Page
from .policy import Block, Coalesce, Disconnect, DropDeltas, Policy

if TYPE_CHECKING:
    from .memory import MemoryLog

__all__ = ["Cursor"]

_HEARTBEAT = Heartbeat()
_DELTAS = TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta


@attrs.define(eq=False)
class Cursor:
    """
    One reader of a log: iterate it, and close it::

        async with run.subscribe() as events:
            async for event in events:
                ...

    It is attached from its making until `aclose`. One task reads it at a time.
    """

    _log: MemoryLog
    policy: Policy
    heartbeat: float | None
    """Seconds of silence after which it is given a `Heartbeat`; may be set between two reads."""
    _after: str | None
    _position: int = attrs.field(default=0, init=False)
    """The sequence number of the newest event taken from the log."""
    _given: int = attrs.field(default=0, init=False)
    """The sequence number up to which every event was given."""
    _pieces: int = attrs.field(default=0, init=False)
    """How many pieces of a merged backlog were given since."""
    _backlog: Backlog | None = attrs.field(default=None, init=False)
    _ready: deque[Event] | tuple[()] = attrs.field(default=(), init=False)
    """Events to give before the log's next: the fold, or a merged backlog."""
    _caught_up: bool = attrs.field(default=False, init=False)
    """Whether it was ever level with the newest event: until then its lag is not its fault."""
    _reading: bool = attrs.field(default=False, init=False)
    _nudged: bool = attrs.field(default=False, init=False)
    _window: int = attrs.field(init=False)
    """The policy's."""
    _plain: bool = attrs.field(default=False, init=False)
    """Whether the log's next event is all that can come: no backlog, not closed, not blocking."""
    _closed: bool = attrs.field(default=False, init=False)
    _lost: bool = attrs.field(default=False, init=False)
    _bell: Bell | None = attrs.field(default=None, init=False)
    """What it is woken by: rung by the log, which forgets it then, a nudge, or the close."""

    def __attrs_post_init__(self) -> None:
        self._window = self.policy.window
        position = None if self._after is None else self._log.position_of(self._after)
        if position is not None and position >= self._log.base:
            self._position = self._given = position
        else:
            self._begin(self._after)
        self._caught_up = self._position == self._log.head

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        # The hot path: level with its policy, it takes the log's next event, or waits for it.
        log = self._log
        while self._plain:
            kept, at = log.kept, self._position - log.base
            lag = len(kept) - at
            if 0 < lag <= self._window:
                self._position = self._given = self._position + 1
                event = kept[at]
                return TextDelta(event) if isinstance(event, str) else event
            if lag or log.ended or self.heartbeat is not None:
                break
            moved = self._arm()
            try:
                await moved
            except BaseException:
                self._disarm()
                raise
            self._reading = False
            if self._nudged:
                self._nudged = False
                return _HEARTBEAT
        event = await self._next()
        backed_up = self._ready or self._backlog is not None
        self._plain = not (backed_up or self._closed or isinstance(self.policy, Block))
        return event

    async def _next(self) -> Event:
        """Give the next event, whatever state this is in; wait where there is none."""
        log = self._log
        while True:
            if self._closed:
                raise StopAsyncIteration
            if self._ready or self._backlog is not None:
                if (event := self._from_backlog()) is not None:
                    return event
            elif self._position < log.head:
                if self.lag > self.policy.window and not self.holds_up:
                    self.catch_up(log.head, None)
                    continue
                event = log.at(self._position)
                self._position = self._given = self._position + 1
                log.relieve()
                return event
            elif log.ended:
                await self.aclose()
                raise StopAsyncIteration
            elif await self._wait():
                return _HEARTBEAT

    @property
    def id(self) -> str | None:
        """
        The id of what was given last: what to resume after. None before the first.

        A piece of a merged backlog has an id of its own (``epoch-seq~piece``).
        It stands nowhere in the log, so a resume from it is a `Gap`: the
        pieces cannot be cut the same way again.
        """
        if self._pieces:
            return f"{self._log.id_of(self._given)}~{self._pieces}"
        return self._log.id_of(self._given) if self._given else None

    @property
    def position(self) -> int:
        """The sequence number of the newest event it took, given or not."""
        return self._position

    @property
    def backed_up(self) -> bool:
        """Whether it was overtaken: it has a backlog to tell before the log's next event."""
        return self._backlog is not None

    @property
    def ready(self) -> bool:
        """Whether the next event, or the end, can be had without waiting."""
        backed_up = bool(self._ready) or self._backlog is not None
        return backed_up or self._position < self._log.head or self._log.ended or self._closed

    def nudge(self) -> None:
        """Have the reader that waits, or waits next, given a `Heartbeat` at once."""
        self._nudged = True
        self._ring()

    @property
    def patience(self) -> float:
        """Seconds this reader may hold the writer up."""
        return self.policy.patience if isinstance(self.policy, Block) else 0.0

    @property
    def lag(self) -> int:
        """How many events it is behind."""
        return self._log.head - self._position

    @property
    def holds_up(self) -> bool:
        """Whether the writer must wait for it. One that joins late counts once it caught up."""
        blocks = isinstance(self.policy, Block)
        return blocks and self._caught_up and self.lag >= self.policy.window

    def give_up_blocking(self) -> None:
        """Go on as a `Coalesce` reader: it held the writer up for too long."""
        self.policy = Coalesce(self.policy.window)

    def catch_up(self, position: int, page: Page | None) -> None:
        """
        Take along what lies before *position*, to be told in the way the policy says.

        Args:
            position: a sequence number.
            page: where the log will tell what it folds behind *position*; None
                where this is read at once.
        """
        if position <= self._position:
            return
        self._lost = self._caught_up and isinstance(self.policy, Disconnect)
        if self._backlog is None:
            events = () if self._lost else self._log.between(self._position, position)
            self._backlog = Backlog(Fold.of(events), None if self._lost else page)
        # A backlog that is there already has the page which tells what follows it.
        self._position, self._plain = position, False

    def restart(self) -> None:
        """Begin anew with all the log has: it has no longer what came next."""
        self._backlog, self._plain = None, False
        self._begin(self.id)

    async def aclose(self) -> None:
        """Detach. A reader that waits stops."""
        self.close()

    def close(self) -> None:
        """Detach, as `aclose` does, where nothing can be awaited."""
        self._closed, self._plain, self._backlog = True, False, None
        self._log.detach(self)
        self._ring()

    def _begin(self, after: str | None) -> None:
        """Have the answer so far told, behind a gap where it was told some of it."""
        gap = () if after is None else (Gap(after),)
        self._ready = deque((*gap, *self._log.folded())) or ()
        self._position = self._log.base

    def _from_backlog(self) -> Event | None:
        """Give the next merged event; None where the policy left nothing of the backlog."""
        if self._lost:
            self._closed, self._plain = True, False
            self._log.detach(self)
            raise MisuseError(
                f"expected the subscriber to stay within {self.policy.window} events of the "
                "newest; it fell behind and was disconnected; read faster, or subscribe with "
                "policy='coalesce'"
            )
        if not self._ready and self._backlog is not None:
            self._ready = deque(filter(self._keeps, self._backlog.events()))
            self._backlog = None
        event = self._ready.popleft() if self._ready else None
        self._pieces += 1
        if not self._ready and self._backlog is None:
            self._given, self._pieces = self._position, 0
        return event

    def _keeps(self, event: Event) -> bool:
        """Whether the policy leaves *event* in a backlog."""
        drops = self._caught_up and isinstance(self.policy, DropDeltas)
        return not (drops and isinstance(event, _DELTAS))

    async def _wait(self) -> bool:
        """Wait, level with the newest event, for the log to move. Gives True for a heartbeat."""
        moved, late = self._arm(), False
        try:
            if self.heartbeat is None:
                await moved
            else:
                with anyio.move_on_after(self.heartbeat) as scope:
                    await moved
                late = scope.cancelled_caught
        finally:
            self._disarm()
        nudged, self._nudged = self._nudged, False
        return nudged or late

    def _arm(self) -> Awaitable[object]:
        """Give what ends when the log moves, or at a nudge; `_disarm` where it does not."""
        if self._reading:
            raise MisuseError(
                "expected one task to read a cursor at a time; two do; give each its own: "
                "run.subscribe()"
            )
        self._reading = self._caught_up = True
        if self._bell is None:
            self._bell = bell()
        moved = self._bell.wait()
        self._log.wait_on(self._bell)
        if self._nudged:
            self._ring()
        return moved

    def _disarm(self) -> None:
        """Wait no more, rung or not."""
        self._reading = False
        if self._bell is not None:
            self._log.stop_waiting(self._bell)

    def _ring(self) -> None:
        """Wake the reader, if it waits, where it is not the log that does."""
        if self._bell is not None:
            self._log.stop_waiting(self._bell)
            self._bell.ring()
