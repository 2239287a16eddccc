"""
A Django service in one file, as Daphne runs it.

What is a test's own comes with its requests: the provider's URL in a header,
so that each test has a provider of its own; settings in the query.
"""

import asyncio
import contextvars
import json
import os
from functools import cache

import httpx
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from django.utils.decorators import async_only_middleware
from django.views.decorators.http import require_POST

import streamkit
from streamkit.events import TextDelta
from streamkit.serving import Plain, Refusal, Runs, StreamkitJson, cancel, detach, grace
from streamkit.serving.django import respond

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    MIDDLEWARE=["django.middleware.gzip.GZipMiddleware", f"{__name__}.dropping"],
    ROOT_URLCONF=__name__,
)


@async_only_middleware
def dropping(get_response):
    """A middleware that has an answer of its own, though the view gave one."""

    async def middleware(request):
        response = await get_response(request)
        return HttpResponse("another") if "x-drop" in request.headers else response

    return middleware


class Service:
    """
    A client and its runs, opened with the first request.

    They are entered and left in one task, which stays. It gets a context of its
    own: what the first request has in its own is not for the requests after it.
    """

    def __init__(self, provider):
        self.client = streamkit.Client(base_url=provider, dialect=os.environ["DIALECT"])
        drain = "DRAIN" in os.environ
        self.runs = Runs(self.client, heartbeat=0.1, drain_on_signal=drain)
        self.ready = asyncio.Event()
        self.task = None

    async def open(self):
        """Give the runs."""
        if self.task is None:
            self.task = asyncio.create_task(self._stay(), context=contextvars.Context())
        await self.ready.wait()
        return self.runs

    async def _stay(self):
        async with self.client, self.runs:
            self.ready.set()
            await asyncio.Event().wait()  # until the server ends


service_of = cache(Service)


def provider_of(request):
    """The URL of the provider of the test that asks."""
    return request.headers["x-provider"]


async def answers(request):
    """Start a run, and stream it."""
    runs = await service_of(provider_of(request)).open()
    run = await runs.start(json.loads(request.body), scope=request.scope)
    return await respond(await runs.watch(run, **wanted(request)))


async def answer(request, run_id):
    """Watch a run, or stop it."""
    runs = await service_of(provider_of(request)).open()
    if request.method == "DELETE":
        return await respond(await stopped(runs, run_id, request.scope))
    stream = await runs.watch(run_id, scope=request.scope, **wanted(request))
    return await respond(stream, request)


async def stopped(runs, run_id, scope):
    """What is said to a client that stops a run."""
    try:
        return Plain(200, {"cancelled": await runs.cancel(run_id, scope=scope)})
    except Refusal as refusal:
        return Plain.refuse(refusal)


@require_POST
async def naive(request):
    """The service before streamkit: asks upstream at every POST, and passes on what comes."""

    async def events():
        url = f"{provider_of(request)}/turn"
        body = {**json.loads(request.body), "stream": True}
        async with httpx.AsyncClient(timeout=None) as http:  # noqa: S113 (nor had that one)
            async with http.stream("POST", url, json=body) as response:
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        yield f"{line}\n\n"

    return StreamingHttpResponse(events(), content_type="text/event-stream")


class Buggy(StreamkitJson):
    """An encoder with a bug, behind the first text."""

    def encode(self, event):
        """Raise at text that says so."""
        if isinstance(event, TextDelta) and event.text == "lo":
            raise KeyError("a bug")
        return super().encode(event)


def wanted(request):
    """The settings of a stream that are in a request's query."""
    return {name: READ[name](value) for name, value in request.GET.items()}


READ = {
    "encoder": lambda name: Buggy if name == "buggy" else name,
    "heartbeat": float,
    "on_disconnect": {"cancel": cancel, "detach": detach, "grace": grace(0.5)}.get,
}
urlpatterns = [path("answers", answers), path("answers/<run_id>", answer), path("naive", naive)]
application = get_asgi_application()
