"""
The events of a response's stream, and of a whole response, to ours.

Both go one way: what is said again in the end is read like what came before,
and only what was not told yet gives events. So a buffered response, of which
nothing was told, gives the events of its stream.

On the hot path an event is compared with the one before, in one C call: nearly
every event is a known envelope around a new piece of text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Final

import attrs

from ...errors import InBandError, MalformedStream, ProviderError, excerpt
from ...events import (
    Event,
    ResponseCompleted,
    TextDelta,
    ToolCallDelta,
    Unknown,
)
from ...framing import DONE, Frame, decode, decode_strictly, payloads
from ...policy import Ruling, Seen, Verdict, judge
from ..ending import raise_behind, truncated
from ..in_band import find_error, not_json, residual_error
from .envelope import Envelope, usage_in
from .items import CALLS
from .names import ARGUMENTS, ENDS, KNOWN, PARTS, TEXTS, VARYING, named
from .output import Output
from .parts import missing

__all__ = ["OpenAIResponsesDecoder", "read_response"]


def read_response(body: Any) -> Sequence[Event]:
    """
    Give the events of a whole ``response``.

    Raises:
        InBandError: *body* is the provider's error.
        MalformedStream: *body* is no answer, or one that is still to come.
    """
    if (error := find_error(body)) is not None:
        raise error
    if not isinstance(body, dict) or not isinstance(body.get("output"), list):
        raise MalformedStream(
            f"expected a response with its output; got {excerpt(body)!r}; "
            "check that the endpoint speaks openai-responses"
        )
    if body.get("status") in ("queued", "in_progress"):
        raise MalformedStream(
            f"expected a response that has ended; its status is {body['status']!r}; "
            "ask without background, or stream it"
        )
    events = OpenAIResponsesDecoder().response(body)
    return [*events, ResponseCompleted(evidence="buffered")]


@attrs.define(eq=False)
class OpenAIResponsesDecoder:
    """A response's stream to events, for one attempt."""

    _head: dict[str, Any] | None = attrs.field(default=None, init=False)
    """The envelope of the last piece: what is equal to it tells a piece and nothing else."""
    _pieces: list[str] = attrs.field(factory=list, init=False)
    """Where the next piece goes."""
    _tell: Callable[[str], Event] = attrs.field(default=TextDelta, init=False)
    _rotating: bool = attrs.field(default=False, init=False)
    """Whether item ids change from event to event: then the index alone counts."""
    _output: Output = attrs.field(factory=Output, init=False)
    _envelope: Envelope = attrs.field(factory=Envelope, init=False)
    _said: bool = attrs.field(default=False, init=False)
    _content: bool = attrs.field(default=False, init=False)
    _done: bool = attrs.field(default=False, init=False)

    @property
    def evidence(self) -> str | None:
        """What proves the end so far."""
        return self._ruling(residue=False).evidence

    @property
    def said(self) -> bool:
        """Whether text, a refusal or a call came."""
        return self._said or self._output.called

    def _ruling(self, *, residue: bool) -> Ruling:
        reason = self._envelope.reason
        complete = reason in (None, "completed")  # else the model itself was cut off
        seen = Seen(
            answered=self._envelope.started and not self._envelope.failed,
            content=self._content or bool(self._output.items),
            finished=reason is not None,
            done=self._done,
            open_call=complete and self._output.cut,
            residue=residue,
        )
        return judge(seen)

    def feed(self, frame: Frame, /) -> Iterable[Event]:
        """Read the next frame."""
        if frame.whole:
            return self._whole(frame)
        try:  # the hot path: one event, like the one before but for its piece
            value = decode_strictly(frame.data)
        except (ValueError, RecursionError):
            if frame.event == "error":
                raise InBandError(excerpt(frame.data)) from None
            return self._read(frame, payloads(frame))
        if type(value) is dict:
            piece = value.pop("delta", None)
            value.pop("sequence_number", None)
            value.pop("obfuscation", None)
            id_ = value.pop("item_id", None) if self._rotating else None
            if value == self._head and type(piece) is str and piece:
                self._pieces.append(piece)
                return (self._tell(piece),)
            if piece is not None:
                value["delta"] = piece
            if id_ is not None:
                value["item_id"] = id_
        return self._read(frame, (value,))

    def eof(self, residue: str = "", /) -> Sequence[Event]:
        """Judge the end of the body."""
        error = residual_error(residue) if residue else None
        ruling = self._ruling(residue=error is not None)
        if ruling.verdict.whole:
            return (ResponseCompleted(evidence=ruling.evidence),)
        if ruling.verdict is Verdict.ERROR and error is not None:
            raise error
        saw = _WANTING.get(ruling.verdict, "the answer had begun")
        raise truncated("response.completed", saw, residue)

    def response(self, response: dict[str, Any]) -> Iterator[Event]:
        """Give the events of a whole response, but for the last."""
        yield from self._envelope.learn(response)
        yield from self._end(response, "completed")

    def _whole(self, frame: Frame) -> Iterable[Event]:
        try:
            value = decode(frame.data)
        except ValueError:
            raise not_json(frame.data) from None
        if not isinstance(value, dict) or str(value.get("type")) not in self._HANDLERS:
            return read_response(value)
        events = list(self._read(frame, (value,)))  # a stream of one event, framed as a document
        return events if events and events[-1].terminal else [*events, *self.eof()]

    def _read(self, frame: Frame, values: Iterable[Any]) -> Iterable[Event]:
        """Read the JSON values of a frame; what came before an error is told before it."""
        out: list[Event] = []
        self._head = None
        try:
            for value in values:
                if type(value) is dict:
                    out.extend(self._event(value, frame.event))
                elif value == DONE:
                    self._done = True
                    out.extend(self._wind_up())
                elif value is not None:
                    out.append(Unknown(value, frame.event))
        except ProviderError as error:
            return raise_behind(out, error)
        self._content = self._content or any(event.progress for event in out)
        return out

    def _event(self, value: dict[str, Any], name: str) -> Iterator[Event]:
        kind = value.get("type")
        kind = kind if isinstance(kind, str) else name
        handler = self._HANDLERS.get(kind)
        if handler is None:
            yield from self._stranger(value, name)
            return
        if not self._envelope.started and "response" not in value:  # a stream that was resumed
            yield self._envelope.resume()
        value["type"] = kind
        yield from handler(self, value)

    def _stranger(self, value: dict[str, Any], name: str) -> Iterator[Event]:
        """Read what is no event of an answer: an error, or what nobody knows."""
        error = find_error(value)
        if error is None and name == "error":
            error = find_error({"error": value}) or InBandError(excerpt(value))
        if error is None:
            yield Unknown(value, name)
        else:
            yield from self._envelope.fail(error)

    # -- the response as a whole

    def _lifecycle(self, value: dict[str, Any]) -> Iterator[Event]:
        response = value["response"] if isinstance(value.get("response"), dict) else {}
        yield from self._envelope.learn(response)
        yield from usage_in(response)
        yield from self._envelope.beside(value)

    def _terminal(self, value: dict[str, Any]) -> Iterator[Event]:
        response = value["response"] if isinstance(value.get("response"), dict) else {}
        odd = {k: v for k, v in value.items() if k not in KNOWN and k not in response}
        yield from self._envelope.learn(response | odd)
        yield from self._end(response, ENDS[value["type"]])
        yield from self.eof()

    def _end(self, response: dict[str, Any], meant: str) -> Iterator[Event]:
        """Tell what the whole response says and nothing before did, and how it ended."""
        yield from self._output.final(response.get("output"))
        yield from self._envelope.end(response, meant, self._output.waiting)

    def _wind_up(self) -> Iterator[Event]:
        """Tell what is left at the done marker; with no terminal event, it is the end."""
        yield from self._output.final(None)
        yield from self.eof()

    # -- items

    def _item_added(self, value: dict[str, Any]) -> Iterator[Event]:
        item = value.get("item")
        if isinstance(item, dict):  # some send an empty one
            yield from self._output.added(item, value.get("output_index"))
        yield from self._envelope.beside(value)

    def _item_done(self, value: dict[str, Any]) -> Iterator[Event]:
        item = value.get("item")
        if isinstance(item, dict):
            yield from self._output.done(item, value.get("output_index"))
        yield from self._envelope.beside(value)

    # -- words

    def _part(self, value: dict[str, Any]) -> Iterator[Event]:
        """Read a part that begins, or is whole."""
        event, _, phase = value["type"].rpartition(".")
        said, name = value.get("part"), PARTS[event]
        if isinstance(said, dict):
            kind = "reasoning" if _is_reasoning(said) else "message"
            item, events = self._output.words(value, kind)
            yield from events
            yield from item.settle_part(name, _index(value, name), said, whole=phase == "done")
        yield from self._envelope.beside(value)

    def _text_delta(self, value: dict[str, Any]) -> Iterator[Event]:
        kind, name, part_kind, _ = TEXTS[value["type"].rpartition(".")[0]]
        piece = value.get("delta")
        if not isinstance(piece, str):
            yield Unknown(value)
            return
        item, events = self._output.words(value, kind)
        yield from events
        index = _index(value, name)
        part = item.part(name, index, part_kind)
        if isinstance(logprobs := value.get("logprobs"), list):
            part.logprobs += logprobs
        if piece:
            yield from item.say(name, index, part, piece)
            self._said = self._said or kind == "message"
            self._remember(value, part.pieces, part.tell)
        yield from self._envelope.beside(value)

    def _text_done(self, value: dict[str, Any]) -> Iterator[Event]:
        kind, name, part_kind, field = TEXTS[value["type"].rpartition(".")[0]]
        item, events = self._output.words(value, kind)
        yield from events
        index = _index(value, name)
        part = item.part(name, index, part_kind)
        for rest in missing(part, value.get(field)):
            yield from item.say(name, index, part, rest)
        yield from self._envelope.beside(value)

    def _annotation(self, value: dict[str, Any]) -> Iterator[Event]:
        annotation = value.get("annotation")
        if isinstance(annotation, dict):
            item, events = self._output.words(value, "message")
            yield from events
            yield item.part("content", _index(value, "content"), "output_text").cite(annotation)
        yield from self._envelope.beside(value)

    # -- calls

    def _arguments_delta(self, value: dict[str, Any]) -> Iterator[Event]:
        piece = value.get("delta")
        if not isinstance(piece, str):
            yield Unknown(value)
            return
        call, events = self._output.call(value, ARGUMENTS[value["type"].rpartition(".")[0]])
        yield from events
        if piece:
            yield call.grow(piece)
            self._remember(value, call.pieces, partial(ToolCallDelta, call.call))
        yield from self._envelope.beside(value)

    def _arguments_done(self, value: dict[str, Any]) -> Iterator[Event]:
        kind = ARGUMENTS[value["type"].rpartition(".")[0]]
        call, events = self._output.call(value, kind)
        yield from events
        yield from call.settle(value.get(CALLS[kind]))
        yield from self._envelope.beside(value)

    def _remember(
        self, value: dict[str, Any], pieces: list[str], tell: Callable[[str], Event]
    ) -> None:
        """Note what an event is like that tells no more than a piece."""
        if value.get("logprobs"):
            return  # they are new each time
        self._rotating = self._rotating or not self._output.knows(value.get("item_id"))
        varying = (*VARYING, "item_id") if self._rotating else VARYING
        self._head = {k: v for k, v in value.items() if k not in varying}
        self._pieces, self._tell = pieces, tell

    _HANDLERS: ClassVar[
        dict[str, Callable[[OpenAIResponsesDecoder, dict[str, Any]], Iterator[Event]]]
    ] = {
        "response.created": _lifecycle,
        "response.queued": _lifecycle,
        "response.in_progress": _lifecycle,
        **dict.fromkeys(ENDS, _terminal),
        "response.output_item.added": _item_added,
        "response.output_item.done": _item_done,
        **dict.fromkeys(named(PARTS, "added", "done"), _part),
        **dict.fromkeys(named(TEXTS, "delta"), _text_delta),
        **dict.fromkeys(named(TEXTS, "done"), _text_done),
        "response.output_text.annotation.added": _annotation,
        **dict.fromkeys(named(ARGUMENTS, "delta"), _arguments_delta),
        **dict.fromkeys(named(ARGUMENTS, "done"), _arguments_done),
    }


_WANTING: Final = {
    Verdict.CUT_CALL: "the arguments of a call broke off",
    Verdict.NOTHING: "no answer came at all",
}


def _index(value: dict[str, Any], name: str) -> int:
    """Give which part of a list an event is about; the first where it does not say."""
    index = value.get("summary_index" if name == "summary" else "content_index")
    return index if isinstance(index, int) else 0


def _is_reasoning(part: dict[str, Any]) -> bool:
    return part.get("type") in ("reasoning_text", "summary_text")
