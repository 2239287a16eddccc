"""
Who is measured, and how each is driven: its documented, fastest asynchronous path.

Nothing here imports a rival: the table is read by the harness, and the module
it names only by the worker that runs in that rival's venv.

A client is an async context manager, built outside the timing, around::

    async def read(script, seen): ...

which asks for *script* (see `benchmarks.wire`), reads the stream to its end,
calls ``seen`` with what each delta says (a client of raw bytes with each
chunk), and returns the whole text where the client accumulates it.
"""

import importlib
from dataclasses import dataclass, field

__all__ = ["CLIENTS", "SUBJECTS", "Subject", "opener"]

ALL = ("text", "reasoning", "tools")


@dataclass(frozen=True)
class Subject:
    """One way to do what is measured."""

    venv: str
    """Which of `benchmarks/pins` it needs."""
    opener: str = ""
    """``module:function`` in `benchmarks.clients`."""
    imports: str = ""
    """What a program of its own imports."""
    wire: str = "openai"
    shows: tuple = ALL
    """The channels it tells of, as it is driven here."""
    raw: bool = False
    """Whether it only sees bytes."""
    about: str = ""
    settings: dict = field(default_factory=dict)
    """Environment variables it is imported with."""


CLIENTS = {
    "raw httpx": Subject(
        "streamkit", "by_hand:raw_httpx", raw=True, about="bytes, and nothing made of them"
    ),
    "raw aiohttp": Subject("streamkit", "by_hand:raw_aiohttp", raw=True, about="the same"),
    "raw, streamkit's": Subject(
        "streamkit",
        "by_hand:raw_own",
        raw=True,
        about="the HTTP client that streamkit opens by itself",
    ),
    "raw httpx2": Subject("streamkit", "by_hand:raw_httpx2", raw=True, about="the same"),
    "raw httpx-aiohttp": Subject(
        "streamkit", "by_hand:raw_httpx_aiohttp", raw=True, about="httpx over aiohttp"
    ),
    "httpx-sse + json": Subject(
        "streamkit", "by_hand:httpx_sse_json", about="what one writes by hand"
    ),
    "by hand, two tasks": Subject(
        "streamkit",
        "by_hand:two_tasks",
        about="the same, read in a task of its own: an asyncio.Queue hands it over",
    ),
    "streamkit": Subject(
        "streamkit",
        "ours:together",
        about="its own HTTP client; events to one reader, the answer accumulated",
    ),
    "streamkit apart": Subject(
        "streamkit", "ours:apart", about="the same, every stage in a task of its own"
    ),
    "streamkit, httpx": Subject("streamkit", "ours:over_httpx", about="over httpx's client"),
    "streamkit, httpx-aiohttp": Subject("streamkit", "ours:over_aiohttp", about="over aiohttp's"),
    "streamkit, httpx2": Subject("streamkit", "ours:over_httpx2", about="over httpx2's"),
    "streamkit, Anthropic's API": Subject(
        "streamkit", "ours:anthropic", wire="anthropic", about="the same, of Anthropic's bytes"
    ),
    "openai": Subject("openai", "openai_sdk:raw", about="create(stream=True)"),
    "openai helper": Subject(
        "openai", "openai_sdk:helper", about="stream(), the answer accumulated"
    ),
    "anthropic": Subject(
        "anthropic", "anthropic_sdk:raw", wire="anthropic", about="create(stream=True)"
    ),
    "anthropic helper": Subject(
        "anthropic",
        "anthropic_sdk:helper",
        wire="anthropic",
        about="stream(), the answer accumulated",
    ),
    "litellm": Subject("litellm", "litellm_sdk:acompletion", about="acompletion(stream=True)"),
    "langchain-openai": Subject(
        "langchain", "langchain:astream", shows=("text", "tools"), about="ChatOpenAI.astream()"
    ),
    "pydantic-ai": Subject(
        "pydantic-ai",
        "pydantic_ai_sdk:direct",
        about="direct.model_request_stream(), the answer accumulated",
    ),
}
"""``work(script, seen)``: see above."""

FAN_OUT = {
    "a queue each": Subject(
        "streamkit", "fan_out:queues", about="httpx-sse, json, and an asyncio.Queue per watcher"
    ),
    "streamkit": Subject("streamkit", "fan_out:cursors", about="one run, a cursor per watcher"),
}
"""``work(script, watchers)`` gives how many events each watcher had."""

SERVE = {
    "bytes passed on": Subject(
        "streamkit", "serve:passed_on", about="httpx into Starlette's StreamingResponse, unread"
    ),
    "httpx-sse, sse-starlette": Subject(
        "streamkit", "serve:by_hand", about="parsed, encoded again, EventSourceResponse"
    ),
    "streamkit, sse-starlette": Subject(
        "streamkit", "serve:mixed", about="streamkit's events through EventSourceResponse"
    ),
    "streamkit": Subject("streamkit", "serve:ours", about="EventStreamResponse, heartbeats, ids"),
    "streamkit, OpenAI's format": Subject(
        "streamkit", "serve:ours_openai", about="the same, encoded as openai-chat"
    ),
}
"""``work(script)`` gives how many deltas a client of the ASGI application was sent."""

REROUTE = {
    "by hand": Subject(
        "streamkit", "reroute:by_hand", about="httpx-sse, an except, a second call, the tail"
    ),
    "streamkit": Subject("streamkit", "reroute:ours"),
}
"""``work(script)`` gives how long the first healed delta took (microseconds)."""

DECLARED = "anyio, attrs, h11, httpx, httpx_sse, msgspec, structlog"
"""streamkit's dependencies, as `pyproject.toml` has them, by module."""

IMPORT = {
    "what streamkit declares": Subject("streamkit", imports=DECLARED, about=DECLARED),
    "streamkit": Subject(
        "streamkit", imports="streamkit", about="its rooms are read when asked for"
    ),
    "streamkit's Client": Subject("streamkit", imports="streamkit; streamkit.Client"),
    "httpx": Subject("streamkit", imports="httpx"),
    "aiohttp": Subject("streamkit", imports="aiohttp"),
    "openai": Subject("openai", imports="openai"),
    "anthropic": Subject("anthropic", imports="anthropic"),
    "litellm": Subject(
        "litellm",
        imports="litellm",
        settings={"LITELLM_LOCAL_MODEL_COST_MAP": "True"},  # nothing is fetched
    ),
    "langchain-openai": Subject("langchain", imports="langchain_openai"),
    "pydantic-ai": Subject("pydantic-ai", imports="pydantic_ai, pydantic_ai.models.openai"),
}

SUBJECTS = {
    "clients": CLIENTS,
    "fan-out": FAN_OUT,
    "serve": SERVE,
    "reroute": REROUTE,
    "import": IMPORT,
}


def opener(subject):
    """Import what opens a subject; gives a function of the provider's root URL."""
    module, _, function = subject.opener.partition(":")
    return getattr(importlib.import_module(f"benchmarks.clients.{module}"), function)
