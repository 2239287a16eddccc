"""
OpenAI's chat completions, and what the world makes of them.

Source: the API reference, "Create chat completion" and "The chat completion
chunk object"; divergences seen in the wild are in docs/reference/quirks.md.

Three levels of a chunk may hold fields nobody modelled. On the hot path a
chunk is compared with the one before, in two C calls, and taken apart only if
more than its text differs: nearly every chunk is a known envelope around a
new piece of text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeGuard

import attrs

from ..errors import InBandError, MalformedStream, ProviderError, TruncatedStream, excerpt
from ..events import (
    Citation,
    Event,
    Finished,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
    ResponseCompleted,
    ResponseStarted,
    TextDelta,
    Unknown,
    UsageReported,
)
from ..framing import DONE, Frame, decode, decode_strictly, payloads
from ..policy import completion_evidence
from ..response import Finish, Usage
from .answer import Answer, CallFold, ChoiceFold
from .calls import CallTracker
from .dialect import HttpCall
from .in_band import ERROR_FINISHES, find_error, not_json

__all__ = ["OpenAIChat", "OpenAIChatDecoder"]

_FINISHES: Final[dict[str, Finish]] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_PADDING: Final = ("obfuscation", "p")
"""Random padding against traffic analysis; no part of an answer."""
_FINAL: Final = frozenset({"length", "content_filter"})
"""Finish reasons that a later, different one may bring (peers.md B.3, 40)."""


@attrs.frozen
class OpenAIChat:
    """The dialect ``openai-chat``."""

    name: ClassVar[str] = "openai-chat"

    def streaming(self, request: Mapping[str, Any], /) -> HttpCall:
        """Ask for a stream, with usage at its end."""
        options = request.get("stream_options") or {}
        body = {**request, "stream": True, "stream_options": {"include_usage": True, **options}}
        return HttpCall("chat/completions", body)

    def buffered(self, request: Mapping[str, Any], /) -> HttpCall:
        """Send the request as it is, without the stream's flags."""
        body = {k: v for k, v in request.items() if k not in ("stream", "stream_options")}
        return HttpCall("chat/completions", body)

    def authorization(self, api_key: str, /) -> Mapping[str, str]:
        """Send the key as a bearer token."""
        return {"authorization": f"Bearer {api_key}"}

    def decoder(self) -> OpenAIChatDecoder:
        """Give a fresh decoder."""
        return OpenAIChatDecoder(self)

    def read_buffered(self, body: Any, /) -> Sequence[Event]:
        """Give the events of a ``chat.completion``."""
        if (error := find_error(body)) is not None:
            raise error
        choices = body.get("choices") if isinstance(body, dict) else None
        if not isinstance(choices, list) or not any(isinstance(c, dict) for c in choices):
            raise MalformedStream(
                f"expected a chat completion with choices; got {excerpt(body)!r}; "
                "check that the endpoint speaks openai-chat"
            )
        reader = OpenAIChatDecoder(self)
        events: list[Event] = []
        reader.read_completion(body, events)
        return [*events, ResponseCompleted(evidence="buffered")]

    def response(self, answer: Answer, /) -> dict[str, Any]:
        """Give the ``chat.completion`` of an accumulated answer."""
        raw: dict[str, Any] = {
            "id": answer.id,
            "object": "chat.completion",
            "created": 0,
            "model": answer.model,
            "choices": [_choice(choice) for choice in answer.ordered()],
        }
        raw |= {k: v for k, v in answer.extra.items() if k not in ("id", "model", "object")}
        raw["created"] = raw["created"] or 0
        if answer.usage is not None:
            raw["usage"] = answer.usage
        return raw

    def usage(self, raw: Mapping[str, Any], /) -> Usage:
        """Read ``usage``, the details of Chat Completions and of its imitators."""
        prompt, output = _details(raw, "prompt"), _details(raw, "completion")
        return Usage(
            input_tokens=_count(raw.get("prompt_tokens")),
            output_tokens=_count(raw.get("completion_tokens")),
            total_tokens=_count(raw.get("total_tokens")),
            cached_tokens=_count(prompt.get("cached_tokens")),
            reasoning_tokens=_count(output.get("reasoning_tokens")),
        )

    def finish(self, choice: ChoiceFold, /) -> Finish:
        """Judge by the reason and by what came: many say ``stop`` behind tool calls."""
        reason = choice.finish_reason
        word = "stop" if reason is None else _FINISHES.get(reason, "other")
        if word == "stop" and choice.calls:
            return "tool_calls"
        return "refusal" if word == "stop" and choice.refusal else word


