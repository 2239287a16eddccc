"""An accumulated answer as a ``GenerateContentResponse``, and the usage of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...framing import decode
from ...response import Usage
from ..answer import Answer, CallFold, ChoiceFold
from ..usage import count

__all__ = ["call_part", "content_of", "is_header", "usage_json", "usage_of"]


def content_of(answer: Answer) -> dict[str, Any]:
    """Give the ``GenerateContentResponse`` of an accumulated answer."""
    raw: dict[str, Any] = {}
    if answer.choices:
        raw["candidates"] = [_candidate(choice) for choice in answer.ordered()]
    if answer.usage is not None:
        raw["usageMetadata"] = answer.usage
    raw |= {"modelVersion": answer.model} if answer.model else {}
    raw |= {"responseId": answer.id} if answer.id else {}
    return raw | {k: v for k, v in answer.extra.items() if k not in ("id", "model")}


def usage_of(raw: Mapping[str, Any]) -> Usage:
    """
    Read ``usageMetadata``.

    Thoughts are no part of ``candidatesTokenCount``, nor what tools were given
    of ``promptTokenCount``; of output and input they are.
    """
    thoughts = count(raw, "thoughtsTokenCount")
    return Usage(
        input_tokens=_sum(count(raw, "promptTokenCount"), count(raw, "toolUsePromptTokenCount")),
        output_tokens=_sum(count(raw, "candidatesTokenCount"), thoughts),
        total_tokens=count(raw, "totalTokenCount"),
        cached_tokens=count(raw, "cachedContentTokenCount"),
        reasoning_tokens=thoughts,
    )


def usage_json(usage: dict[str, Any], counted: Mapping[str, Any]) -> dict[str, Any]:
    """
    Give a ``usageMetadata`` in the API's words.

    Args:
        usage: the provider's own; told as it is where its words are the API's.
        counted: the fields of the neutral `streamkit.Usage`.
    """
    if any(field.endswith("TokenCount") or field == "trafficType" for field in usage):
        return usage
    output, thoughts = counted["output_tokens"], counted["reasoning_tokens"]
    words = {
        "promptTokenCount": counted["input_tokens"],
        "candidatesTokenCount": output if thoughts is None else max((output or 0) - thoughts, 0),
        "totalTokenCount": counted["total_tokens"],
        "cachedContentTokenCount": counted["cached_tokens"],
        "thoughtsTokenCount": thoughts,
    }
    return {field: number for field, number in words.items() if number is not None}


def is_header(item: Mapping[str, Any]) -> bool:
    """
    Whether an item of a message's ``parts`` is no part, but announces the next text's.

    Its text is null and comes next, as events of their own; it is told apart
    from the text before it, and has the fields of the item.
    """
    return item.get("text", "") is None


def call_part(call: CallFold) -> dict[str, Any]:
    """Give the part of a call; arguments that are not JSON stand in it as text."""
    extra = dict(call.extra)
    inner = extra.pop("functionCall", None)
    body: dict[str, Any] = {"id": call.id} if call.id else {}
    body |= {"name": call.name, "args": _args(call.tool_call().arguments)}
    return {"functionCall": body | (inner if isinstance(inner, dict) else {}), **extra}


def _candidate(choice: ChoiceFold) -> dict[str, Any]:
    message = {k: v for k, v in choice.message.items() if k != "parts"}
    parts = _parts(choice)
    content = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    raw: dict[str, Any] = {"content": content | message}
    if choice.finish_reason is not None:
        raw["finishReason"] = choice.finish_reason
    return raw | {"index": choice.index} | choice.extra


def _parts(choice: ChoiceFold) -> list[dict[str, Any]]:
    """Give the parts in the order they came, each text with the fields announced before it."""
    parts: list[dict[str, Any]] = []
    fields: dict[str, Any] = {}
    for kind, run in choice.runs():
        pieces = slice(run.start, run.stop)
        if kind == "text":
            parts.append({"text": "".join(choice.text[pieces]), **fields})
        elif kind == "reasoning":
            thought = "".join(choice.reasoning[pieces])
            parts.append({"text": thought, "thought": True, **fields})
        elif kind == "calls":
            parts.extend(call_part(call) for call in choice.calls[pieces])
        else:
            fields = _place(choice.message["parts"][pieces], parts)
            continue
        fields = {}
    return parts


def _place(items: list[dict[str, Any]], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Put whole parts in their place; give the fields that the last announces for the next text."""
    fields: dict[str, Any] = {}
    for item in items:
        fields = {k: v for k, v in item.items() if k != "text"} if is_header(item) else {}
        if not is_header(item):
            parts.append(item)
    return fields


def _args(arguments: str) -> Any:
    try:
        return decode(arguments or "{}")
    except ValueError:
        return arguments


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one + (other or 0)
