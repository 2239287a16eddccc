"""A private redis-server on loopback: started, paused, killed and started again by a test."""

import shutil
import signal
import socket
import subprocess

import anyio
import attrs
from redis.asyncio import Redis
from redis.exceptions import RedisError

PATIENCE = 10.0
"""How long a server may take to start (seconds)."""


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@attrs.define(eq=False)
class Server:
    """One redis-server, in a folder of its own."""

    folder: object
    port: int = attrs.field(factory=free_port)
    process: subprocess.Popen | None = None

    @property
    def url(self):
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self, *options):
        """Start it, and wait until it answers."""
        binary = shutil.which("redis-server")
        where = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder))
        quiet = ("--save", "", "--loglevel", "warning", "--appendonly", "no")
        self.process = subprocess.Popen(  # noqa: ASYNC220 (it is there at once)
            [binary, *where, *quiet, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await self.answers()

    async def answers(self):
        """Wait until it answers."""
        with anyio.fail_after(PATIENCE):
            while True:
                try:
                    return await self.ask("PING")
                except (OSError, RedisError):
                    await anyio.sleep(0.01)

    async def ask(self, *command):
        """Send one command, on a connection of its own."""
        async with Redis(port=self.port) as redis:
            return await redis.execute_command(*command)

    def kill(self):
        """Kill it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self):
        """Stop it where it is: connections stay, and nobody answers."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        """Have it go on."""
        self.process.send_signal(signal.SIGCONT)
