"""
What the official client accumulates, and what we do, is the same message.

Its own parser reads the bytes, its own helpers accumulate them. The helper of
the beta API is the one compared: it knows every block and every field that
the recordings have. Where the two differ, the reason stands beside it.
"""

import json
from pathlib import Path

import anthropic
import httpx2
import pytest
from anthropic._streaming import Stream
from anthropic._types import not_given
from anthropic.lib.streaming import BetaMessageStream, MessageStream
from anthropic.types import RawMessageStreamEvent
from anthropic.types.beta import BetaRawMessageStreamEvent

from streamkit.replay import replay

from .messages import (
    STOP,
    TEXT,
    THINKING,
    begin,
    called,
    delta,
    end,
    finish,
    said,
    start,
    text,
    think,
    tool,
)

SHARED = Path(__file__).parent.parent.parent.parent / "shared"
MISSING = f"no recordings: {SHARED.name}/ is not beside the checkout"
RECORDINGS = {
    path.stem: recording
    for path in sorted(SHARED.glob("wire/*/*.json"))
    if (recording := json.loads(path.read_text("utf-8")))["dialect"] == "anthropic-messages"
    and recording["framing"] == "sse"
}

UNREAD = {
    # The SDK's fault: its parser takes a character that the connection cut for its own error.
    "anthropicsdk-testsyncruntools-771c64ff-i1-cut1141": UnicodeDecodeError,
    # The SDK's fault: a gateway's [DONE] behind message_stop is no JSON to it.
    "rig-streaming-gateway-message-delta-metadata": json.JSONDecodeError,
}
"""Recordings that the SDK cannot read."""

# By recording and field: what of a difference is whose, and why.
DIFFERENT = {
    # The SDK's guess: it ends the text of a call that max_tokens cut, and parses that. What is
    # no JSON stays as it was sent: nobody may act on the call.
    "anthropicsdk-incomplete-partial-json-response": "content",
    # The SDK's fault: the last frame, which lacks its blank line alone, is lost on it.
    "pydantic-anthropic-model-thinking-part-stream-cut15542": "content",
}

PLAIN_ALONE = {
    # Fields and blocks of the beta API, which the plain helper does not accumulate.
    "anthropicsdk-compaction-response": "content",
    "anthropicsdk-fallback-credit-response": "usage",
    "anthropicsdk-fallback-response": "model",
    "pydantic-anthropic-mcp-servers-stream": "content",
    "vercel-anthropic-clear-thinking-1": "context_management",
    "vercel-anthropic-clear-tool-uses-1": "context_management",
}
"""Where the plain helper loses what the beta API's keeps."""


def accumulated(body, helper):
    """What the SDK makes of these bytes."""
    kinds = {MessageStream: RawMessageStreamEvent, BetaMessageStream: BetaRawMessageStreamEvent}
    response = httpx2.Response(200, content=body, request=httpx2.Request("POST", "http://sdk"))
    with anthropic.Anthropic(api_key="k") as client:
        stream = Stream(cast_to=kinds[helper], response=response, client=client)
        message = helper(stream, output_format=not_given).get_final_message()
    return message.to_dict(mode="json", warnings=False)


async def differing(body, helper):
    """The fields in which the SDK's message and ours differ."""
    ours = (await replay(body, "anthropic-messages")).summary("")["raw"]
    theirs = accumulated(body, helper)
    if "stop_details" not in ours:  # the SDK's: it writes null where the provider wrote nothing
        assert theirs.pop("stop_details", None) is None
    return {key for key in ours.keys() | theirs.keys() if ours.get(key, "") != theirs.get(key, "")}


@pytest.fixture
def anyio_backend():
    """One backend: nothing here waits."""
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.skipif(not RECORDINGS, reason=MISSING)
@pytest.mark.parametrize("name", sorted(RECORDINGS.keys() - UNREAD.keys()))
@pytest.mark.parametrize("helper", [BetaMessageStream, MessageStream])
async def test_a_recording_adds_up_to_the_same_message(name, helper):
    """Every block and every field, but for what is listed above."""
    expected = {DIFFERENT.get(name)}
    if helper is MessageStream:
        expected.add(PLAIN_ALONE.get(name))
    body = (SHARED / "wire" / RECORDINGS[name]["file"]).read_bytes()
    assert expected - {None} == await differing(body, helper)


@pytest.mark.skipif(not RECORDINGS, reason=MISSING)
@pytest.mark.parametrize("name", UNREAD)
def test_some_recordings_cannot_be_read_by_the_sdk(name):
    """We read them: `tests/test_recordings.py` has what they give."""
    body = (SHARED / "wire" / RECORDINGS[name]["file"]).read_bytes()
    with pytest.raises(UNREAD[name]):
        accumulated(body, BetaMessageStream)


STREAMS = {
    "text": [start(), *said("Hel", "lo"), finish(), STOP],
    "no content": [start(), finish(), STOP],
    "a refusal": [start(), *said("I"), finish("refusal"), STOP],
    "blocks of every kind": [
        start(stop_details=None, container=None),
        begin(THINKING),
        think("hm"),
        delta("signature_delta", signature="c2ln"),
        end(),
        begin({"type": "redacted_thinking", "data": "AAEC"}, 1),
        end(1),
        begin({**TEXT, "citations": None}, 2),
        text("It is.", 2),
        delta("citations_delta", 2, citation={"type": "char_location", "cited_text": "x"}),
        end(2),
        *called('{"query": "x"}', index=3, name="web_search", id_="s", kind="server_tool_use"),
        begin({"type": "web_search_tool_result", "tool_use_id": "s", "content": []}, 4),
        end(4),
        *called("", index=5),
        finish("tool_use"),
        STOP,
    ],
    "all at the start": [
        start(content=[tool(input={"a": 1})], stop_reason="tool_use"),
        STOP,
    ],
    "a second start": [start(), start(), *said("a"), finish(), STOP],
    "usage laid over": [
        start(usage={"input_tokens": 5, "output_tokens": 1, "service_tier": "standard"}),
        *said("a"),
        finish(usage={"input_tokens": None, "output_tokens": 7, "server_tool_use": {"n": 1}}),
        STOP,
    ],
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_adds_up_to_the_same_message(name):
    """Whatever it holds; these need no recordings."""
    body = "".join(
        f"event: {value['type']}\ndata: {json.dumps(value)}\n\n" for value in STREAMS[name]
    )
    assert set() == await differing(body.encode(), BetaMessageStream)
