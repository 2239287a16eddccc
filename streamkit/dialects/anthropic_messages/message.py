"""An accumulated answer as a ``message``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Any, Final

import attrs

from ...events import ToolResult
from ...framing import decode
from ..answer import Answer, CallFold, ChoiceFold, PartMark
from ..merge import overlay
from .blocks import is_call, is_result

__all__ = ["message_of"]

_WHOLE: Final = frozenset({"signature_delta", "compaction_delta"})
"""Types of deltas whose fields replace those of their block; others go on with its text."""

_TOLD: Final = frozenset({"id", "model", "content", "stop_reason"})
"""Fields that are never anybody else's."""


def message_of(answer: Answer) -> dict[str, Any]:
    """
    Give the ``message`` of an accumulated answer.

    The input of a call is its JSON value; what is no JSON stays as it was
    sent, a string.
    """
    choice = answer.choice(0)
    content = content_of(choice)
    raw: dict[str, Any] = {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": _served_by(content) or answer.model,
        "content": content,
        "stop_reason": choice.finish_reason,
        "stop_sequence": None,
    }
    for extra in (answer.extra, choice.extra):
        overlay(raw, {key: value for key, value in extra.items() if key not in _TOLD})
    if answer.usage is not None:
        raw["usage"] = answer.usage
    return raw


def content_of(choice: ChoiceFold) -> list[dict[str, Any]]:
    """Give the content blocks of an answer, as far as they came."""
    blocks: dict[Any, _Block] = {}
    first, last = ChoiceFold(0).here({}), choice.here({})
    for begins, ends in pairwise(chain((first,), choice.parts, (last,))):
        index = begins.fields.get("index")
        if index not in blocks:
            blocks[index] = _Block()
        blocks[index].take(choice, begins, ends)
    return [told for block in blocks.values() for told in block.tell()]


def _served_by(content: list[dict[str, Any]]) -> str | None:
    """Give the model that took over, if one did: a message that was not streamed names it."""
    targets = (block.get("to") for block in content if block.get("type") == "fallback")
    models = [to["model"] for to in targets if isinstance(to, dict) and to.get("model")]
    return str(models[-1]) if models else None


@attrs.define(eq=False)
class _Block:
    """One content block: its own fields, and what was told in it."""

    fields: dict[str, Any] = attrs.field(factory=dict)
    text: list[str] = attrs.field(factory=list)
    thinking: list[str] = attrs.field(factory=list)
    citations: list[dict[str, Any]] = attrs.field(factory=list)
    calls: list[CallFold] = attrs.field(factory=list)
    results: list[ToolResult] = attrs.field(factory=list)
    pieces: dict[str, list[str]] = attrs.field(factory=dict)
    """By field: text of deltas that no event models."""

    def take(self, choice: ChoiceFold, begins: PartMark, ends: PartMark) -> None:
        """Take what a mark says, and what was told behind it up to the next one."""
        fields = begins.fields
        if "type" in fields:
            self.fields = {key: value for key, value in fields.items() if key != "index"}
        elif isinstance(fields.get("delta"), dict):
            self._grow(fields["delta"])
        self.text += choice.text[begins.texts : ends.texts]
        self.thinking += choice.reasoning[begins.reasoning : ends.reasoning]
        self.citations += choice.citations[begins.citations : ends.citations]
        self.calls += choice.calls[begins.calls : ends.calls]
        self.results += choice.results[begins.results : ends.results]

    def _grow(self, delta: dict[str, Any]) -> None:
        """Fold in a delta that no event models; text is joined once, at the end."""
        whole = delta.get("type") in _WHOLE
        for key, value in delta.items():
            if key == "type":
                continue
            if isinstance(value, str) and not whole:
                self.pieces.setdefault(key, []).append(value)
            elif value is not None or key not in self.fields:
                self.fields[key] = value

    def tell(self) -> Iterator[dict[str, Any]]:
        """Give the block; what a stage told in it that has no place there is one of its own."""
        for key, pieces in self.pieces.items():
            old = self.fields.get(key)
            self.fields[key] = "".join((old if isinstance(old, str) else "", *pieces))
        kind = str(self.fields.get("type", ""))
        if self.thinking and kind != "thinking":
            yield {"type": "thinking", "thinking": "".join(self.thinking), "signature": ""}
        yield from self._own(kind)
        if self.text and kind != "text":
            yield self._text({})

    def _own(self, kind: str) -> Iterator[dict[str, Any]]:
        if is_result(kind):
            yield from (_result(result, self.fields) for result in self.results)
            return
        for call in self.calls:
            own = self.fields if is_call(kind) else {"type": "tool_use"}
            yield {"type": own["type"], **_call(call), **own}
        if kind == "text":
            yield self._text(self.fields)
        elif kind == "thinking":
            yield {"type": kind, "thinking": "".join(self.thinking), **self.fields}
        elif self.fields and not is_call(kind):
            yield self.fields

    def _text(self, fields: dict[str, Any]) -> dict[str, Any]:
        block = {"type": "text", "text": "".join(self.text), **fields}
        if self.citations:
            block["citations"] = [*(block.get("citations") or ()), *self.citations]
        return block


def _call(call: CallFold) -> dict[str, Any]:
    settled = call.tool_call()
    given: Any = settled.arguments
    if settled.valid:
        given = decode(given)
    elif not given.strip():
        given = {}
    return {"id": settled.id, "name": settled.name, "input": given, **call.extra}


def _result(result: ToolResult, own: dict[str, Any]) -> dict[str, Any]:
    gave = {"tool_use_id": result.id, "content": result.content}
    return {"type": own["type"], **gave, **(result.extra or {}), **own}
