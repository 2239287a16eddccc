"""Time, in a test's hand."""

import anyio
import attrs


@attrs.define(eq=False)
class HandClock:
    """A clock that stands still until it is moved."""

    time: float = 0.0
    waits: int = 0
    _moved: anyio.Event = attrs.field(factory=anyio.Event)
    _waited: anyio.Event = attrs.field(factory=anyio.Event)

    def now(self):
        return self.time

    def move(self, seconds):
        """Let time pass."""
        self.time += seconds
        self._moved.set()
        self._moved = anyio.Event()

    async def wait(self, event, until):
        """Wait for *event*, or until the time was moved to *until*."""
        self.waits += 1
        self._waited.set()
        self._waited = anyio.Event()
        async with anyio.create_task_group() as tasks:

            async def watch():
                await event.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            while self.time < until:
                await self._moved.wait()
            tasks.cancel_scope.cancel()

    async def waited(self, waits):
        """Wait until the clock was waited on so often."""
        while self.waits < waits:
            await self._waited.wait()
