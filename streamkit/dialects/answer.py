"""What a decoder's events add up to, in no provider's shape yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import attrs

from ..events import (
    Citation,
    Event,
    Finished,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
    ResponseStarted,
    StepCompleted,
    StepStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    UsageReported,
)
from ..response import ToolCall
from .arguments import could_go_on, is_json, settle
from .merge import merge, overlay

__all__ = ["Answer", "CallFold", "ChoiceFold", "PartMark", "Place", "StepFold"]

_T = TypeVar("_T")

_PLACED: Final = "parts"
"""The list of a message whose items stand among its text, in the order they came."""


def _opened(items: Sequence[_T]) -> list[_T]:
    """Give a list to append to: what most answers have none of is listed when it comes."""
    return items if isinstance(items, list) else list(items)


def _laid(old: dict[str, Any], new: dict[str, Any] | None) -> dict[str, Any]:
    """Give *new* laid over *old*, neither of them changed: both may be an event's."""
    if not old or not new:
        return old or new or {}
    laid = dict(old)
    overlay(laid, new)
    return laid


@attrs.define(eq=False)
class CallFold:
    """One tool call, as far as it came."""

    id: str = ""
    name: str = ""
    fragments: list[str] = attrs.field(factory=list)
    extra: dict[str, Any] = attrs.field(factory=dict)
    ran: bool = False
    """Whether a result of it came: the provider ran it, nobody else has to."""
    hosted: bool = False
    """Whether the provider runs it itself, whether or not a result came."""

    def tool_call(self) -> ToolCall:
        """Settle the arguments (see `settle`) and judge them; a custom tool's are any text."""
        arguments = "".join(self.fragments) if self.custom else settle(self.fragments)
        return ToolCall(self.id, self.name, arguments, valid=is_json(arguments))

    @property
    def custom(self) -> bool:
        """Whether its input is any text."""
        return self.extra.get("type") == "custom"

    @property
    def cut(self) -> bool:
        """Whether its arguments are the beginning of JSON and no more: nobody may act on it."""
        if self.custom or not self.fragments:
            return False
        arguments = settle(self.fragments)
        return bool(arguments.strip()) and not is_json(arguments) and could_go_on(arguments)


@attrs.frozen
class PartMark:
    """Where a part of a message began, or went on; what came behind it is told in it."""

    fields: dict[str, Any]
    """What the mark itself says of the part."""
    texts: int
    """How many pieces of text came before (the others alike; counts)."""
    reasoning: int
    calls: int
    results: int
    citations: int


@attrs.frozen
class Place:
    """Where in a choice something begins that is not its text (counts of pieces)."""

    kind: str
    """``reasoning``, ``calls``, or the message's list it goes into."""
    texts: int
    """How much text came before it."""
    first: int
    """How much of its own kind did."""


@attrs.define(eq=False)
class ChoiceFold:
    """One choice, as far as it came. Parts are listed, and joined once."""

    index: int
    text: list[str] = attrs.field(factory=list)
    reasoning: Sequence[str] = ()
    reasoning_field: str = ""
    refusal: Sequence[str] = ()
    calls: list[CallFold] = attrs.field(factory=list)
    results: Sequence[ToolResult] = ()
    citations: Sequence[dict[str, Any]] = ()
    parts: Sequence[PartMark] = ()
    """Of an API whose messages have parts, in the order they were told (see `mark`)."""
    finish_reason: str | None = None
    extra: dict[str, Any] = attrs.field(factory=dict)
    """Unknown fields of the choice."""
    message: dict[str, Any] = attrs.field(factory=dict)
    """Unknown fields of its message."""
    places: Sequence[Place] = ()
    """Where what is not text begins, in the order it came."""

    def call(self, number: int) -> CallFold:
        """Give the call of that *number*, opening those that are missing."""
        if number >= len(self.calls):
            self.place("calls", len(self.calls))
        while len(self.calls) <= number:
            self.calls.append(CallFold())
        return self.calls[number]

    def mark(self, fields: dict[str, Any]) -> None:
        """Note that a part begins here, or goes on: an item of ``content`` says so."""
        self.parts = opened = _opened(self.parts)
        opened.append(self.here(fields))

    def here(self, fields: dict[str, Any]) -> PartMark:
        """Give the mark of a part that begins behind all that came so far."""
        return PartMark(
            fields,
            texts=len(self.text),
            reasoning=len(self.reasoning),
            calls=len(self.calls),
            results=len(self.results),
            citations=len(self.citations),
        )

    def place(self, kind: str, first: int) -> None:
        """Note that the next piece is of *kind*; *first* is how many of it there are."""
        texts, last = len(self.text), self.places[-1] if self.places else None
        if last is None or last.kind != kind or last.texts != texts:
            self.places = opened = _opened(self.places)
            opened.append(Place(kind, texts, first))

    def runs(self) -> Sequence[tuple[str, range]]:
        """
        Give what the choice says, in the order it came.

        Returns:
            A kind (``text``, or that of a `Place`), and which pieces of it
            came in a row.
        """
        ends = {"reasoning": len(self.reasoning), "calls": len(self.calls)}
        ends[_PLACED] = len(self.message.get(_PLACED) or ())
        texts, backwards = len(self.text), []
        for place in reversed(self.places):
            if place.texts < texts:
                backwards.append(("text", range(place.texts, texts)))
                texts = place.texts
            backwards.append((place.kind, range(place.first, ends[place.kind])))
            ends[place.kind] = place.first
        if texts:
            backwards.append(("text", range(texts)))
        return backwards[::-1]


