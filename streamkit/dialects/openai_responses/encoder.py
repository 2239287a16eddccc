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
from typing import Any, ClassVar

import attrs

from ...errors import code_of
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
from ...framing import Frame
from ..usage import Reported
from .response import PLACE, usage_json
from .status import status_of
from .writing import Calls, Envelope, Numbered, Told, error_json

__all__ = ["OpenAIResponsesEncoder"]


@attrs.define(eq=False)
class OpenAIResponsesEncoder:
    """The events of one run as the events of a response's stream."""

    irrevocable: ClassVar[frozenset[str]] = frozenset(
        {"text", "reasoning", "refusal", "tool_calls"}
    )
    remembers: ClassVar[bool] = True

    _events: Numbered = attrs.field(factory=Numbered, init=False)
    _envelope: Envelope = attrs.field(init=False)
    _told: Told = attrs.field(init=False)
    _calls: Calls = attrs.field(init=False)
    _reason: str | None = attrs.field(default=None, init=False)
    _usage: Reported = attrs.field(factory=Reported, init=False)

    def __attrs_post_init__(self) -> None:
        self._envelope = Envelope(self._events)
        self._told = Told(self._events, self._envelope)
        self._calls = Calls(self._events, self._envelope, self._told)

    def opening(self, run_id: str, /) -> Sequence[Frame]:
        """Say nothing; an answer without an id will have the run's."""
        self._envelope.fallback = f"resp_{run_id}"
        return ()

    def encode(self, event: Event, /) -> Sequence[Frame]:
        """Give the frames of the next event."""
        text = self._told.text
        if text is not None and type(event) is TextDelta and event.text and event.choice == 0:
            text.pieces.append(event.text)  # the hot path: nothing but a piece of text is new
            return (self._events.piece(text.between, event.text),)
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
        return error_json(code_of(error))

    # -- the response as a whole

    def _started(self, event: ResponseStarted) -> Iterator[Frame]:
        self._envelope.start(event)
        yield from self._envelope.begin()

    def _metadata(self, event: Metadata) -> Iterator[Frame]:
        if event.choice is not None:
            return
        self._envelope.learn(event.extra)
        for key, skeleton in event.extra.items():
            if (place := PLACE.fullmatch(key)) is None:
                continue
            if place["list"]:
                self._told.learn_part(int(place["item"]), place["list"], skeleton)
            else:
                yield from self._told.learn(int(place["item"]), skeleton)

    # -- its items

    def _text(self, event: TextDelta) -> Iterable[Frame]:
        return self._told.say("message", "content", "output_text", event.text)

    def _refusal(self, event: RefusalDelta) -> Iterable[Frame]:
        return self._told.say("message", "content", "refusal", event.text)

    def _reasoning(self, event: ReasoningDelta) -> Iterable[Frame]:
        summary = event.field == "reasoning"
        name, kind = ("summary", "summary_text") if summary else ("content", "reasoning_text")
        return self._told.say("reasoning", name, kind, event.text)

    def _cite(self, event: Citation) -> Iterable[Frame]:
        return self._told.cite(event.citation)

    def _call(self, event: ToolCallStarted | ToolCallDelta) -> Iterable[Frame]:
        return self._calls.grow(event)

    def _called(self, event: ToolCallCompleted) -> Iterable[Frame]:
        return self._calls.complete(event)

    def _step(self, event: StepStarted | StepCompleted) -> Iterable[Frame]:
        extra = event.extra or {}
        item, place = extra.get("item"), extra.get("output_index")
        if not isinstance(item, dict) or not isinstance(place, int):
            self._calls.agent = True
            return ()
        return self._told.run(place, item, whole=isinstance(event, StepCompleted))

    def _stranger(self, event: Unknown) -> Iterable[Frame]:
        return self._told.pass_on(event.data) if isinstance(event.data, dict) else ()

    def _retracted(self, event: Retracted) -> Iterable[Frame]:
        self._told.retract(event.channel)
        return ()

    # -- the end

    def _finished(self, event: Finished) -> Sequence[Frame]:
        self._reason = event.reason
        return ()

    def _report(self, event: UsageReported) -> Sequence[Frame]:
        self._usage.add(event)
        return ()

    def _completed(self, event: ResponseCompleted) -> Iterator[Frame]:
        yield from self._envelope.begin()
        yield from self._calls.hang_up()
        yield from self._told.close()
        status, why = status_of(self._reason, event.response)
        fields: dict[str, Any] = {"output": self._told.output()}
        own = self._envelope.own
        if (usage := self._usage.json(usage_json)) is not None:
            fields["usage"] = self._usage.own if own and self._usage.own else usage
        if why and not own:
            fields["incomplete_details"] = {"reason": why}
        kind = "response.completed" if status == "completed" else "response.incomplete"
        yield self._events.event(kind, response=self._envelope.json(status, **fields))

    def _failed(self, event: ResponseFailed) -> Iterable[Frame]:
        return self._fail(code_of(event.error), "failed")

    def _cancelled(self, _event: ResponseCancelled) -> Iterable[Frame]:
        return self._fail("cancelled", "cancelled")

    def _fail(self, code: str, status: str) -> Iterator[Frame]:
        yield from self._envelope.begin()
        envelope = error_json(code)
        yield self._events.event("error", **envelope)
        error = {"code": "server_error", "message": envelope["error"]["message"]}
        response = self._envelope.json(status, error=error, output=self._told.output())
        yield self._events.event("response.failed", response=response)

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
