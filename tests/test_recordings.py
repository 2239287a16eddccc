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
CHUNKS = [
    None,
    7,
    *(pytest.param(size, marks=pytest.mark.interop) for size in (1, 64)),  # they take long
]
"""How large the pieces are that a recording is read in (bytes); None is whole."""
DIALECTS = {
    "anthropic-messages": (49, "usage"),
    "gemini": (39, "usageMetadata"),
    "openai-chat": (141, "usage"),
    "openai-responses": (60, "usage"),
}
"""Those whose recordings are read: how many there are, and what their answers call their usage."""
WHOLE_BUT_FOR_A_BLANK_LINE = {"pydantic-anthropic-model-thinking-part-stream-cut15542": "able in"}
"""What a last frame says that lacks its blank line alone: it is read (quirk 15)."""

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


def outcome_of(recording):
    """The outcome and the error's code."""
    expect, quirks = recording["expect"], recording.get("quirks") or ()
    if expect["complete"] and not expect["error"]:
        return "completed", None
    cut = recording["authenticity"] == "derived"
    if recording["dialect"] == "gemini":  # without a reason: cut, unless the prompt was blocked
        cut = "no_finish_reason" in quirks and "prompt_blocked" not in quirks
    return "failed", "truncated" if cut else "in_band"


def test_the_recordings_are_there():
    """Where they are not, it is said plainly."""
    if not SHARED.exists():
        pytest.skip(MISSING)
    found = Counter(param.values[1]["dialect"] for param in RECORDINGS)
    assert {name: count for name, (count, _) in DIALECTS.items()} == found
    assert len(HOSTILE) == 56


@pytest.mark.skipif(not RECORDINGS, reason=MISSING)
@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize(("path", "recording"), RECORDINGS)
async def test_a_recording_gives_what_is_expected(path, recording, chunk):
    """However its bytes are cut."""
    expect = recording["expect"]
    body = (SHARED / "wire" / recording["file"]).read_bytes()
    content_type = recording["http"]["content_type"] or ""
    dialect = recording["dialect"]
    run = await replay(body, dialect, chunk=chunk, content_type=content_type)
    summary = run.summary(path.name)

    error = summary["error"]
    assert outcome_of(recording) == (
        summary["outcome"],
        error and error["code"],
    )
    text = (expect["text"] or "") + WHOLE_BUT_FOR_A_BLANK_LINE.get(path.stem, "")
    assert text == summary["text"]
    for field in ("refusal", "finish_reason"):
        assert (expect.get(field) or "") == (summary[field] or "")
    if expect.get("reasoning") is not None:
        assert expect["reasoning"] == summary["reasoning"]
    assert calls(called(expect)) == calls(summary["tool_calls"])
    usage = summary["raw"].get(DIALECTS[dialect][1])
    if dialect == "gemini" and usage:  # a field that only an earlier chunk had stands
        usage = {field: usage[field] for field in expect["usage"]}
    assert (expect.get("usage") or None) == (usage or None)


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
