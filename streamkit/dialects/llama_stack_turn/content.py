"""Content and messages: how the wire writes them, and what of them was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...framing import decode, encode

__all__ = [
    "arguments_of",
    "as_dict",
    "as_dicts",
    "call_json",
    "images_of",
    "message_json",
    "missing",
    "text_of",
    "unsaid",
]


def as_dict(value: Any) -> dict[str, Any]:
    """Give *value* where it is an object, an empty one where it is not."""
    return value if isinstance(value, dict) else {}


def as_dicts(value: Any) -> list[dict[str, Any]]:
    """Give the objects of a list; none where *value* is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_of(content: Any) -> str:
    """Give the text of content: a string, an item, or a list of both."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(text_of(item) for item in content)
    text = as_dict(content).get("text")
    return text if isinstance(text, str) else ""


def images_of(content: Any) -> list[dict[str, Any]]:
    """Give the images of content, as items."""
    items = content if isinstance(content, list) else [content]
    return [item for item in as_dicts(items) if item.get("type") == "image"]


def missing(text: str, told: str, everything: str) -> str | None:
    """
    Say what of a whole message's *text* is still to be told.

    Args:
        text: the message's text.
        told: what was told of this message.
        everything: what was told of the turn, *told* included.

    Returns:
        The rest, often nothing; None where *text* is another than was told,
        blanks apart.
    """
    if not told:
        return "" if everything and _ends(everything, text) else text
    if text.startswith(told):
        return text[len(told) :]
    return "" if _ends(everything, text) else None


def _ends(told: str, text: str) -> bool:
    """Whether *text* is the end of what was told, blanks apart."""
    return "".join(told.split()).endswith("".join(text.split()))


def arguments_of(call: Mapping[str, Any]) -> str:
    """Give a call's arguments as text: ``arguments_json`` is what the model wrote."""
    for value in (call.get("arguments_json"), call.get("arguments")):
        if value is not None:
            return value if isinstance(value, str) else encode(value).decode()
    return ""


def call_json(
    id_: str, name: str, arguments: str, extra: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Write a tool call as the reference server does."""
    try:
        value = decode(arguments)
    except ValueError:
        value = None
    return {
        "call_id": id_,
        "tool_name": name,
        "arguments": value if isinstance(value, dict) else arguments,
        "arguments_json": arguments,
        **(extra or {}),
    }


def message_json(text: str, calls: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Write the model's message as the reference server does; why it stopped is not in it."""
    return {"role": "assistant", "content": text, "tool_calls": list(calls)}


def unsaid(sent: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of *sent* that cannot be read off *said*."""
    return {key: value for key, value in sent.items() if key not in said or said[key] != value}
