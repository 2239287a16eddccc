"""The items in the order they were told, and which of them speaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from ....framing import Frame
from ..parts import LISTS
from .envelope import Envelope
from .item import Running, Written
from .numbered import Numbered
from .saying import Saying, Speech

__all__ = ["Told"]


@attrs.define(eq=False)
class Told:
    """The items so far."""

    _events: Numbered
    _envelope: Envelope
    text: Speech | None = attrs.field(default=None, init=False)
    """The text that is being told: nothing but a piece of it may be next."""
    _items: list[Written] = attrs.field(factory=list, init=False)
    _by_place: dict[int, Written] = attrs.field(factory=dict, init=False)
    """Items by the provider's place for them."""
    _citations: list[dict[str, Any]] = attrs.field(factory=list, init=False)
    """Citations of text that is still to come."""

    def add(self, item: Written, place: Any = None) -> Iterator[Frame]:
        """Tell that an item begins; what is over by that ends first."""
        if isinstance(place, int):
            self._by_place[place] = item
        yield from self._envelope.begin()
        self.text = None
        for other in self._items:
            if isinstance(other, Saying) and (other.ours or other.final):
                yield from other.close()
        self._items.append(item)
        yield item.begin(len(self._items) - 1)

    def close(self) -> Iterator[Frame]:
        """Tell that all are whole."""
        for item in self._items:
            yield from item.close()

    def output(self) -> list[dict[str, Any]]:
        """Give the items that are the answer's."""
        return [item.json() for item in self._items if not item.dropped]

    # -- what the provider says of them

    def learn(self, place: int, skeleton: dict[str, Any]) -> Iterator[Frame]:
        """Take what the provider says of an item as a whole."""
        known, kind = self._by_place.get(place), str(skeleton.get("type"))
        if not skeleton:
            if known is not None:
                known.dropped = True
        elif known is not None and known.kind == kind:
            known.learn(skeleton)
            if isinstance(known, Saying):
                known.final, self.text = True, None
        elif kind in LISTS:
            id_ = skeleton.get("id")
            item = Saying(self._events, kind, id_ if isinstance(id_, str) else "", {})
            item.learn(skeleton)
            yield from self.add(item, place)

    def learn_part(self, place: int, name: str, skeleton: dict[str, Any]) -> None:
        """Take a part that is whole, though its item is not."""
        item = self._by_place.get(place)
        if isinstance(item, Saying):
            item.over.setdefault(name, []).append(skeleton)
            self.text = None

    def run(self, place: int, said: dict[str, Any], *, whole: bool) -> Iterator[Frame]:
        """Take what the provider says of an item that it runs."""
        item = self._by_place.get(place)
        if not isinstance(item, Running) or item.closed:
            id_ = str(said.get("id") or "")
            item = Running(self._events, str(said.get("type")), id_, said)
            yield from self.add(item, place)
        item.learn(said)
        if whole:
            yield from item.close()

    def pass_on(self, data: dict[str, Any]) -> Iterator[Frame]:
        """Tell what an item that the provider runs says of itself on the way."""
        item, kind = self._by_place.get(data.get("output_index", -1)), data.get("type")
        if isinstance(item, Running) and not item.closed and isinstance(kind, str):
            fields = {k: v for k, v in data.items() if k not in ("type", "sequence_number")}
            yield self._events.event(kind, **{**fields, "output_index": item.index})

    # -- words

    def say(self, item_kind: str, name: str, kind: str, words: str) -> Iterator[Frame]:
        """Tell a piece of words, in an item and a part that have room for it."""
        if not words:
            return
        item = self._speaker(item_kind)
        if item is None:
            item = self._ours(item_kind)
            yield from self.add(item)
        part = item.room(name, kind)
        if part is None:
            yield from item.open(name, kind)
            part = item.parts[-1]
            if kind == "output_text":
                held, self._citations = self._citations, []
                for citation in held:
                    yield item.cite(part, citation)
        self.text = part if kind == "output_text" else None
        yield item.say(part, words)

    def cite(self, citation: dict[str, Any]) -> Iterator[Frame]:
        """Tell a citation of the text that is being told, or of the next."""
        own, item = _flat(citation), self._speaker("message")
        part = None if item is None else item.speaks
        if item is None or part is None or part.kind != "output_text":
            self._citations.append(own)
        else:
            yield item.cite(part, own)

    def retract(self, channel: str) -> None:
        """Forget what is in no answer: steps that another attempt took, citations."""
        for item in self._items:
            if channel == "steps" and isinstance(item, Running):
                item.dropped = True
            elif channel == "citations" and isinstance(item, Saying):
                for part in item.parts:
                    part.annotations.clear()
        if channel == "citations":
            self._citations.clear()

    def _speaker(self, kind: str) -> Saying | None:
        """Find the item of that kind that is being told."""
        for item in reversed(self._items):
            if isinstance(item, Saying) and item.kind == kind and not item.closed:
                return item
        return None

    def _ours(self, kind: str) -> Saying:
        id_ = self._envelope.id_for(kind, len(self._items))
        item: dict[str, Any] = {"id": id_, "type": kind, "status": "completed"}
        if kind == "message":
            item |= {"role": "assistant", "content": []}
        else:
            item |= {"summary": []}
        return Saying(self._events, kind, id_, item, ours=True)


def _flat(citation: dict[str, Any]) -> dict[str, Any]:
    """Give a citation in the API's shape: the chat API's stands one level deeper."""
    inner = citation.get(str(citation.get("type")))
    return {"type": citation["type"], **inner} if isinstance(inner, dict) else citation
