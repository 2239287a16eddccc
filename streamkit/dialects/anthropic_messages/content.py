"""The content blocks of one stream, as they are told."""

from __future__ import annotations

from typing import Any, Final

import attrs

from ...events import Citation, Event, ToolCallStarted, ToolResult
from .blocks import Block, Call, block_of, is_call, is_result, mark

__all__ = ["Content"]

_SPEAKS: Final = {
    "text_delta": "text",
    "citations_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
}
"""By type of a delta: the block it belongs to, where the block's start is missing."""


@attrs.define(eq=False)
class Content:
    """The blocks that began so far, and the calls among them."""

    known: dict[int, Block] = attrs.field(factory=dict, init=False)
    """By index in the stream."""
    last: Block | None = attrs.field(default=None, init=False)
    """The block that spoke last."""
    asked: list[Call] = attrs.field(factory=list, init=False)
    """The calls that are the caller's to make."""
    names: list[str] = attrs.field(factory=list, init=False)
    """The tools of all calls, by the call's number."""
    _ids: dict[str, int] = attrs.field(factory=dict, init=False)
    """The numbers of calls, by their ids."""
    _count: int = attrs.field(default=0, init=False)
    """Blocks so far (a count)."""

    def begin(self, index: Any, fields: dict[str, Any], out: list[Event]) -> Block:
        """Tell that a block begins, and what its start says."""
        kind = str(fields.get("type") or "")
        rest = {**fields, "type": kind}
        wire = index if type(index) is int else self._count
        if wire in self.known:
            out.extend(self.known[wire].close())
        tell = self._call if is_call(kind) else self._result if is_result(kind) else self._other
        block = tell(kind, rest, out)
        block.wire, self._count = wire, self._count + 1
        self.known[wire] = self.last = block
        return block

    def find(self, index: Any, delta: dict[str, Any], out: list[Event]) -> Block:
        """Find the block that a delta is of, and tell where it is not the one before."""
        block = self.known.get(index) if type(index) is int else self.last
        if block is None:
            kind = _SPEAKS.get(str(delta.get("type")), "")
            return self.begin(index, {"type": kind}, out)
        if block is not self.last:
            self.last = block
            out.append(mark(block.number, {}))
        return block

    def close(self, out: list[Event]) -> None:
        """End the blocks whose end was not told."""
        for block in self.known.values():
            out.extend(block.close())

    def _call(self, kind: str, rest: dict[str, Any], out: list[Event]) -> Block:
        id_, name = (str(rest.pop(key, None) or "") for key in ("id", "name"))
        call = Call(self._count, kind, call=len(self.names), given=rest.pop("input", None))
        del rest["type"]
        out.append(mark(call.number, {"type": kind}))
        self._start(id_, name, rest, out, hosted=kind != "tool_use")
        if kind == "tool_use":
            self.asked.append(call)
        return call

    def _start(
        self, id_: str, name: str, extra: dict[str, Any], out: list[Event], *, hosted: bool
    ) -> int:
        number = self._ids[id_] = len(self.names)
        self.names.append(name)
        out.append(ToolCallStarted(number, id_, name, extra=extra or None, hosted=hosted))
        return number

    def _result(self, kind: str, rest: dict[str, Any], out: list[Event]) -> Block:
        """Tell a result; the call it is of may stand in an answer before this one."""
        id_, content = str(rest.pop("tool_use_id", None) or ""), rest.pop("content", None)
        del rest["type"]
        out.append(mark(self._count, {"type": kind}))
        number = self._ids.get(id_)
        if number is None:
            number = self._start(id_, "", {}, out, hosted=True)
        name = self.names[number]
        out.append(ToolResult(number, content, id=id_, name=name, extra=rest or None))
        return Block(self._count, kind)

    def _other(self, kind: str, rest: dict[str, Any], out: list[Event]) -> Block:
        block = block_of(self._count, kind)
        text = rest.pop(block.field, None)
        citations = rest.get("citations")
        citations = citations if kind == "text" and type(citations) is list else []
        out.append(mark(block.number, {**rest, "citations": []} if citations else rest))
        if text and type(text) is str:
            block.told = True
            out.append(block.tell(text))
        out.extend(Citation(citation) for citation in citations)
        return block
