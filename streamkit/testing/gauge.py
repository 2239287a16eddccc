"""
What streaming costs: a client, a pipeline or a stage of yours beside raw httpx.

Whoever is compared reads the same answers in turn, round after round, so what
the machine does meanwhile hits all of them; a figure is the median of its
rounds. ``streamkit bench`` is this module with a display.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from itertools import pairwise
from typing import Any, Final, TypeAlias

import attrs
import httpx

from ..client import Client
from ..dialects import Dialect, get_dialect
from ..errors import MisuseError
from ..events import ResponseFailed
from ..policy import ReroutePolicy
from .scenario import Finish, Text
from .scenario.frames import frames_of

__all__ = [
    "Figure",
    "Reading",
    "Subject",
    "client",
    "compare",
    "figure",
    "frames",
    "raw",
    "through",
]

Read: TypeAlias = Callable[[Mapping[str, Any]], Awaitable["Reading"]]
Subject: TypeAlias = Callable[[str], AbstractAsyncContextManager[Read]]
"""Opens who is measured at a base URL; gives what reads one answer to a request."""

_MARKS: Final = 100_000
"""How many deltas of an answer are timed (a count): the first ones."""


@attrs.define(eq=False)
class Reading:
    """One answer, as it was read; times in seconds."""

    count: int = 0
    """Deltas; of raw bytes the reads."""
    cpu: float = 0.0
    """Processor time of this process."""
    wall: float = 0.0
    first: float = 0.0
    """From the request to the first delta."""
    gaps: list[float] = attrs.field(factory=list)
    """Between deltas."""
    _began: tuple[float, float] = (0.0, 0.0)
    _marks: list[float] = attrs.field(factory=list)

    def begin(self) -> None:
        """Start the clocks."""
        self._began = time.perf_counter(), time.process_time()

    def mark(self) -> None:
        """Tell that a delta is here."""
        self.count += 1
        if self.count <= _MARKS:
            self._marks.append(time.perf_counter())

    def end(self) -> Reading:
        """Stop the clocks."""
        wall, cpu = self._began
        self.cpu, self.wall = time.process_time() - cpu, time.perf_counter() - wall
        self.first = self._marks[0] - wall if self._marks else self.wall
        self.gaps = [later - earlier for earlier, later in pairwise(self._marks)]
        self._marks.clear()
        return self


@attrs.frozen
class Figure:
    """A median of several rounds."""

    median: float
    spread: float
    """Between the quartiles, as a share of the median."""
    rounds: int


def figure(samples: Sequence[float]) -> Figure:
    """
    Give the median of *samples*, and how far they lie apart.

    Raises:
        MisuseError: there are none.
    """
    if not samples:
        raise MisuseError("expected samples of one round at least; got none")
    middle, spread = statistics.median(samples), 0.0
    if len(samples) > 1 and middle:
        low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
        spread = (high - low) / abs(middle)
    return Figure(middle, spread, len(samples))


def frames(dialect: str | Dialect, deltas: int) -> list[bytes]:
    """
    Tell an answer of so many deltas of text in the frames of a dialect.

    Args:
        dialect: the API it is told in.
        deltas: a count, 1 or more.
    """
    pieces = (f" word{number % 97:02}" for number in range(deltas))
    told = frames_of([Text(*pieces), Finish("stop")], get_dialect(dialect))
    return [one.data for one in told]


def raw(dialect: str | Dialect, headers: Mapping[str, str] | None = None) -> Subject:
    """
    Make the floor: httpx reads the bytes, and nothing is made of them.

    Args:
        dialect: how the call is sent.
        headers: sent with every call.
    """
    spoken = get_dialect(dialect)

    @asynccontextmanager
    async def subject(base_url: str) -> AsyncIterator[Read]:
        """Open an HTTP client."""
        async with httpx.AsyncClient(timeout=None) as http:  # noqa: S113 (as long as it takes)

            async def read(request: Mapping[str, Any]) -> Reading:
                """Read the bytes of one answer."""
                call, reading = spoken.streaming(request), Reading()
                given = {**call.headers, **(headers or {})}
                url = f"{base_url.rstrip('/')}/{call.path}"
                reading.begin()
                async with http.stream(
                    "POST", url, json=call.body, headers=given, params=dict(call.params)
                ) as response:
                    response.raise_for_status()
                    async for _ in response.aiter_raw():
                        reading.mark()
                return reading.end()

            yield read

    return subject


def through(make: Callable[[str], Any]) -> Subject:
    """
    Measure a client or a pipeline.

    Args:
        make: gives it of a base URL: a `streamkit.Client`, a `Pipeline`, or
            whatever is entered with ``async with`` and has their ``stream``.
    """

    @asynccontextmanager
    async def subject(base_url: str) -> AsyncIterator[Read]:
        """Enter what is measured."""
        made = make(base_url)
        if not hasattr(made, "__aenter__"):
            raise MisuseError(
                f"expected a client or a pipeline, entered with `async with`; got {made!r}"
            )
        async with made as client:

            async def read(request: Mapping[str, Any]) -> Reading:
                """Read the events of one answer."""
                reading, last = Reading(), None
                reading.begin()
                async with client.stream(request) as run:
                    async for event in run:
                        if event.channel is not None:
                            reading.mark()
                        last = event
                if isinstance(last, ResponseFailed):
                    raise last.error
                return reading.end()

            yield read

    return subject


def client(dialect: str | Dialect, stages: Sequence[Any] = (), **options: Any) -> Subject:
    """
    Measure a `Client` of *dialect* with *stages*; nothing is rerouted.

    Args:
        dialect: the provider's API.
        stages: as `Client` takes them.
        options: more of what it takes.
    """
    never = ReroutePolicy.never()
    return through(
        lambda url: Client(base_url=url, dialect=dialect, stages=stages, reroute=never, **options)
    )


async def compare(
    subjects: Mapping[str, Subject],
    base_url: str,
    request: Mapping[str, Any],
    *,
    rounds: int = 7,
    warm_up: bool = True,
) -> dict[str, list[Reading]]:
    """
    Have each subject read an answer in turn, round after round.

    Args:
        subjects: who is compared, by name.
        base_url: the provider's.
        request: the provider's own request JSON, without stream flags.
        rounds: how many are measured (a count).
        warm_up: whether a round before them is not.

    Returns:
        By name: a reading a round.
    """
    readings: dict[str, list[Reading]] = {name: [] for name in subjects}
    async with AsyncExitStack() as stack:
        reads = {
            name: await stack.enter_async_context(subject(base_url))
            for name, subject in subjects.items()
        }
        for number in range(rounds + warm_up):
            for name, read in reads.items():
                reading = await read(request)
                if number >= warm_up:
                    readings[name].append(reading)
    return readings