@attrs.define(eq=False)
class OpenAIChatDecoder:
    """Chunks to events, for one attempt."""

    _dialect: OpenAIChat
    _head: dict[str, Any] | None = attrs.field(default=None, init=False)
    """The envelope of the chunk before: what is equal to it tells nothing new."""
    _last_head: dict[str, Any] | None = attrs.field(default=None, init=False)
    """The envelope of the last chunk that told a piece of text and nothing else."""
    _last_choice: dict[str, Any] = attrs.field(factory=dict, init=False)
    """Its choice, without the delta."""
    _last_index: int = attrs.field(default=0, init=False)
    _plain: dict[int, dict[str, Any]] = attrs.field(factory=dict, init=False)
    """By choice: its fields beside the delta, where they told nothing."""
    _known: dict[str, Any] = attrs.field(factory=dict, init=False)
    _reasons: dict[int, str | None] = attrs.field(factory=dict, init=False)
    _calls: dict[int, CallTracker] = attrs.field(factory=dict, init=False)
    _message_nulls: set[tuple[int, str]] = attrs.field(factory=set, init=False)
    _started: bool = attrs.field(default=False, init=False)
    _answered: bool = attrs.field(default=False, init=False)
    _usage_alone: bool = attrs.field(default=False, init=False)
    _done: bool = attrs.field(default=False, init=False)

    @property
    def evidence(self) -> str | None:
        """What proves the end so far."""
        finished = sum(1 for reason in self._reasons.values() if reason)
        return completion_evidence(
            answered=self._answered,
            finished=finished,
            unfinished=len(self._reasons) - finished,
            done=self._done,
            usage=self._usage_alone,
        )

    def feed(self, frame: Frame, /) -> Iterable[Event]:
        """Read the next frame."""
        if frame.whole:
            return self._whole(frame)
        try:  # the hot path: one chunk, like the one before but for its text
            value = decode_strictly(frame.data)
        except (ValueError, RecursionError):
            return self._read(frame, payloads(frame))
        if type(value) is dict and (text := self._alike(value)) is not None:
            return (text,)
        return self._read(frame, (value,))

    def _read(self, frame: Frame, values: Iterable[Any]) -> Iterable[Event]:
        """Read the JSON values of a frame."""
        out: list[Event] = []
        try:
            for value in values:
                if type(value) is dict:
                    self._learn(value, frame.event, out)
                elif value == DONE:
                    self._done = True
                elif value is not None:
                    out.append(Unknown(value, frame.event))
        except ProviderError as error:
            return _then(out, error)
        return [*out, *self.eof()] if self._done else out

    def eof(self, residue: str = "", /) -> Sequence[Event]:
        """Judge the end of the body."""
        evidence = self.evidence
        if evidence is not None:
            return (ResponseCompleted(evidence=evidence),)
        if residue and (error := _residual_error(residue)) is not None:
            raise error
        unfinished = sorted(i for i, reason in self._reasons.items() if not reason)
        raise TruncatedStream(
            "expected a finish reason or [DONE] before the end of the stream; "
            + (f"choices {unfinished} got none" if self._answered else "no answer came at all")
            + (f"; the body also held {excerpt(residue)!r}" if residue else "")
            + "; the connection was cut, or the provider ended early"
        )

    def read_completion(self, body: dict[str, Any], out: list[Event]) -> None:
        """Give the events of one whole ``chat.completion``."""
        self._envelope(dict(body), out)
        for choice in body["choices"]:
            if not isinstance(choice, dict):
                continue
            rest = dict(choice)
            message = rest.pop("message", None) or {}
            index = self._index(rest)
            self._reasons.setdefault(index, None)
            self._error_finish(rest)
            message = dict(message) if isinstance(message, dict) else {"content": message}
            out.extend(_odd_content(index, message))
            self._delta(message, index, out)
            self._finish(rest, index, out)

    def _whole(self, frame: Frame) -> Sequence[Event]:
        try:
            value = decode(frame.data)
        except ValueError:
            raise not_json(frame.data) from None
        choices = value.get("choices") if isinstance(value, dict) else None
        if isinstance(choices, list) and any(isinstance(c, dict) and "delta" in c for c in choices):
            out: list[Event] = []  # a stream of one chunk, framed as a document
            self._chunk(value, frame.event, out)
            return [*out, *self.eof()]
        return self._dialect.read_buffered(value)

    def _alike(self, chunk: dict[str, Any]) -> TextDelta | None:
        """Read a chunk that is like the one before but for its text; None where it is not."""
        chunk.pop("obfuscation", None)
        choices = chunk.pop("choices", None)
        if chunk == self._last_head and _is_single(choices):
            choice = choices[0]
            delta = choice.pop("delta", None)
            if choice == self._last_choice and type(delta) is dict and len(delta) == 1:
                text = delta.get("content")
                if text and type(text) is str:
                    return TextDelta(text, self._last_index)
            if delta is not None:
                choice["delta"] = delta
        if choices is not None:
            chunk["choices"] = choices
        return None

    def _learn(self, chunk: dict[str, Any], name: str, out: list[Event]) -> None:
        """Read a chunk, and remember its shape where all it told is a piece of text."""
        choices = chunk.get("choices")
        head = {k: v for k, v in chunk.items() if k != "choices"}
        choice = dict(choices[0]) if _is_single(choices) else {}
        before = len(out)
        self._chunk(chunk, name, out)
        if len(out) == before + 1 and type(told := out[-1]) is TextDelta and choice:
            choice.pop("delta", None)
            self._last_head, self._last_choice, self._last_index = head, choice, told.choice

    def _chunk(self, chunk: dict[str, Any], name: str, out: list[Event]) -> None:
        """Read one chunk; it is ours to take apart."""
        choices = chunk.pop("choices", None)
        usage = chunk.pop("usage", None)
        for padding in _PADDING:
            chunk.pop(padding, None)
        if chunk != self._head and not self._changed(chunk, choices, usage, name, out):
            return
        for choice in choices or ():
            if type(choice) is dict:
                self._choice(choice, out)
        if usage and type(usage) is dict:
            self._usage_alone = self._usage_alone or not choices
            out.append(UsageReported(self._dialect.usage(usage), usage))
        if "error" in chunk and (error := find_error(chunk)) is not None:
            raise error

    def _changed(
        self, chunk: dict[str, Any], choices: Any, usage: Any, name: str, out: list[Event]
    ) -> bool:
        """Read an envelope unlike the one before. Gives whether the chunk is one of an answer."""
        error = find_error(chunk)
        if error is not None and (not choices or name == "error"):
            raise error
        if name == "error":
            raise InBandError(excerpt(chunk))
        if choices is None and usage is None and not chunk.keys() & {"id", "object", "model"}:
            if chunk:
                out.append(Unknown(chunk, name))
            return False
        if error is None:
            if choices or self._started:  # else the next one, alike, may begin the answer
                self._head = chunk
            self._envelope(dict(chunk), out, begins=bool(choices))
        return True

    def _envelope(self, chunk: dict[str, Any], out: list[Event], *, begins: bool = True) -> None:
        """Tell of what is new in an envelope: its start, its usage, its unknown fields."""
        chunk.pop("choices", None)
        usage = chunk.pop("usage", None)
        new = {k: v for k, v in chunk.items() if k not in self._known or self._known[k] != v}
        for once in ("id", "model", "object", "created"):
            if self._known.get(once) and self._started:
                new.pop(once, None)
        self._known |= {k: v for k, v in new.items() if v is not None or k not in self._known}
        if not self._started and begins:
            self._started = True
            extra = {k: v for k, v in new.items() if k not in ("id", "model")}
            id_, model = self._known.get("id"), self._known.get("model")
            out.append(ResponseStarted(str(id_ or ""), str(model or ""), extra or None))
        elif new:
            out.append(Metadata(new))
        if type(usage) is dict and usage:
            out.append(UsageReported(self._dialect.usage(usage), usage))
        elif type(inner := _nested_usage(new)) is dict:
            self._usage_alone = self._usage_alone or not begins
            out.append(UsageReported(self._dialect.usage(inner), inner))

    def _choice(self, choice: dict[str, Any], out: list[Event]) -> None:
        self._answered = True
        index = self._index(choice)
        if index not in self._reasons:
            self._reasons[index] = None
        delta = choice.pop("delta", None)
        if type(delta) is dict:
            choice.pop("message", None)  # cumulative twins of the delta (Perplexity,
            choice.pop("text", None)  # Writer; Together)
            text = delta.get("content")
            if len(delta) == 1 and type(text) is str:
                if text:
                    out.append(TextDelta(text, index))
            else:
                self._delta(delta, index, out)
        elif type(message := choice.pop("message", None)) is dict:
            self._delta(dict(message), index, out)
        reason = choice.get("finish_reason")
        if reason:
            self._error_finish(choice)
            self._finish(choice, index, out)
        elif choice and choice != self._plain.get(index):
            self._beside(choice, index, out)

    def _delta(self, delta: dict[str, Any], index: int, out: list[Event]) -> None:
        """Read a delta or a message; it is ours to take apart. Reasoning comes before text."""
        content = delta.pop("content", None)
        role = delta.pop("role", None)
        out.extend(_reasoning(delta, index))
        if type(content) is str:
            if content:
                out.append(TextDelta(content, index))
        elif type(content) is list:
            out.extend(_parts(content, index))
        if delta.get("refusal"):
            out.append(RefusalDelta(str(delta.pop("refusal")), index))
        if role and role != "assistant":
            delta["role"] = role
        self._tools(delta, index, out)
        if type(delta.get("annotations")) is list:
            out.extend(Citation(c, index) for c in delta.pop("annotations"))
        extra = {k: v for k, v in delta.items() if v not in (None, "") or self._is_news(index, k)}
        if extra:
            out.append(Metadata(extra, index, message=True))

    def _tools(self, delta: dict[str, Any], index: int, out: list[Event]) -> None:
        pieces = delta.pop("tool_calls", None)
        if not pieces:
            return
        tracker = self._calls.get(index)
        if tracker is None:
            tracker = self._calls[index] = CallTracker(index)
        for piece in pieces if type(pieces) is list else (pieces,):
            if type(piece) is dict:
                out.extend(tracker.feed(piece))

    def _finish(self, choice: dict[str, Any], index: int, out: list[Event]) -> None:
        reason = choice.pop("finish_reason", None)
        if reason:
            word, before = str(reason), self._reasons[index]
            if before is None or (word != before and word in _FINAL):
                self._reasons[index] = word
                out.append(Finished(index, word, choice or None))
                return
        if choice:
            out.append(Metadata(choice, index))

    def _beside(self, choice: dict[str, Any], index: int, out: list[Event]) -> None:
        """Tell of a choice's fields beside its delta; all null is told once."""
        if not any(value for value in choice.values()):
            self._plain[index] = choice
        extra = {k: v for k, v in choice.items() if k != "finish_reason"}
        if extra:
            out.append(Metadata(extra, index))

    def _error_finish(self, choice: dict[str, Any]) -> None:
        reason = choice.get("finish_reason")
        if reason in ERROR_FINISHES:
            raise find_error(choice) or InBandError(
                f"the provider ended the answer with finish_reason {reason!r}",
                provider_code=str(reason),
            )

    def _is_news(self, index: int, key: str) -> bool:
        """Whether this null field of the message was not told of before."""
        told = (index, key) in self._message_nulls
        self._message_nulls.add((index, key))
        return not told

    @staticmethod
    def _index(choice: dict[str, Any]) -> int:
        index = choice.pop("index", 0)
        try:
            return int(index or 0)
        except (TypeError, ValueError):
            return 0


