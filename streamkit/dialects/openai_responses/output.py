"""The items of an answer in their order, and which of them an event is about."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any, cast

import attrs

from ...events import Event, Metadata
from .items import CALLS, Call, Item, Step, Words
from .names import WAITING
from .parts import LISTS, Channel

__all__ = ["Output"]


@attrs.define(eq=False)
class Output:
    """
    The items so far.

    An event is about the item with its item id; where ids change from event
    to event, the one at its output index, if that is of the kind; an item said
    again is found by its call id, too. What names none of these is about the
    last of its kind.

    Source: docs/reference/quirks.md, 107 and 110.
    """

    items: list[Item] = attrs.field(factory=list, init=False)
    channels: dict[str, Channel] = attrs.field(
        factory=lambda: {name: Channel() for name in ("text", "refusal", "reasoning")}, init=False
    )
    _by_id: dict[str, Item] = attrs.field(factory=dict, init=False)
    _by_index: dict[int, Item] = attrs.field(factory=dict, init=False)
    _by_call: dict[str, Item] = attrs.field(factory=dict, init=False)
    _numbers: set[int] = attrs.field(factory=set, init=False)
    _calls: int = attrs.field(default=0, init=False)

    @property
    def called(self) -> bool:
        """Whether there is a call that is the caller's to run."""
        return self._calls > 0

    @property
    def cut(self) -> bool:
        """Whether a call broke off."""
        return any(item.cut for item in self.items)

    @property
    def waiting(self) -> list[str]:
        """The ids of the items that wait for the caller."""
        steps = [item.told for item in self.items if isinstance(item, Step)]
        answered = [s.get("call_id") for s in steps if str(s.get("type")).endswith("_output")]
        return [
            str(step.get("id") or step.get("call_id") or "")
            for step in steps
            if str(step.get("type")) in WAITING
            and not (step.get("call_id") and step["call_id"] in answered)
        ]

    def knows(self, item_id: Any) -> bool:
        """Whether there is an item of that id; one without an id is never strange."""
        return not isinstance(item_id, str) or item_id in self._by_id

    def added(self, item: dict[str, Any], index: Any) -> Iterable[Event]:
        """Take an item that begins; nothing where it did already."""
        return () if self._named(item) is not None else self._open(item, index)[1]

    def done(self, item: dict[str, Any], index: Any) -> Iterator[Event]:
        """Take an item that is whole; one never heard of begins with it."""
        known = self._named(item) or self._placed(item, index)
        if known is None:
            known, events = self._open(item, index)
            yield from events
        self._learn(known, item)
        yield from self._finish(known, item)

    def final(self, output: Any) -> Iterator[Event]:
        """
        Take the *output* of the whole answer.

        An empty one says nothing (ChatGPT's Codex backend): what came before
        counts. Items that another leaves out are no part of the answer.
        """
        output = output if isinstance(output, list) else []
        items = [item for item in output if isinstance(item, dict)]
        named = [self._named(item) for item in items]
        seen = {known.number for known in named if known is not None}
        for index, item in enumerate(items):
            known = named[index] or self._placed(item, index, seen) or self._next(item, seen)
            if known is None:
                known, events = self._open(item, index)
                yield from events
            seen.add(known.number)
            yield from self._finish(known, item)
        for known in self.items:
            if items and known.number not in seen:
                yield Metadata(None, {f"output.{known.number}": {}})
            elif not known.whole:
                yield from known.finish(None)

    def words(self, event: dict[str, Any], kind: str) -> tuple[Words, Iterable[Event]]:
        """Find the message or reasoning an event is about; one never heard of begins here."""
        known = self._about(event, kind)
        if isinstance(known, Words):
            return known, ()
        item, events = self._open(_unheard(event, kind), event.get("output_index"))
        return cast("Words", item), events

    def call(self, event: dict[str, Any], kind: str) -> tuple[Call, Iterable[Event]]:
        """Find the call an event is about; one never heard of begins here."""
        known = self._about(event, kind)
        if isinstance(known, Call):
            return known, ()
        item, events = self._open(_unheard(event, kind), event.get("output_index"))
        return cast("Call", item), events

    def _about(self, event: dict[str, Any], kind: str) -> Item | None:
        """Find the item of that *kind* an event is about."""
        known = self._by_id.get(_key(event.get("item_id")))
        if known is None or known.kind != kind:
            index = event.get("output_index")
            known = self._by_index.get(index) if isinstance(index, int) else self._last(kind)
        return known if known is not None and known.kind == kind else None

    @staticmethod
    def _finish(known: Item, item: dict[str, Any]) -> Iterable[Event]:
        """Tell that an item is whole; what was said already is not read again."""
        said, known.said = known.said, item
        return () if said == item and known.whole else known.finish(item)

    def _named(self, item: dict[str, Any]) -> Item | None:
        """Find the item of that id, or of that call's."""
        for known in (
            self._by_id.get(_key(item.get("id"))),
            self._by_call.get(_key(_call_id(item))),
        ):
            if known is not None and known.kind == str(item.get("type")):
                return known
        return None

    def _placed(self, item: dict[str, Any], index: Any, seen: Container[int] = ()) -> Item | None:
        """Find the item at that index; without one, the last of the kind that is not whole."""
        placed = isinstance(index, int)
        known = self._by_index.get(index) if placed else self._last(item.get("type"))
        fits = known is not None and known.number not in seen and known.may_be(item)
        return known if fits else None

    def _next(self, item: dict[str, Any], seen: Container[int]) -> Item | None:
        """Find the first item that may be it: ids changed, and indexes were no places."""
        unseen = (known for known in self.items if known.number not in seen)
        return next((known for known in unseen if known.may_be(item)), None)

    def _last(self, kind: Any) -> Item | None:
        open_ = (item for item in reversed(self.items) if item.kind == kind and not item.whole)
        return next(open_, None)

    def _open(self, item: dict[str, Any], index: Any) -> tuple[Item, Iterable[Event]]:
        number = self._number(index)
        kind = str(item.get("type"))
        known: Item
        if kind in LISTS:
            known = Words(number, kind, self.channels)
        elif kind in CALLS:
            known = Call(number, kind, self._calls)
            self._calls += 1
        else:
            known = Step(number, kind)
        self.items.append(known)
        self._by_index[index if isinstance(index, int) else number] = known
        self._learn(known, item)
        return known, known.start(item)

    def _learn(self, known: Item, item: dict[str, Any]) -> None:
        """Note what an item is called."""
        if id_ := _key(item.get("id")):
            self._by_id[id_] = known
        if call_id := _key(_call_id(item)):
            self._by_call[call_id] = known

    def _number(self, index: Any) -> int:
        number = index if isinstance(index, int) and index >= 0 else 0
        while number in self._numbers:
            number += 1
        self._numbers.add(number)
        return number


def _unheard(event: dict[str, Any], kind: str) -> dict[str, Any]:
    """Make an item of what an event says of one that never began."""
    item = {"type": kind}
    if id_ := _key(event.get("item_id")):
        item["id"] = id_
    return item | ({"role": "assistant"} if kind == "message" else {})


def _key(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _call_id(item: dict[str, Any]) -> Any:
    """Give the id of a call that is the caller's: a result has its call's."""
    return item.get("call_id") if str(item.get("type")) in CALLS else None
