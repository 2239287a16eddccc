"""
Events to stream events: what `AnthropicMessagesDecoder` reads, written.

Divergences from a literal copy of what the provider sent, each for the sake of
the clients there are:

1. The message begins once its usage is known, at the latest with its content:
   what is known of it by then is in ``message_start``, the rest comes at its end.
2. The stop reason is told at the end, behind the answer's evidence.
3. A block is closed where the next one begins; a tool call that is not whole
   by then stays open, for calls of other APIs come side by side.
4. Of an agent's turn (it has steps), and where a call has no id or no name
   yet, a call is told once it is known to be whole, and the caller's to make.
5. Tools that another API's provider runs are not told: there is no word for
   what they give back.
6. A refusal is text, and the stop reason says that it is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Final

import attrs

from ...errors import code_of, explain
from ...events import (
    Citation,
    Event,
    Finished,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    ResponseStarted,
    StepStarted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    UsageReported,
)
from ...framing import Frame, encode_ascii
from ..arguments import is_object
from ..merge import overlay
from .blocks import is_call, is_result
from .finish import reason_of
from .usage import usage_json

__all__ = ["AnthropicMessagesEncoder"]

_OWN: Final = frozenset({"id", "type", "role", "model", "content", "usage", "stop_reason"})
"""Fields of a message that are never told as somebody else's."""
_EMPTY: Final[dict[str, dict[str, Any]]] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}
"""How a block begins that speaks, where nobody said more of it."""


@attrs.define(eq=False)
class _Told:
    """One block, as it was told."""

    index: int
    kind: str
    pieces: list[str] | None = None
    """Of a call: its input so far."""
    open: bool = True

    @property
    def goes_on(self) -> bool:
        """Whether more of it may come once another block began: a call that is not whole."""
        pieces = self.pieces
        if pieces is None or (pieces and not pieces[-1].endswith("}")):
            return pieces is not None
        return not is_object("".join(pieces))


