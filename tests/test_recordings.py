"""
Recorded traffic of real providers, and hostile streams, give exactly what is expected.

Both are read from ``../shared`` beside the checkout, where it is there; the
project's own suite is complete without them.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from streamkit.replay import replay

pytestmark = pytest.mark.anyio

SHARED = Path(__file__).parent.parent.parent / "shared"
MISSING = f"no recordings: {SHARED.name}/ is not beside the checkout"
CHUNKS = [None, 1, 7, 64]

DIALECTS = {
    "openai-chat": 141,
    "openai-responses": 60,
}
"""The dialects that are read, and how many recordings there are of each."""

RECORDINGS = [
    pytest.param(path, expected, id=path.stem)
    for path in sorted(SHARED.glob("wire/*/*.json"))
    if (expected := json.loads(path.read_text("utf-8")))["dialect"] in DIALECTS
]
HOSTILE = [
    pytest.param(case, id=case["name"])
    for path in SHARED.glob("hostile/openai-chat.json")
    for case in json.loads(path.read_text("utf-8"))["cases"]
]


@pytest.fixture
def anyio_backend():
    """One backend: nothing here waits."""
    return "asyncio"


def as_value(arguments):
    """Arguments as JSON where they are, as text otherwise."""
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def calls(listed):
    """Tool calls, comparable."""
    return [(call.get("id") or "", call["name"], as_value(call["arguments"])) for call in listed]


def called(expect):
    """All calls: those of custom tools are listed apart, and have an input for arguments."""
    custom = expect.get("custom_tool_calls") or ()
    return [*expect["tool_calls"], *({**call, "arguments": call["input"]} for call in custom)]


def outcome_of(expect, framing, authenticity):
    """The outcome and the error's code."""
    if expect["complete"] and not expect["error"]:
        return "completed", None
    return "failed", "truncated" if authenticity == "derived" else "in_band"


def test_the_recordings_are_there():
    """Where they are not, it is said plainly."""
    if not SHARED.exists():
        pytest.skip(MISSING)
    assert DIALECTS == Counter(recording.values[1]["dialect"] for recording in RECORDINGS)
    assert 56 == len(HOSTILE)


@pytest.mark.skipif(not RECORDINGS, reason=MISSING)
@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize(("path", "recording"), RECORDINGS)
async def test_a_recording_gives_what_is_expected(path, recording, chunk):
    """However its bytes are cut."""
    expect = recording["expect"]
    body = (SHARED / "wire" / recording["file"]).read_bytes()
    content_type = recording["http"]["content_type"] or ""
    replayed = await replay(body, recording["dialect"], chunk=chunk, content_type=content_type)
    summary = replayed.summary(path.name)

    error = summary["error"]
    assert outcome_of(expect, recording["framing"], recording["authenticity"]) == (
        summary["outcome"],
        error and error["code"],
    )
    for field in ("text", "refusal", "finish_reason"):
        assert (expect.get(field) or "") == (summary[field] or "")
    if expect.get("reasoning") is not None:
        assert expect["reasoning"] == summary["reasoning"]
    assert calls(called(expect)) == calls(summary["tool_calls"])
    assert (expect.get("usage") or None) == (summary["raw"].get("usage") or None)


@pytest.mark.skipif(not HOSTILE, reason=MISSING)
@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("case", HOSTILE)
async def test_a_hostile_stream_gives_what_is_expected(case, chunk):
    """The right answer where the stream holds one, an honest error where it does not."""
    body = "".join(case["chunks"]).encode("latin-1")
    summary = (await replay(body, "openai-chat", chunk=chunk)).summary(case["name"])

    assert ("failed" if case["must_fail"] else "completed") == summary["outcome"]
    assert case.get("code") == (summary["error"] or {}).get("code")
    assert case["text"] == summary["text"]
    assert [(c["name"], c["arguments"]) for c in case["tool_calls"]] == [
        (c["name"], c["arguments"]) for c in summary["tool_calls"]
    ]
