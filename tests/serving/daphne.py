"""Daphne, the real one, in a process of its own, with the Django application of `django_app`."""

import os
import re
import signal
import sys
from contextlib import asynccontextmanager
from subprocess import DEVNULL, PIPE, STDOUT

import anyio
import attrs

__all__ = ["Daphne", "daphne"]

PATIENCE = 20.0
"""How long it may take to start, or to end (seconds)."""
_LISTENS = re.compile(r"Listening on TCP address ([0-9.]+):([0-9]+)")


@attrs.define(eq=False)
class Daphne:
    """A server that runs."""

    _process: anyio.abc.Process
    url: str = ""
    output: str = ""
    """What it wrote so far."""
    _listens: anyio.Event = attrs.field(factory=anyio.Event)

    async def terminate(self):
        """Tell it to end, as an operator does, and wait until it did; gives its exit code."""
        self._process.send_signal(signal.SIGTERM)
        with anyio.fail_after(PATIENCE):
            return await self._process.wait()

    async def _read(self):
        """Keep what it writes; the first line of interest is the one that says its port."""
        async for piece in self._process.stdout:
            self.output += piece.decode()
            if not self.url and (found := _LISTENS.search(self.output)):
                self.url = f"http://{found[1]}:{found[2]}"
                self._listens.set()
        self._listens.set()


@asynccontextmanager
async def daphne(*options, **environment):
    """
    Run it for as long as the ``async with``; what it wrote is shown where that fails.

    Args:
        options: of its command line.
        environment: variables for `django_app`.
    """
    command = [
        *(sys.executable, "-m", "daphne"),
        *("--endpoint", "tcp:0:interface=127.0.0.1", "--access-log", os.devnull),
        *options,
        "tests.serving.django_app:application",
    ]
    process = await anyio.open_process(
        command, env={**os.environ, **environment}, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
    )
    server = Daphne(process)
    async with process, anyio.create_task_group() as tasks:
        tasks.start_soon(server._read)
        try:
            with anyio.fail_after(PATIENCE):
                await server._listens.wait()
            assert server.url, "Daphne ended before it listened"
            yield server
        except BaseException:
            print(server.output)  # noqa: T201 (pytest shows it)
            raise
        finally:
            if process.returncode is None:
                process.kill()