def _is_single(choices: Any) -> TypeGuard[list[dict[str, Any]]]:
    return type(choices) is list and len(choices) == 1 and type(choices[0]) is dict


def _then(events: list[Event], error: Exception) -> Iterator[Event]:
    """Give what a frame held before its error, and then the error."""
    yield from events
    raise error


def _reasoning(delta: dict[str, Any], index: int) -> Iterator[Event]:
    """Read the reasoning of a delta, whatever its field; the same text twice is one."""
    fields = ("reasoning_content", "reasoning")
    text = next((v for k in fields if (v := delta.get(k)) and type(v) is str), None)
    if text:
        same = [k for k in fields if delta.get(k) == text]
        for field in same:
            del delta[field]
        yield ReasoningDelta(text, index, " ".join(same))
    elif type(details := delta.get("reasoning_details")) is list:
        text = "".join(
            d.get("text") or d.get("summary") or "" for d in details if isinstance(d, dict)
        )
        if text:
            yield ReasoningDelta(text, index, "")


def _parts(content: list[Any], index: int) -> Iterator[Event]:
    """Read content that is a list of parts (Mistral's reasoning models)."""
    for part in content:
        if isinstance(part, str):
            yield TextDelta(part, index)
        elif not isinstance(part, dict):
            continue
        elif part.get("type") == "thinking":
            yield from _thinking(part, index)
        elif isinstance(part.get("text"), str):
            if part["text"]:
                yield TextDelta(part["text"], index)
        else:
            yield Metadata({"content_parts": [part]}, index, message=True)


