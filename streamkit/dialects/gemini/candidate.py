"""One candidate: the parts of its content, and the fields beside them, to events."""

from __future__ import annotations

from typing import Any, Final

import attrs

from ...events import (
    Citation,
    Event,
    Finished,
    Metadata,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from ...framing import encode
from .content import is_header
from .finish import CLEAN, word_of
from .partial import PartialArguments

__all__ = ["Candidate"]

_CITATIONS: Final = ("citationSources", "citations")
"""The list in ``citationMetadata``, as AI Studio calls it and as Vertex does."""
_CALL: Final = frozenset({"id", "name", "args", "partialArgs", "willContinue"})
"""The fields of a ``functionCall`` that events model."""
_ABSENT: Final = object()


@attrs.define(eq=False)
class Candidate:
    """Reads one candidate's chunks. What they hold is ours to take apart."""

    index: int
    reason: str = attrs.field(default="", init=False)
    _beside: dict[str, Any] = attrs.field(factory=dict, init=False)
    """The fields beside its content, as they stood in the last chunk."""
    _told: dict[str, Any] = attrs.field(factory=dict, init=False)
    """The last value of each, and of each field of the content."""
    _cited: list[Any] = attrs.field(factory=list, init=False)
    _calls: int = attrs.field(default=0, init=False)
    """How many calls began (a count)."""
    _partial: PartialArguments | None = attrs.field(default=None, init=False)
    """The arguments of the last call, while they come by path."""
    _goes_on: bool = attrs.field(default=False, init=False)
    """Whether the last part of the last chunk said that its call will go on."""
    _sealed: bool = attrs.field(default=False, init=False)
    """Whether the last part was a text with fields of its own: the next is another part."""

    @property
    def open_call(self) -> bool:
        """Whether a call began whose end was not said."""
        return self._partial is not None

    def read(self, candidate: dict[str, Any], out: list[Event]) -> None:
        """
        Read what one chunk says of the candidate.

        Raises:
            MalformedStream: the path of a call's argument cannot be read.
        """
        content = candidate.pop("content", None)
        reason = candidate.pop("finishReason", None)
        self._goes_on = False
        if type(content) is dict:
            self._content(content, out)
        fields = self._news(candidate, out) if candidate != self._beside else {}
        if reason and (word := word_of(reason)):
            self._finish(word, fields, out)
        elif fields:
            out.append(Metadata(self.index, fields))

    def end(self, out: list[Event]) -> None:
        """Take a call whose end was not said for whole: the candidate came to its end."""
        if self.reason == CLEAN:
            self._close(out)

    def _content(self, content: dict[str, Any], out: list[Event]) -> None:
        parts = content.pop("parts", None)
        for part in parts if type(parts) is list else ():
            if type(part) is not dict:
                continue
            text = part.get("text")
            if type(text) is not str:
                self._part(part, out)
            elif len(part) > 1 or self._sealed:
                self._text(part, text, out)
            elif text:  # the hot path
                out.append(TextDelta(text, self.index))
        if content.get("role") == "model" and len(content) == 1:
            return
        new = {k: v for k, v in content.items() if (k, v) != ("role", "model")}
        if new := self._unlike("content", new):
            out.append(Metadata(self.index, new, message=True))

    def _text(self, part: dict[str, Any], text: str, out: list[Event]) -> None:
        """Read a text that is a thought, or has fields of its own."""
        fields = {k: v for k, v in part.items() if k not in ("text", "thought")}
        if not text:
            if fields:
                self._keep(part, out)
            return
        if fields or self._sealed:
            self._keep({"text": None, **fields}, out)
        self._sealed = bool(fields)
        thought = part.get("thought") is True
        out.append((ReasoningDelta if thought else TextDelta)(text, self.index))

    def _part(self, part: dict[str, Any], out: list[Event]) -> None:
        self._sealed = False
        if is_header(part):  # a null of the provider's announces nothing
            del part["text"]
        call = part.pop("functionCall", None)
        if type(call) is dict:
            self._call(call, part, out)
        elif part:
            self._keep(part, out)

    def _keep(self, item: dict[str, Any], out: list[Event]) -> None:
        """Tell of a part that no event models, or of the fields of the next text."""
        self._sealed = False
        out.append(Metadata(self.index, {"parts": [item]}, message=True))

    # -- calls

    def _call(self, call: dict[str, Any], part: dict[str, Any], out: list[Event]) -> None:
        """Read a call, or a piece of the one whose arguments come by path; *part* is around it."""
        inner = {k: v for k, v in call.items() if k not in _CALL}
        extra = part | ({"functionCall": inner} if inner else {})
        self._goes_on = bool(call.get("willContinue"))
        if self._partial is not None and not call.get("name"):
            self._piece(call, extra, out)
        elif call or extra:
            self._begin(call, extra, out)

    def _begin(self, call: dict[str, Any], extra: dict[str, Any], out: list[Event]) -> None:
        self._close(out)
        number, self._calls = self._calls, self._calls + 1
        id_, name = str(call.get("id") or ""), str(call.get("name") or "")
        out.append(ToolCallStarted(number, id_, name, self.index, extra or None))
        if self._goes_on or "partialArgs" in call:
            self._partial = PartialArguments()
            self._piece(call, {}, out)
        else:
            arguments = encode(call.get("args") or {}).decode()
            out.append(ToolCallDelta(number, arguments, self.index))

    def _piece(self, call: dict[str, Any], extra: dict[str, Any], out: list[Event]) -> None:
        partial = self._partial
        assert partial is not None  # noqa: S101
        args, pieces = call.get("args"), call.get("partialArgs")
        written = partial.put_all(args) if type(args) is dict else ""
        for piece in pieces if type(pieces) is list else ():
            written += partial.put(piece)
        if written or extra:
            number = self._calls - 1
            out.append(ToolCallDelta(number, written, self.index, extra=extra or None))
        if not self._goes_on:
            self._close(out)

    def _close(self, out: list[Event]) -> None:
        """Write the rest of a call whose arguments came by path, if one is open."""
        partial, self._partial = self._partial, None
        if partial is not None:
            out.append(ToolCallDelta(self._calls - 1, partial.close(), self.index))

    # -- what stands beside the content

    def _finish(self, word: str, fields: dict[str, Any], out: list[Event]) -> None:
        """Tell why it ended, where that is news."""
        said = {"finishMessage": fields.pop("finishMessage")} if "finishMessage" in fields else {}
        if word == self.reason:
            fields |= said
        if fields:
            out.append(Metadata(self.index, fields))
        if word == CLEAN and not self._goes_on:
            self._close(out)
        if word != self.reason:
            self.reason = word
            out.append(Finished(self.index, word, said or None))

    def _news(self, fields: dict[str, Any], out: list[Event]) -> dict[str, Any]:
        """Give what is new of the fields; tell of the sources among them."""
        self._beside = fields
        new = self._unlike("", fields)
        if type(cited := new.get("citationMetadata")) is dict:  # in pieces, or again whole
            lists = {k: self._cite(v, out) for k, v in cited.items() if k in _CITATIONS}
            new["citationMetadata"] = {**cited, **lists}
        if type(grounding := new.get("groundingMetadata")) is dict:
            self._cite(grounding.get("groundingChunks"), out)
        return new

    def _cite(self, sources: Any, out: list[Event]) -> list[Any]:
        """Tell of sources, and give those that were not told before."""
        given = sources if type(sources) is list else ()
        new = [source for source in given if type(source) is dict and source not in self._cited]
        self._cited += new
        out.extend(Citation(source, self.index) for source in new)
        return new

    def _unlike(self, where: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Give the fields that are not as they were told last."""
        told = self._told
        new = {k: v for k, v in fields.items() if told.get(f"{where}.{k}", _ABSENT) != v}
        told.update((f"{where}.{k}", v) for k, v in new.items())
        return new
