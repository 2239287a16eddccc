"""Which tool call a piece belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from ..events import Event, ToolCallDelta, ToolCallStarted
from .arguments import as_text, could_go_on, is_json, is_object, same_json, settle

__all__ = ["CallTracker"]


@attrs.define(eq=False)
class _Open:
    number: int
    id: str
    name: str
    custom: bool = False
    """Whether its input is any text."""
    arguments: list[str] = attrs.field(factory=list)

    def is_whole(self) -> bool:
        return is_json("".join(self.arguments))

    def broke_off(self, *, finished: bool) -> bool:
        if self.custom or (finished and not self.arguments):
            return False
        text = settle(self.arguments)
        return not is_json(text) and (not finished or (text.strip() != "" and could_go_on(text)))

    def is_other(self, arguments: str) -> bool:
        """Whether *arguments*, whole like its own, say something else."""
        return not same_json("".join(self.arguments), arguments)


@attrs.define(eq=False)
class CallTracker:
    """
    Which tool call of one choice a piece belongs to.

    By its id, else by its index, else it goes on with the call that spoke
    last. A new id at a known index opens a new call, and so does, where a
    whole call stands, a new name, or the same with another whole object. Ids
    and indexes may be missing, null, empty, integers or strings.

    Source: issue 2, point 4; docs/reference/quirks.md, 41 to 50.
    """

    choice: int
    _calls: list[_Open] = attrs.field(factory=list, init=False)
    _by_id: dict[str, _Open] = attrs.field(factory=dict, init=False)
    _by_index: dict[str, _Open] = attrs.field(factory=dict, init=False)
    _last: _Open | None = attrs.field(default=None, init=False)

    def feed(self, piece: dict[str, Any]) -> Iterator[Event]:
        """
        Give the events of one entry of ``tool_calls``.

        Args:
            piece: ``{index, id, type, function: {name, arguments}}``, any of
                them missing or null; not changed.
        """
        kind, body, extra = _split(piece)
        id_, index, name = _key(piece.get("id")), _key(piece.get("index")), _text(body.get("name"))
        arguments = as_text(body.get("input" if kind == "custom" else "arguments"))
        call = self._find(id_, index, name, arguments)
        if call is None:
            call = self._open(id_, name, custom=(extra or {}).get("type") == "custom")
            yield ToolCallStarted(call.number, id_, name, self.choice, extra)
            late_id = more_name = ""
            extra = None
        else:
            late_id = id_ if not call.id else ""
            more_name = _growth(call.name, name)
        self._note(call, id_ or call.id, index, call.name + more_name)
        if arguments:
            call.arguments.append(arguments)
        if arguments or late_id or more_name or extra:
            yield ToolCallDelta(call.number, arguments, self.choice, late_id, more_name, extra)

    def cut(self, *, finished: bool) -> bool:
        """
        Whether a call's arguments broke off.

        Args:
            finished: the choice has its finish reason. Then a call without
                any arguments is one that takes none, and what is no JSON but
                no beginning of any either is the model's own mistake.
        """
        return any(call.broke_off(finished=finished) for call in self._calls)

    def _find(self, id_: str, index: str, name: str, arguments: str) -> _Open | None:
        if id_ in self._by_id:
            return self._by_id[id_]
        call = self._by_index.get(index) if index else self._last
        if call is None or (id_ and call.id) or (id_ and not index and self._calls):
            return None
        return None if _starts_anew(call, name, arguments) else call

    def _open(self, id_: str, name: str, *, custom: bool) -> _Open:
        call = _Open(len(self._calls), id_, name, custom)
        self._calls.append(call)
        return call

    def _note(self, call: _Open, id_: str, index: str, name: str) -> None:
        call.id, call.name, self._last = id_, name, call
        if id_:
            self._by_id[id_] = call
        if index:
            self._by_index[index] = call


def _split(piece: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any] | None]:
    """Take apart the kind of call, its body, and every field not modelled."""
    kind = "custom" if isinstance(piece.get("custom"), dict) else "function"
    body = piece.get(kind)
    body = body if isinstance(body, dict) else {}
    extra = {k: v for k, v in piece.items() if k not in ("index", "id", "type", kind)}
    known = ("name", "input" if kind == "custom" else "arguments")
    inner = {k: v for k, v in body.items() if k not in known}
    if inner:
        extra[kind] = inner
    if kind == "custom" or piece.get("type") not in (None, "", "function"):
        extra["type"] = piece.get("type") or kind
    return kind, body, extra or None


def _starts_anew(call: _Open, name: str, arguments: str) -> bool:
    if not (name and call.name):
        return False
    if name == call.name:
        return is_object(arguments) and call.is_whole() and call.is_other(arguments)
    return _growth(call.name, name) == name and call.is_whole()


def _growth(old: str, new: str) -> str:
    """Give what *new* adds to the name *old*: a repeat nothing, an extension its tail."""
    return new.removeprefix(old)


def _key(value: Any) -> str:
    return "" if value is None else str(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
