"""The runs of an application as HTTP routes, and as responses of Starlette's and FastAPI's."""

from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import fastapi
import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount, Route

import streamkit
from streamkit.serving import EventStream, Refusal, Routes, Runs
from streamkit.serving.starlette import EventStreamResponse
from streamkit.testing import FaultProvider, Hold, Pause, Reply, answers

from .frames import parse, text
from .servers import serve

pytestmark = pytest.mark.anyio

BODY = {"model": "m", "messages": []}
HELLO = answers.text_stream("Hel", "lo")
NO = Reply(answers.error("busy"), status=429, headers={"retry-after": "7"})
SOON = 5.0
TYPE = "content-type: application/json"


def ask(scope, posted):
    """What a client posts is a question; the request is made of it here."""
    if not isinstance(posted, dict) or "question" not in posted:
        raise Refusal("expected a question", status=400)
    return {**BODY, "messages": [{"role": "user", "content": posted["question"]}]}


def mounted(runs):
    """The routes, in an application of Starlette's."""
    return Starlette(routes=[Mount("/answers", Routes(runs, ask, max_bytes=1000))])


def bare(runs):
    """The routes alone."""
    return Mount("/answers", Routes(runs, ask, max_bytes=1000))


def fast(runs):
    """The same with FastAPI's own routes, behind middleware that others broke on."""
    app = fastapi.FastAPI(middleware=[Middleware(GZipMiddleware), Middleware(Nothing)])

    @app.post("/answers/")
    async def begin(request: fastapi.Request, question: dict[str, str]) -> fastapi.Response:
        run = await runs.start(ask(request.scope, question), scope=request.scope)
        return EventStreamResponse(await runs.watch(run))

    @app.get("/answers/{run_id}")
    async def again(request: fastapi.Request, run_id: str) -> fastapi.Response:
        return EventStreamResponse(await runs.watch(run_id, scope=request.scope))

    @app.delete("/answers/{run_id}")
    async def stop(request: fastapi.Request, run_id: str) -> dict[str, bool]:
        return {"cancelled": await runs.cancel(run_id, scope=request.scope)}

    return app


class Nothing(BaseHTTPMiddleware):
    """Middleware that does nothing, the way most do it."""

    async def dispatch(self, request, call_next):
        """Pass it on."""
        return await call_next(request)


@asynccontextmanager
async def service(make, *steps, **settings):
    """A provider, the application, and a client of it."""
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(
            FaultProvider(
                stream=steps[0] if isinstance(steps[0], Reply) else Reply(*steps), buffered=NO
            )
        )
        client = await stack.enter_async_context(streamkit.Client(base_url=provider.url))
        runs = await stack.enter_async_context(Runs(client, **settings))
        url = await stack.enter_async_context(serve(make(runs)))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=SOON))
        yield http, provider, runs


APPS = pytest.mark.parametrize("make", [mounted, fast])


@APPS
async def test_a_question_is_answered_and_read_again(make):
    """The run's id is in a header; a repeated key joins, an id resumes, and the end is 204."""
    async with service(make, *HELLO) as (http, provider, _):
        key = {"idempotency-key": "k"}
        first = await http.post("/answers/", json={"question": "Well?"}, headers=key)
        same = await http.post("/answers/", json={"question": "Well?"}, headers=key)
        frames, _ = parse(first.content)
        path = f"/answers/{first.headers['x-streamkit-run']}"
        rest = await http.get(path, headers={"last-event-id": frames[2].id})
        done = await http.get(path, params={"last_event_id": frames[-1].id})

        assert ("Hello", "Hello") == (text(frames), text(parse(same.content)[0]))
        assert [frame.id for frame in frames[3:]] == [frame.id for frame in parse(rest.content)[0]]
        assert (204, b"") == (done.status_code, done.content)
        assert 1 == len(provider.requests)
        assert "Well?" == provider.requests[0].json["messages"][0]["content"]


