"""
The official client on the recordings: what it reads is what we read.

It accumulates nothing itself, so its chunks are joined here: texts and
thoughts, calls, the last reason, the last usage. Where it differs:

* pieces of arguments (``partialArgs``) it gives as they came; only the names of
  such calls are compared;
* of an unknown reason it warns, and gives the word; ours is the same word.
"""

import json
import warnings
from pathlib import Path

import pytest
from google.genai import types

from streamkit.replay import replay

from .gemini import buffered, response_of
from .test_gemini_encoder import asked

SHARED = Path(__file__).parents[3] / "shared"
MISSING = f"no recordings: {SHARED.name}/ is not beside the checkout"
RECORDINGS = [
    pytest.param(recording, id=path.stem)
    for path in sorted(SHARED.glob("wire/google*/*.json"))
    if (recording := json.loads(path.read_text("utf-8")))["framing"] in ("sse", "json_array")
    and recording["expect"]["complete"]
]

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
    pytest.mark.skipif(not RECORDINGS, reason=MISSING),
]


def body_of(recording):
    """The bytes; an array as the events it would have been, for the client reads no other."""
    body = (SHARED / "wire" / recording["file"]).read_bytes()
    if recording["framing"] == "sse":
        return body
    return b"".join(b"data: %s\n\n" % json.dumps(one).encode() for one in json.loads(body))


def parts_of(chunks):
    """The parts of the first candidate, and its last reason."""
    seen = [one for chunk in chunks for one in chunk.candidates or () if not one.index]
    reasons = [one.finish_reason for one in seen if one.finish_reason]
    return [p for one in seen if one.content for p in one.content.parts or ()], reasons[-1]


@pytest.mark.parametrize("recording", RECORDINGS)
async def test_the_client_reads_what_we_read(recording):
    """Over real HTTP, from the recorded bytes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* is not a valid")
        chunks, _ = await asked(body_of(recording))
    ours = (await replay(body_of(recording), "gemini")).response
    parts, reason = parts_of(chunks)

    assert ours.text == "".join(p.text for p in parts if p.text and not p.thought)
    assert ours.reasoning == "".join(p.text for p in parts if p.text and p.thought)
    calls = [p.function_call for p in parts if p.function_call and p.function_call.name]
    assert [call.name for call in calls] == [call.name for call in ours.tool_calls]
    for call, mine in zip(calls, ours.tool_calls, strict=True):
        if not call.will_continue:
            assert (call.args or {}) == json.loads(mine.arguments)
    assert reason.value == ours.finish_reason
    usages = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    if usages:
        assert usages[-1].total_token_count == ours.usage.total_tokens


@pytest.mark.parametrize("recording", RECORDINGS)
async def test_our_json_is_an_answer_of_the_api(recording):
    """The client's type takes ``raw`` for one; read as a buffered body it is the same again."""
    ours = (await replay(body_of(recording), "gemini")).response
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* is not a valid")
        answer = types.GenerateContentResponse._from_response(response=ours.raw, kwargs={})
    parts, _ = parts_of([answer])
    assert ours.text == "".join(p.text for p in parts if p.text and not p.thought)
    assert [p.function_call.args for p in parts if p.function_call] == [
        json.loads(call.arguments) for call in ours.tool_calls
    ]
    signed = [p.thought_signature for p in parts if p.thought_signature]
    assert recording["expect"].get("thought_signatures", 0) == len(signed)

    whole = response_of(buffered(ours.raw))
    assert (ours.raw, ours.text, ours.tool_calls) == (whole.raw, whole.text, whole.tool_calls)
