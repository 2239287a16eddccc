"""
Events to chunks: what `GeminiDecoder` reads, written.

Divergences from a literal copy of what the provider sent:

1. Function calls and finish reasons are told at the end, behind the answer's
   evidence: clients act on a call that they see. A call that the provider ran
   itself, or that broke off, is not told.
2. Arguments are an object here. What a tool takes that takes any text is
   ``{"input": text}``; a call whose arguments are no object is one that the
   model got wrong: it is not told, and the reason is ``MALFORMED_FUNCTION_CALL``.
3. A refusal is told as text: the API has no word for it. Sources are told as
   the fields they came in; those of another API are not.
4. What the answer cost is told at its end.
5. A heartbeat is an empty chunk: the official client cannot read a comment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Final

import attrs

from ...errors import code_of, explain
from ...events import (
    Event,
    Finished,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    ResponseStarted,
    Retracted,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    UsageReported,
)
from ...framing import Frame, encode_ascii
from ...response import Response
from ..answer import Answer, CallFold, ChoiceFold
from ..arguments import is_object
from ..merge import overlay
from ..usage import Reported
from .content import call_part, is_header, usage_json
from .finish import MALFORMED, reason_of

__all__ = ["GeminiEncoder"]

_OWN: Final = frozenset(
    {"candidates", "choices", "error", "id", "model", "object", "usage", "usageMetadata"}
)
"""Fields of an answer that are never unknown ones."""
_OWN_BESIDE: Final = frozenset({"content", "finishReason", "index"})
"""Those of a candidate."""
_USAGE: Final = "usageMetadata"
_FRAGMENT: Final = frozenset({"custom", "function", "parse_status", "tool_call", "type"})
"""What other APIs say of a call."""
_STATUSES: Final[dict[str, tuple[int, str]]] = {
    "cancelled": (499, "CANCELLED"),
    "rejected": (400, "FAILED_PRECONDITION"),
    "stalled": (504, "DEADLINE_EXCEEDED"),
    "transport": (503, "UNAVAILABLE"),
}
"""Our codes in those of ``google.rpc``."""


@attrs.define(eq=False)
class GeminiEncoder:
    """The events of one run as chunks of ``GenerateContentResponse``."""

    irrevocable: ClassVar[frozenset[str]] = frozenset({"text", "reasoning", "refusal"})
    remembers: ClassVar[bool] = True

    _head: dict[str, Any] = attrs.field(factory=dict, init=False)
    """The fields of every chunk."""
    _news: dict[str, Any] = attrs.field(factory=dict, init=False)
    """Fields of the answer that the next chunk tells."""
    _foreign: bool = attrs.field(default=False, init=False)
    """Whether the answer's fields are those of the Responses API, the request's among them."""
    _fallback: str = attrs.field(default="", init=False)
    """The id of an answer that has none."""
    _fields: dict[int, dict[str, Any]] = attrs.field(factory=dict, init=False)
    """By choice: the fields of the part that its next text is."""
    _around: dict[int, tuple[bytes, bytes]] = attrs.field(factory=dict, init=False)
    """By choice: a chunk's bytes before and behind its text, where it tells nothing else."""
    _held: Answer = attrs.field(factory=Answer, init=False)
    """What waits for the end: calls, finish reasons. It knows every choice there is."""
    _usage: Reported = attrs.field(factory=Reported, init=False)

    def opening(self, run_id: str, /) -> Sequence[Frame]:
        """Say nothing; an answer without an id will have the run's."""
        self._fallback = run_id
        return ()

    def encode(self, event: Event, /) -> Sequence[Frame]:
        """Give the frames of the next event."""
        if type(event) is TextDelta:
            around = self._around.get(event.choice)
            if around is not None:  # the hot path: nothing but a piece of text is new
                return (Frame(around[0] + encode_ascii(event.text) + around[1]),)
        tell = self._TELL.get(type(event))
        return () if tell is None else tuple(tell(self, event))

    def heartbeat(self) -> Frame | None:
        """Give a chunk that says nothing."""
        return Frame(b"{}")

    def farewell(self) -> Frame | None:
        """Give None: clients of this API cannot come back."""
        return None

    def failure(self, error: Exception, /) -> dict[str, Any]:
        """Give the API's error envelope: the code and a sentence of ours, nothing else."""
        return _error(code_of(error))

    def _started(self, event: ResponseStarted) -> Iterable[Frame]:
        self._learn({**(event.extra or {}), "id": event.id, "model": event.model})
        return ()

    def _text(self, event: TextDelta) -> Iterator[Frame]:
        index = event.choice
        yield self._say(index, [{"text": event.text, **self._fields.pop(index, {})}])
        before, _, behind = encode_ascii(self._chunk(index, [{"text": ""}])).partition(b'""')
        self._around[index] = before, behind

    def _reasoning(self, event: ReasoningDelta) -> Iterator[Frame]:
        fields = self._fields.pop(event.choice, {})
        yield self._say(event.choice, [{"text": event.text, "thought": True, **fields}])

    def _refusal(self, event: RefusalDelta) -> Iterable[Frame]:
        return self.encode(TextDelta(event.text, event.choice))

    def _hold(self, event: Event) -> Iterable[Frame]:
        """Keep what is told at the end."""
        self._held.add(event)
        return ()

    def _retracted(self, event: Retracted) -> Iterable[Frame]:
        """Forget calls: they were not told yet."""
        if event.channel == "tool_calls":
            self._held.choice(event.choice).calls.clear()
        return ()

    def _metadata(self, event: Metadata) -> Iterator[Frame]:
        index, extra = event.choice, event.extra
        if index is None:
            self._learn(extra)
        elif not event.message:
            yield self._say(index, None, {k: v for k, v in extra.items() if k not in _OWN_BESIDE})
        else:
            parts = extra.get("parts")
            yield from self._parts(index, parts if isinstance(parts, list) else [])
            if content := {k: v for k, v in extra.items() if k != "parts"}:
                yield self._say(index, [], {"content": content})

    def _parts(self, index: int, items: list[dict[str, Any]]) -> Iterator[Frame]:
        """Tell parts that no event models; keep what is announced for the next text."""
        for item in items:
            if is_header(item):
                self._fields[index] = {k: v for k, v in item.items() if k != "text"}
                self._around.pop(index, None)
            else:
                self._fields.pop(index, None)
                yield self._say(index, [item])

    def _report(self, event: UsageReported) -> Iterable[Frame]:
        self._usage.add(event)
        return ()

    def _completed(self, event: ResponseCompleted) -> Iterator[Frame]:
        self._held.choice(min(self._held.choices, default=0))
        *others, last = self._held.ordered()
        for choice in others:
            yield self._finish(choice, event.response)
        usage = self._usage.json(usage_json)
        yield self._finish(last, event.response, **({} if usage is None else {_USAGE: usage}))

    def _finish(self, choice: ChoiceFold, response: Response | None, **beside: Any) -> Frame:
        """Tell the calls of a choice, and why it ended."""
        calls = [call for call in choice.calls if not (call.hosted or call.ran or call.cut)]
        wrong = [call.name for call in calls if not _can_be_told(call)]
        fields = dict(choice.extra)
        fields["finishReason"] = reason_of(choice.index, response, choice.finish_reason)
        if wrong:
            fields["finishReason"] = MALFORMED
            fields["finishMessage"] = f"Malformed function call: {', '.join(wrong)}"
        parts = [_part_of(call) for call in calls if _can_be_told(call)]
        return self._say(choice.index, parts, fields, **beside)

    def _failed(self, event: ResponseFailed) -> Sequence[Frame]:
        return (Frame(encode_ascii(self.failure(event.error))),)

    def _cancelled(self, _event: ResponseCancelled) -> Sequence[Frame]:
        return (Frame(encode_ascii(_error("cancelled"))),)

    def _learn(self, extra: dict[str, Any]) -> None:
        """Take fields of the answer as a whole. What was told of its id and model stays."""
        self._around.clear()
        for key, field in (("id", "responseId"), ("model", "modelVersion")):
            if extra.get(key):
                self._head.setdefault(field, extra[key])
        self._foreign = self._foreign or extra.get("object") == "response"
        own = {k: v for k, v in extra.items() if not (self._foreign or k in _OWN)}
        overlay(self._news, own)

    def _say(
        self,
        index: int,
        parts: list[dict[str, Any]] | None,
        fields: dict[str, Any] | None = None,
        **beside: Any,
    ) -> Frame:
        """Give the chunk of a candidate, and of what is new of the answer."""
        news, self._news = self._news, {}
        return Frame(encode_ascii({**self._chunk(index, parts, fields), **news, **beside}))

    def _chunk(
        self, index: int, parts: list[dict[str, Any]] | None, fields: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        self._held.choice(index)
        self._head.setdefault("responseId", self._fallback)
        fields = dict(fields or {})
        candidate: dict[str, Any] = {}
        if parts is not None:
            content = {"parts": parts} if parts else {}
            candidate["content"] = {**content, "role": "model", **fields.pop("content", {})}
        return {"candidates": [{**candidate, "index": index, **fields}], **self._head}

    _TELL: ClassVar[dict[type[Event], Callable[[GeminiEncoder, Any], Iterable[Frame]]]] = {
        ResponseStarted: _started,
        TextDelta: _text,
        ReasoningDelta: _reasoning,
        RefusalDelta: _refusal,
        ToolCallStarted: _hold,
        ToolCallDelta: _hold,
        ToolResult: _hold,
        Finished: _hold,
        Retracted: _retracted,
        UsageReported: _report,
        Metadata: _metadata,
        ResponseCompleted: _completed,
        ResponseFailed: _failed,
        ResponseCancelled: _cancelled,
    }


def _error(code: str) -> dict[str, Any]:
    number, status = _STATUSES.get(code, (500, "INTERNAL"))
    return {"error": {"code": number, "message": explain(code), "status": status}}


def _can_be_told(call: CallFold) -> bool:
    """Whether its arguments are an object, or any text, or none."""
    arguments = call.tool_call().arguments
    return call.custom or not arguments.strip() or is_object(arguments)


def _part_of(call: CallFold) -> dict[str, Any]:
    """Give the part of a call; a text in place of its arguments stands under ``input``."""
    part = call_part(call)
    if call.custom:
        part["functionCall"]["args"] = {"input": call.tool_call().arguments}
    return {k: v for k, v in part.items() if k not in _FRAGMENT}
