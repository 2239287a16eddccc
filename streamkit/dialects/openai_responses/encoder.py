"""
Events to a response's stream: what `OpenAIResponsesDecoder` reads, written.

Divergences from a literal copy of what the provider sent, each for the sake of
the clients there are:

1. A call is told as done behind the answer's evidence: a client that has seen
   ``output_item.done`` runs it.
2. Parts and messages are told as done where the next item begins, or at the
   end: a stage may still hold the last of their words.
3. Items count from 0 in the order they were told, and keep the first id and
   call id they were told under: clients find them by these, and raise.
4. Items that the answer leaves out after all were told, but are not in the
   ``response`` at the end.
5. A failure is an ``error``, which clients raise, and then ``response.failed``.
6. Of an agent's turn that is of another API a call is told once it is known to
   be the caller's to make, and no step is.
7. Only the first choice is told: the API has no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Final

import attrs

from ...errors import StreamkitError
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
    Retracted,
    StepCompleted,
    StepStarted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
    Unknown,
    UsageReported,
)
from ...framing import Frame, encode_ascii
from ..answer import CallFold
from ..merge import merge, overlay
from .items import CALLS
from .names import CALLED, SPEECH
from .parts import LISTS, words_field
from .response import PLACE, usage_json
from .status import status_of
from .writing import Calling, Running, Saying, Speech, Written, base, error_json

__all__ = ["OpenAIResponsesEncoder"]

_TEXT: Final = "response.output_text"
_IDS: Final = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "custom_tool_call": "ctc_",
}
"""How the ids of items begin that no provider named."""


@attrs.define(eq=False)
class OpenAIResponsesEncoder:
    """The events of one run as the events of a response's stream."""

    irrevocable: ClassVar[frozenset[str]] = frozenset(
        {"text", "reasoning", "refusal", "tool_calls"}
    )
    remembers: ClassVar[bool] = True

    _id: str = attrs.field(default="", init=False)
    """The response's; the same in every event."""
    _fallback: str = attrs.field(default="resp_", init=False)
    _fields: dict[str, Any] = attrs.field(factory=dict, init=False)
    """Those of the response, where the provider speaks this API."""
    _base: dict[str, Any] = attrs.field(factory=dict, init=False)
    """Those it has where the provider does not."""
    _own: bool = attrs.field(default=False, init=False)
    _agent: bool = attrs.field(default=False, init=False)
    """Whether the answer is an agent's turn of another API."""
    _begun: bool = attrs.field(default=False, init=False)
    _number: int = attrs.field(default=0, init=False)
    """Of the next event."""
    _items: list[Written] = attrs.field(factory=list, init=False)
    _by_place: dict[int, Written] = attrs.field(factory=dict, init=False)
    """Items by the provider's place for them."""
    _calls: dict[int, CallFold] = attrs.field(factory=dict, init=False)
    _calling: dict[int, Calling] = attrs.field(factory=dict, init=False)
    """Calls that were told, by number."""
    _speech: tuple[Speech, bytes] | None = attrs.field(default=None, init=False)
    """The text that is being told, and its events' bytes between their number and the text."""
    _citations: list[dict[str, Any]] = attrs.field(factory=list, init=False)
    """Citations of text that is still to come."""
    _reason: str | None = attrs.field(default=None, init=False)
    _usage: dict[str, Any] = attrs.field(factory=dict, init=False)
    _counted: dict[str, Any] | None = attrs.field(default=None, init=False)

    def opening(self, run_id: str, /) -> Sequence[Frame]:
        """Say nothing; an answer without an id will have the run's."""
        self._fallback = f"resp_{run_id}"
        return ()

    def encode(self, event: Event, /) -> Sequence[Frame]:
        """Give the frames of the next event."""
        speech = self._speech
        if speech is not None and type(event) is TextDelta and event.text and event.choice == 0:
            part, between = speech  # the hot path: nothing but a piece of text is new
            part.pieces.append(event.text)
            return (self._piece(between, event.text),)
        tell = self._TELL.get(type(event))
        if tell is None or getattr(event, "choice", 0) not in (0, None):
            return ()
        return tuple(tell(self, event))

    def heartbeat(self) -> Frame | None:
        """Give None: the API has no word for it, a comment does."""
        return None

    def farewell(self) -> Frame | None:
        """Give None: a stream that goes on has other numbers."""
        return None

    def failure(self, error: Exception, /) -> dict[str, Any]:
        """Give the API's error envelope: the code and a sentence of ours, nothing else."""
        return error_json(_code(error))

    # -- the response as a whole

    def _started(self, event: ResponseStarted) -> Iterator[Frame]:
        self._id = event.id
        self._base = base((event.extra or {}).get("created")) | {"model": event.model}
        self._learn({**(event.extra or {}), "model": event.model} if event.extra else {})
        yield from self._begin()

    def _begin(self) -> Iterator[Frame]:
        if not self._begun:
            self._begun = True
            self._id = self._id or self._fallback
            yield self._event("response.created", response=self._response("in_progress", output=[]))

    def _learn(self, extra: dict[str, Any]) -> None:
        """Take fields of the response. Those of another API are none of this one."""
        self._own = self._own or extra.get("object") == "response"
        if self._own:
            overlay(self._fields, {k: v for k, v in extra.items() if not PLACE.fullmatch(k)})

    def _response(self, status: str, **fields: Any) -> dict[str, Any]:
        own = self._fields if self._own else self._base or base(0) | {"model": ""}
        response = {**own, "id": self._id, "object": "response", "status": status, **fields}
        if status == "in_progress":
            response |= {key: None for key in ("completed_at",) if key in response}
        return response

    def _metadata(self, event: Metadata) -> Iterator[Frame]:
        if event.choice is not None:
            return
        self._learn(event.extra)
        for key, skeleton in event.extra.items():
            if (place := PLACE.fullmatch(key)) is None:
                continue
            if place["list"]:
                self._part(int(place["item"]), place["list"], skeleton)
            else:
                yield from self._item(int(place["item"]), skeleton)

    def _part(self, place: int, name: str, skeleton: dict[str, Any]) -> None:
        """Take a part that is whole, though its item is not."""
        item = self._by_place.get(place)
        if isinstance(item, Saying):
            item.over.setdefault(name, []).append(skeleton)
            self._speech = None

    def _item(self, place: int, skeleton: dict[str, Any]) -> Iterator[Frame]:
        """Take what the provider says of an item as a whole."""
        known, kind = self._by_place.get(place), str(skeleton.get("type"))
        if not skeleton:
            if known is not None:
                known.dropped = True
        elif isinstance(known, Saying) and known.kind == kind:
            known.learn(skeleton)
            known.final, self._speech = True, None
        elif known is not None and known.kind == kind:
            known.item = {**skeleton, **{k: known.item[k] for k in ("id",) if k in known.item}}
        elif kind in LISTS:
            id_ = skeleton.get("id")
            item = Saying(len(self._items), kind, id_ if isinstance(id_, str) else "", {})
            item.learn(skeleton)
            self._by_place[place] = item
            yield from self._add(item, item.empty())

    def _add(self, item: Written, empty: dict[str, Any]) -> Iterator[Frame]:
        """Tell that an item begins; what is over by that ends first."""
        yield from self._begin()
        self._speech = None
        for other in self._items:
            if isinstance(other, Saying) and (other.ours or other.final):
                yield from self._close(other)
        item.index = len(self._items)
        self._items.append(item)
        yield self._event("response.output_item.added", output_index=item.index, item=empty)

    def _close(self, item: Written) -> Iterator[Frame]:
        """Tell that an item is whole."""
        if not item.closed:
            if isinstance(item, Saying) and (part := item.speaks) is not None:
                yield from self._fall_silent(item, part)
            item.closed = True
            done = item.json()
            yield self._event("response.output_item.done", output_index=item.index, item=done)

    # -- words

    def _text(self, event: TextDelta) -> Iterator[Frame]:
        if event.text:
            yield from self._say("message", "content", "output_text", event.text)

    def _refusal(self, event: RefusalDelta) -> Iterator[Frame]:
        if event.text:
            yield from self._say("message", "content", "refusal", event.text)

    def _reasoning(self, event: ReasoningDelta) -> Iterator[Frame]:
        summary = event.field == "reasoning"
        name, kind = ("summary", "summary_text") if summary else ("content", "reasoning_text")
        if event.text:
            yield from self._say("reasoning", name, kind, event.text)

    def _say(self, item_kind: str, name: str, kind: str, words: str) -> Iterator[Frame]:
        """Tell a piece of words, in an item and a part that have room for it."""
        item = self._speaker(item_kind)
        if item is None:
            item = self._ours(item_kind)
            yield from self._add(item, item.empty())
        part = item.speaks
        if part is not None and ((part.name, part.kind) != (name, kind) or item.is_over(part)):
            yield from self._fall_silent(item, part)
            part = None
        if part is None:
            part = item.open(name, kind)
            yield from self._speak(item, part)
        part.pieces.append(words)
        between = self._between(item, part)
        self._speech = (part, between) if kind == "output_text" else None
        yield self._piece(between, words, SPEECH[name, kind][0])

    def _speaker(self, kind: str) -> Saying | None:
        """Find the item of that kind that is being told."""
        for item in reversed(self._items):
            if isinstance(item, Saying) and item.kind == kind and not item.closed:
                return item
        return None

    def _ours(self, kind: str) -> Saying:
        id_ = f"{_IDS[kind]}{self._id or self._fallback}_{len(self._items)}"
        item: dict[str, Any] = {"id": id_, "type": kind, "status": "completed"}
        if kind == "message":
            item |= {"role": "assistant", "content": []}
        else:
            item |= {"summary": []}
        return Saying(len(self._items), kind, id_, item, ours=True)

    def _speak(self, item: Saying, part: Speech) -> Iterator[Frame]:
        """Tell that a part begins."""
        _, event, place = SPEECH[part.name, part.kind]
        empty: dict[str, Any] = {"type": part.kind, words_field(part.kind): ""}
        if part.kind == "output_text":
            empty |= {"annotations": [], "logprobs": []}
        where = {"item_id": item.id, "output_index": item.index, place: part.index}
        yield self._event(f"{event}.added", **where, part=empty)
        if part.kind == "output_text":
            held, self._citations = self._citations, []
            for citation in held:
                yield self._annotate(item, part, citation)

    def _fall_silent(self, item: Saying, part: Speech) -> Iterator[Frame]:
        """Tell that a part is whole."""
        part.closed, self._speech = True, None
        words, event, place = SPEECH[part.name, part.kind]
        where = {"item_id": item.id, "output_index": item.index, place: part.index}
        whole, field = part.json(item.said(part)), words_field(part.kind)
        done = {field: whole[field]}
        if part.kind == "output_text":
            done["logprobs"] = whole.get("logprobs") or []
        yield self._event(f"{words}.done", **where, **done)
        yield self._event(f"{event}.done", **where, part=whole)

    def _between(self, item: Saying, part: Speech) -> bytes:
        """Give the bytes of a piece's event between its number and the piece."""
        where = {
            "item_id": item.id,
            "output_index": item.index,
            SPEECH[part.name, part.kind][2]: part.index,
        }
        if part.kind == "output_text":
            where["logprobs"] = []
        return b"," + encode_ascii(where)[1:-1] + b',"delta":'

    def _piece(self, between: bytes, words: str, event: str = _TEXT) -> Frame:
        number, self._number = self._number, self._number + 1
        head = b'{"type":"%b.delta","sequence_number":%d' % (event.encode(), number)
        return Frame(head + between + encode_ascii(words) + b"}", f"{event}.delta")

    def _cite(self, event: Citation) -> Iterator[Frame]:
        item = self._speaker("message")
        texts = [p for p in item.parts if p.kind == "output_text"] if item is not None else []
        citation = _flat(event.citation)
        if item is None or not texts or texts[-1].closed:
            self._citations.append(citation)
        else:
            yield self._annotate(item, texts[-1], citation)

    def _annotate(self, item: Saying, part: Speech, citation: dict[str, Any]) -> Frame:
        part.annotations.append(citation)
        return self._event(
            f"{_TEXT}.annotation.added",
            item_id=item.id,
            output_index=item.index,
            content_index=part.index,
            annotation_index=len(part.annotations) - 1,
            annotation=citation,
        )

    # -- calls and steps

    def _call(self, event: ToolCallStarted | ToolCallDelta) -> Iterator[Frame]:
        fold = self._calls.setdefault(event.call, CallFold())
        fold.id = fold.id or event.id
        fold.name += event.name
        fold.hosted = fold.hosted or (isinstance(event, ToolCallStarted) and event.hosted)
        arguments = event.arguments if isinstance(event, ToolCallDelta) else ""
        if arguments:
            fold.fragments.append(arguments)
        merge(fold.extra, event.extra)
        call = self._calling.get(event.call)
        if call is not None:
            if arguments:
                yield self._argue(call, arguments)
        elif fold.id and fold.name and not (fold.hosted or self._agent):
            yield from self._begin_call(event.call, fold)

    def _begin_call(self, number: int, fold: CallFold) -> Iterator[Frame]:
        """Tell that a call begins, with as much of its arguments as came."""
        kind = "custom_tool_call" if fold.custom else "function_call"
        id_ = fold.extra.get("item_id") or f"{_IDS[kind]}{self._id or self._fallback}_{number}"
        item = {"id": id_, "type": kind, "status": "in_progress", "name": fold.name}
        item |= {"call_id": fold.id, CALLS[kind]: ""}
        call = self._calling[number] = Calling(0, kind, id_, item, fold=fold)
        if isinstance(place := fold.extra.get("output_index"), int):
            self._by_place[place] = call
        yield from self._add(call, {**call.json(), CALLS[kind]: ""})
        if fold.fragments:
            yield self._argue(call, "".join(fold.fragments))

    def _argue(self, call: Calling, arguments: str) -> Frame:
        event = f"{CALLED[call.kind]}.delta"
        return self._event(event, item_id=call.id, output_index=call.index, delta=arguments)

    def _called(self, event: ToolCallCompleted) -> Iterator[Frame]:
        """Tell that a call is whole: act upon it."""
        fold = self._calls.setdefault(event.call, CallFold())
        if event.call not in self._calling:
            whole = event.tool_call
            fold.id, fold.name = whole.id or f"call_{event.call}", whole.name
            fold.fragments = fold.fragments or [whole.arguments]
            yield from self._begin_call(event.call, fold)
        yield from self._hang_up(self._calling[event.call])

    def _hang_up(self, call: Calling) -> Iterator[Frame]:
        if not call.closed:
            if not call.fold.cut:
                if "status" not in call.fold.extra:
                    call.item["status"] = "completed"
                field = CALLS[call.kind]
                done = {field: call.json()[field]}
                where = {"item_id": call.id, "output_index": call.index}
                yield self._event(f"{CALLED[call.kind]}.done", **where, **done)
            elif "status" not in call.fold.extra:
                call.item["status"] = "incomplete"
            yield from self._close(call)

    def _step(self, event: StepStarted | StepCompleted) -> Iterator[Frame]:
        extra = event.extra or {}
        item, place = extra.get("item"), extra.get("output_index")
        if not isinstance(item, dict) or not isinstance(place, int):
            self._agent = True
            return
        step = self._by_place.get(place)
        if not isinstance(step, Running) or step.closed:
            step = Running(0, str(item.get("type")), str(item.get("id") or ""), item)
            self._by_place[place] = step
            yield from self._add(step, item)
        step.item = {**item, **{k: step.item[k] for k in ("id",) if k in step.item}}
        if isinstance(event, StepCompleted):
            yield from self._close(step)

    def _stranger(self, event: Unknown) -> Iterator[Frame]:
        """Tell what a step says of itself on the way."""
        data = event.data if isinstance(event.data, dict) else {}
        step = self._by_place.get(data.get("output_index", -1))
        kind = data.get("type")
        if isinstance(step, Running) and not step.closed and isinstance(kind, str):
            fields = {k: v for k, v in data.items() if k not in ("type", "sequence_number")}
            yield self._event(kind, **{**fields, "output_index": step.index})

    def _retracted(self, event: Retracted) -> Sequence[Frame]:
        """Forget what is in no answer: steps that another attempt took, citations."""
        for item in self._items:
            if event.channel == "steps" and isinstance(item, Running):
                item.dropped = True
            elif event.channel == "citations" and isinstance(item, Saying):
                for part in item.parts:
                    part.annotations.clear()
        if event.channel == "citations":
            self._citations.clear()
        return ()

    # -- the end

    def _finished(self, event: Finished) -> Sequence[Frame]:
        self._reason = event.reason
        return ()

    def _report(self, event: UsageReported) -> Sequence[Frame]:
        self._counted = self._counted or {}
        overlay(self._counted, attrs.asdict(event.usage))
        overlay(self._usage, event.extra)
        return ()

    def _completed(self, event: ResponseCompleted) -> Iterator[Frame]:
        yield from self._begin()
        if not self._agent:
            for call in self._calling.values():
                yield from self._hang_up(call)
        for item in self._items:
            yield from self._close(item)
        status, why = status_of(self._reason, event.response)
        fields: dict[str, Any] = {"output": self._output()}
        if self._counted is not None:
            own = self._own and bool(self._usage)
            fields["usage"] = self._usage if own else usage_json(self._usage, self._counted)
        if why and not self._own:
            fields["incomplete_details"] = {"reason": why}
        kind = "response.completed" if status == "completed" else "response.incomplete"
        yield self._event(kind, response=self._response(status, **fields))

    def _output(self) -> list[dict[str, Any]]:
        """Give the items that are the answer's."""
        return [item.json() for item in self._items if not item.dropped]

    def _failed(self, event: ResponseFailed) -> Iterator[Frame]:
        return self._fail(_code(event.error), "failed")

    def _cancelled(self, _event: ResponseCancelled) -> Iterator[Frame]:
        return self._fail("cancelled", "cancelled")

    def _fail(self, code: str, status: str) -> Iterator[Frame]:
        yield from self._begin()
        envelope = error_json(code)
        yield self._event("error", **envelope)
        error = {"code": "server_error", "message": envelope["error"]["message"]}
        response = self._response(status, error=error, output=self._output())
        yield self._event("response.failed", response=response)

    def _event(self, kind: str, **fields: Any) -> Frame:
        number, self._number = self._number, self._number + 1
        return Frame(encode_ascii({"type": kind, "sequence_number": number, **fields}), kind)

    _TELL: ClassVar[dict[type[Event], Callable[[OpenAIResponsesEncoder, Any], Iterable[Frame]]]] = {
        ResponseStarted: _started,
        TextDelta: _text,
        ReasoningDelta: _reasoning,
        RefusalDelta: _refusal,
        ToolCallStarted: _call,
        ToolCallDelta: _call,
        ToolCallCompleted: _called,
        StepStarted: _step,
        StepCompleted: _step,
        Unknown: _stranger,
        Retracted: _retracted,
        Citation: _cite,
        UsageReported: _report,
        Finished: _finished,
        Metadata: _metadata,
        ResponseCompleted: _completed,
        ResponseFailed: _failed,
        ResponseCancelled: _cancelled,
    }


def _code(error: Exception) -> str:
    code = getattr(error, "code", None)
    return code if isinstance(code, str) else StreamkitError.code


def _flat(citation: dict[str, Any]) -> dict[str, Any]:
    """Give a citation in the API's shape: the chat API's stands one level deeper."""
    inner = citation.get(str(citation.get("type")))
    return {"type": citation["type"], **inner} if isinstance(inner, dict) else citation
