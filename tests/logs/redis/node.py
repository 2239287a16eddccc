"""
One server of many, a process of its own: runs over Redis, served by uvicorn.

``python -m tests.logs.redis.node`` with the environment: REDIS, PROVIDER,
SETTINGS (JSON, for `RedisLog`) and GRACE (seconds). It says its port, in one
line, and then nothing.
"""

import json
import os
import socket
import sys
import time

import anyio
import uvicorn

import streamkit
from streamkit.logs import RedisLog
from streamkit.serving import Plain, Routes, Runs, grace

BODY = {"model": "demo-1", "messages": []}


async def main():
    """Serve until killed."""
    settings = json.loads(os.environ.get("SETTINGS", "{}"))
    linger = grace(float(os.environ.get("GRACE", "30")))
    async with (
        RedisLog.from_url(os.environ["REDIS"], **settings) as log,
        streamkit.Client(base_url=os.environ["PROVIDER"]) as client,
        Runs(client, log, on_disconnect=linger, heartbeat=0.2, retry=0.01) as runs,
    ):
        routes = Routes(runs, ask=lambda _scope, posted: {**BODY, **posted})

        async def app(scope, receive, send):
            if scope["path"] == "/state":
                said = {"state": log.state, "error": str(log.error or "")}
                await Plain(200, said)(scope, receive, send)
            else:
                await routes(scope, receive, send)

        listener = socket.create_server(("127.0.0.1", 0))
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
        await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    if skew := float(os.environ.get("SKEW", "0")):  # a host whose clock is wrong
        right, right_ns = time.time, time.time_ns
        time.time = lambda: right() + skew
        time.time_ns = lambda: right_ns() + int(skew * 1e9)
    anyio.run(main)
