"""The items of an answer, each by its kind: what it tells when it begins, grows and is whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Final

import attrs

from ...errors import MalformedStream, excerpt
from ...events import (
    Event,
    Metadata,
    StepCompleted,
    StepStarted,
    ToolCallDelta,
    ToolCallStarted,
)
from ..arguments import as_text, could_go_on, is_json, same_json, settle
from .parts import CHANNELS, LISTS, TELLERS, Channel, Part, missing, words_field

__all__ = ["CALLS", "Call", "Item", "Step", "Words"]

CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input"}
"""By type of item that is the caller's to run: the field of what it is run with."""
_ACTS: Final = frozenset({"mcp_call"})
"""Items that act outside of the provider."""


@attrs.define(eq=False)
class Item(ABC):
    """One item, as far as it came."""

    number: int
    """Its place in the output."""
    kind: str
    whole: bool = attrs.field(default=False, init=False)
    """Whether its end was told."""
    said: dict[str, Any] | None = attrs.field(default=None, init=False)
    """The whole item, as last said."""

    @abstractmethod
    def start(self, item: dict[str, Any]) -> Iterable[Event]:
        """Tell that it began."""

    @abstractmethod
    def finish(self, item: dict[str, Any] | None) -> Iterable[Event]:
        """
        Tell what was not told yet, and that it is whole; said again, what is new.

        Args:
            item: all of it; None where the provider never said it whole.
        """

    def may_be(self, item: dict[str, Any]) -> bool:
        """Whether *item* may be this one, said again."""
        return self.kind == str(item.get("type"))

    @property
    def cut(self) -> bool:
        """Whether it broke off where nobody may act on it."""
        return False


