"""
Events to chunks: what `OpenAIChatDecoder` reads, written.

Divergences from a literal copy of what the provider sent, each for the sake of
the clients there are:

1. Finish reasons are told at the end, behind the answer's evidence: a client
   that has seen one takes the answer for whole.
2. Lists of a message whose items have no ``index`` (annotations) are told once,
   whole, before the finish reason: clients join lists by index, or raise.
3. Choices begin in order: clients find them by their place in a list.
4. A tool call's ``index`` counts from 0 in the order the calls were told.
5. Only the first delta of a choice says its role, which is ``assistant``.
6. Of an agent's turn (it has steps) a call is told once it is known to be the
   caller's to make; those that the agent made itself would be made twice. Nor
   are fields told of an answer that is of another API.
7. Calls that the provider runs itself are not told: clients would make them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Final

import attrs

from ...errors import code_of, explain
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
    StepStarted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from ...framing import DONE, Frame, encode_ascii
from ..merge import merge
from ..usage import Reported
from .completion import usage_json
from .envelope import Envelope
from .finish import reason_of
from .told import TWINS, Told

__all__ = ["OpenAIChatEncoder"]

_CHOICES: Final = 128
"""The API's greatest ``n``: no more choices are begun for the sake of order (a count)."""
_SPOKEN: Final = frozenset({"role", "content", "tool_calls"})
"""Fields of a message that a stream tells in its own way, or has no word for (null, ``[]``)."""


