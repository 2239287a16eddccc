"""A stage that may be left out when it breaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from ..errors import MisuseError
from ..events import Event
from ..logger import log
from .recipe import is_async
from .stage import EventReceiver, EventSender, folds, is_timed

__all__ = ["bypassing"]


def bypassing(name: str, stage: Any) -> Any:
    """
    Give a stage that passes events on untouched once *stage* raises.

    The event a `Transform` raised at passes too; of an `AsyncStage`, those it
    has not read yet. What either held back is lost with it: so a stage that
    hides something, such as `Redact`, is none to bypass.

    Raises:
        MisuseError: *stage* is the accumulator, which no answer can do without.
    """
    if folds(stage):
        raise MisuseError(
            f"expected a stage that the answer can do without; got {name!r}, which makes the "
            "response; leave out on_error='bypass'"
        )
    if is_async(stage):
        return _BypassedAsync(name, stage)
    if is_timed(stage):
        return _BypassedTimed(name, stage)
    return _Bypassed(name, stage)


@attrs.define(eq=False)
class _Bypassed:
    name: str
    stage: Any
    broken: bool = False

    def __call__(self, event: Event, /) -> Sequence[Event]:
        if self.broken:
            return (event,)
        try:
            return tuple(self.stage(event))
        except Exception as error:  # noqa: BLE001 (whatever it raises, the answer goes on)
            self.leave_out(error)
            return (event,)

    def leave_out(self, error: Exception) -> None:
        """Go on without the stage."""
        self.broken = True
        _tell(self.name, error)


@attrs.define(eq=False)
class _BypassedTimed(_Bypassed):
    @property
    def wake_at(self) -> float | None:
        """When the stage wants to be woken; never again once it is left out."""
        return None if self.broken else self.stage.wake_at

    def wake(self, now: float, /) -> Sequence[Event]:
        """Give what the stage has due."""
        try:
            return tuple(self.stage.wake(now))
        except Exception as error:  # noqa: BLE001
            self.leave_out(error)
            return ()


@attrs.define(eq=False)
class _BypassedAsync:
    name: str
    stage: Any

    async def __call__(self, source: EventReceiver, sink: EventSender, /) -> None:
        try:
            await self.stage(source, sink)
        except Exception as error:  # noqa: BLE001
            _tell(self.name, error)
            async for event in source:
                await sink.send(event)


def _tell(name: str, error: Exception) -> None:
    log.warning("a stage raised and is bypassed", stage=name, error=type(error).__name__)