@APPS
async def test_an_early_failure_is_a_status_in_every_framework(make):
    """The response is begun late, whoever thinks that it is 200."""
    async with service(make, NO) as (http, _, _):
        response = await http.post("/answers/", json={"question": "Well?"})

    assert (429, "7") == (response.status_code, response.headers["retry-after"])
    assert "rejected" == response.json()["error"]["code"]


@APPS
async def test_stopping_is_a_route_of_its_own(make):
    """It cancels the run, once."""
    async with service(make, *HELLO[:2], Hold()) as (http, _, runs):
        run = await runs.start(BODY)
        first = await http.delete(f"/answers/{run.id}")
        second = await http.delete(f"/answers/{run.id}")

    assert [{"cancelled": True}, {"cancelled": False}] == [first.json(), second.json()]


@APPS
async def test_frames_arrive_as_they_come(make):
    """No middleware holds them back."""
    async with service(make, *HELLO[:2], Hold()) as (http, provider, _):
        posted = b'{"question": "Well?"}'
        head = f"POST /answers/ HTTP/1.1\r\nhost: a\r\ncontent-length: {len(posted)}\r\n"
        url, received = http.base_url, b""
        with anyio.fail_after(SOON):
            async with await anyio.connect_tcp(url.host, url.port) as raw:
                await raw.send(f"{head}accept-encoding: gzip\r\n{TYPE}\r\n\r\n".encode() + posted)
                while b"Hel" not in received:
                    received += await raw.receive()
                assert 1 == provider.connections


@pytest.mark.parametrize(
    ("method", "path", "content", "expected"),
    [
        ("POST", "/answers/", b"no json", 400),
        ("POST", "/answers/", b"[]", 400),
        ("POST", "/answers/", b'"' + b"x" * 1000 + b'"', 413),
        ("GET", "/answers/", b"", 404),
        ("PUT", "/answers/a", b"", 404),
        ("GET", "/answers/a/b", b"", 404),
        ("GET", "/answers/nobody", b"", 204),
        ("DELETE", "/answers/nobody", b"", 404),
        ("POST", "/answers/nobody/cancel", b"", 404),
        ("POST", "/answers/?run_id=a%2Fb", b'{"question": "?"}', 400),
    ],
)
async def test_what_is_no_good_request_is_refused(method, path, content, expected):
    """The client is told why, and the provider is never asked."""
    async with service(bare, *HELLO) as (http, provider, _):
        response = await http.request(method, path, content=content)

        assert expected == response.status_code
        assert [] == provider.requests
        if expected != 204:
            assert "refused" == response.json()["error"]["code"]


async def test_without_a_way_to_ask_nothing_is_posted():
    """Who may choose the model chooses the bill: it is nobody's right by default."""
    async with service(lambda runs: Mount("/answers", Routes(runs)), *HELLO) as (http, _, _):
        assert 404 == (await http.post("/answers/", json=BODY)).status_code


async def test_a_beacon_stops_a_run():
    """A page that is closed can send a POST and nothing else."""
    async with service(bare, *HELLO[:2], Hold()) as (http, _, runs):
        run = await runs.start(BODY)
        assert {"cancelled": True} == (await http.post(f"/answers/{run.id}/cancel")).json()


async def test_a_response_runs_its_background_task_at_the_end():
    """As every response of Starlette's does."""
    ran = []

    def make(runs):
        async def endpoint(request):
            stream = EventStream(await runs.start(BODY), heartbeat=0.1)
            return EventStreamResponse(stream, background=BackgroundTask(ran.append, 1))

        return Starlette(routes=[Route("/", endpoint)])

    async with service(make, *HELLO[:2], Pause(0.25), *HELLO[2:]) as (http, _, _):
        frames, _ = parse((await http.get("/")).content)

    assert ("Hello", [1]) == (text(frames), ran)
    assert 1 <= sum(frame.json["type"] == "heartbeat" for frame in frames)
