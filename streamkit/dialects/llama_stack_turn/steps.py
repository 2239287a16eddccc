"""The steps of a turn: one handler for each type, in `STEPS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final

import attrs

from ...events import (
    Event,
    Metadata,
    StepCompleted,
    StepStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
)
from .content import (
    arguments_of,
    as_dict,
    as_dicts,
    call_json,
    images_of,
    message_json,
    missing,
    text_of,
    unsaid,
)

__all__ = ["STEPS", "Calls", "Inference", "Step"]

_CALL: Final = ("call_id", "tool_name", "arguments", "arguments_json")
_STEP: Final = ("event_type", "step_type", "step_id")
_RESULT: Final = ("call_id", "tool_name", "content")


@attrs.define(eq=False)
class Calls:
    """The turn's tool calls, each told once: by its id, or by what it says where it has none."""

    _numbers: dict[str, int] = attrs.field(factory=dict, init=False)

    @property
    def known(self) -> int:
        """How many were told (a count)."""
        return len(self._numbers)

    def find(self, call: dict[str, Any]) -> int:
        """Give the number of *call*; of one not told yet it is the next."""
        return self._numbers.get(_key(call), len(self._numbers))

    def tell(self, call: dict[str, Any]) -> Iterator[Event]:
        """Give the events of a whole call; none where it was told before."""
        number, key = self.find(call), _key(call)
        if key in self._numbers:
            return
        self._numbers[key] = number
        yield ToolCallStarted(number, *_names(call), extra=_call_extra(call))
        if arguments := arguments_of(call):
            yield ToolCallDelta(number, arguments)

    def note(self, call: dict[str, Any], delta: dict[str, Any]) -> Event:
        """Give the event of a *delta* that tells no whole call: work goes on."""
        extra = {key: value for key, value in delta.items() if key != "type"}
        return ToolCallDelta(self.find(call), extra=extra)


@attrs.define(eq=False)
class Step:
    """
    A step of a turn, while it goes on.

    Of this type itself: one that tells no more than that it is there, and its
    details (memory_retrieval).
    """

    kind: ClassVar[str] = "memory_retrieval"

    id: str
    calls: Calls
    violated: bool = attrs.field(default=False, init=False)
    """Whether it put its own words in the answer's place."""

    def start(self, payload: dict[str, Any]) -> Event:
        """Tell that it began."""
        extra = {k: v for k, v in payload.items() if k not in _STEP and v not in (None, {})}
        return StepStarted(self.kind, self.id, extra=extra or None)

    def progress(self, _delta: dict[str, Any]) -> list[Event] | None:
        """Give the events of a delta; None where it has no place in such a step."""
        return None

    def complete(self, details: dict[str, Any]) -> Iterator[Event]:
        """Tell what the deltas did not bring, and that it ended."""
        extra = {key: value for key, value in details.items() if key not in _STEP}
        yield from self.last(extra)
        yield StepCompleted(self.kind, self.id, extra=extra or None)

    def last(self, _extra: dict[str, Any]) -> Iterator[Event]:
        """Give what is to be told of the details, taking out what the events then say."""
        return iter(())


@attrs.define(eq=False)
class ShieldCall(Step):
    """A check of what was asked or answered."""

    kind = "shield_call"

    def last(self, extra: dict[str, Any]) -> Iterator[Event]:
        """Note a violation: the server answers with its message."""
        self.violated = bool(extra.get("violation"))
        return iter(())


