"""
Chunks to events.

Three levels of a chunk may hold fields nobody modelled. On the hot path a
chunk is compared with the one before, as it is written or in two C calls once
it is parsed, and taken apart only if more than its text differs: nearly every
chunk is a known envelope around a new piece of text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final, TypeGuard

import attrs

from ...errors import InBandError, MalformedStream, ProviderError, excerpt
from ...events import (
    Event,
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
from ..ending import raise_behind, truncated
from ..in_band import find_error, not_json, residual_error
from ..template import Template
from .choice import ChoiceDecoder
from .completion import usage_of

__all__ = ["OpenAIChatDecoder", "read_completion"]

_PADDING: Final = ("obfuscation", "p")
"""Random padding against traffic analysis; no part of an answer."""


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
    """The envelope of the chunk before, never changed: what is equal to it tells nothing new."""
    _last_head: dict[str, Any] | None = attrs.field(default=None, init=False)
    """The envelope of the last chunk that told a piece of text and nothing else."""
    _last_choice: dict[str, Any] | None = attrs.field(default=None, init=False)
    """Its choice, without the delta and the index."""
    _last_place: Any = attrs.field(default=None, init=False)
    """Its index, as it is written, if it is."""
    _last_index: int = attrs.field(default=0, init=False)
    """The same, as it is told."""
    _template: Template | None = attrs.field(default=None, init=False)
    """Its characters, but for the text."""
    _parsed: int = attrs.field(default=0, init=False)
    """How many chunks were like the one before, and had to be parsed to know it (a count)."""
    _known: dict[str, Any] = attrs.field(factory=dict, init=False)
    """The fields of all envelopes so far; never changed, but another."""
    _choices: dict[int, ChoiceDecoder] = attrs.field(factory=dict, init=False)
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
        return self._said or any(choice.called for choice in self._choices.values())

    def _ruling(self, *, residue: bool) -> Ruling:
        choices = self._choices.values()
        seen = Seen(
            answered=self._answered,
            content=self._content,
            finished=bool(choices) and all(choice.reason for choice in choices),
            done=self._done,
            usage=self._usage_alone,
            open_call=any(choice.cut for choice in choices),
            residue=residue,
        )
        return judge(seen)

    def feed(self, frame: Frame, /) -> Iterable[Event]:
        """Read the next frame."""
        data = frame.data
        # The hot path: one chunk, like the one before but for its text.
        if self._template is not None and type(data) is str and (text := self._template.read(data)):
            return (TextDelta(text, self._last_index),)
        if frame.whole:
            return self._whole(frame)
        try:
            value = decode_strictly(data)
        except (ValueError, RecursionError):
            if frame.event == "error":
                raise InBandError(excerpt(data)) from None
            return self._read(frame, payloads(frame))
        if type(value) is dict and (delta := self._alike(value)) is not None:
            self._note(data)
            return (delta,)
        return self._read(frame, (value,))

    def _read(self, frame: Frame, values: Iterable[Any]) -> Iterable[Event]:
        """Read the JSON values of a frame."""
        self._template = None  # what is like one before this is news again
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
            return raise_behind(out, error)
        if not self._said:
            self._content = self._content or any(event.progress for event in out)
            self._said = any(type(event) in (TextDelta, RefusalDelta) for event in out)
        return self._done_with(out) if self._done else out

    def _done_with(self, out: list[Event]) -> Iterable[Event]:
        """Judge at the done marker, behind which nothing comes."""
        try:
            return [*out, *self.eof()]
        except ProviderError as error:
            return raise_behind(out, error)

    def eof(self, residue: str = "", /) -> Sequence[Event]:
        """Judge the end of the body."""
        error = residual_error(residue) if residue else self._echoed()
        ruling = self._ruling(residue=error is not None)
        if ruling.verdict.whole:
            held = chain.from_iterable(choice.echo.release() for choice in self._choices.values())
            return (*held, ResponseCompleted(evidence=ruling.evidence))
        if ruling.verdict is Verdict.ERROR and error is not None:
            raise error
        raise truncated("a finish reason or [DONE]", self._wanting(ruling.verdict), residue)

    def _echoed(self) -> InBandError | None:
        """Give the error that was passed on as text, if one was."""
        errors = (choice.echo.error() for choice in self._choices.values())
        return next(filter(None, errors), None)

    def _wanting(self, verdict: Verdict) -> str:
        """Say what is missing."""
        if verdict is Verdict.CUT_CALL:
            return "the arguments of a tool call broke off"
        if verdict is Verdict.NOTHING:
            return "no answer came at all"
        unfinished = sorted(i for i, choice in self._choices.items() if not choice.reason)
        return f"choices {unfinished} got none"

    def completion(self, body: dict[str, Any], out: list[Event]) -> None:
        """Give the events of one whole ``chat.completion``."""
        self._envelope(dict(body), out)
        for choice in body["choices"]:
            if isinstance(choice, dict):
                rest = dict(choice)
                self._choice(rest).complete(rest, out)

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
            text = self._text_of(choices[0])
            if text:
                return TextDelta(text, self._last_index)
        if choices is not None:
            chunk["choices"] = choices
        return None

    def _text_of(self, choice: Any) -> str:
        """Give the text of a choice that is like the one before but for it; empty for another."""
        if type(choice) is not dict:
            return ""
        rest = dict(choice)
        delta = rest.pop("delta", None)
        if rest.pop("index", None) != self._last_place or rest != self._last_choice:
            return ""
        text = delta.get("content") if type(delta) is dict and len(delta) == 1 else None
        return text if type(text) is str else ""

    def _note(self, data: str | bytes) -> None:
        """Make a template of what is alike, ever more rarely where it does not serve."""
        self._parsed += 1
        if type(data) is str and self._parsed & (self._parsed - 1) == 0:
            self._template = Template.of(data, "choices", 0, "delta", "content")

    def _learn(self, chunk: dict[str, Any], name: str, out: list[Event]) -> None:
        """Read a chunk, and remember its shape where all it told is a piece of text."""
        choices = chunk.get("choices")
        head = {k: v for k, v in chunk.items() if k != "choices"}
        choice = dict(choices[0]) if _is_single(choices) else {}
        before = len(out)
        self._chunk(chunk, name, out)
        if len(out) == before + 1 and type(told := out[-1]) is TextDelta and choice:
            choice.pop("delta", None)
            place, plain = choice.pop("index", None), self._choices[told.choice].plain
            # One of two that are the same is enough, for as long as the stream is open.
            self._last_head = self._head if head == self._head else head
            self._last_choice = plain if choice == plain else choice
            self._last_place, self._last_index = place, told.choice

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
                self._answered = True
                self._choice(choice).read(choice, out)
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
            if self._known == self._head:
                self._known = self._head  # one of the two is enough: neither is changed
        return True

    def _envelope(self, chunk: dict[str, Any], out: list[Event], *, begins: bool = True) -> None:
        """Tell of what is new in an envelope: its start, its usage, its unknown fields."""
        chunk.pop("choices", None)
        usage = chunk.pop("usage", None)
        new = {k: v for k, v in chunk.items() if k not in self._known or self._known[k] != v}
        for once in ("id", "model", "object", "created"):
            if self._known.get(once) and self._started:
                new.pop(once, None)
        known = {k: v for k, v in new.items() if v is not None or k not in self._known}
        self._known = self._known | known
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

    def _choice(self, choice: dict[str, Any]) -> ChoiceDecoder:
        """Give who reads *choice*, and take its index off it."""
        index = self._index(choice)
        decoder = self._choices.get(index)
        if decoder is None:
            decoder = self._choices[index] = ChoiceDecoder(index)
        return decoder

    @staticmethod
    def _index(choice: dict[str, Any]) -> int:
        index = choice.pop("index", 0)
        try:
            return int(index or 0)
        except (TypeError, ValueError):
            return 0


def _is_single(choices: Any) -> TypeGuard[list[dict[str, Any]]]:
    return type(choices) is list and len(choices) == 1 and type(choices[0]) is dict


def _nested_usage(envelope: dict[str, Any]) -> Any:
    """Find usage where Groq's older streams put it."""
    inner = envelope.get("x_groq")
    return inner.get("usage") if isinstance(inner, dict) else None
