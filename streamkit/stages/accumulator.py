"""Events to a `Response`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from ..dialects import Answer, ChoiceFold, Dialect
from ..events import Event, ResponseCompleted, TextDelta, ToolCallCompleted
from ..response import Choice, Response

__all__ = ["Accumulator"]

_TOOLS: Final = "tool_execution"
"""The steps that act; others (a search, an inference) may be taken again."""


@attrs.define(eq=False)
class Accumulator:
    """
    Fold every event into the `Response`, and put it on the terminal.

    A stage before it changes the answer; one behind it changes only the view.
    """

    _answer: Answer = attrs.field(factory=Answer, init=False)
    _dialect: Dialect | None = attrs.field(default=None, init=False)

    def bind(self, dialect: Dialect, /) -> None:
        """Take the dialect whose shape ``response.raw`` has."""
        self._dialect = dialect

    def __call__(self, event: Event) -> Sequence[Event]:
        """Fold in one event; the terminal gets the response, and completed calls before it."""
        if event.terminal:
            return tuple(self._completed(event))
        self._answer.add(event)
        return (event,)

    def batch(self, events: list[Event]) -> list[Event]:
        """Fold in what one read gave; the list goes on as it is, but for the terminal."""
        answer = self._answer
        for event in events:
            if type(event) is TextDelta:
                answer.add_text(event)
            elif event.terminal:
                return [*events[:-1], *self._completed(event)]
            else:
                answer.add(event)
        return events

    @property
    def tools_ran(self) -> bool:
        """Whether a tool ran at the provider, one that would run twice."""
        answer = self._answer
        if any(step.kind == _TOOLS and step.completed for step in answer.steps):
            return True
        return any(call.ran for fold in answer.choices.values() for call in fold.calls)

    def partial(self) -> Response:
        """Give the answer as far as it came."""
        return self._response(None)

    def _completed(self, terminal: Event) -> Iterator[Event]:
        for choice in self._answer.ordered():
            for number, call in enumerate(choice.calls):
                if not (call.ran or call.hosted or call.cut):
                    yield ToolCallCompleted(number, call.tool_call(), choice.index)
        if isinstance(terminal, ResponseCompleted):
            evidence = terminal.evidence
            terminal = ResponseCompleted(self._response(evidence, complete=True), evidence)
        yield terminal

    def _response(self, evidence: str | None, *, complete: bool = False) -> Response:
        answer, dialect = self._answer, self._dialect
        choices = tuple(self._choice(fold, complete=complete) for fold in answer.ordered())
        first = choices[0] if choices else Choice(0)
        usage = answer.usage
        return Response(
            text=first.text,
            reasoning=first.reasoning,
            refusal=first.refusal,
            tool_calls=first.tool_calls,
            finish_reason=first.finish_reason,
            finish=first.finish,
            usage=dialect.usage(usage) if dialect is not None and usage is not None else None,
            evidence=evidence,
            raw=dialect.response(answer) if dialect is not None else {},
            choices=choices,
        )

    def _choice(self, fold: ChoiceFold, *, complete: bool) -> Choice:
        return Choice(
            index=fold.index,
            text="".join(fold.text),
            reasoning="".join(fold.reasoning),
            refusal="".join(fold.refusal),
            tool_calls=tuple(call.tool_call() for call in fold.calls if not call.hosted),
            finish_reason=fold.finish_reason,
            finish=self._dialect.finish(fold) if complete and self._dialect is not None else None,
        )