@attrs.define(eq=False)
class Words(Item):
    """A message, or reasoning."""

    channels: dict[str, Channel]
    _fields: dict[str, Any] = attrs.field(factory=dict, init=False)
    """What was last said beside its parts."""
    _parts: dict[str, dict[int, Part]] = attrs.field(factory=dict, init=False)
    """By list and index."""
    _speaks: tuple[Part, str] | None = attrs.field(default=None, init=False)
    """The part that began to speak last, and where it stands in the item."""
    _told: dict[str, Any] | None = attrs.field(default=None, init=False)
    """How it was last told."""

    def start(self, item: dict[str, Any]) -> Iterable[Event]:
        """Tell what it is, and its words if it has some already."""
        self._note(item)
        yield from self._tell(self._fields | {name: [] for name in self._parts})
        yield from self._settle(item)

    def finish(self, item: dict[str, Any] | None) -> Iterable[Event]:
        """Tell what deltas did not, and all that stands beside the words."""
        if item is not None:
            self._note(item)
            yield from self._settle(item)
        skeleton = self.skeleton()
        if not self.whole or skeleton != self._told:
            self.whole = True
            yield from self._tell(skeleton)

    def part(self, name: str, index: int, kind: str) -> Part:
        """
        Give the part there, opening it if it is new.

        Where another speaks there, of another channel, it is the last of its
        own; where one stands there that says nothing, it takes its place.
        """
        parts = self._parts.setdefault(name, {})
        channel = CHANNELS.get((self.kind, name, kind), "")
        part = parts.get(index)
        if part is not None and part.starts and part.channel != channel:
            index = next((i for i, p in parts.items() if p.channel == channel), max(parts) + 1)
            part = parts.get(index)
        if part is None or part.channel != channel:
            tell = TELLERS.get((channel, name), TELLERS["text", "content"])
            part = parts[index] = Part(kind, channel, tell)
        return part

    def enter(self, name: str, index: int, part: Part) -> Iterator[Event]:
        """Let *part* speak; the one before it is told as whole, for who writes it again."""
        if self._speaks is not None and not part.starts:
            before, place = self._speaks
            self.channels[before.channel].leave()
            yield Metadata(None, {f"output.{self.number}.{place}": before.skeleton()})
        if not part.starts:
            self._speaks = part, f"{name}.{index}"
        self.channels[part.channel].enter(part)

    def say(self, name: str, index: int, part: Part, words: str) -> Iterator[Event]:
        """Tell a piece of *part*, which stands there."""
        yield from self.enter(name, index, part)
        part.pieces.append(words)
        yield part.tell(words)

    def settle_part(
        self, name: str, index: int, said: dict[str, Any], *, whole: bool = True
    ) -> Iterator[Event]:
        """Tell what a part says and deltas did not; a *whole* one says all there is."""
        kind = str(said.get("type") or "output_text")
        part = self.part(name, index, kind)
        if not part.channel:
            part.fields = said
            return
        field = words_field(part.kind)
        part.fields, part.whole = {k: v for k, v in said.items() if k != field}, whole
        for rest in missing(part, said.get(field)):
            yield from self.say(name, index, part, rest)
        annotations = said.get("annotations")
        annotations = annotations if isinstance(annotations, list) else []
        for citation in annotations[len(part.citations) :]:
            if isinstance(citation, dict):
                yield part.cite(citation)

    def skeleton(self) -> dict[str, Any]:
        """Give the item, its told words left out."""
        for channel in self.channels.values():
            channel.leave()
        lists = {
            name: [part.skeleton() for _, part in sorted(parts.items())]
            for name, parts in self._parts.items()
        }
        return self._fields | lists

    def _tell(self, skeleton: dict[str, Any]) -> Iterator[Event]:
        self._told = skeleton
        yield Metadata(None, {f"output.{self.number}": skeleton})

    def _note(self, item: dict[str, Any]) -> None:
        lists = LISTS[self.kind]
        self._fields |= {k: v for k, v in item.items() if k not in lists or v is None}
        for name in lists:
            if isinstance(item.get(name), list):
                self._fields.pop(name, None)
                self._parts.setdefault(name, {})

    def _settle(self, item: dict[str, Any]) -> Iterator[Event]:
        for name in LISTS[self.kind]:
            said = item.get(name)
            said = said if isinstance(said, list) else []
            for index, part in zip(self._indexes(name, len(said)), said, strict=True):
                if isinstance(part, dict):
                    yield from self.settle_part(name, index, part)

    def _indexes(self, name: str, count: int) -> list[int]:
        """Give the indexes that *count* parts had on the way; some begin to count elsewhere."""
        known = sorted(self._parts.get(name, ()))
        if not known or known[-1] < count:
            return list(range(count))
        return [*known, *range(known[-1] + 1, known[-1] + 1 + count)][:count]