@attrs.define(eq=False)
class StepFold:
    """One step of an agent's turn, as far as it came."""

    kind: str
    id: str
    texts: range
    """Which pieces of its choice's text were told in it."""
    calls: range
    """Which calls of its choice began in it."""
    results: list[ToolResult] = attrs.field(factory=list)
    completed: bool = False
    extra: dict[str, Any] = attrs.field(factory=dict)


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
    """Unknown fields of the answer as a whole. Never changed, but another: it may be an event's."""
    usage: dict[str, Any] | None = None
    """The provider's own usage object, the last value of each field."""
    choices: dict[int, ChoiceFold] = attrs.field(factory=dict)
    steps: Sequence[StepFold] = ()
    """The steps of an agent's turn, in the order they began."""
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

    def add_text(self, event: TextDelta) -> None:
        """Fold in a piece of text: nearly every event is one."""
        self.content = True
        choice = self.choices.get(event.choice) or self.choice(event.choice)
        choice.text.append(event.text)


def _fold_started(answer: Answer, event: ResponseStarted) -> None:
    answer.id = answer.id or event.id
    answer.model = answer.model or event.model
    answer.extra = _laid(answer.extra, event.extra)


def _fold_reasoning(answer: Answer, event: ReasoningDelta) -> None:
    answer.content = True
    choice = answer.choice(event.choice)
    choice.place("reasoning", len(choice.reasoning))
    choice.reasoning = opened = _opened(choice.reasoning)
    opened.append(event.text)
    choice.reasoning_field = choice.reasoning_field or event.field


def _fold_refusal(answer: Answer, event: RefusalDelta) -> None:
    answer.content = True
    choice = answer.choice(event.choice)
    choice.refusal = opened = _opened(choice.refusal)
    opened.append(event.text)


def _fold_call(answer: Answer, event: ToolCallStarted | ToolCallDelta) -> None:
    answer.content = True
    choice = answer.choice(event.choice)
    if event.call >= len(choice.calls) and not _tells_a_call(event):
        return  # a call is being written: which, is told later, or never
    call = choice.call(event.call)
    call.id = call.id or event.id
    call.name += event.name
    if isinstance(event, ToolCallStarted):
        call.hosted = call.hosted or event.hosted
    elif event.arguments:
        call.fragments.append(event.arguments)
    merge(call.extra, event.extra)


def _tells_a_call(event: ToolCallStarted | ToolCallDelta) -> bool:
    if isinstance(event, ToolCallStarted):
        return True
    return bool(event.arguments or event.id or event.name)


def _fold_result(answer: Answer, event: ToolResult) -> None:
    answer.content = True
    choice = answer.choice(event.choice)
    choice.call(event.call).ran = True
    choice.results = opened = _opened(choice.results)
    opened.append(event)
    if answer.steps:
        answer.steps[-1].results.append(event)


def _fold_step_started(answer: Answer, event: StepStarted) -> None:
    choice = answer.choice(event.choice)
    texts, calls = len(choice.text), len(choice.calls)
    step = StepFold(event.step, event.id, range(texts, texts), range(calls, calls))
    step.extra = event.extra or {}
    answer.steps = opened = _opened(answer.steps)
    opened.append(step)


def _fold_step_completed(answer: Answer, event: StepCompleted) -> None:
    choice = answer.choice(event.choice)
    for step in reversed(answer.steps):
        if (step.kind, step.id, step.completed) == (event.step, event.id, False):
            step.texts = range(step.texts.start, len(choice.text))
            step.calls = range(step.calls.start, len(choice.calls))
            step.completed = True
            step.extra = event.extra or {}  # in place of what it began with
            return


def _fold_citation(answer: Answer, event: Citation) -> None:
    answer.content = True
    choice = answer.choice(event.choice)
    choice.citations = opened = _opened(choice.citations)
    opened.append(event.citation)


def _fold_finished(answer: Answer, event: Finished) -> None:
    choice = answer.choice(event.choice)
    choice.finish_reason = event.reason
    merge(choice.extra, event.extra)


def _fold_usage(answer: Answer, event: UsageReported) -> None:
    answer.usage = answer.usage or {}
    overlay(answer.usage, event.extra)


def _fold_metadata(answer: Answer, event: Metadata) -> None:
    if event.choice is None:
        answer.id = answer.id or event.extra.get("id") or ""
        answer.model = answer.model or event.extra.get("model") or ""
        answer.extra = _laid(answer.extra, event.extra)
    elif event.message:
        _fold_message(answer.choice(event.choice), event.extra)
    else:
        merge(answer.choice(event.choice).extra, event.extra)


def _fold_message(choice: ChoiceFold, extra: dict[str, Any]) -> None:
    """
    Fold fields of a message. What stands among its text keeps its place: a list of
    ``content`` marks where parts are, the items of ``parts`` are parts themselves.
    """
    content = extra.get("content")
    if isinstance(content, list) and content:
        for part in content:
            choice.mark(part)
        extra = {k: v for k, v in extra.items() if k != "content"}
    if _PLACED in extra:
        choice.place(_PLACED, len(choice.message.get(_PLACED) or ()))
    merge(choice.message, extra)


_FOLDS: Final[dict[type[Event], Callable[[Answer, Any], None]]] = {
    ResponseStarted: _fold_started,
    TextDelta: Answer.add_text,
    ReasoningDelta: _fold_reasoning,
    RefusalDelta: _fold_refusal,
    ToolCallStarted: _fold_call,
    ToolCallDelta: _fold_call,
    ToolResult: _fold_result,
    StepStarted: _fold_step_started,
    StepCompleted: _fold_step_completed,
    Citation: _fold_citation,
    Finished: _fold_finished,
    UsageReported: _fold_usage,
    Metadata: _fold_metadata,
}
