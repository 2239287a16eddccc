"""
Events to the events of a turn's stream: what `LlamaStackTurnDecoder` reads, written.

Divergences from a literal copy of what the provider sent:

1. What comes outside of any step is told in one of ours: an answer of an API
   that has no steps is one inference step. But what an agent's own message
   tells, a shield's words in the answer's place among it, is told by that
   message, at the end.
2. A tool call is spelled out as its arguments come, and told whole once they
   are an object and something else comes, or its step ends. One that broke off
   is told as ``failed``, and is in no message.
3. A refusal is told as text. Reasoning, citations, usage and choices beside
   the first are not told: the API has no word for them.
4. Fields that the API wants and nobody said are empty; a time is 1970's first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Final

import attrs

from ...errors import code_of
from ...events import (
    AwaitingInput,
    Event,
    Finished,
    Metadata,
    RefusalDelta,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    ResponseStarted,
    StepCompleted,
    StepStarted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
)
from ...framing import Frame, encode_ascii
from ...response import Response
from ..answer import Answer, ChoiceFold, StepFold
from ..arguments import is_object
from .content import as_dict, as_dicts, missing, text_of
from .decoder import AWAITING
from .turn import turn_of
from .writing import EPOCH, call_of, details_of, error_json, payload, reason_of

__all__ = ["LlamaStackTurnEncoder"]

_INFERENCE: Final = "inference"
_EXECUTION: Final = "tool_execution"
_ROOMS: Final[dict[type[Event], tuple[str, ...]]] = {
    TextDelta: (_INFERENCE,),
    ToolCallStarted: (_INFERENCE, _EXECUTION),
    ToolCallDelta: (_INFERENCE, _EXECUTION),
    ToolResult: (_EXECUTION,),
}
"""The steps that have room for an event; the first is the one we open for it."""


@attrs.define(eq=False)
class LlamaStackTurnEncoder:
    """The events of one run as the events of an agent's turn."""

    irrevocable: ClassVar[frozenset[str]] = frozenset({"text", "refusal", "tool_calls", "steps"})
    remembers: ClassVar[bool] = True

    _answer: Answer = attrs.field(factory=Answer, init=False)
    """What was told: the end of each step, and of the turn, tells it again."""
    _fallback: str = attrs.field(default="", init=False)
    """The id of a turn that has none."""
    _agent: bool = attrs.field(default=False, init=False)
    """Whether the answer has steps of its own."""
    _ours: bool = attrs.field(default=False, init=False)
    """Whether the open step is one of ours."""
    _count: int = attrs.field(default=0, init=False)
    """Steps of ours so far (a count)."""
    _held: list[Event] = attrs.field(factory=list, init=False)
    """What came outside of an agent's steps."""
    _violated: bool = attrs.field(default=False, init=False)
    """Whether a shield put its own words in the answer's place."""
    _spelled: set[int] = attrs.field(factory=set, init=False)
    """Calls that the provider spelled out itself."""
    _whole: int = attrs.field(default=0, init=False)
    """Calls told whole (a count: they are told in order)."""
    _waits: bool = attrs.field(default=False, init=False)
    """Whether the turn waits for its caller."""

    def opening(self, run_id: str, /) -> Sequence[Frame]:
        """Say nothing; a turn without an id will have the run's."""
        self._fallback = run_id
        return ()

    def encode(self, event: Event, /) -> Sequence[Frame]:
        """Give the frames of the next event."""
        tell = self._TELL.get(type(event))
        if tell is None or getattr(event, "choice", 0) not in (0, None):
            return ()
        return tuple(tell(self, event))

    def heartbeat(self) -> Frame | None:
        """Give None: the API has no word for it, a comment does."""
        return None

    def farewell(self) -> Frame | None:
        """Give None: clients of this API cannot come back."""
        return None

    def failure(self, error: Exception, /) -> dict[str, Any]:
        """Give the API's error: the code and a sentence of ours, nothing else."""
        return error_json(code_of(error))

    @property
    def _choice(self) -> ChoiceFold:
        return self._answer.choice(0)

    @property
    def _step(self) -> StepFold | None:
        """The open step that began last."""
        return next((step for step in reversed(self._answer.steps) if not step.completed), None)

    # -- the answer

    def _started(self, event: ResponseStarted) -> Iterator[Frame]:
        self._answer.id = event.id
        if event.id:  # else it comes with the turn; the reference server says it no sooner
            yield payload("turn_start", turn_id=event.id)

    def _note(self, event: Event) -> Iterable[Frame]:
        self._answer.add(event)
        return ()

    def _beside(self, event: Metadata) -> Iterator[Frame]:
        """Keep fields of the answer; tell an image as the deltas of the API have it."""
        self._answer.add(event)
        if not event.message or self._step is None or self._step.kind != _INFERENCE:
            return
        for part in as_dicts(event.extra.get("content_parts")):
            image = as_dict(part.get("image")).get("data")
            if part == {"type": "image", "image": {"data": image}}:
                yield self._progress({"type": "image", "image": image})

    def _content(self, event: Event) -> Iterator[Frame]:
        """Tell content in a step that has room for it, if need be in one of ours."""
        step, rooms = self._step, _ROOMS[type(event)]
        if self._agent and not self._ours and (step is None or step.kind not in rooms):
            self._held.append(event)  # until the next step begins, or the turn ends
        else:
            yield from self._place(event)

    def _place(self, event: Event) -> Iterator[Frame]:
        rooms = _ROOMS[type(event)]
        if self._step is None or self._step.kind not in rooms:
            yield from self._leave("end_of_message")
            yield from self._enter(rooms[0])
        yield from self._PLACED[type(event)](self, event)

    def _text(self, event: TextDelta) -> Iterator[Frame]:
        yield from self._tell_calls()
        self._answer.add(event)
        if event.text:
            yield self._progress({"type": "text", "text": event.text})

    def _refusal(self, event: RefusalDelta) -> Iterator[Frame]:
        return self._content(TextDelta(event.text))

    # -- tool calls

    def _call(self, event: ToolCallStarted | ToolCallDelta) -> Iterator[Frame]:
        extra = event.extra or {}
        if not self._agent:  # fields of another API
            event = attrs.evolve(event, extra=None)
        if self._step is not None and self._step.kind == _EXECUTION:
            self._whole = max(self._whole, event.call + 1)  # the step's details tell it
        else:
            yield from self._tell_calls(before=event.call)
        self._answer.add(event)
        if self._agent and "parse_status" in extra:
            self._spelled.add(event.call)
            yield self._progress({"type": "tool_call", **extra})
        elif event.call >= self._whole and event.call not in self._spelled:
            yield from self._spell(event)

    def _spell(self, event: ToolCallStarted | ToolCallDelta) -> Iterator[Frame]:
        if isinstance(event, ToolCallStarted):
            yield self._piece("", "started")
        elif event.arguments:
            yield self._piece(event.arguments, "in_progress")

    def _tell_calls(self, *, before: int | None = None, ends: bool = False) -> Iterator[Frame]:
        """Tell calls whole; where the step does not end, those that can be seen to be."""
        calls = self._choice.calls[:before]
        while self._whole < len(calls):
            call = calls[self._whole]
            if not (ends or is_object(call.tool_call().arguments)):
                return
            self._whole += 1
            yield self._piece(call_of(call), "succeeded")

    def _asked(self, _event: ToolCallCompleted) -> Iterable[Frame]:
        """Take the call for the caller's to make; of an agent's turn its end says so."""
        self._waits = self._waits or not self._agent
        return ()

    def _awaits(self, _event: AwaitingInput) -> Iterable[Frame]:
        self._waits = True
        return ()

    def _fail_calls(self) -> Iterator[Frame]:
        """Forget the calls that broke off: nobody may act on them."""
        calls = self._choice.calls
        cut = [call for call in calls[self._whole :] if call.cut]
        calls[:] = [call for call in calls if call not in cut]
        for call in cut:
            yield self._piece("".join(call.fragments), "failed")

    # -- steps

    def _step_started(self, event: StepStarted) -> Iterator[Frame]:
        yield from self._release()
        yield from self._leave("end_of_message")
        self._agent = True
        yield self._begin(event)

    def _release(self) -> Iterator[Frame]:
        """Tell in a step of ours what came outside of an agent's."""
        held, self._held = self._held, []
        for event in held:
            yield from self._place(event)

    def _enter(self, kind: str) -> Iterator[Frame]:
        self._count += 1
        self._ours = True
        yield self._begin(StepStarted(kind, f"step-{self._count}"))

    def _begin(self, event: StepStarted) -> Frame:
        self._answer.add(event)
        about = {"step_type": event.step, "step_id": event.id}
        return payload("step_start", **about, **(event.extra or {}))

    def _leave(self, reason: str | None) -> Iterator[Frame]:
        """End the open step, if it is one of ours."""
        step = self._step if self._ours else None
        self._ours = False
        if step is not None:
            message = {"model_response": {"stop_reason": reason or "end_of_turn"}}
            extra = message if step.kind == _INFERENCE else None
            yield from self._step_completed(StepCompleted(step.kind, step.id, extra=extra))

    def _step_completed(self, event: StepCompleted) -> Iterator[Frame]:
        about = (event.step, event.id, False)
        found = [s for s in self._answer.steps if (s.kind, s.id, s.completed) == about]
        if not found:
            return
        if event.step == _INFERENCE:
            yield from self._tell_calls(ends=True)
        details = details_of(found[-1], self._choice.calls, self._turn_id, event.extra)
        self._violated = self._violated or bool(details.get("violation"))
        self._answer.add(attrs.evolve(event, extra=details))
        told = {"step_type": event.step, "step_id": event.id}
        whole = next(
            s for s in reversed(turn_of(self._answer)["steps"]) if told.items() <= s.items()
        )
        yield payload("step_complete", **told, step_details=whole)

    # -- the end

    def _completed(self, event: ResponseCompleted) -> Iterator[Frame]:
        yield from self._end_steps(event.response)
        turn = turn_of(self._answer)
        if turn["started_at"] is None:
            turn["started_at"] = EPOCH
        turn["output_message"].setdefault("stop_reason", "end_of_turn")
        waits = self._waits or self._choice.extra.get("event_type") == AWAITING
        yield payload(AWAITING if waits else "turn_complete", turn=turn)

    def _end_steps(self, response: Response | None) -> Iterator[Frame]:
        """Tell what is still to be told before the turn itself."""
        answer, choice = self._answer, self._choice
        speaks = self._agent if response is None else "output_message" in response.raw
        if not speaks:
            answer.extra = {}  # they were fields of another API
        choice.finish_reason = reason_of(choice.finish_reason, response, speaks=speaks)
        if self._is_in_message():
            for held in self._held:
                answer.add(held)
        else:
            yield from self._release()
        if self._ours:
            yield from self._fail_calls()
        yield from self._leave(choice.finish_reason)
        answer.id = self._turn_id

    def _is_in_message(self) -> bool:
        """Whether a reader finds what came behind an agent's steps in the turn's message."""
        said, text = as_dict(self._answer.extra.get("output_message")), self._choice.text
        spoken = [step.texts for step in self._answer.steps if step.kind == _INFERENCE]
        last = "".join(text[spoken[-1].start : spoken[-1].stop]) if spoken else ""
        behind = "".join(event.text for event in self._held if isinstance(event, TextDelta))
        rest = missing(text_of(said.get("content", behind)), last, "".join(text))
        if rest != behind and not (rest is None and self._violated):
            return False
        return "tool_calls" in said or all(isinstance(event, TextDelta) for event in self._held)

    def _failed(self, event: ResponseFailed) -> Sequence[Frame]:
        return (Frame(encode_ascii(self.failure(event.error))),)

    def _cancelled(self, _event: ResponseCancelled) -> Sequence[Frame]:
        return (Frame(encode_ascii(error_json("cancelled"))),)

    @property
    def _turn_id(self) -> str:
        return self._answer.id or self._fallback

    def _piece(self, call: str | dict[str, Any], status: str) -> Frame:
        return self._progress({"type": "tool_call", "tool_call": call, "parse_status": status})

    def _progress(self, delta: dict[str, Any]) -> Frame:
        step = self._step or self._answer.steps[-1]
        return payload("step_progress", step_type=step.kind, step_id=step.id, delta=delta)

    _PLACED: ClassVar[
        dict[type[Event], Callable[[LlamaStackTurnEncoder, Any], Iterable[Frame]]]
    ] = {
        TextDelta: _text,
        ToolCallStarted: _call,
        ToolCallDelta: _call,
        ToolResult: _note,
    }
    _TELL: ClassVar[dict[type[Event], Callable[[LlamaStackTurnEncoder, Any], Iterable[Frame]]]] = {
        ResponseStarted: _started,
        **dict.fromkeys(_ROOMS, _content),
        RefusalDelta: _refusal,
        ToolCallCompleted: _asked,
        StepStarted: _step_started,
        StepCompleted: _step_completed,
        AwaitingInput: _awaits,
        Finished: _note,
        Metadata: _beside,
        ResponseCompleted: _completed,
        ResponseFailed: _failed,
        ResponseCancelled: _cancelled,
    }
