"""An accumulated answer as a ``response``, and the usage of both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...response import Usage
from ..answer import Answer, CallFold, ChoiceFold
from ..usage import count
from .items import CALLS
from .parts import CHANNELS, LISTS, words_field
from .status import status_of

__all__ = ["PLACE", "response_of", "usage_json", "usage_of"]

PLACE: Final = re.compile(r"output\.(?P<item>\d+)(\.(?P<list>content|summary)\.\d+)?")
"""The key of an item among the answer's fields, or of a part of one."""
_LISTS: Final = ("content", "summary")
_BEHIND: Final = 1 << 20
"""Where calls stand whose place was not told: behind all others."""
_OF_EVENTS: Final = frozenset({"output_index", "item_id", "type"})
"""What a call's extra says in a way of its own."""


def response_of(answer: Answer) -> dict[str, Any]:
    """
    Give the ``response`` of an accumulated answer.

    The words of its items are cut out of what was told, so that what a stage
    changed is changed here, too; where it changed their length, the last part
    takes what is left.
    """
    reason = answer.choice(0).finish_reason
    status, why = ("in_progress", "") if reason is None else status_of(reason)
    raw: dict[str, Any] = {"id": answer.id, "object": "response", "created_at": 0}
    raw |= {"status": status, "model": answer.model}
    raw |= {"incomplete_details": {"reason": why}} if why else {}
    raw |= {k: v for k, v in answer.extra.items() if not PLACE.fullmatch(k)}
    raw["output"] = _output(answer)
    if answer.usage is not None:
        raw["usage"] = answer.usage
    return raw


def usage_of(raw: Mapping[str, Any]) -> Usage:
    """Read ``usage``."""
    return Usage(
        input_tokens=count(raw, "input_tokens"),
        output_tokens=count(raw, "output_tokens"),
        total_tokens=count(raw, "total_tokens"),
        cached_tokens=count(raw.get("input_tokens_details"), "cached_tokens"),
        reasoning_tokens=count(raw.get("output_tokens_details"), "reasoning_tokens"),
    )


def usage_json(usage: dict[str, Any], counted: Mapping[str, Any]) -> dict[str, Any]:
    """
    Give a usage object in the API's words.

    Args:
        usage: the provider's own, in words of another API; they stand beside.
        counted: the fields of the neutral `streamkit.Usage`.
    """
    read, wrote = counted["input_tokens"] or 0, counted["output_tokens"] or 0
    total = counted["total_tokens"]
    return {
        **usage,
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": counted["cached_tokens"] or 0},
        "output_tokens": wrote,
        "output_tokens_details": {"reasoning_tokens": counted["reasoning_tokens"] or 0},
        "total_tokens": read + wrote if total is None else total,
    }


def _output(answer: Answer) -> list[dict[str, Any]]:
    items = dict(_told(answer))
    parts: list[tuple[int, str, dict[str, Any]]] = []
    for key, told in answer.extra.items():
        if (place := PLACE.fullmatch(key)) is None:
            continue
        if place["list"]:
            parts.append((int(place["item"]), place["list"], told))
        else:
            items[int(place["item"])] = told
    output = {number: _own(items[number]) for number in sorted(items) if items[number]}
    _gather(output, parts)
    choice, listed = answer.choice(0), list(output.values())
    for channel, words in (
        ("text", choice.text),
        ("refusal", choice.refusal),
        ("reasoning", choice.reasoning),
    ):
        _spread(channel, "".join(words), listed, choice)
    return listed


def _gather(
    output: dict[int, dict[str, Any]], parts: list[tuple[int, str, dict[str, Any]]]
) -> None:
    """Put parts that were told alone into items that were not told whole."""
    whole = {number for number, item in output.items() if any(map(item.get, _LISTS))}
    for number, name, part in parts:
        if number in output and number not in whole:
            output[number].setdefault(name, []).append(dict(part))


def _told(answer: Answer) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give the items that are steps, or calls, by their place."""
    for step in answer.steps:
        if isinstance(item := step.extra.get("item"), dict):
            yield int(step.extra.get("output_index") or 0), item
    for number, call in enumerate(answer.choice(0).calls):
        yield int(call.extra.get("output_index", _BEHIND + number)), _call(call)


def _call(call: CallFold) -> dict[str, Any]:
    settled, extra = call.tool_call(), call.extra
    kind = "custom_tool_call" if call.custom else "function_call"
    item: dict[str, Any] = {"id": extra["item_id"]} if "item_id" in extra else {}
    item |= {"type": kind, "call_id": settled.id, "name": settled.name}
    item[CALLS[kind]] = settled.arguments
    return item | {k: v for k, v in extra.items() if k not in _OF_EVENTS}


def _spread(channel: str, words: str, output: list[dict[str, Any]], choice: ChoiceFold) -> None:
    """Give the *words* of a channel to the parts they were told in; what is left to the last."""
    parts = sorted(_parts(channel, output), key=lambda part: int(part["told"][1]))
    stop = 0
    last: dict[str, Any] | None = None
    for part in parts:
        start, stop = part.pop("told")
        field = words_field(str(part["type"]))
        if field not in part:
            part[field], last = words[start:stop], part
    if not (rest := words[stop:]):
        return
    if last is not None and (choice.finish_reason is not None or _open(channel, output) is None):
        last[words_field(str(last["type"]))] += rest
    elif not parts or choice.finish_reason is None:
        _append(channel, rest, output, choice)


def _parts(channel: str, output: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Find the parts whose words were told in a channel."""
    for item in output:
        for name in LISTS.get(str(item.get("type")), ()):
            for part in item.get(name) or ():
                told = isinstance(part, dict) and "told" in part
                if told and CHANNELS.get((item["type"], name, part.get("type"))) == channel:
                    yield part


def _open(channel: str, output: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Find the last item that has room for words and has none yet."""
    kind = "reasoning" if channel == "reasoning" else "message"
    fitting = (item for item in reversed(output) if item.get("type") == kind)
    return next((i for i in fitting if not any(i.get(name) for name in LISTS[kind])), None)


def _append(channel: str, words: str, output: list[dict[str, Any]], choice: ChoiceFold) -> None:
    """Make a part of words that are in none: the answer broke off, or a stage said them."""
    item = _open(channel, output)
    if channel == "reasoning":
        if item is None:
            item = {"type": "reasoning", "summary": []}
            output.insert(0, item)
        summary = choice.reasoning_field == "reasoning"
        name, kind = ("summary", "summary_text") if summary else ("content", "reasoning_text")
        item[name] = [{"type": kind, "text": words}]
        return
    item = item or next((i for i in reversed(output) if i.get("type") == "message"), None)
    if item is None:
        item = {"type": "message", "role": "assistant"}
        output.append(item)
    part: dict[str, Any] = {"type": "refusal", "refusal": words}
    if channel == "text":
        part = {"type": "output_text", "text": words, "annotations": list(choice.citations)}
    item["content"] = [*(item.get("content") or ()), part]


def _own(item: dict[str, Any]) -> dict[str, Any]:
    """Copy what is written to: the item, its lists of parts, the parts."""
    own = dict(item)
    for name in LISTS.get(str(item.get("type")), ()):
        if isinstance(parts := item.get(name), list):
            own[name] = [dict(part) if isinstance(part, dict) else part for part in parts]
    return own
