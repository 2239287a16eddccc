"""
Chunks to events.

Three levels of a chunk may hold fields nobody modelled. On the hot path a
chunk is compared with the one before, in two C calls, and taken apart only if
more than its text differs: nearly every chunk is a known envelope around a
new piece of text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeGuard

import attrs

from ...errors import InBandError, MalformedStream, ProviderError, TruncatedStream, excerpt
from ...events import (
    Citation,
    Event,
    Finished,
    Metadata,
    RefusalDelta,
    ResponseCompleted,
    ResponseStarted,
    TextDelta,
    Unknown,
    UsageReported,
)
from ...framing import DONE, Frame, decode, decode_strictly, payloads
from ...policy import Ruling, Seen, Verdict, judge
from ..calls import CallTracker
from ..in_band import ERROR_FINISHES, find_error, not_json, residual_error
from .completion import usage_of
from .delta import odd_content, parts_of, reasoning_of
from .echoes import Echoes

__all__ = ["OpenAIChatDecoder", "read_completion"]

_PADDING: Final = ("obfuscation", "p")
"""Random padding against traffic analysis; no part of an answer."""
_FINAL: Final = frozenset({"length", "content_filter"})
"""Finish reasons that a later, different one may bring (quirk 40)."""


def read_completion(body: Any) -> Sequence[Event]:
    """
    Give the events of a whole ``chat.completion``.

    Raises:
        InBandError: *body* is the provider's error.
        MalformedStream: *body* is no answer.
    """
    if (error := find_error(body)) is not None:
        raise error
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or not any(isinstance(c, dict) for c in choices):
        raise MalformedStream(
            f"expected a chat completion with choices; got {excerpt(body)!r}; "
            "check that the endpoint speaks openai-chat"
        )
    events: list[Event] = []
    OpenAIChatDecoder().completion(body, events)
    return [*events, ResponseCompleted(evidence="buffered")]


@attrs.define(eq=False)
class OpenAIChatDecoder:
    """Chunks to events, for one attempt."""

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
    _message_nulls: frozenset[tuple[int, str]] = attrs.field(default=frozenset(), init=False)
    _echoes: Echoes = attrs.field(factory=Echoes, init=False)
    _content: bool = attrs.field(default=False, init=False)
    _said: bool = attrs.field(default=False, init=False)
    _started: bool = attrs.field(default=False, init=False)
    _answered: bool = attrs.field(default=False, init=False)
    _usage_alone: bool = attrs.field(default=False, init=False)
    _done: bool = attrs.field(default=False, init=False)

    @property
    def evidence(self) -> str | None:
        """What proves the end so far."""
        return self._ruling(residue=False).evidence

    @property
    def said(self) -> bool:
        """Whether text, a refusal or a call came."""
        return self._said or bool(self._calls)

    def _ruling(self, *, residue: bool) -> Ruling:
        reasons = self._reasons
        seen = Seen(
            answered=self._answered,
            content=self._content,
            finished=bool(reasons) and all(reasons.values()),
            done=self._done,
            usage=self._usage_alone,
            open_call=any(
                calls.cut(finished=bool(reasons[index]))
                for index, calls in self._calls.items()
                if reasons[index] not in _FINAL  # the model itself was cut off
            ),
            residue=residue,
        )
        return judge(seen)

    def feed(self, frame: Frame, /) -> Iterable[Event]:
        """Read the next frame."""
        if frame.whole:
            return self._whole(frame)
        try:  # the hot path: one chunk, like the one before but for its text
            value = decode_strictly(frame.data)
        except (ValueError, RecursionError):
            if frame.event == "error":
                raise InBandError(excerpt(frame.data)) from None
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
        if not self._said:
            self._content = self._content or any(event.progress for event in out)
            self._said = any(type(event) in (TextDelta, RefusalDelta) for event in out)
        return self._done_with(out) if self._done else out

    def _done_with(self, out: list[Event]) -> Iterable[Event]:
        """Judge at the done marker, behind which nothing comes."""
        try:
            return [*out, *self.eof()]
        except ProviderError as error:
            return _then(out, error)

    def eof(self, residue: str = "", /) -> Sequence[Event]:
        """Judge the end of the body."""
        error = residual_error(residue) if residue else self._echoes.error()
        ruling = self._ruling(residue=error is not None)
        if ruling.verdict.whole:
            return (*self._echoes.release_all(), ResponseCompleted(evidence=ruling.evidence))
        if ruling.verdict is Verdict.ERROR and error is not None:
            raise error
        raise TruncatedStream(
            "expected a finish reason or [DONE] before the end of the stream; "
            + self._wanting(ruling.verdict)
            + (f"; the body also held {excerpt(residue)!r}" if residue else "")
            + "; the connection was cut, or the provider ended early"
        )

    def _wanting(self, verdict: Verdict) -> str:
        """Say what is missing."""
        if verdict is Verdict.CUT_CALL:
            return "the arguments of a tool call broke off"
        if verdict is Verdict.NOTHING:
            return "no answer came at all"
        unfinished = sorted(i for i, reason in self._reasons.items() if not reason)
        return f"choices {unfinished} got none"

    def completion(self, body: dict[str, Any], out: list[Event]) -> None:
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
            out.extend(odd_content(index, message))
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
        return read_completion(value)

    def _alike(self, chunk: dict[str, Any]) -> TextDelta | None:
        """Read a chunk that is like the one before but for its text; None where it is not."""
        chunk.pop("obfuscation", None)
        choices = chunk.pop("choices", None)
        if chunk == self._last_head and type(choices) is list and len(choices) == 1:
            choice = choices[0] if type(choices[0]) is dict else {}
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
            if head == self._head:
                head = self._head  # one of the two is enough, for as long as the stream is open
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
            out.append(UsageReported(usage_of(usage), usage))
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
            raise find_error({"error": chunk}) or InBandError(excerpt(chunk))
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
            out.append(Metadata(None, new))
        if type(usage) is dict and usage:
            out.append(UsageReported(usage_of(usage), usage))
        elif type(inner := _nested_usage(new)) is dict:
            self._usage_alone = self._usage_alone or not begins
            out.append(UsageReported(usage_of(inner), inner))

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
                    out.extend(self._echoes.tell(text, index))
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
        out.extend(reasoning_of(delta, index))
        if type(content) is str:
            if content:
                out.extend(self._echoes.tell(content, index))
        elif type(content) is list:
            out.extend(parts_of(content, index))
        if delta.get("refusal"):
            out.append(RefusalDelta(str(delta.pop("refusal")), index))
        if role and role != "assistant":
            delta["role"] = role
        self._tools(delta, index, out)
        if type(delta.get("annotations")) is list:
            out.extend(Citation(c, index) for c in delta.pop("annotations"))
        extra = {k: v for k, v in delta.items() if v not in (None, "") or self._is_news(index, k)}
        if extra:
            out.append(Metadata(index, extra, message=True))

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
            out.extend(self._echoes.release(index))
            word, before = str(reason), self._reasons[index]
            if before is None or (word != before and word in _FINAL):
                self._reasons[index] = word
                out.append(Finished(index, word, choice or None))
                return
        if choice:
            out.append(Metadata(index, choice))

    def _beside(self, choice: dict[str, Any], index: int, out: list[Event]) -> None:
        """Tell of a choice's fields beside its delta; all null is told once."""
        if not any(value for value in choice.values()):
            self._plain[index] = choice
        extra = {k: v for k, v in choice.items() if k != "finish_reason"}
        if extra:
            out.append(Metadata(index, extra))

    def _error_finish(self, choice: dict[str, Any]) -> None:
        reason = choice.get("finish_reason")
        if reason in ERROR_FINISHES:
            raise (
                find_error(choice)
                or self._echoes.error()
                or InBandError(
                    f"the provider ended the answer with finish_reason {reason!r}",
                    provider_code=str(reason),
                )
            )

    def _is_news(self, index: int, key: str) -> bool:
        """Whether this null field of the message was not told of before."""
        told = (index, key) in self._message_nulls
        self._message_nulls |= {(index, key)}
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


def _nested_usage(envelope: dict[str, Any]) -> Any:
    """Find usage where Groq's older streams put it."""
    inner = envelope.get("x_groq")
    return inner.get("usage") if isinstance(inner, dict) else None
