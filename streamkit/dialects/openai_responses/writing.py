"""What the encoder writes: items as far as they were told, and a response around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from ...errors import explain
from ..answer import CallFold
from .items import CALLS
from .parts import LISTS, words_field

__all__ = ["Calling", "Running", "Saying", "Speech", "Written", "base", "error_json"]

_NO_FIELDS: Final = frozenset(
    {
        *("output_index", "item_id", "type", "index", "function", "custom"),
        *("tool_call", "parse_status"),
    }
)
"""What a call's extra says that is no field of an item, or is one in another API's shape."""


@attrs.define(eq=False)
class Speech:
    """One part of an item, as far as it was told."""

    name: str
    """Of the list it stands in."""
    kind: str
    index: int
    pieces: list[str] = attrs.field(factory=list)
    annotations: list[Any] = attrs.field(factory=list)
    closed: bool = False

    def json(self, said: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Write it, with what the provider *said* beside the words."""
        part: dict[str, Any] = {"type": self.kind, words_field(self.kind): "".join(self.pieces)}
        if self.kind == "output_text":
            part["annotations"] = list(self.annotations)
        return part | {k: v for k, v in (said or {}).items() if k != "told"}


@attrs.define(eq=False)
class Written:
    """An item, as far as it was told."""

    index: int
    """Its place in what is written."""
    kind: str
    id: str
    item: dict[str, Any]
    """Its fields; what is told apart left out."""
    closed: bool = attrs.field(default=False, init=False)
    dropped: bool = attrs.field(default=False, init=False)
    """Whether it is no part of the answer after all."""

    def json(self) -> dict[str, Any]:
        """Write it as it is now."""
        return self.item


@attrs.define(eq=False)
class Running(Written):
    """What the provider runs."""


@attrs.define(eq=False)
class Saying(Written):
    """A message, or reasoning."""

    ours: bool = False
    """Whether no provider said it: it is over where something else begins."""
    final: bool = False
    """Whether the provider said it again, whole."""
    over: dict[str, list[dict[str, Any]]] = attrs.field(factory=dict)
    """By list: the parts that were said to be whole before the item was."""
    parts: list[Speech] = attrs.field(factory=list)

    @property
    def speaks(self) -> Speech | None:
        """The part that is being told."""
        return self.parts[-1] if self.parts and not self.parts[-1].closed else None

    def open(self, name: str, kind: str) -> Speech:
        """Begin a part."""
        index = sum(part.name == name for part in self.parts)
        part = Speech(name, kind, index)
        self.parts.append(part)
        return part

    def learn(self, skeleton: dict[str, Any]) -> None:
        """Take what the provider says of it; whose it is stays as it was told."""
        self.item = {**skeleton, "type": self.kind}
        if self.id:
            self.item["id"] = self.id

    def empty(self) -> dict[str, Any]:
        """Write it as it begins."""
        lists = LISTS[self.kind]
        return {k: [] if k in lists and isinstance(v, list) else v for k, v in self.item.items()}

    def json(self) -> dict[str, Any]:
        """Write it with its words."""
        item = dict(self.item)
        for name in LISTS[self.kind]:
            told = [part for part in self.parts if part.name == name]
            said = item.get(name)
            if told or isinstance(said, list):
                item[name] = [self._part(told, part) for part in said or ()]
                item[name] += [part.json() for part in told]
        return item

    def said(self, part: Speech) -> dict[str, Any] | None:
        """Find what the provider said beside a part's words."""
        if self.final:
            said = self.item.get(part.name) or ()
            spoken = [s for s in said if isinstance(s, dict) and "told" in s]
        else:
            spoken = self.over.get(part.name, [])
        place = [p for p in self.parts if p.name == part.name].index(part)
        return spoken[place] if place < len(spoken) else None

    def is_over(self, part: Speech) -> bool:
        """Whether the provider told that a part is whole, and so goes on with another."""
        return not self.final and self.said(part) is not None

    @staticmethod
    def _part(told: list[Speech], said: Any) -> Any:
        """Write a part the provider said; one with words takes the next that was told."""
        if not isinstance(said, dict) or "told" not in said:
            return said
        return told.pop(0).json(said) if told else Speech("", said["type"], 0).json(said)


@attrs.define(eq=False)
class Calling(Written):
    """A call that is the caller's to run."""

    fold: CallFold = attrs.field(factory=CallFold)

    def json(self) -> dict[str, Any]:
        """Write it with its arguments."""
        extra = {k: v for k, v in self.fold.extra.items() if k not in _NO_FIELDS}
        arguments = self.fold.tool_call().arguments
        return self.item | extra | {"call_id": self.item["call_id"], CALLS[self.kind]: arguments}


def base(created: Any) -> dict[str, Any]:
    """Give what a response must have, where the provider's API is another."""
    return {
        "object": "response",
        "created_at": created if isinstance(created, int | float) else 0,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": None,
    }


def error_json(code: str) -> dict[str, Any]:
    """Give the API's error envelope: a *code* and the sentence of ours for it."""
    error = {"message": explain(code), "type": "server_error", "param": None, "code": code}
    return {"error": error}
