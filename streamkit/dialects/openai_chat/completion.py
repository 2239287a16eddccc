"""An accumulated answer as a ``chat.completion``, and the usage of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...response import Usage
from ..answer import Answer, CallFold, ChoiceFold
from ..usage import count

__all__ = ["completion_of", "usage_json", "usage_of"]

_COUNTS: Final = frozenset({"prompt_tokens", "completion_tokens", "total_tokens"})


def completion_of(answer: Answer) -> dict[str, Any]:
    """Give the ``chat.completion`` of an accumulated answer."""
    raw: dict[str, Any] = {
        "id": answer.id,
        "object": "chat.completion",
        "created": 0,
        "model": answer.model,
        "choices": [_choice(choice) for choice in answer.ordered()],
    }
    raw |= {k: v for k, v in answer.extra.items() if k not in ("id", "model", "object")}
    raw["created"] = raw["created"] or 0
    if answer.usage is not None:
        raw["usage"] = answer.usage
    return raw


def usage_of(raw: Mapping[str, Any]) -> Usage:
    """Read ``usage``, the details of Chat Completions and of its imitators."""
    return Usage(
        input_tokens=count(raw, "prompt_tokens"),
        output_tokens=count(raw, "completion_tokens"),
        total_tokens=count(raw, "total_tokens"),
        cached_tokens=count(raw.get("prompt_tokens_details"), "cached_tokens"),
        reasoning_tokens=count(raw.get("completion_tokens_details"), "reasoning_tokens"),
    )


def usage_json(usage: dict[str, Any], counted: Mapping[str, Any]) -> dict[str, Any]:
    """
    Give a usage object in the API's words.

    Args:
        usage: the provider's own; where its words are others they stand beside.
        counted: the fields of the neutral `streamkit.Usage`.
    """
    if usage.keys() & _COUNTS and "input_tokens" not in usage:  # the Responses API has a total, too
        return usage
    prompt, output = counted["input_tokens"] or 0, counted["output_tokens"] or 0
    total = counted["total_tokens"]
    words: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output if total is None else total,
    }
    if (cached := counted["cached_tokens"]) is not None:
        words["prompt_tokens_details"] = {"cached_tokens": cached}
    if (reasoning := counted["reasoning_tokens"]) is not None:
        words["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return words | usage


def _choice(choice: ChoiceFold) -> dict[str, Any]:
    """Give one choice of a ``chat.completion``."""
    text = "".join(choice.text)
    extra = dict(choice.message)
    content = text or extra.pop("content", None if choice.calls or choice.refusal else "")
    extra.pop("content", None)
    message: dict[str, Any] = {"role": "assistant", "content": content, **extra}
    if choice.refusal:
        message["refusal"] = "".join(choice.refusal)
    for field in choice.reasoning_field.split():
        message[field] = "".join(choice.reasoning)
    if choice.calls:
        message["tool_calls"] = [_tool_call(call) for call in choice.calls]
    if choice.citations:
        message["annotations"] = choice.citations
    raw = {"index": choice.index, "message": message, **choice.extra}
    raw["finish_reason"] = choice.finish_reason
    return raw


def _tool_call(call: CallFold) -> dict[str, Any]:
    settled, extra = call.tool_call(), dict(call.extra)
    kind = str(extra.get("type", "function"))
    field = "arguments" if kind != "custom" else "input"
    body_key = kind if kind == "custom" else "function"
    body = {"name": settled.name, field: settled.arguments, **extra.pop(body_key, {})}
    return {"id": settled.id, "type": kind, body_key: body, **extra}