@attrs.define(eq=False)
class ToolExecution(Step):
    """A tool run by the server, or by the caller before the turn was resumed."""

    kind = "tool_execution"

    def progress(self, delta: dict[str, Any]) -> list[Event] | None:
        """Tell which call is being run."""
        call = delta.get("tool_call")
        if not isinstance(call, dict):
            return None
        return [*self.calls.tell(call), self.calls.note(call, delta)]

    def last(self, extra: dict[str, Any]) -> Iterator[Event]:
        """Give one result for each response."""
        for call in as_dicts(extra.get("tool_calls")):
            yield from self.calls.tell(call)
        if isinstance(extra.get("tool_responses"), list):
            for response in as_dicts(extra.pop("tool_responses")):
                yield from self.calls.tell({k: response.get(k) for k in _RESULT[:2]})
                yield self._result(response)

    def _result(self, response: dict[str, Any]) -> Event:
        id_, name = _names(response)
        extra = {key: value for key, value in response.items() if key not in _RESULT}
        number = self.calls.find(response)
        return ToolResult(number, response.get("content"), id=id_, name=name, extra=extra or None)


@attrs.define(eq=False)
class Inference(Step):
    """The model speaks."""

    kind = "inference"

    message: dict[str, Any] = attrs.field(factory=dict, init=False)
    """The model's message, once it is whole."""
    _text: list[str] = attrs.field(factory=list, init=False)
    _images: list[dict[str, Any]] = attrs.field(factory=list, init=False)
    _told: list[dict[str, Any]] = attrs.field(factory=list, init=False)
    """The calls that were told in this step."""

    @property
    def text(self) -> str:
        """The text that was told in this step."""
        return "".join(self._text)

    def progress(self, delta: dict[str, Any]) -> list[Event] | None:
        """Read a delta, by its type."""
        read = self._DELTAS.get(str(delta.get("type")))
        return None if read is None else read(self, delta)

    def last(self, extra: dict[str, Any]) -> Iterator[Event]:
        """Tell what the message has and the deltas had not; keep of it what no event says."""
        self.message = as_dict(extra.get("model_response"))
        content = self.message.get("content")
        yield from self._say(missing(text_of(content), self.text, self.text))
        for image in images_of(content):
            if image not in self._images:
                yield self._show(image)
        for call in as_dicts(self.message.get("tool_calls")):
            yield from self._tell(call)
        if self.message:
            said = message_json(self.text, self._told)
            extra["model_response"] = unsaid(self.message, said)

    def _words(self, delta: dict[str, Any]) -> list[Event] | None:
        text = delta.get("text")
        return list(self._say(text)) if isinstance(text, str) else None

    def _picture(self, delta: dict[str, Any]) -> list[Event]:
        return [self._show({"type": "image", "image": {"data": delta.get("image")}})]

    def _call(self, delta: dict[str, Any]) -> list[Event]:
        call = delta.get("tool_call")
        if isinstance(call, dict) and delta.get("parse_status") == "succeeded":
            return list(self._tell(call))
        return [self.calls.note(as_dict(call), delta)]

    def _say(self, text: str | None) -> Iterator[Event]:
        if text:
            self._text.append(text)
            yield TextDelta(text)

    def _show(self, image: dict[str, Any]) -> Event:
        self._images.append(image)
        return Metadata(choice=0, extra={"content_parts": [image]}, message=True)

    def _tell(self, call: dict[str, Any]) -> Iterator[Event]:
        told = list(self.calls.tell(call))
        if told:
            self._told.append(call_json(*_names(call), arguments_of(call), _call_extra(call)))
        yield from told

    _DELTAS: ClassVar[dict[str, Callable[[Inference, dict[str, Any]], list[Event] | None]]] = {
        "text": _words,
        "image": _picture,
        "tool_call": _call,
    }


STEPS: Final[dict[str, type[Step]]] = {
    step.kind: step for step in (Inference, ToolExecution, ShieldCall, Step)
}
"""The handler of each step type."""


def _names(call: dict[str, Any]) -> tuple[str, str]:
    return str(call.get("call_id") or ""), str(call.get("tool_name") or "")


def _key(call: dict[str, Any]) -> str:
    id_, name = _names(call)
    return id_ or f"{name}({arguments_of(call)})"


def _call_extra(call: dict[str, Any]) -> dict[str, Any] | None:
    return {key: value for key, value in call.items() if key not in _CALL} or None