@attrs.define(eq=False)
class OpenAIChatEncoder:
    """
    The events of one run as chunks of ``chat.completion.chunk``.

    A choice's first piece of reasoning waits for the event behind it: where
    that brings ``reasoning_details``, both must go into one delta, or they are
    read twice. Only where it does, the pieces behind it wait as well.
    """

    irrevocable: ClassVar[frozenset[str]] = frozenset(
        {"text", "reasoning", "refusal", "tool_calls"}
    )
    remembers: ClassVar[bool] = True

    _envelope: Envelope = attrs.field(factory=Envelope, init=False)
    _begun: set[int] = attrs.field(factory=set, init=False)
    """Choices whose role was told."""
    _choices: dict[int, Told] = attrs.field(factory=dict, init=False)
    """Choices that something is known of."""
    _around: dict[int, tuple[bytes, bytes]] = attrs.field(factory=dict, init=False)
    """By choice: a chunk's bytes before and behind its text, where it tells nothing else."""
    _waiting: ReasoningDelta | None = attrs.field(default=None, init=False)
    """Reasoning whose details may be next."""
    _agent: bool = attrs.field(default=False, init=False)
    """Whether the answer is an agent's turn."""
    _usage: Reported = attrs.field(factory=Reported, init=False)

    def opening(self, run_id: str, /) -> Sequence[Frame]:
        """Say nothing; an answer without an id will have the run's."""
        self._envelope.fallback = f"chatcmpl-{run_id}"
        return ()

    def encode(self, event: Event, /) -> Sequence[Frame]:
        """Give the frames of the next event."""
        if type(event) is TextDelta:
            around = self._around.get(event.choice)
            if around is not None:  # the hot path: nothing but a piece of text is new
                return (Frame(around[0] + encode_ascii(event.text) + around[1]),)
        waited = self._let_go(self._waiting, event) if self._waiting is not None else ()
        tell = self._TELL.get(type(event))
        return waited if tell is None else (*waited, *tell(self, event))

    def heartbeat(self) -> Frame | None:
        """Give None: the API has no word for it, a comment does."""
        return None

    def farewell(self) -> Frame | None:
        """Give None: clients of this API cannot come back."""
        return None

    def failure(self, error: Exception, /) -> dict[str, Any]:
        """Give the API's error envelope: the code and a sentence of ours, nothing else."""
        return _error(code_of(error))

    def _started(self, event: ResponseStarted) -> Sequence[Frame]:
        self._learn({**(event.extra or {}), "id": event.id, "model": event.model})
        return ()

    def _text(self, event: TextDelta) -> Sequence[Frame]:
        frames = tuple(self._say(event.choice, {"content": event.text}))
        empty = encode_ascii(
            {**self._envelope.head, "choices": [_choice(event.choice, {"content": ""})]}
        )
        before, _, behind = empty.rpartition(b'""')
        self._around[event.choice] = before, behind
        return frames

    def _reasoning(self, event: ReasoningDelta) -> Sequence[Frame]:
        if self._known(event.choice).detailed is False:
            return self._reason(event)
        self._waiting = event
        self._around.clear()  # no text overtakes it
        return ()

    def _reason(self, event: ReasoningDelta) -> Sequence[Frame]:
        delta = _reasoned(event)  # without a field its details, which are next, tell it
        return tuple(self._say(event.choice, delta)) if delta else ()

    def _let_go(self, waiting: ReasoningDelta, event: Event) -> Sequence[Frame]:
        """Give the reasoning that waited, unless *event* takes it along or ends it all."""
        if isinstance(event, ResponseFailed | ResponseCancelled) or _is_twin(event, waiting):
            return ()
        self._waiting = None
        told = self._known(waiting.choice)
        told.detailed = bool(told.detailed)
        return self._reason(waiting)

    def _refusal(self, event: RefusalDelta) -> Sequence[Frame]:
        return tuple(self._say(event.choice, {"refusal": event.text}))

    def _call(self, event: ToolCallStarted | ToolCallDelta) -> Sequence[Frame]:
        if self._agent:
            return ()
        piece = self._known(event.choice).call(event)
        return () if piece is None else tuple(self._say(event.choice, {"tool_calls": [piece]}))

    def _asked(self, event: ToolCallCompleted) -> Sequence[Frame]:
        told, call = self._known(event.choice), event.tool_call
        told.asked = True
        if not self._agent:
            return ()
        whole = ToolCallDelta(event.call, call.arguments, event.choice, call.id, call.name)
        return tuple(self._say(event.choice, {"tool_calls": [told.piece(whole, {})]}))

    def _step(self, _event: StepStarted) -> Sequence[Frame]:
        self._agent = True
        return ()

    def _retracted(self, event: Retracted) -> Sequence[Frame]:
        """Forget citations: they were not told yet."""
        if event.channel == "citations":
            self._known(event.choice).held.pop("annotations", None)
        return ()

    def _metadata(self, event: Metadata) -> Sequence[Frame]:
        if event.choice is None:
            if not self._agent:
                self._learn(event.extra)
            return ()
        told = self._known(event.choice)
        if event.message:
            return self._of_message(told, event.choice, event.extra)
        if told.reason is not None:
            merge(told.extra, event.extra)
            return ()
        return tuple(self._say(event.choice, {}, event.extra))

    def _of_message(self, told: Told, index: int, extra: dict[str, Any]) -> Sequence[Frame]:
        """Tell fields of a message, those that are told whole at the end."""
        delta = told.hold({k: v for k, v in extra.items() if k not in _SPOKEN})
        if "reasoning_details" in delta:
            told.detailed = True
        if self._waiting is not None:  # for these fields: else it would have been let go
            delta |= _reasoned(self._waiting)
            self._waiting = None
        return tuple(self._say(index, delta)) if delta else ()

    def _citation(self, event: Citation) -> Sequence[Frame]:
        own: dict[str, Any] = {}
        merge(own, event.citation)
        self._known(event.choice).held.setdefault("annotations", []).append(own)
        return ()

    def _finished(self, event: Finished) -> Sequence[Frame]:
        told = self._known(event.choice)
        told.reason = event.reason
        merge(told.extra, event.extra)
        return ()

    def _report(self, event: UsageReported) -> Sequence[Frame]:
        self._usage.add(event)
        return ()

    def _completed(self, event: ResponseCompleted) -> Iterator[Frame]:
        for index, told in sorted(self._choices.items() or [(0, Told())]):
            if told.held:
                yield from self._say(index, told.held)
            yield from self._say(
                index,
                {},
                told.extra,
                reason_of(index, event.response, reason=told.reason, asked=told.asked),
            )
        if (usage := self._usage.json(usage_json)) is not None:
            yield self._envelope.chunk([], usage=usage)
        yield Frame(DONE)

    def _failed(self, event: ResponseFailed) -> Sequence[Frame]:
        return (Frame(encode_ascii(self.failure(event.error))),)

    def _cancelled(self, _event: ResponseCancelled) -> Sequence[Frame]:
        return (Frame(encode_ascii(_error("cancelled"))),)

    def _known(self, index: int) -> Told:
        told = self._choices.get(index)
        if told is None:
            told = self._choices[index] = Told()
        return told

    def _learn(self, extra: dict[str, Any]) -> None:
        """Take fields of the answer as a whole."""
        self._around.clear()
        self._envelope.learn(extra)

    def _say(
        self,
        index: int,
        delta: dict[str, Any],
        beside: dict[str, Any] | None = None,
        reason: str | None = None,
    ) -> Iterator[Frame]:
        """Give the chunk of a delta; the role with the first, behind the choices below it."""
        self._known(index)
        if index not in self._begun:
            delta = {"role": "assistant", **delta}
            for lower in range(min(index, _CHOICES)):
                if lower not in self._begun:
                    self._begun.add(lower)
                    yield self._envelope.chunk([_choice(lower, {"role": "assistant"})])
            self._begun.add(index)
        yield self._envelope.chunk([_choice(index, delta, beside, reason)])

    _TELL: ClassVar[dict[type[Event], Callable[[OpenAIChatEncoder, Any], Iterable[Frame]]]] = {
        ResponseStarted: _started,
        TextDelta: _text,
        ReasoningDelta: _reasoning,
        RefusalDelta: _refusal,
        ToolCallStarted: _call,
        ToolCallDelta: _call,
        ToolCallCompleted: _asked,
        StepStarted: _step,
        Retracted: _retracted,
        Citation: _citation,
        UsageReported: _report,
        Finished: _finished,
        Metadata: _metadata,
        ResponseCompleted: _completed,
        ResponseFailed: _failed,
        ResponseCancelled: _cancelled,
    }


def _choice(
    index: int,
    delta: dict[str, Any],
    beside: dict[str, Any] | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    return {**(beside or {}), "index": index, "delta": delta, "finish_reason": reason}


def _error(code: str) -> dict[str, Any]:
    error = {"message": explain(code), "type": "server_error", "param": None, "code": code}
    return {"error": error}


def _reasoned(event: ReasoningDelta) -> dict[str, Any]:
    return dict.fromkeys(event.field.split(), event.text)


def _is_twin(event: Event, reasoning: ReasoningDelta) -> bool:
    """Whether *event* tells what must go into one delta with *reasoning*."""
    if type(event) is not Metadata or (event.choice, event.message) != (reasoning.choice, True):
        return False
    return any(event.extra.get(field) for field in TWINS)
