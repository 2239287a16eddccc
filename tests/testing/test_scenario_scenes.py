"""Every scene that comes with streamkit is played, and a client that heals gets its answer."""

import json
from itertools import product

import pytest

import streamkit
from streamkit.dialects import _DIALECTS, get_dialect
from streamkit.limits import Limits
from streamkit.testing import FaultProvider
from streamkit.testing.scenario import scene, scenes

from .wire import DIALECTS

pytestmark = pytest.mark.anyio

TEXT, CALL = "Hello, wörld. All is well.", {"city": "Reykjavík"}
ASKED = {
    "openai-chat": {"model": "demo-1", "messages": []},
    "llama-stack-turn": {"agent_id": "a-1", "session_id": "s-1", "messages": []},
    "anthropic-messages": {"model": "demo-1", "max_tokens": 9, "messages": []},
    "gemini": {"model": "demo-1", "contents": []},
    "openai-responses": {"model": "demo-1", "input": "Hello?"},
}
EVERY = sorted(_DIALECTS)
PLAIN = (*DIALECTS, "gemini")
"""Those whose second frame is text: in others frames of their own come first."""
SOONER = {
    "every 0.5": "every 0.005",
    "pause 1": "pause 0.01",
    "slow accept 1": "slow accept 0.01",
    "drip 0.001": "drip",
}
SILENT = {"silent", "stall", "keep-alive-forever", "half-close"}
UNSAYABLE = {("cut-arguments", "gemini")}
"""It tells a call in one piece, at the end: there are no arguments to cut."""
LOST = {"reorder", "duplicate", "noise"}
"""What no reader of SSE can know of: the provider says so, and nothing contradicts it."""


@pytest.fixture
def anyio_backend():
    """One event loop: what the words do on each is tried word by word."""
    return "asyncio"


def hasty(name):
    """A scene without its long waits."""
    text = scene(name)
    for wait, less in SOONER.items():
        text = text.replace(wait, less)
    return text


async def answer(name, dialect):
    """What a client of ours gets, and what the provider was asked."""
    soon = dict.fromkeys(("idle", "first_byte", "first_content"), 0.1)
    limits = Limits(**soon) if name in SILENT else Limits()
    async with FaultProvider.scripted(hasty(name), dialect) as provider:
        base = provider.url if dialect.startswith("openai") else provider.url.removesuffix("/v1")
        async with streamkit.Client(base_url=base, dialect=dialect, limits=limits) as client:
            response = await client.complete(ASKED[dialect])
    return response, provider.requests


@pytest.mark.parametrize(
    ("name", "dialect"),
    sorted(set(product(scenes().keys() - LOST - {"server-error"}, EVERY)) - UNSAYABLE),
)
async def test_a_scene_is_healed(name, dialect):
    """The answer is whole, once, whatever went wrong with the stream; two calls are enough."""
    response, requests = await answer(name, dialect)
    calls = [json.loads(call.arguments) for call in response.tool_calls]
    assert (([CALL], "") if "call" in name or "arguments" in name else ([], TEXT)) == (
        calls,
        response.text,
    )
    assert len(requests) <= 2


@pytest.mark.parametrize("dialect", PLAIN)
@pytest.mark.parametrize("name", sorted(LOST))
async def test_what_nothing_contradicts_is_believed(name, dialect):
    """It is the provider's answer."""
    response, _ = await answer(name, dialect)
    assert response.text != TEXT
    assert "Hello" in response.text
    assert not response.rerouted


async def test_a_provider_that_always_fails_has_no_answer():
    """Its error is told."""
    with pytest.raises(streamkit.Rejected, match="The server had an error"):
        await answer("server-error", "openai-chat")


@pytest.mark.parametrize("dialect", EVERY)
async def test_a_healthy_scene_says_what_it_cost(dialect):
    """Where the API has a word for it."""
    response, _ = await answer("healthy", dialect)
    assert (None if dialect == "llama-stack-turn" else 15) == (
        response.usage and response.usage.total_tokens
    )
    assert get_dialect(dialect).name == dialect
