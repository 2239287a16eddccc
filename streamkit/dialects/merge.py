"""How provider fields that no event models are folded."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["merge", "overlay"]

_PIECEWISE: Final = frozenset(
    {"arguments", "data", "input", "summary", "text", "thinking", "transcript"}
)
"""String fields that come in pieces when they stand inside an object or a list item."""
_WHOLE: Final = frozenset(
    {
        "groundingChunks",
        "groundingSupports",
        "retrievalQueries",
        "safetyRatings",
        "urlMetadata",
        "webSearchQueries",
    }
)
"""Lists that come whole each time (Gemini's, of a candidate): the last that is not empty counts."""


def overlay(into: dict[str, Any], new: dict[str, Any] | None) -> None:
    """
    Lay *new* over *into*: its last value of each field counts, but never a null.

    For what a provider sends whole each time: usage, ids, search results.
    Objects are laid over field by field: a later one without a field wipes nothing.
    """
    for key, value in (new or {}).items():
        old = into.get(key)
        if type(old) is dict and type(value) is dict:
            into[key] = laid = dict(old)  # the old one is an event's
            overlay(laid, value)
        elif value is not None or key not in into:
            into[key] = value


def merge(into: dict[str, Any], new: dict[str, Any] | None, *, nested: bool = False) -> None:
    """
    Fold *new* into *into*; *new* is not changed, and later not written to.

    A null never replaces a value. Objects are folded field by field, lists
    are extended (items with the same ``index`` and type are one item; a few come
    whole each time), text that comes in pieces is joined, and any other value
    replaces the old one.

    Args:
        into: what came before; changed.
        new: what came now; None adds nothing.
        nested: *new* stands inside an object, where text comes in pieces.

    Source: docs/reference/quirks.md, 34 (usage) and 60 (reasoning details).
    """
    for key, value in (new or {}).items():
        old = into.get(key)
        if old is None:
            into[key] = _own(value)
        elif isinstance(value, dict) and isinstance(old, dict):
            merge(old, value, nested=True)
        elif isinstance(value, list) and isinstance(old, list):
            if key not in _WHOLE:
                _extend(old, value)
            elif value:
                into[key] = _own(value)
        elif nested and key in _PIECEWISE and isinstance(value, str) and isinstance(old, str):
            into[key] = old if key == "arguments" and old == value else old + value
        elif value is not None:
            into[key] = _own(value)


def _extend(old: list[Any], new: list[Any]) -> None:
    for item in new:
        twin = _twin(old, item)
        if twin is None:
            old.append(_own(item))
        else:
            merge(twin, item, nested=True)


def _twin(items: list[Any], item: Any) -> dict[str, Any] | None:
    """Find the item that *item* goes on: the last with its index, if its type is the same."""
    if not isinstance(item, dict) or not isinstance(item.get("index"), int):
        return None
    for other in reversed(items):
        if isinstance(other, dict) and other.get("index") == item["index"]:
            return other if other.get("type") == item.get("type") else None
    return None


def _own(value: Any) -> Any:
    """Copy what a later merge would write to; leave the rest shared."""
    if isinstance(value, dict):
        return {key: _own(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_own(item) for item in value]
    return value
