"""Whether Redis can be had, and what is said of it when that changes."""

from __future__ import annotations

from typing import Any, Literal

import attrs
from redis import exceptions as redis_errors

from ...errors import LogError, excerpt
from ...logger import log

__all__ = ["BROKEN", "Health", "State", "is_refused"]

State = Literal["connected", "unreachable", "full"]

BROKEN = (redis_errors.RedisError, OSError)
"""What the client raises where Redis cannot be had, or does not do what it is told."""

_CONNECTION = (redis_errors.ConnectionError, redis_errors.TimeoutError, OSError)

_ADVICE = {
    "unreachable": "see that it runs and can be reached",
    "full": "raise its maxmemory, or keep runs for a shorter time",
}


def is_refused(result: Any) -> bool:
    """Whether Redis refused an entry because its id is not above the newest."""
    return isinstance(result, redis_errors.ResponseError) and "equal or smaller" in str(result)


@attrs.define(eq=False)
class Health:
    """
    The state of the one Redis, told once when it changes.

    Nothing in a process waits for it: who watches a run where it is written
    goes on; who watches it from elsewhere waits, at most for as long as runs
    are kept.
    """

    secret: str | None = attrs.field(repr=False)
    state: State = attrs.field(default="connected", init=False)
    _errors: dict[str, LogError] = attrs.field(factory=dict, init=False)
    """What is wrong, for each task that goes on trying."""

    @property
    def error(self) -> LogError | None:
        """What is wrong; None while nothing is."""
        return next(iter(self._errors.values()), None)

    def explain(self, raised: Exception) -> LogError:
        """Give what to tell of a call that failed."""
        state = _state_of(raised)
        said = type(raised).__name__
        if isinstance(raised, _CONNECTION):  # what others say may quote an answer
            said += f": {excerpt(raised, self.secret)}"
        return LogError(
            f"expected Redis to keep the runs; it is {state} ({said}); {_ADVICE[state]}; until "
            "then runs are watched only where they were started"
        )

    def broke(self, who: str, raised: Exception) -> LogError:
        """Note that a call failed of a task that will make it again, and give what to tell."""
        state, told = _state_of(raised), self.explain(raised)
        self._errors[who] = told
        if state != self.state:
            self.state = state
            log.warning("the log of runs cannot be used", state=state, error=str(told))
        return told

    def mended(self, who: str) -> None:
        """Note that a call of that task succeeded."""
        if who not in self._errors:
            return
        del self._errors[who]
        if not self._errors:
            self.state = "connected"
            log.info("the log of runs can be used again")


def _state_of(raised: Exception) -> State:
    return "full" if isinstance(raised, redis_errors.OutOfMemoryError) else "unreachable"