def _thinking(part: dict[str, Any], index: int) -> Iterator[Event]:
    inner = part.get("thinking")
    pieces = inner if isinstance(inner, list) else [inner]
    texts = (p.get("text") if isinstance(p, dict) else p for p in pieces)
    text = "".join(t for t in texts if isinstance(t, str))
    if text:
        yield ReasoningDelta(text, index)


def _odd_content(index: int, message: dict[str, Any]) -> Iterator[Event]:
    """Keep what an accumulated text cannot say: empty beside tool calls, null alone, parts."""
    content = message.get("content")
    usual = None if message.get("tool_calls") or message.get("refusal") else ""
    if not content and "content" in message and content != usual:
        yield Metadata({"content": content}, index, message=True)
    for field in ("annotations", "tool_calls"):
        if field in message and not message[field]:
            yield Metadata({field: message.pop(field)}, index, message=True)


def _nested_usage(envelope: dict[str, Any]) -> Any:
    """Find usage where Groq's older streams put it."""
    inner = envelope.get("x_groq")
    return inner.get("usage") if isinstance(inner, dict) else None


def _residual_error(residue: str) -> InBandError | None:
    """Find an error among the lines that were no part of the framing."""
    text = residue.strip()
    for candidate in (text, text.partition("error:")[2].strip()):
        try:
            value = decode(candidate)
        except ValueError:
            continue
        error = find_error(value) or (find_error({"error": value}) if candidate != text else None)
        if error is not None:
            return error
    return None