@attrs.define(eq=False)
class AnthropicMessagesEncoder:
    """The events of one run as the events of a ``message``'s stream."""

    irrevocable: ClassVar[frozenset[str]] = frozenset(
        {"text", "reasoning", "refusal", "tool_calls", "citations"}
    )
    remembers: ClassVar[bool] = True

    _head: dict[str, Any] = attrs.field(factory=dict, init=False)
    """Fields of the message, as far as they are known when it begins."""
    _fallback: str = attrs.field(default="msg_", init=False)
    """The id of an answer that has none."""
    _begun: bool = attrs.field(default=False, init=False)
    _usage: dict[str, Any] = attrs.field(factory=dict, init=False)
    """What it cost so far."""
    _cost: dict[str, Any] = attrs.field(factory=dict, init=False)
    """What of that is still to be told."""
    _last: _Told = attrs.field(factory=lambda: _Told(-1, "", open=False), init=False)
    """The block that is spoken in; at first none that is open."""
    _around: tuple[bytes, bytes] | None = attrs.field(default=None, init=False)
    """A frame's bytes before and behind a piece of text, while one more may be next."""
    _count: int = attrs.field(default=0, init=False)
    """Blocks that were told (a count)."""
    _open: list[_Told] = attrs.field(factory=list, init=False)
    _parts: dict[int, _Told] = attrs.field(factory=dict, init=False)
    """The blocks of this API, by the number that the events know them by."""
    _waiting: tuple[int, dict[str, Any]] | None = attrs.field(default=None, init=False)
    """A block of a call, or of a result, whose event is next: its number and its fields."""
    _calls: dict[int, _Told] = attrs.field(factory=dict, init=False)
    """By number of the call."""
    _agent: bool = attrs.field(default=False, init=False)
    """Whether the answer is an agent's turn."""
    _foreign: bool = attrs.field(default=False, init=False)
    """Whether the answer's fields are those of the Responses API, the request's among them."""
    _asked: bool = attrs.field(default=False, init=False)
    """Whether a call is the caller's to make."""
    _reason: str | None = attrs.field(default=None, init=False)
    _extra: dict[str, Any] = attrs.field(factory=dict, init=False)
    """Fields that come with the stop reason."""
    _beside: dict[str, Any] = attrs.field(factory=dict, init=False)
    """Fields of the message that are told beside the stop reason."""
    _behind: dict[str, Any] = attrs.field(factory=dict, init=False)
    """Those that came behind it."""

    def opening(self, run_id: str, /) -> Sequence[Frame]:
        """Say nothing; an answer without an id will have the run's."""
        self._fallback = f"msg_{run_id}"
        return ()

    def encode(self, event: Event, /) -> Sequence[Frame]:
        """Give the frames of the next event."""
        if type(event) is TextDelta and event.choice == 0 and self._around is not None:
            before, behind = self._around  # the hot path: one more piece of the same text
            return (Frame(before + encode_ascii(event.text) + behind, "content_block_delta"),)
        tell = self._TELL.get(type(event))
        if tell is None or getattr(event, "choice", 0) not in (0, None):
            return ()  # the API has no more than one choice
        return tuple(tell(self, event))

    def heartbeat(self) -> Frame | None:
        """Give a ``ping``."""
        return _frame("ping", {})

    def farewell(self) -> Frame | None:
        """Give None: clients of this API cannot come back."""
        return None

    def failure(self, error: Exception, /) -> dict[str, Any]:
        """Give the API's error envelope: the code and a sentence of ours, nothing else."""
        return _error(code_of(error))

    # -- the message

    def _started(self, event: ResponseStarted) -> Sequence[Frame]:
        self._learn({**(event.extra or {}), "id": event.id, "model": event.model})
        return ()

    def _learn(self, extra: dict[str, Any]) -> None:
        """Take fields of the answer as a whole: to its beginning, to its end, or behind it."""
        for key in ("id", "model"):
            self._head[key] = self._head.get(key) or extra.get(key) or ""
        self._foreign = self._foreign or extra.get("object") == "response"
        own = {k: v for k, v in extra.items() if not (self._foreign or k in _OWN)}
        if not self._begun:
            overlay(self._head, own)
        else:
            overlay(self._beside if self._reason is None else self._behind, own)

    def _report(self, event: UsageReported) -> Iterable[Frame]:
        for usage in (self._usage, self._cost):
            overlay(usage, usage_json(event))
        return self._begin_message() if self._head else ()

    def _begin_message(self) -> Iterator[Frame]:
        if self._begun:
            return
        self._begun, self._cost = True, {}
        message = {
            "id": "",
            "type": "message",
            "role": "assistant",
            "model": "",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            **self._head,
            "usage": {"input_tokens": 0, "output_tokens": 0, **self._usage},
        }
        message["id"] = message["id"] or self._fallback
        yield _frame("message_start", {"message": message})

    def _metadata(self, event: Metadata) -> Iterator[Frame]:
        if event.choice is None:
            self._learn(event.extra)
        elif not event.message:
            overlay(self._extra, event.extra)
        else:
            content = event.extra.get("content")
            for part in content if isinstance(content, list) else ():
                if isinstance(part, dict) and isinstance(part.get("index"), int):
                    yield from self._part(part)

    # -- its blocks

    def _part(self, part: dict[str, Any]) -> Iterator[Frame]:
        """Tell what a mark says: a block begins, goes on, or has a delta no event models."""
        fields = {key: value for key, value in part.items() if key != "index"}
        known, kind = self._parts.get(part["index"]), str(fields.get("type", ""))
        if known is not None and kind in ("", known.kind):
            self._go_on(known)
            if known.open and isinstance(fields.get("delta"), dict):
                yield self._delta(known, fields["delta"])
        elif is_call(kind) or is_result(kind):
            self._waiting = part["index"], fields
        elif "type" in fields:
            text = {kind: ""} if kind in _EMPTY else {}
            yield from self._begin({"type": kind, **text, **fields}, part["index"])

    def _go_on(self, told: _Told) -> None:
        if told is not self._last:
            self._last, self._around = told, None

    def _begin(self, fields: dict[str, Any], part: int | None = None) -> Iterator[Frame]:
        """Tell that a block begins; those before it end, but for calls that are not whole."""
        yield from self._begin_message()
        yield from self._close([told for told in self._open if not told.goes_on])
        kind = str(fields["type"])
        told = _Told(self._count, kind, [] if is_call(kind) else None)
        self._count += 1
        self._open.append(told)
        if part is not None:
            self._parts[part] = told
        self._go_on(told)
        yield _frame("content_block_start", {"index": told.index, "content_block": fields})

    def _close(self, ending: list[_Told]) -> Iterator[Frame]:
        for told in ending:
            told.open = False
            self._open.remove(told)
            yield _frame("content_block_stop", {"index": told.index})

    def _room(self, kind: str) -> Iterator[Frame]:
        """Begin a block to speak in, unless one is open."""
        if not self._last.open or self._last.kind != kind:
            yield from self._begin(_EMPTY[kind])

    def _delta(self, told: _Told, delta: dict[str, Any]) -> Frame:
        return _frame("content_block_delta", _about(told, delta))

    def _text(self, event: TextDelta | RefusalDelta) -> Iterator[Frame]:
        if not event.text:
            return
        yield from self._speak("text", event.text)
        delta = {"type": "text_delta", "text": ""}
        empty = encode_ascii({**_about(self._last, delta), "type": "content_block_delta"})
        before, _, behind = empty.rpartition(b'""')
        self._around = before, behind

    def _think(self, event: ReasoningDelta) -> Iterable[Frame]:
        return self._speak("thinking", event.text) if event.text else ()

    def _speak(self, kind: str, text: str) -> Iterator[Frame]:
        yield from self._room(kind)
        yield self._delta(self._last, {"type": f"{kind}_delta", kind: text})

    def _cite(self, event: Citation) -> Iterator[Frame]:
        yield from self._room("text")
        yield self._delta(self._last, {"type": "citations_delta", "citation": event.citation})

    # -- tool calls

    def _call(self, event: ToolCallStarted) -> Iterator[Frame]:
        number, fields = self._waiting or (None, {})
        if is_result(str(fields.get("type"))):
            return  # of an answer before this one
        self._waiting = None
        if number is not None:
            yield from self._begin_call(event, {**fields, **(event.extra or {})}, number)
        elif event.id and event.name and not (event.hosted or self._agent):
            yield from self._begin_call(event, {})

    def _begin_call(
        self, event: ToolCallStarted, fields: dict[str, Any], part: int | None = None
    ) -> Iterator[Frame]:
        who = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
        yield from self._begin({**who, **fields}, part)
        self._calls[event.call] = self._last

    def _grow(self, event: ToolCallDelta) -> Iterator[Frame]:
        told = self._calls.get(event.call)
        if told is not None and told.open and told.pieces is not None and event.arguments:
            told.pieces.append(event.arguments)
            self._go_on(told)
            delta = {"type": "input_json_delta", "partial_json": event.arguments}
            yield self._delta(told, delta)

    def _whole(self, event: ToolCallCompleted) -> Iterator[Frame]:
        """Tell a call that was not told piece by piece."""
        self._asked = True
        if event.call not in self._calls:
            call = event.tool_call
            yield from self._begin_call(ToolCallStarted(event.call, call.id, call.name), {})
            yield from self._grow(ToolCallDelta(event.call, call.arguments))

    def _result(self, event: ToolResult) -> Iterator[Frame]:
        number, fields = self._waiting or (None, {})
        self._waiting = None
        if number is not None:
            gave = {"tool_use_id": event.id, "content": event.content, **(event.extra or {})}
            yield from self._begin({"type": "", **gave, **fields}, number)

    def _step(self, _event: StepStarted) -> Sequence[Frame]:
        self._agent = True
        return ()

    # -- the end

    def _finished(self, event: Finished) -> Sequence[Frame]:
        self._reason = event.reason
        overlay(self._extra, event.extra)
        return ()

    def _completed(self, event: ResponseCompleted) -> Iterator[Frame]:
        yield from self._begin_message()
        yield from self._close(list(self._open))
        response = event.response
        speaks = response is None or response.raw.get("type") == "message"
        delta = {
            "stop_reason": reason_of(self._reason, response, asked=self._asked),
            "stop_sequence": None,
            **(self._extra if speaks else {}),
        }
        usage = {"output_tokens": self._usage.get("output_tokens", 0), **self._cost}
        yield _frame("message_delta", {**self._beside, "delta": delta, "usage": usage})
        yield _frame("message_stop", self._behind)

    def _failed(self, event: ResponseFailed) -> Sequence[Frame]:
        return (Frame(encode_ascii(self.failure(event.error)), "error"),)

    def _cancelled(self, _event: ResponseCancelled) -> Sequence[Frame]:
        return (Frame(encode_ascii(_error("cancelled")), "error"),)

    _TELL: ClassVar[
        dict[type[Event], Callable[[AnthropicMessagesEncoder, Any], Iterable[Frame]]]
    ] = {
        ResponseStarted: _started,
        TextDelta: _text,
        RefusalDelta: _text,
        ReasoningDelta: _think,
        Citation: _cite,
        ToolCallStarted: _call,
        ToolCallDelta: _grow,
        ToolCallCompleted: _whole,
        ToolResult: _result,
        StepStarted: _step,
        UsageReported: _report,
        Metadata: _metadata,
        Finished: _finished,
        ResponseCompleted: _completed,
        ResponseFailed: _failed,
        ResponseCancelled: _cancelled,
    }


def _frame(kind: str, fields: dict[str, Any]) -> Frame:
    """Give the frame of one stream event; its type is also its name."""
    return Frame(encode_ascii({**fields, "type": kind}), kind)


def _about(told: _Told, delta: dict[str, Any]) -> dict[str, Any]:
    return {"index": told.index, "delta": delta}


def _error(code: str) -> dict[str, Any]:
    error = {"type": "api_error", "message": explain(code), "code": code}
    return {"type": "error", "error": error}
