"""A clock for silences: how busy the machine is makes no difference to it."""

from math import isinf
from typing import Any, Final

import anyio
import attrs

__all__ = ["Silence", "SilenceClock"]

_TURNS: Final = 100
"""How often everybody else gets a turn while a second passes (a count)."""


@attrs.define(eq=False)
class SilenceClock:
    """
    A clock that stands still, and runs while the provider is silent.

    A second of it is a hundred turns of the event loop that both ends live
    in: enough to read what was sent before, however slow the machine.
    """

    time: float = 1000.0
    silent: anyio.Event = attrs.field(factory=anyio.Event)

    def now(self) -> float:
        """Give the time (seconds)."""
        return self.time

    async def wait(self, event: anyio.Event, until: float) -> None:
        """Wait for *event*, at most until *until*."""
        if isinf(until):
            await event.wait()
        while not event.is_set() and self.time < until:
            await self._either(event)
            for _ in range(_TURNS):
                await anyio.lowlevel.checkpoint()
            if self.silent.is_set() and not event.is_set():
                self.time = min(until, self.time + 1)

    async def _either(self, event: anyio.Event) -> None:
        """Wait for *event*, or for the provider to fall silent."""

        async def heard(one: anyio.Event) -> None:
            await one.wait()
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(heard, event)
            tasks.start_soon(heard, self.silent)


@attrs.define(eq=False)
class Silence:
    """Let *clock* run while *step* is taken."""

    clock: SilenceClock
    step: Any

    async def __call__(self, wire: Any) -> None:
        """Take the step, which ends when the client leaves."""
        self.clock.silent.set()
        try:
            await self.step(wire)
        finally:
            self.clock.silent = anyio.Event()
