"""
What a stage is.

Two kinds, built fresh for each attempt, so that no state leaks between
requests. A `Transform` is one synchronous call and cannot block; an
`AsyncStage` may await, and pays for a task of its own.

The parser mints `ResponseCompleted`, and it is the only terminal a stage
sees. It comes last: what a stage holds back it gives before passing it on. A
stage may mint it early; that ends the attempt. A failure passes by the
stages unseen, behind the data, and nothing is flushed for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeGuard, runtime_checkable

import attrs

from ..dialects import Decoder, Dialect, HttpCall
from ..events import Event
from ..framing import Ended, Frame
from ..response import Response

__all__ = [
    "AsyncStage",
    "Broken",
    "Delivering",
    "Emit",
    "EventReceiver",
    "EventSender",
    "Fan",
    "Folding",
    "Item",
    "Log",
    "Parsing",
    "Source",
    "TimedTransform",
    "Transform",
    "folds",
    "is_timed",
]


@attrs.frozen
class Broken:
    """A failure in band, behind the data that came before it."""

    error: Exception


Item = list[Any] | Ended | Broken
"""What flows between stages: the batch of one read, or how it ends."""

Emit = Callable[[list[Frame]], Awaitable[None]]


class Transform(Protocol):
    """A synchronous stage: one event in, any number out."""

    def __call__(self, event: Event, /) -> Sequence[Event]:
        """Give the events that stand for *event*; an empty sequence holds it back or drops it."""


@runtime_checkable
class TimedTransform(Protocol):
    """A synchronous stage that also acts when time has passed."""

    wake_at: float | None
    """When to be woken (seconds of the run's clock); None for not at all."""

    def __call__(self, event: Event, /) -> Sequence[Event]:
        """Give the events that stand for *event*."""

    def wake(self, now: float, /) -> Sequence[Event]:
        """Give what is due at *now*."""


def is_timed(stage: Any) -> TypeGuard[TimedTransform]:
    """Whether *stage* is a `TimedTransform`; ``isinstance`` would study the protocol each time."""
    return hasattr(stage, "wake_at") and hasattr(stage, "wake")


class EventReceiver(Protocol):
    """Where an `AsyncStage` reads, one event at a time. Ends with the attempt."""

    def __aiter__(self) -> AsyncIterator[Event]: ...

    async def __anext__(self) -> Event: ...

    async def receive(self) -> Event:
        """Give the next event; raises `anyio.EndOfStream` when there is none."""


class EventSender(Protocol):
    """Where an `AsyncStage` writes."""

    async def send(self, event: Event, /) -> None:
        """Pass *event* on; waits while the next stage is busy."""


class AsyncStage(Protocol):
    """A stage in its own task. The runner closes both ends."""

    async def __call__(self, source: EventReceiver, sink: EventSender, /) -> None:
        """Read *source* to its end and write to *sink*."""


@runtime_checkable
class Source(Protocol):
    """
    What fetches an answer: the transport, or the buffered call.

    One that knows secrets has them in an attribute ``secrets``, strings that
    no message may quote.
    """

    @property
    def buffered(self) -> bool:
        """Whether this is the buffered call: it has a clock of its own."""

    def call(self, dialect: Dialect, request: dict[str, Any], /) -> HttpCall:
        """Say how *request* is sent."""

    async def fetch(self, call: HttpCall, dialect: Dialect, emit: Emit, taps: Taps, /) -> Ended:
        """
        Send the call and emit the frames of each read, until the body ends.

        Each list is handed over for good: it is emptied on the way.

        Raises:
            StreamkitError: it could not be had.
            Over: *emit* raised it, for nobody needs more; it passes through.
                In both cases nothing stays open.
        """


@attrs.frozen
class Taps:
    """What a source tells while it reads."""

    on_bytes: Callable[[], None]
    max_frame_bytes: int
    max_response_bytes: int
    connect: float
    """Seconds to get a connection."""
    close: float
    """Seconds to let one go."""


@runtime_checkable
class Parsing(Protocol):
    """The stage that turns frames into events."""

    @property
    def dialect(self) -> Dialect:
        """The dialect it asks."""

    def decoder(self) -> Decoder:
        """Give a fresh decoder."""


@runtime_checkable
class Folding(Protocol):
    """The stage that puts the `Response` on the terminal, and knows it so far."""

    def bind(self, dialect: Dialect, /) -> None:
        """Take the dialect whose shape the response has. Called once, before any event."""

    def partial(self) -> Response:
        """Give the answer as far as it came."""

    def __call__(self, event: Event, /) -> Sequence[Event]:
        """Fold the event in."""


def folds(stage: Any) -> TypeGuard[Folding]:
    """Whether *stage* is a `Folding` one (see `is_timed`)."""
    return hasattr(stage, "bind") and hasattr(stage, "partial")


class Log(Protocol):
    """Where a run's events live. The supervisor's delivery is its only writer."""

    def begin(self) -> int:
        """Take a new epoch; appends of older epochs are refused from now on."""

    def append(self, epoch: int, events: Sequence[Event], /) -> bool:
        """Append at once, never waiting. Gives False where *epoch* is not the newest."""

    def give_up(self, terminal: Event) -> None:
        """End all the same, where `append` raised. Never raises."""

    @property
    def full(self) -> bool:
        """Whether the writer must wait for `room` before it reads on."""

    async def room(self) -> None:
        """Wait until the readers that may hold the writer up have caught up."""


class Delivering(Protocol):
    """Who takes what comes out of the last stage."""

    def deliver(self, batch: list[Event], /) -> None:
        """Take a batch at once, never waiting; the terminal, last, completes the answer."""

    @property
    def full(self) -> bool:
        """Whether `room` must be waited for before more is read."""

    async def room(self) -> None:
        """Wait until more may come."""


@runtime_checkable
class Fan(Protocol):
    """The stage that opens a run's log."""

    def open_log(self, run_id: str, /) -> Any:
        """Give the log of a new run."""
