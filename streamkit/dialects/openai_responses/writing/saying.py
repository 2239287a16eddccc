"""A message, or reasoning, as far as it was told: its parts, and their words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ....framing import Frame, encode_ascii
from ..names import SPEECH
from ..parts import LISTS, words_field
from .item import Written

__all__ = ["Saying", "Speech"]


@attrs.define(eq=False)
class Speech:
    """One part of an item, as far as it was told."""

    name: str
    """Of the list it stands in."""
    kind: str
    index: int
    between: bytes = b""
    """What stands in the event of a piece between its number and the words."""
    pieces: list[str] = attrs.field(factory=list, init=False)
    annotations: list[Any] = attrs.field(factory=list, init=False)
    closed: bool = attrs.field(default=False, init=False)

    def json(self, said: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Write it, with what the provider *said* beside the words."""
        part: dict[str, Any] = {"type": self.kind, words_field(self.kind): "".join(self.pieces)}
        if self.kind == "output_text":
            part["annotations"] = list(self.annotations)
        return part | {k: v for k, v in (said or {}).items() if k != "told"}


@attrs.define(eq=False)
class Saying(Written):
    """A message, or reasoning."""

    ours: bool = False
    """Whether no provider said it: it is over where something else begins."""
    final: bool = attrs.field(default=False, init=False)
    """Whether the provider said it again, whole."""
    over: dict[str, list[dict[str, Any]]] = attrs.field(factory=dict, init=False)
    """By list: the parts that were said to be whole before the item was."""
    parts: list[Speech] = attrs.field(factory=list, init=False)

    @property
    def speaks(self) -> Speech | None:
        """The part that is being told."""
        return self.parts[-1] if self.parts and not self.parts[-1].closed else None

    def learn(self, said: dict[str, Any]) -> None:
        """Take what the provider says of it; whose it is stays as it was told."""
        self.item = {**said, "type": self.kind}
        if self.id:
            self.item["id"] = self.id

    # -- its words

    def room(self, name: str, kind: str) -> Speech | None:
        """Give the part that is being told, where words of that list and kind go on with it."""
        part = self.speaks
        if part is None or (part.name, part.kind) != (name, kind) or self._is_over(part):
            return None
        return part

    def open(self, name: str, kind: str) -> Iterator[Frame]:
        """Tell that a part begins; the one before it is whole."""
        yield from self._fall_silent()
        part = Speech(name, kind, sum(part.name == name for part in self.parts))
        part.between = self._between(part)
        self.parts.append(part)
        empty: dict[str, Any] = {"type": kind, words_field(kind): ""}
        if kind == "output_text":
            empty |= {"annotations": [], "logprobs": []}
        _, event, _ = SPEECH[name, kind]
        yield self._events.event(f"{event}.added", **self._where(part), part=empty)

    def say(self, part: Speech, words: str) -> Frame:
        """Tell a piece of a part."""
        part.pieces.append(words)
        return self._events.piece(part.between, words, SPEECH[part.name, part.kind][0])

    def cite(self, part: Speech, citation: dict[str, Any]) -> Frame:
        """Tell a citation of a part."""
        number = len(part.annotations)
        part.annotations.append(citation)
        return self._events.event(
            "response.output_text.annotation.added",
            **self._where(part),
            annotation_index=number,
            annotation=citation,
        )

    def close(self) -> Iterator[Frame]:
        """Tell that it is whole, and its last part."""
        yield from self._fall_silent()
        yield from super().close()

    def _fall_silent(self) -> Iterator[Frame]:
        """Tell that the part that is being told is whole."""
        if (part := self.speaks) is None:
            return
        part.closed = True
        words, event, _ = SPEECH[part.name, part.kind]
        where = self._where(part)
        whole, field = part.json(self._said(part)), words_field(part.kind)
        done = {field: whole[field]}
        if part.kind == "output_text":
            done["logprobs"] = whole.get("logprobs") or []
        yield self._events.event(f"{words}.done", **where, **done)
        yield self._events.event(f"{event}.done", **where, part=whole)

    def _where(self, part: Speech) -> dict[str, Any]:
        place = SPEECH[part.name, part.kind][2]
        return {"item_id": self.id, "output_index": self.index, place: part.index}

    def _between(self, part: Speech) -> bytes:
        where = self._where(part)
        if part.kind == "output_text":
            where["logprobs"] = []
        return b"," + encode_ascii(where)[1:-1] + b',"delta":'

    # -- as JSON

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
                item[name] = [_part(told, part) for part in said or ()]
                item[name] += [part.json() for part in told]
        return item

    def _said(self, part: Speech) -> dict[str, Any] | None:
        """Find what the provider said beside a part's words."""
        if self.final:
            said = self.item.get(part.name) or ()
            spoken = [s for s in said if isinstance(s, dict) and "told" in s]
        else:
            spoken = self.over.get(part.name, [])
        place = [p for p in self.parts if p.name == part.name].index(part)
        return spoken[place] if place < len(spoken) else None

    def _is_over(self, part: Speech) -> bool:
        """Whether the provider told that a part is whole, and so goes on with another."""
        return not self.final and self._said(part) is not None


def _part(told: list[Speech], said: Any) -> Any:
    """Write a part the provider said; one with words takes the next that was told."""
    if not isinstance(said, dict) or "told" not in said:
        return said
    return told.pop(0).json(said) if told else Speech("", said["type"], 0).json(said)
