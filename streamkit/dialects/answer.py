"""What a decoder's events add up to, in no provider's shape yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from ..events import (
    Citation,
    Event,
    Finished,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from ..response import ToolCall
from .arguments import is_json, settle
from .merge import merge, overlay

__all__ = ["Answer", "CallFold", "ChoiceFold"]


@attrs.define(eq=False)
class CallFold:
    """One tool call, as far as it came."""

    id: str = ""
    name: str = ""
    fragments: list[str] = attrs.field(factory=list)
    extra: dict[str, Any] = attrs.field(factory=dict)

    def tool_call(self) -> ToolCall:
        """Settle the arguments (see `settle`) and judge them."""
        arguments = settle(self.fragments)
        return ToolCall(self.id, self.name, arguments, valid=is_json(arguments))


@attrs.define(eq=False)
class ChoiceFold:
    """One choice, as far as it came. Parts are listed, and joined once."""

    index: int
    text: list[str] = attrs.field(factory=list)
    reasoning: list[str] = attrs.field(factory=list)
    reasoning_field: str = ""
    refusal: list[str] = attrs.field(factory=list)
    calls: list[CallFold] = attrs.field(factory=list)
    citations: list[dict[str, Any]] = attrs.field(factory=list)
    finish_reason: str | None = None
    extra: dict[str, Any] = attrs.field(factory=dict)
    """Unknown fields of the choice."""
    message: dict[str, Any] = attrs.field(factory=dict)
    """Unknown fields of its message."""

    def call(self, number: int) -> CallFold:
        """Give the call of that *number*, opening those that are missing."""
        while len(self.calls) <= number:
            self.calls.append(CallFold())
        return self.calls[number]


@attrs.define(eq=False)
class Answer:
    """
    The fold of one attempt's events.

    Pure and incremental: `add` each event, in order; nothing is computed
    until it is asked for. A dialect's ``response`` gives it the provider's
    shape.
    """

    id: str = ""
    model: str = ""
    extra: dict[str, Any] = attrs.field(factory=dict)
    """Unknown fields of the answer as a whole."""
    usage: dict[str, Any] | None = None
    """The provider's own usage object, the last value of each field."""
    choices: dict[int, ChoiceFold] = attrs.field(factory=dict)
    content: bool = False
    """Whether any content came."""

    def add(self, event: Event) -> None:
        """Fold in the next event; one that adds nothing to an answer is ignored."""
        fold = _FOLDS.get(type(event))
        if fold is not None:
            fold(self, event)

    def choice(self, index: int) -> ChoiceFold:
        """Give the choice of that *index*, opening it if it is new."""
        choice = self.choices.get(index)
        if choice is None:
            choice = self.choices[index] = ChoiceFold(index)
        return choice

    def ordered(self) -> list[ChoiceFold]:
        """Give the choices by index."""
        return [self.choices[index] for index in sorted(self.choices)]

    def fold_started(self, event: ResponseStarted) -> None:
        self.id = self.id or event.id
        self.model = self.model or event.model
        overlay(self.extra, event.extra)

    def add_text(self, event: TextDelta) -> None:
        """Fold in a piece of text: nearly every event is one."""
        self.content = True
        self.choice(event.choice).text.append(event.text)

    def fold_reasoning(self, event: ReasoningDelta) -> None:
        self.content = True
        choice = self.choice(event.choice)
        choice.reasoning.append(event.text)
        choice.reasoning_field = choice.reasoning_field or event.field

    def fold_refusal(self, event: RefusalDelta) -> None:
        self.content = True
        self.choice(event.choice).refusal.append(event.text)

    def fold_call(self, event: ToolCallStarted | ToolCallDelta) -> None:
        self.content = True
        call = self.choice(event.choice).call(event.call)
        call.id = call.id or event.id
        call.name += event.name
        if isinstance(event, ToolCallDelta) and event.arguments:
            call.fragments.append(event.arguments)
        merge(call.extra, event.extra)

    def fold_citation(self, event: Citation) -> None:
        self.content = True
        self.choice(event.choice).citations.append(event.citation)

    def fold_finished(self, event: Finished) -> None:
        choice = self.choice(event.choice)
        choice.finish_reason = event.reason
        merge(choice.extra, event.extra)

    def fold_usage(self, event: UsageReported) -> None:
        self.usage = self.usage or {}
        overlay(self.usage, event.extra)

    def fold_metadata(self, event: Metadata) -> None:
        if event.choice is None:
            self.id = self.id or event.extra.get("id") or ""
            self.model = self.model or event.extra.get("model") or ""
            overlay(self.extra, event.extra)
        elif event.message:
            merge(self.choice(event.choice).message, event.extra)
        else:
            merge(self.choice(event.choice).extra, event.extra)


_FOLDS: Final[dict[type[Event], Callable[[Answer, Any], None]]] = {
    ResponseStarted: Answer.fold_started,
    TextDelta: Answer.add_text,
    ReasoningDelta: Answer.fold_reasoning,
    RefusalDelta: Answer.fold_refusal,
    ToolCallStarted: Answer.fold_call,
    ToolCallDelta: Answer.fold_call,
    Citation: Answer.fold_citation,
    Finished: Answer.fold_finished,
    UsageReported: Answer.fold_usage,
    Metadata: Answer.fold_metadata,
}
