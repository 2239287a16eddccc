"""
What streamkit accumulates of a chat, beside what the official SDK's helper does.

On every recording that the SDK can read. Where the two differ the SDK lost
something, or joined what is no text; each such way is named below.
"""

import json
from pathlib import Path

import httpx2
import openai
import pytest

import streamkit
from streamkit.testing import FaultProvider, Reply, answers

pytestmark = [pytest.mark.anyio, pytest.mark.interop]  # a minute of proof, in CI

SHARED = Path(__file__).parents[3] / "shared"
REFUSED = Reply(answers.error("not now"), status=500)
EMPTY = (None, [], "", {})


@pytest.fixture
def anyio_backend():
    """One event loop: nothing here waits."""
    return "asyncio"


def recordings():
    """The whole answers in this API that were recorded."""
    for path in sorted(SHARED.glob("wire/*/*.json")):
        expected, body = json.loads(path.read_text("utf-8")), path.with_suffix(".sse")
        whole = expected["expect"]["complete"] and not expected["expect"]["error"]
        if whole and expected["dialect"] == "openai-chat" and body.exists():
            yield pytest.param(body.read_bytes(), id=path.stem)


def said(value):
    """A body without what says nothing, and without what the SDK adds of its own."""
    if isinstance(value, dict):
        own = ("parsed", "parsed_arguments")
        return {k: said(v) for k, v in value.items() if v not in EMPTY and k not in own}
    return [said(each) for each in value] if isinstance(value, list) else value


def differences(ours, theirs, path=""):
    """Where two bodies differ: the path, and what stands there."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            yield from differences(ours.get(key), theirs.get(key), f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(*pair, f"{path}.{number}")
    elif ours != theirs:
        yield path.split("."), ours, theirs


EXCUSES = {
    "it forgets fields that come later than the first chunk, or with no choice": (
        lambda _path, _ours, theirs: theirs is None
    ),
    "it keeps the index of a call, which a buffered answer does not have": (
        lambda path, ours, _theirs: path[-1] == "index" and ours is None
    ),
    "it keeps a completion's text beside the chat's content, by its last piece": (
        lambda path, ours, _theirs: path[-1] == "text" and ours is None
    ),
    "it joins what is said again: roles, formats, channels, whole arguments": (
        lambda _path, ours, theirs: (
            isinstance(ours, str) and isinstance(theirs, str) and ours in theirs
        )
    ),
    "it adds numbers up, or keeps the first: costs, token ids": (
        lambda _path, ours, theirs: (
            isinstance(ours, int | float) and isinstance(theirs, int | float)
        )
    ),
    "it keeps the last of a padding": lambda path, _ours, _theirs: path[-1] == "obfuscation",
}
"""Why the SDK has another value: the path's keys, what streamkit has there, what it has."""


def excused(difference):
    """Whether a difference is the SDK's fault, in one of the ways that are known."""
    return any(excuse(*difference) for excuse in EXCUSES.values())


def test_the_recordings_are_there():
    """Where they are not, that is said."""
    if not SHARED.exists():
        pytest.skip(f"no recordings: {SHARED.name}/ is not beside the checkout")
    assert 131 == len(list(recordings()))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("body", [*recordings()])
async def test_raw_is_what_the_sdk_accumulates(body):
    """Field by field, but for what the SDK loses or garbles."""
    async with FaultProvider(stream=Reply(body), buffered=REFUSED) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            ours = (await client.complete({"model": "m", "messages": []})).raw
        async with httpx2.AsyncClient() as http:
            sdk = openai.AsyncOpenAI(
                base_url=provider.url, api_key="k", http_client=http, max_retries=0
            )
            try:
                async with sdk.chat.completions.stream(model="m", messages=[]) as stream:
                    async for _ in stream:
                        pass
                    whole = await stream.get_final_completion()
            except Exception:  # noqa: BLE001 (what its helper raises is its own)
                whole = None

    if whole is None:
        assert ours["choices"]
    else:
        found = differences(said(ours), said(whole.to_dict(warnings=False)))
        assert [] == [difference for difference in found if not excused(difference)]
