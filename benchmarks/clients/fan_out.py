"""One answer, many watchers."""

import asyncio
from contextlib import asynccontextmanager

from streamkit.events import TextDelta

from .by_hand import http_client, sse_deltas
from .ours import body, opened


@asynccontextmanager
async def cursors(root):
    """streamkit: a cursor per watcher."""
    async with opened(root) as client:

        async def watch(cursor):
            count = 0
            async for event in cursor:
                count += type(event) is TextDelta
            return count

        async def work(script, watchers):
            run = client.start(body(script))
            every = [run.subscribe() for _ in range(watchers)]
            return await asyncio.gather(*map(watch, every))

        yield work


@asynccontextmanager
async def queues(root):
    """By hand: a queue per watcher."""
    async with http_client() as http:

        async def watch(queue):
            count = 0
            while await queue.get() is not None:
                count += 1
            return count

        async def work(script, watchers):
            every = [asyncio.Queue() for _ in range(watchers)]
            tasks = [asyncio.ensure_future(watch(queue)) for queue in every]
            async for text in sse_deltas(http, root, script):
                for queue in every:
                    queue.put_nowait(text)
            for queue in every:
                queue.put_nowait(None)
            return await asyncio.gather(*tasks)

        yield work
