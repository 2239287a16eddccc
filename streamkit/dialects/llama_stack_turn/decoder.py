"""
The events of a turn's stream, and of a whole turn, to ours.

Both go one way: what the end of the turn tells is read like what came before,
and only what was not told yet gives events. So a buffered turn, of which
nothing was told, gives the events of its stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Final

import attrs

from ...errors import InBandError, MalformedStream, excerpt
from ...events import (
    AwaitingInput,
    Event,
    Finished,
    Metadata,
    ResponseCompleted,
    ResponseStarted,
    TextDelta,
    Unknown,
)
from ...framing import Frame, decode, payloads
from ...policy import Seen, judge
from ..ending import truncated
from ..in_band import find_error, not_json, residual_error
from .content import as_dict, as_dicts, message_json, missing, text_of, unsaid
from .steps import STEPS, Calls, Inference, Step

__all__ = ["AWAITING", "LlamaStackTurnDecoder", "read_turn"]

AWAITING: Final = "turn_awaiting_input"
"""How a turn ends that waits for the caller."""
_TOLD: Final = ("turn_id", "steps", "output_message")
"""Fields of a turn that events tell."""


def read_turn(body: Any) -> Sequence[Event]:
    """
    Give the events of a whole turn.

    The turn itself does not say that it waits for the caller. As the
    reference server has it: it does where its message has calls.

    Raises:
        InBandError: *body* is the provider's error.
        MalformedStream: *body* is no turn.
    """
    if (error := find_error(body)) is not None:
        raise error
    message = body.get("output_message") if isinstance(body, dict) else None
    if not isinstance(message, dict):
        raise MalformedStream(
            f"expected a turn with an output_message; got {excerpt(body)!r}; "
            "check that the endpoint speaks llama-stack-turn"
        )
    events = LlamaStackTurnDecoder().turn(body, awaiting=bool(message.get("tool_calls")))
    return [*events, ResponseCompleted(evidence="buffered")]


@attrs.define(eq=False)
class LlamaStackTurnDecoder:
    """A turn's stream to events, for one attempt."""

    _calls: Calls = attrs.field(factory=Calls, init=False)
    _open: dict[str, Step] = attrs.field(factory=dict, init=False)
    _done: set[str] = attrs.field(factory=set, init=False)
    _last: Inference | None = attrs.field(default=None, init=False)
    """The last step of the model's that is whole."""
    _before: list[str] = attrs.field(factory=list, init=False)
    """Text told up to the last whole step."""
    _behind: list[str] = attrs.field(factory=list, init=False)
    """Text told behind it."""
    _id: str = attrs.field(default="", init=False)
    _started: bool = attrs.field(default=False, init=False)
    _violated: bool = attrs.field(default=False, init=False)
    _reason: str | None = attrs.field(default=None, init=False)
    _over: bool = attrs.field(default=False, init=False)

    @property
    def evidence(self) -> str | None:
        """
        What proves the end so far.

        ``turn_complete`` and ``turn_awaiting_input`` are the last that comes,
        and bring the ``stop_reason``: a finish reason. Without one they prove
        what a done marker does, which this API has not.
        """
        seen = Seen(
            answered=self._started,
            content=bool(self._done or self._open or self._behind),
            finished=self._over and self._reason is not None,
            done=self._over,
        )
        return judge(seen).evidence

    @property
    def said(self) -> bool:
        """Whether text or a call came."""
        return bool(self._before or self._behind or self._calls.known)

    def feed(self, frame: Frame, /) -> Iterator[Event]:
        """Read the next frame."""
        if frame.whole:
            yield from self._whole(frame)
        else:
            for value in payloads(frame):
                yield from self._value(value, frame.event)

    def eof(self, residue: str = "", /) -> Sequence[Event]:
        """Judge the end of the body."""
        if (evidence := self.evidence) is not None:
            return (ResponseCompleted(evidence=evidence),)
        if residue and (error := residual_error(residue)) is not None:
            raise error
        steps = ", ".join(f"{step.kind} {step.id!r}" for step in self._open.values())
        saw = f"open steps: {steps or 'none'}" if self._started else "no turn came at all"
        raise truncated("turn_complete or turn_awaiting_input", saw, residue)

    def turn(self, turn: dict[str, Any], *, awaiting: bool) -> list[Event]:
        """Give what a whole *turn* tells and was not told before, and why it ended."""
        events = self._begin(turn.get("turn_id"))
        steps = as_dicts(turn.get("steps"))
        anew = not self._open and not self._done
        for step in steps:
            if anew or _id_of(step) in self._open:
                told = self._step_complete({"step_details": step})
                events += [Unknown(step)] if told is None else told
        message = as_dict(turn.get("output_message"))
        events += self._output(message)
        events += self._beside(turn, steps, message)
        return [*events, *self._finish(message, turn, awaiting=awaiting)]

    def _whole(self, frame: Frame) -> Sequence[Event]:
        try:
            value = decode(frame.data)
        except ValueError:
            raise not_json(frame.data) from None
        if "event" not in as_dict(value):
            return read_turn(value)
        events = self._value(value, frame.event)  # a stream of one event, framed as a document
        return events if self._over else [*events, *self.eof()]

    def _value(self, value: Any, name: str) -> Sequence[Event]:
        if (error := find_error(value)) is not None:
            raise error
        if name == "error":
            raise find_error({"error": value}) or InBandError(excerpt(value))
        payload = as_dict(as_dict(as_dict(value).get("event")).get("payload"))
        read = self._PAYLOADS.get(str(payload.get("event_type")))
        events = None if read is None else read(self, payload)
        return (Unknown(value, name),) if events is None else events

    def _begin(self, turn_id: Any) -> list[Event]:
        """Tell that the answer began, with the first that is heard of it."""
        if self._started:
            return []
        self._started, self._id = True, str(turn_id or "")
        return [ResponseStarted(self._id)]

    def _turn_start(self, payload: dict[str, Any]) -> list[Event]:
        return self._begin(payload.get("turn_id"))

    def _step_start(self, payload: dict[str, Any]) -> list[Event] | None:
        if self._is_done(payload):
            return []
        step = self._step(payload)
        return None if step is None else [*self._begin(""), *self._enter(step, payload)]

    def _step_progress(self, payload: dict[str, Any]) -> list[Event] | None:
        step = None if self._is_done(payload) else self._step(payload)
        events = None if step is None else step.progress(as_dict(payload.get("delta")))
        if step is None or events is None:
            return None
        events = [*self._begin(""), *self._enter(step), *events]
        self._behind += _texts(events)
        return events

    def _step_complete(self, payload: dict[str, Any]) -> list[Event] | None:
        details = payload.get("step_details")
        if not isinstance(details, dict):
            return None
        payload = {**details, **payload}
        if self._is_done(payload):
            return []
        step = self._step(payload)
        if step is None:
            return None
        began = [*self._begin(details.get("turn_id")), *self._enter(step)]
        events = list(step.complete(details))
        self._leave(step, events)
        return began + events

    def _turn_end(self, payload: dict[str, Any]) -> list[Event] | None:
        turn = payload.get("turn")
        if not isinstance(turn, dict):
            if not self._started:
                return None
            turn = {}
        events = self.turn(turn, awaiting=payload["event_type"] == AWAITING)
        return [*events, *self.eof()]

    def _is_done(self, payload: dict[str, Any]) -> bool:
        id_ = _id_of(payload)
        return id_ != "" and id_ in self._done

    def _step(self, payload: dict[str, Any]) -> Step | None:
        """Find the step a payload is about, or make it; None where its type is not known."""
        id_ = _id_of(payload)
        handler = STEPS.get(str(payload.get("step_type")))
        return self._open.get(id_) or (None if handler is None else handler(id_, self._calls))

    def _enter(self, step: Step, payload: dict[str, Any] | None = None) -> list[Event]:
        """Tell that a step began, with the first that is heard of it."""
        if step.id in self._open:
            return []
        self._open[step.id] = step
        return [step.start(payload or {})]

    def _leave(self, step: Step, events: list[Event]) -> None:
        """Note that a step ended, and what was told till then."""
        del self._open[step.id]
        self._done.add(step.id)
        self._before += (*self._behind, *_texts(events))
        self._behind = []
        self._violated = self._violated or step.violated
        if isinstance(step, Inference):
            self._last = step

    def _output(self, message: dict[str, Any]) -> list[Event]:
        """Give what no step told of the turn's message."""
        text = text_of(message.get("content"))
        told = "".join(self._behind) or (self._last.text if self._last is not None else "")
        rest = missing(text, told, "".join((*self._before, *self._behind)))
        if rest is None and self._violated:
            rest = text
        events: list[Event] = [TextDelta(rest)] if rest else []
        self._behind += _texts(events)
        for call in as_dicts(message.get("tool_calls")):
            events += self._calls.tell(call)
        return events

    def _beside(
        self, turn: dict[str, Any], steps: list[dict[str, Any]], message: dict[str, Any]
    ) -> list[Event]:
        """Keep of a turn what no event says."""
        extra = {key: value for key, value in turn.items() if key not in _TOLD}
        if any(_id_of(step) not in self._done for step in steps):
            extra["steps"] = steps
        behind = "".join(self._behind)
        last = None if behind else self._last
        said = message_json(behind) if last is None else last.message
        if kept := unsaid({k: v for k, v in message.items() if k != "stop_reason"}, said):
            extra["output_message"] = kept
        if turn.get("turn_id") and not self._id:
            extra["id"] = turn["turn_id"]
        return [Metadata(choice=None, extra=extra)] if extra else []

    def _finish(
        self, message: dict[str, Any], turn: dict[str, Any], *, awaiting: bool
    ) -> Iterator[Event]:
        self._over = True
        how = {"event_type": AWAITING} if awaiting else None
        if message.get("stop_reason"):
            self._reason = str(message["stop_reason"])
            yield Finished(0, self._reason, how)
        elif how is not None:
            yield Metadata(choice=0, extra=how)
        if awaiting:
            yield AwaitingInput(
                {k: turn[k] for k in ("turn_id", "session_id") if k in turn} or None
            )

    _PAYLOADS: ClassVar[
        dict[str, Callable[[LlamaStackTurnDecoder, dict[str, Any]], list[Event] | None]]
    ] = {
        "turn_start": _turn_start,
        "step_start": _step_start,
        "step_progress": _step_progress,
        "step_complete": _step_complete,
        "turn_complete": _turn_end,
        AWAITING: _turn_end,
    }


def _id_of(payload: dict[str, Any]) -> str:
    return str(payload.get("step_id") or "")


def _texts(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, TextDelta)]
