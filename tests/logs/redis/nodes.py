"""Servers of many, started by a test: posted to, followed, stopped and killed."""

import json
import os
import signal
import sys
from contextlib import asynccontextmanager, suppress
from subprocess import PIPE

import anyio
import attrs
import httpx

from streamkit import remote

PATIENCE = 20.0
"""How long a process may take to start (seconds)."""


@attrs.define(eq=False)
class Node:
    """One server, a process."""

    process: object
    url: str
    http: httpx.AsyncClient

    async def post(self, key=None, **body):
        """Ask for a run; gives its id, as the response says it."""
        headers = {} if key is None else {"idempotency-key": key}
        async with self.http.stream("POST", self.url, json=body, headers=headers) as response:
            assert 200 == response.status_code, await response.aread()
            return response.headers["x-streamkit-run"]

    def follow(self, run_id, after=None):
        """Follow a run here."""
        return remote.follow(f"{self.url}/{run_id}", after, http=self.http, patience=5.0)

    async def cancel(self, run_id):
        """Cancel a run from here."""
        return (await self.http.delete(f"{self.url}/{run_id}")).json()["cancelled"]

    async def state(self):
        """What it says of Redis."""
        return (await self.http.get(f"{self.url}/state")).json()

    def kill(self):
        """Kill it, with no chance to say anything."""
        self.process.kill()

    def pause(self):
        """Stop it where it is."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        """Have it go on."""
        self.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def node(redis, provider, *, skew=0.0, grace=30.0, **settings):
    """Run a server for as long as the ``async with``."""
    environment = {
        **os.environ,
        "REDIS": redis,
        "PROVIDER": provider,
        "SETTINGS": json.dumps(settings),
        "SKEW": str(skew),
        "GRACE": str(grace),
    }
    command = [sys.executable, "-m", "tests.logs.redis.node"]
    process = await anyio.open_process(command, env=environment, stdout=PIPE, stderr=None)
    try:
        with anyio.fail_after(PATIENCE):
            port = int(await process.stdout.receive())
        async with httpx.AsyncClient(timeout=10) as http:
            yield Node(process, f"http://127.0.0.1:{port}", http)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.wait()
            await process.stdout.aclose()
