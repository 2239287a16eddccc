"""
A page that shows answers as they come, from a provider that misbehaves. One command::

    python docs/examples/chat-page/app.py

The provider is `streamkit.testing.FaultProvider`, on loopback, and plays
`scenes`; put the one you pay in its place. All else is what a service needs:
who asks gets a run's id, and reads the run where its `EventSource` can come
back to it. A visitor reads and stops the runs of nobody else.
"""

import argparse
import secrets
import socket
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from weakref import WeakKeyDictionary

import uvicorn
from scenes import scenes
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

import streamkit
from streamkit.serving import Plain, Refusal, Runs
from streamkit.serving.starlette import EventStreamResponse
from streamkit.testing import FaultProvider

PAGE = Path(__file__).with_name("page.html")
COOKIE = "visitor"


def application(pace: float = 1.0) -> Starlette:
    """Make the application; *pace* is what each pause of the provider is multiplied with."""
    played = scenes(pace)

    @asynccontextmanager
    async def lifespan(app):
        owners = WeakKeyDictionary()

        def may_see(scope, run):
            return run in owners and owners[run] == visitor(scope)

        async with (
            FaultProvider(
                stream=lambda asked: played[asked.json["model"]].stream,
                buffered=lambda asked: played[asked.json["model"]].buffered,
            ) as provider,
            streamkit.Client(base_url=provider.url) as client,
            # A heartbeat each second, to be seen: 15 would do to keep proxies patient.
            Runs(client, authorize=may_see, heartbeat=1, retry=1, drain_on_signal=True) as runs,
        ):
            yield {"runs": runs, "owners": owners, "provider": provider, "scenes": played}

    routes = [
        Route("/", page),
        Route("/scenes", what_can_be_asked),
        Route("/answers", ask, methods=["POST"]),
        Route("/answers/{run}", watch),
        Route("/answers/{run}", stop, methods=["DELETE"]),
        Route("/requests", what_was_asked),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={Refusal: refused})


def visitor(scope) -> str | None:
    """Say who asks: the cookie that the page came with. Yours is a login."""
    return HTTPConnection(scope).cookies.get(COOKIE)


async def page(request: Request) -> Response:
    """Give the page, and its visitor a name."""
    response = FileResponse(PAGE, headers={"cache-control": "no-cache"})
    if visitor(request.scope) is None:
        response.set_cookie(COOKIE, secrets.token_urlsafe(), httponly=True, samesite="strict")
    return response


async def ask(request: Request) -> Response:
    """Start a run, or join the one of the same Idempotency-Key; the page then watches it by id."""
    scene = request.query_params.get("scene")
    if visitor(request.scope) is None or scene not in request.state.scenes:
        raise Refusal("expected a visitor of the page, and one of its scenes", status=400)
    body = {"model": scene, "messages": [{"role": "user", "content": "Why is the sky blue?"}]}
    run = await request.state.runs.start(body, scope=request.scope)
    request.state.owners.setdefault(run, visitor(request.scope))
    return JSONResponse({"run": run.id}, 202)


async def watch(request: Request) -> Response:
    """Give the answer from where the page stands: Last-Event-ID, or ?last_event_id=."""
    run = request.path_params["run"]
    return EventStreamResponse(await request.state.runs.watch(run, scope=request.scope))


async def stop(request: Request) -> Response:
    """Stop a run. Going away is another thing: the run goes on, for half a minute."""
    run = request.path_params["run"]
    return JSONResponse({"cancelled": await request.state.runs.cancel(run, scope=request.scope)})


async def what_can_be_asked(request: Request) -> Response:
    """Say which scenes there are, for the page's buttons."""
    return JSONResponse(
        [
            {"name": name, "title": scene.title, "hint": scene.hint}
            for name, scene in request.state.scenes.items()
        ]
    )


async def what_was_asked(request: Request) -> Response:
    """Say how often the provider was asked: what nobody's service would tell."""
    return JSONResponse({"requests": len(request.state.provider.requests)})


async def refused(request: Request, refusal: Refusal) -> Response:
    """Say what a client cannot have, and why."""
    return EventStreamResponse(Plain.refuse(refusal))


def listen(port: int) -> socket.socket:
    """Take *port* on loopback, or any that is free for 0; connections wait from now on."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise SystemExit(f"port {port} cannot be had ({error}); try --port 0") from None


def main() -> None:
    """Serve until Ctrl-C; then every open page is told to come back."""
    parser = argparse.ArgumentParser(description="An example of streamkit: a page to look at.")
    parser.add_argument("--port", type=int, default=8000, help="0 picks one that is free")
    parser.add_argument("--pace", type=float, default=1.0, help="2 is half as fast")
    asked = parser.parse_args()
    with listen(asked.port) as listener, suppress(KeyboardInterrupt):
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
        config = uvicorn.Config(application(asked.pace), log_level="warning")
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
