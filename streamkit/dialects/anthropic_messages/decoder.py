"""
Stream events to events, and a whole message to the same.

Nearly every frame is one more piece of the block that spoke last: it is
recognised by a few comparisons, and told by what its block knows of itself.
Everything else goes through a table, by its type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Final

import attrs

from ...errors import InBandError, MalformedStream, ProviderError, excerpt
from ...events import (
    Citation,
    Event,
    Finished,
    Metadata,
    ResponseCompleted,
    ResponseStarted,
    Unknown,
    UsageReported,
)
from ...framing import DONE, Frame, decode, decode_strictly, payloads
from ...policy import Ruling, Seen, Verdict, judge
from ..ending import raise_behind, truncated
from ..in_band import find_error, not_json, residual_error
from ..merge import overlay
from .blocks import mark
from .content import Content
from .usage import usage_of

__all__ = ["AnthropicMessagesDecoder", "read_message"]

_FINAL: Final = frozenset({"max_tokens", "model_context_window_exceeded", "refusal"})
"""Stop reasons by which the model itself was cut off, in a tool call maybe."""
_TOLD: Final = frozenset({"id", "model", "content", "usage", "stop_reason"})
"""Fields of a message that events tell."""
_USUAL: Final = {"type": "message", "role": "assistant", "stop_sequence": None}
"""What a message says of itself as a rule."""
_OF_THE_END: Final = frozenset({"stop_reason", "stop_sequence", "stop_details", "container"})
"""Fields of a message that come at the end of a stream."""


def read_message(body: Any) -> Sequence[Event]:
    """
    Give the events of a whole ``message``.

    Raises:
        InBandError: *body* is the provider's error.
        MalformedStream: *body* is no answer.
    """
    if (error := find_error(body)) is not None:
        raise error
    if not isinstance(body, dict) or not isinstance(body.get("content"), list):
        raise MalformedStream(
            f"expected a message with content; got {excerpt(body)!r}; "
            "check that the endpoint speaks anthropic-messages"
        )
    return [*AnthropicMessagesDecoder().message(body), ResponseCompleted(evidence="buffered")]


@attrs.define(eq=False)
class AnthropicMessagesDecoder:
    """Stream events to events, for one attempt."""

    _content: Content = attrs.field(factory=Content, init=False)
    _usage: dict[str, Any] = attrs.field(factory=dict, init=False)
    _started: bool = attrs.field(default=False, init=False)
    _reason: str | None = attrs.field(default=None, init=False)
    _stopped: bool = attrs.field(default=False, init=False)

    @property
    def evidence(self) -> str | None:
        """What proves the end so far: nothing before ``message_stop``."""
        return self._ruling(residue=False).evidence

    @property
    def said(self) -> bool:
        """Whether text or a call came."""
        spoke = (block.told and block.kind == "text" for block in self._content.known.values())
        return bool(self._content.names) or any(spoke)

    def _ruling(self, *, residue: bool) -> Ruling:
        seen = Seen(
            answered=self._started or bool(self._content.known),
            content=bool(self._content.known),
            finished=self._stopped and self._reason is not None,
            done=self._stopped,
            open_call=self._reason not in _FINAL and any(call.cut for call in self._content.asked),
            residue=residue,
        )
        return judge(seen)

    def feed(self, frame: Frame, /) -> Iterable[Event]:
        """Read the next frame."""
        if frame.whole:
            return self._whole(frame)
        try:
            value = decode_strictly(frame.data)
        except (ValueError, RecursionError):
            if frame.event == "error":
                raise InBandError(excerpt(frame.data)) from None
            return self._read(frame, payloads(frame))
        if type(value) is dict and (event := self._piece(value)) is not None:
            return (event,)
        return self._read(frame, (value,))

    def eof(self, residue: str = "", /) -> Sequence[Event]:
        """Judge the end of the body."""
        error = residual_error(residue) if residue else None
        ruling = self._ruling(residue=error is not None)
        if ruling.verdict.whole:
            return (ResponseCompleted(evidence=ruling.evidence),)
        if ruling.verdict is Verdict.ERROR and error is not None:
            raise error
        raise truncated("message_stop", self._wanting(ruling.verdict), residue)

    def message(self, message: dict[str, Any]) -> list[Event]:
        """Give the events of a message, whole or at the start of its stream."""
        ends = message.get("stop_reason") is not None
        rest = {
            key: value
            for key, value in message.items()
            if key not in _TOLD
            and not (key in _USUAL and value == _USUAL[key])
            and not (ends and key in _OF_THE_END)
        }
        self._started = True
        id_, model = str(message.get("id") or ""), str(message.get("model") or "")
        out: list[Event] = [ResponseStarted(id_, model, rest or None)]
        self._report(message.get("usage"), out)
        for fields in message.get("content") or ():
            if type(fields) is dict:
                out.extend(self._content.begin(None, fields, out).close())
        if ends:
            self._end({key: message[key] for key in message if key in _OF_THE_END}, out)
        return out

    def _wanting(self, verdict: Verdict) -> str:
        """Say what is missing."""
        if verdict is Verdict.CUT_CALL:
            return "the input of a tool call broke off"
        if verdict is Verdict.NOTHING:
            return "no answer came at all"
        return f"the stop reason so far is {self._reason!r}"

    def _whole(self, frame: Frame) -> Sequence[Event]:
        try:
            value = decode(frame.data)
        except ValueError:
            raise not_json(frame.data) from None
        if isinstance(value, dict) and value.get("type") in self._EVENTS:
            events = list(self._read(frame, (value,)))  # a stream of one frame, as a document
            return events if self._stopped else [*events, *self.eof()]
        return read_message(value)

    def _piece(self, value: dict[str, Any]) -> Event | None:
        """Read one more piece of the block that spoke last; None where it is anything else."""
        block, delta = self._content.last, value.get("delta")
        if (
            block is None
            or type(delta) is not dict
            or len(delta) != 2  # noqa: PLR2004 (its type and its text)
            or value.get("index") != block.wire
            or delta.get("type") != block.takes
            or value.get("type") != "content_block_delta"
        ):
            return None
        text = delta.get(block.field)
        if not text or type(text) is not str:
            return None
        block.told = True
        return block.tell(text)

    def _read(self, frame: Frame, values: Iterable[Any]) -> Iterable[Event]:
        """Read the JSON values of a frame."""
        out: list[Event] = []
        try:
            for value in values:
                if type(value) is dict:
                    self._event(value, frame.event, out)
                elif frame.event == "error":
                    raise InBandError(excerpt(value))
                elif value == DONE:
                    self._stopped = self._stopped or self._reason is not None
                elif value is not None:
                    out.append(Unknown(value, frame.event))
            if self._stopped:
                out.extend(self.eof())
        except ProviderError as error:
            return raise_behind(out, error)
        return out

    def _event(self, value: dict[str, Any], name: str, out: list[Event]) -> None:
        """Read one stream event: its type counts, and the frame's name where it has none."""
        kind = value.get("type")
        read = self._EVENTS.get(kind if isinstance(kind, str) else name)
        if read is not None and name != "error":
            if read(self, value, out):
                return
        elif (error := find_error(value)) is not None:
            raise error
        elif name == "error":
            raise find_error({"error": value}) or InBandError(excerpt(value))
        out.append(Unknown(value, name))

    # -- the message

    def _message_start(self, value: dict[str, Any], out: list[Event]) -> bool:
        message = value.get("message")
        if type(message) is not dict:
            return False
        if self._started:  # said again: what it cost may be new
            self._report(message.get("usage"), out)
        else:
            out.extend(self.message(message))
        _beside(value, ("type", "message"), out)
        return True

    def _message_delta(self, value: dict[str, Any], out: list[Event]) -> bool:
        delta = value.get("delta")
        self._content.close(out)
        _beside(value, ("type", "delta", "usage"), out)
        self._report(value.get("usage"), out)
        self._end(delta if type(delta) is dict else {}, out)
        return True

    def _message_stop(self, value: dict[str, Any], out: list[Event]) -> bool:
        self._content.close(out)
        _beside(value, ("type", "usage"), out)
        self._report(value.get("usage"), out)
        self._stopped = True
        return True

    def _ping(self, value: dict[str, Any], _out: list[Event]) -> bool:
        return len(value) == 1

    def _report(self, usage: Any, out: list[Event]) -> None:
        if type(usage) is dict and usage:
            overlay(self._usage, usage)
            out.append(UsageReported(usage_of(self._usage), usage))

    def _end(self, delta: dict[str, Any], out: list[Event]) -> None:
        """Tell why the message ended, if it is said."""
        reason = delta.get("stop_reason")
        extra = {
            key: value
            for key, value in delta.items()
            if key != "stop_reason" and (key, value) != ("stop_sequence", None)
        }
        if reason:
            self._reason = str(reason)
            out.append(Finished(0, self._reason, extra or None))
        elif extra:
            out.append(Metadata(0, extra))

    # -- its blocks

    def _block_start(self, value: dict[str, Any], out: list[Event]) -> bool:
        fields = value.get("content_block")
        if type(fields) is not dict:
            return False
        self._content.begin(value.get("index"), fields, out)
        return True

    def _block_delta(self, value: dict[str, Any], out: list[Event]) -> bool:
        delta = value.get("delta")
        if type(delta) is not dict:
            return False
        block, kind = self._content.find(value.get("index"), delta, out), delta.get("type")
        text, citation = delta.get(block.field), delta.get("citation")
        told: tuple[str, ...] = ("type", block.field)
        if kind == "citations_delta" and type(citation) is dict:
            out.append(Citation(citation))
            told = ("type", "citation")
        elif kind != block.takes or type(text) is not str:
            told = ()
        elif text:
            block.told = True
            out.append(block.tell(text))
        if rest := {key: value for key, value in delta.items() if key not in told}:
            out.append(mark(block.number, {"delta": {"type": kind, **rest}}))
        return True

    def _block_stop(self, value: dict[str, Any], out: list[Event]) -> bool:
        block = self._content.last if type(value.get("index")) is not int else None
        block = block or self._content.known.get(value.get("index", -1))
        out.extend(block.close() if block is not None else ())
        return True

    _EVENTS: ClassVar[
        dict[str, Callable[[AnthropicMessagesDecoder, dict[str, Any], list[Event]], bool]]
    ] = {
        "message_start": _message_start,
        "content_block_start": _block_start,
        "content_block_delta": _block_delta,
        "content_block_stop": _block_stop,
        "message_delta": _message_delta,
        "message_stop": _message_stop,
        "ping": _ping,
    }


def _beside(value: dict[str, Any], told: tuple[str, ...], out: list[Event]) -> None:
    """Tell the fields of a frame that nobody modelled, as the message's."""
    if extra := {key: each for key, each in value.items() if key not in told}:
        out.append(Metadata(None, extra))
