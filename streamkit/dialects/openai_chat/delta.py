"""The parts of a delta, or of a message, that come in more than one way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...events import Event, Metadata, ReasoningDelta, TextDelta

__all__ = ["odd_content", "parts_of", "reasoning_of"]


def reasoning_of(delta: dict[str, Any], index: int) -> Iterator[Event]:
    """
    Read the reasoning of a delta, whatever its field; the same text twice is one.

    Its details come right behind it: who tells it again must tell both in one.
    """
    fields = ("reasoning_content", "reasoning")
    text = next((v for k in fields if (v := delta.get(k)) and type(v) is str), None)
    if text:
        same = [k for k in fields if delta.get(k) == text]
        for field in same:
            del delta[field]
        yield ReasoningDelta(text, index, " ".join(same))
    elif type(details := delta.get("reasoning_details")) is list:
        text = "".join(
            d.get("text") or d.get("summary") or "" for d in details if isinstance(d, dict)
        )
        if text:
            yield ReasoningDelta(text, index, "")
    if text and delta.get("reasoning_details"):
        details = {"reasoning_details": delta.pop("reasoning_details")}
        yield Metadata(index, details, message=True)


def parts_of(content: list[Any], index: int) -> Iterator[Event]:
    """Read content that is a list of parts (Mistral's reasoning models)."""
    for part in content:
        if isinstance(part, str):
            yield TextDelta(part, index)
        elif not isinstance(part, dict):
            continue
        elif part.get("type") == "thinking":
            yield from _thinking(part, index)
        elif isinstance(part.get("text"), str):
            if part["text"]:
                yield TextDelta(part["text"], index)
        else:
            yield Metadata(index, {"content_parts": [part]}, message=True)


def _thinking(part: dict[str, Any], index: int) -> Iterator[Event]:
    inner = part.get("thinking")
    pieces = inner if isinstance(inner, list) else [inner]
    texts = (p.get("text") if isinstance(p, dict) else p for p in pieces)
    text = "".join(t for t in texts if isinstance(t, str))
    if text:
        yield ReasoningDelta(text, index)


def odd_content(index: int, message: dict[str, Any]) -> Iterator[Event]:
    """Keep what an accumulated text cannot say: empty beside tool calls, null alone, parts."""
    content = message.get("content")
    usual = None if message.get("tool_calls") or message.get("refusal") else ""
    if not content and "content" in message and content != usual:
        yield Metadata(index, {"content": content}, message=True)
    for field in ("annotations", "tool_calls"):
        if field in message and not message[field]:
            yield Metadata(index, {field: message.pop(field)}, message=True)