def _choice(choice: ChoiceFold) -> dict[str, Any]:
    """Give one choice of a ``chat.completion``."""
    text = "".join(choice.text)
    extra = dict(choice.message)
    content = text or extra.pop("content", None if choice.calls or choice.refusal else "")
    extra.pop("content", None)
    message: dict[str, Any] = {"role": "assistant", "content": content, **extra}
    if choice.refusal:
        message["refusal"] = "".join(choice.refusal)
    for field in choice.reasoning_field.split():
        message[field] = "".join(choice.reasoning)
    if choice.calls:
        message["tool_calls"] = [_tool_call(call) for call in choice.calls]
    if choice.citations:
        message["annotations"] = choice.citations
    raw = {"index": choice.index, "message": message, **choice.extra}
    raw["finish_reason"] = choice.finish_reason
    return raw


def _tool_call(call: CallFold) -> dict[str, Any]:
    settled, extra = call.tool_call(), dict(call.extra)
    kind = str(extra.get("type", "function"))
    field = "arguments" if kind != "custom" else "input"
    body_key = kind if kind == "custom" else "function"
    body = {"name": settled.name, field: settled.arguments, **extra.pop(body_key, {})}
    return {"id": settled.id, "type": kind, body_key: body, **extra}


def _details(raw: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    details = raw.get(f"{side}_tokens_details")
    return details if isinstance(details, Mapping) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
