"""Whether streaming is worth a try: what happened lately, by model."""

from __future__ import annotations

from typing import Final, Literal

import attrs

__all__ = ["TRANSITIONS", "Breaker", "BreakerState"]

BreakerState = Literal["closed", "open", "half_open"]
"""Streaming is tried; it is not; one stream is being tried."""

Signal = Literal["failed", "tripped", "succeeded", "expired", "left"]

TRANSITIONS: Final[dict[BreakerState, dict[Signal, BreakerState]]] = {
    "closed": {"failed": "closed", "tripped": "open", "succeeded": "closed", "left": "closed"},
    "open": {
        "expired": "half_open",
        # Streams that were on their way when it opened:
        "failed": "open",
        "tripped": "open",
        "succeeded": "closed",
        "left": "open",
    },
    "half_open": {"failed": "open", "tripped": "open", "succeeded": "closed", "left": "open"},
}
"""From a state, by what happened. ``left`` is a probe that was interrupted: it proves nothing."""

_KEYS: Final = 1024
"""How many models are remembered (a count); then the oldest is forgotten."""


@attrs.define(eq=False)
class _Record:
    state: BreakerState = "closed"
    failures: int = 0
    since: float = 0.0
    """When it opened (seconds)."""


@attrs.define(eq=False)
class Breaker:
    """
    Let a model stream unless its streams failed again and again. Time is an argument.

    What counts is a stream that failed where the buffered call then did not: a
    provider that is down fails both, and says nothing about streaming.
    """

    trip_after: int | None
    """Failures in a row (a count); None never trips."""
    recover: float
    """Seconds until one stream is tried again."""
    _records: dict[str, _Record] = attrs.field(factory=dict, init=False)

    def state(self, model: str) -> BreakerState:
        """Give the state of a model's streaming."""
        record = self._records.get(model)
        return "closed" if record is None else record.state

    def allows(self, model: str, now: float) -> bool:
        """Whether to stream; where it was open for long enough this one is the probe."""
        record = self._records.get(model)
        if record is None or record.state == "closed":
            return True
        if record.state == "open" and now >= record.since + self.recover:
            self._move(record, "expired", now)
            return True
        return False

    def failed(self, model: str, now: float) -> BreakerState:
        """Note a stream that failed where the buffered call did not; give the state now."""
        if self.trip_after is None:
            return "closed"
        record = self._record(model)
        record.failures += 1
        signal: Signal = "tripped" if record.failures >= self.trip_after else "failed"
        self._move(record, signal, now)
        return record.state

    def succeeded(self, model: str, now: float) -> None:
        """Note a stream that came to its end."""
        record = self._records.get(model)
        if record is not None:
            self._move(record, "succeeded", now)
            record.failures = 0

    def left(self, model: str, now: float) -> None:
        """Note a stream that was interrupted, or told nothing about streaming."""
        record = self._records.get(model)
        if record is not None:
            self._move(record, "left", now)

    def _record(self, model: str) -> _Record:
        record = self._records.pop(model, None) or _Record()
        self._records[model] = record  # the newest last
        if len(self._records) > _KEYS:
            del self._records[next(iter(self._records))]
        return record

    def _move(self, record: _Record, signal: Signal, now: float) -> None:
        before, record.state = record.state, TRANSITIONS[record.state][signal]
        if record.state == "open" and before != "open":
            record.since = now
