"""A real ASGI server on loopback, in the test's own event loop: uvicorn, and Hypercorn on trio."""

from contextlib import asynccontextmanager

import anyio
import hypercorn.trio
import sniffio
import uvicorn

PATIENCE = 10.0
"""How long a server may take to start or stop (seconds)."""


@asynccontextmanager
async def serve(app):
    """Serve *app*; gives its base URL."""
    run = _hypercorn if sniffio.current_async_library() == "trio" else _uvicorn
    stop, stopped = anyio.Event(), anyio.Event()

    async def until_stopped(*, task_status):
        try:
            await run(app, stop, task_status=task_status)
        finally:
            stopped.set()

    async with anyio.create_task_group() as tasks:
        with anyio.fail_after(PATIENCE):
            port = await tasks.start(until_stopped)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            stop.set()
            with anyio.move_on_after(PATIENCE, shield=True):  # it closes its sockets itself
                await stopped.wait()


async def _uvicorn(app, stop, *, task_status):
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none")
    server = Server(config)
    server.task_status = task_status
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve)
        await stop.wait()
        server.should_exit = True


class Server(uvicorn.Server):
    """A uvicorn that says its port once it listens."""

    async def startup(self, sockets=None):
        """Listen, and tell."""
        await super().startup(sockets)
        self.task_status.started(self.servers[0].sockets[0].getsockname()[1])


async def _hypercorn(app, stop, *, task_status):
    config = hypercorn.Config()
    config.bind, config.graceful_timeout, config.errorlog = ["127.0.0.1:0"], 1.0, None

    async def without_lifespan(scope, receive, send):
        assert scope["type"] == "http", "no lifespan, which a server takes for an answer"
        await app(scope, receive, send)

    async def run(*, task_status):
        await hypercorn.trio.serve(
            without_lifespan, config, shutdown_trigger=stop.wait, task_status=task_status
        )

    async with anyio.create_task_group() as tasks:
        binds = await tasks.start(run)
        task_status.started(int(binds[0].rpartition(":")[2]))


async def until(holds, patience=5.0):
    """Wait until *holds* says so, at most *patience* seconds; what it looks at wakes nobody."""
    with anyio.fail_after(patience):
        while not holds():  # noqa: ASYNC110
            await anyio.sleep(0.001)
