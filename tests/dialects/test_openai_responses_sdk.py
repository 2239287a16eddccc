"""
What the official client makes of a stream is what we make of it.

Recorded streams are read from ``../shared`` beside the checkout, where it is
there. Each difference is listed, with whose it is.
"""

import json
from pathlib import Path

import openai
import pytest

from streamkit.replay import replay
from streamkit.testing import FaultProvider, Reply

from .responses import body, call, completed, created, custom, done, message, reasoning, said

pytestmark = [
    pytest.mark.anyio,
    # The client warns of its own types: it copies items that these do not know.
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
]

SHARED = Path(__file__).parent.parent.parent.parent / "shared"
MISSING = f"no recordings: {SHARED.name}/ is not beside the checkout"
REQUEST = {"model": "m-1", "input": "hello"}

RECORDINGS = [
    pytest.param(SHARED / "wire" / recording["file"], id=path.stem)
    for path in sorted(SHARED.glob("wire/*/*.json"))
    if (recording := json.loads(path.read_text("utf-8")))["dialect"] == "openai-responses"
]

UNREADABLE = {
    # the parts of the message begin to count at 1; the client takes that for a place
    "rubyllm-providers-bedrock-mantle-responses-chat-streams-through-the-responses-surface": (
        IndexError,
        "list index",
    ),
    # the response's id is another in each event; the client has it for another response
    "rig-reasoning-roundtrip-streaming-i1": (RuntimeError, "identity changed"),
    # an error, which is the answer's end for both
    "prism-stream-rate-limited-1": (openai.APIError, "Request too large"),
    # cut on purpose: no end for both
    "reqllm-o1-object-streaming-cut3338": (RuntimeError, "response.completed"),
    "reqllm-o3-pro-object-streaming-cut3876": (RuntimeError, "response.completed"),
}
"""What the client cannot read, and what it raises."""

EMPTY = {
    "rig-codex-sessions-long-history-replay-nonstreaming",
    "rig-codex-sessions-parallel-tool-calls-single-turn-nonstreaming",
    "rig-codex-sessions-reasoning-session-two-tool-calls-streaming-i0",
    "rig-codex-sessions-reasoning-session-two-tool-calls-streaming-i1",
}
"""Streams whose last event has an empty output: the client forgets every item it was told."""


@pytest.fixture
def anyio_backend():
    """One backend: the client's own tests have the others."""
    return "asyncio"


async def accumulated(stream):
    """What the client's helper accumulates of these bytes, as JSON."""
    async with FaultProvider(stream=Reply(stream)) as provider:
        async with openai.AsyncOpenAI(base_url=provider.url, api_key="k", max_retries=0) as client:
            async with client.responses.stream(**REQUEST) as events:
                response = await events.get_final_response()
    return as_json(response)


def as_json(response):
    """A response as it was sent: without what the client parsed beside it."""
    raw = response.model_dump(mode="json", exclude_unset=True, warnings=False)
    raw.pop("parsed", None)
    for item in raw["output"]:
        item.pop("parsed_arguments", None)
        for part in item.get("content") or ():
            part.pop("parsed", None)
    return raw


@pytest.mark.skipif(not RECORDINGS, reason=MISSING)
@pytest.mark.parametrize("path", RECORDINGS)
async def test_a_recording_is_the_same_to_both(path):
    """Field by field, but for what is listed above."""
    ours = (await replay(path.read_bytes(), "openai-responses")).response.raw
    if (unreadable := UNREADABLE.get(path.stem)) is not None:
        with pytest.raises(unreadable[0], match=unreadable[1]):
            await accumulated(path.read_bytes())
        return
    theirs = await accumulated(path.read_bytes())
    if path.stem in EMPTY:
        assert (False, []) == (ours["output"] == [], theirs["output"])
        ours = {**ours, "output": []}
    assert theirs == ours


async def test_a_stream_of_everything_is_the_same_to_both():
    """Text, reasoning, calls, without a recording."""
    output = [reasoning("Sum"), message("Hello", id_="msg_2"), call("{}"), custom("x = {")]
    stream = [created(), done(output[0]), *said("Hel", "lo", index=1, id_="msg_2")]
    stream += [done(output[2], 2), done(output[3], 3), completed(*output)]
    data = "".join(f"data: {json.dumps(each)}\n\n" for each in stream).encode()
    ours = (await replay(data, "openai-responses")).response.raw
    assert body(*output) == ours == await accumulated(data)
