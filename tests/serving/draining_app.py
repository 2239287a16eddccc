"""An application with a lifespan, whose server will be told to end."""

import os

import streamkit
from streamkit.serving import Routes, Runs

DRAINS = os.environ.get("DRAINS") == "yes"


class Application:
    """The routes, for as long as the server's lifespan."""

    routes = None

    async def __call__(self, scope, receive, send):
        """Serve a request, or the lifespan."""
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        else:
            await self.routes(scope, receive, send)

    async def live(self, receive, send):
        """Hold the client and its runs open between the two messages."""
        await receive()
        async with streamkit.Client(base_url=os.environ["PROVIDER"]) as client:
            async with Runs(client, retry=1.5, drain_on_signal=DRAINS) as runs:
                self.routes = Routes(runs, lambda scope, posted: posted)
                await send({"type": "lifespan.startup.complete"})
                await receive()
        await send({"type": "lifespan.shutdown.complete"})


application = Application()