@attrs.define(eq=False)
class Call(Item):
    """A function call, or one of a custom tool."""

    call: int
    """Which call of the answer, from 0."""
    pieces: list[str] = attrs.field(factory=list, init=False)
    _id: str = attrs.field(default="", init=False)
    _name: str = attrs.field(default="", init=False)
    _known: dict[str, Any] = attrs.field(factory=dict, init=False)
    """What was told beside id, name and arguments."""
    _given: Any = attrs.field(default=None, init=False)
    """The arguments it began with: all there are, or none of them."""
    _settled: bool = attrs.field(default=False, init=False)
    """Whether its arguments were said whole."""

    WHO: ClassVar[frozenset[str]] = frozenset({"type", "id", "call_id", "name"})
    """What says whose item it is."""

    def start(self, item: dict[str, Any]) -> Iterable[Event]:
        """Tell whom it calls. Arguments said here are said again."""
        self._id, self._name = _text(item.get("call_id")), _text(item.get("name"))
        self._given = item.get(CALLS[self.kind])
        self._known = self._beside(item)
        extra: dict[str, Any] = {"output_index": self.number, **self._known}
        if self.kind == "custom_tool_call":
            extra["type"] = "custom"
        yield ToolCallStarted(self.call, self._id, self._name, 0, extra)

    def grow(self, piece: str) -> Event:
        """Tell a piece of the arguments."""
        self.pieces.append(piece)
        return ToolCallDelta(self.call, piece)

    def settle(self, arguments: Any) -> Iterator[Event]:
        """
        Tell what of the whole *arguments* was not told.

        Raises:
            MalformedStream: what was told is another call.
        """
        self._settled = self._settled or arguments is not None
        final = as_text(arguments)
        told = "".join(self.pieces)
        if final.startswith(told):
            if rest := final[len(told) :]:
                yield self.grow(rest)
        elif final and not self._says(self.pieces, final):
            if not self._says([*self.pieces, final], final):
                raise MalformedStream(
                    f"expected the arguments of a call to end as they began; got {excerpt(told)!r} "
                    f"in pieces and {excerpt(final)!r} in the end; pieces were lost on the way"
                )
            yield self.grow(final)

    def finish(self, item: dict[str, Any] | None) -> Iterable[Event]:
        """Tell the rest of it."""
        if item is None:
            yield from self.settle(None if self.pieces else self._given)
            return
        id_, name = _text(item.get("call_id")), _text(item.get("name"))
        late = {} if self._id else {"id": id_}
        late |= {} if self._name else {"name": name}
        self._id, self._name = self._id or id_, self._name or name
        known = self._beside(item)
        if id_ and id_ != self._id:
            known["call_id"] = id_
        news = {k: v for k, v in known.items() if k not in self._known or self._known[k] != v}
        yield from self.settle(item.get(CALLS[self.kind]))
        if news or any(late.values()):
            self._known |= news
            yield ToolCallDelta(self.call, "", 0, **late, extra=news or None)
        self.whole = True

    def may_be(self, item: dict[str, Any]) -> bool:
        """Whether *item* may be this one, said again: with its call's id, or before its end."""
        id_, name = item.get("call_id"), item.get("name")
        same = not self._id or not id_ or self._id == id_
        return super().may_be(item) and (same or (not self.whole and self._name == name))

    @property
    def cut(self) -> bool:
        """Whether its arguments are the beginning of something."""
        if self.kind == "custom_tool_call":
            return not self._settled
        arguments = settle(self.pieces)
        return bool(arguments.strip()) and not is_json(arguments) and could_go_on(arguments)

    def _says(self, pieces: list[str], final: str) -> bool:
        if self.kind == "custom_tool_call":
            return False
        told = settle(pieces)
        return told == final or (is_json(told) and is_json(final) and same_json(told, final))

    def _beside(self, item: dict[str, Any]) -> dict[str, Any]:
        beside = {k: v for k, v in item.items() if k not in self.WHO and k != CALLS[self.kind]}
        return {"item_id": item["id"], **beside} if "id" in item else beside


@attrs.define(eq=False)
class Step(Item):
    """What the provider runs, or what it says in a way of its own."""

    _id: str = attrs.field(default="", init=False)
    told: dict[str, Any] = attrs.field(factory=dict, init=False)
    """The item, as last told."""

    @property
    def step(self) -> str:
        """What kind of step it is."""
        return "tool_execution" if self.kind in _ACTS else self.kind

    def start(self, item: dict[str, Any]) -> Iterable[Event]:
        """Tell that it began."""
        self._id, self.told = _text(item.get("id")), item
        yield StepStarted(self.step, self._id, 0, self._extra())

    def finish(self, item: dict[str, Any] | None) -> Iterable[Event]:
        """Tell how it ended; where it ended in another way, that."""
        again, self.whole = self.whole, True
        self.told = self.told if item is None else item
        if again:
            yield Metadata(None, {f"output.{self.number}": self.told})
        else:
            yield StepCompleted(self.step, self._id, 0, self._extra())

    def _extra(self) -> dict[str, Any]:
        return {"output_index": self.number, "item": self.told}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
