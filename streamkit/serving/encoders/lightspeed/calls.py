"""Tool calls and their results, each told once, whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs

from ....dialects import Answer, CallFold
from ....dialects.llama_stack_turn.content import as_dict, as_dicts
from ....events import (
    StepCompleted,
    StepStarted,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
)
from ....framing import Frame, decode
from ....response import ToolCall
from .words import TOOLS, said

__all__ = ["Calls"]

_FAULTS: Final = ("error", "error_message", "error_code", "is_error")
"""Fields by which a provider says, beside a result, that its tool failed."""


@attrs.define(eq=False)
class Calls:
    """
    The tool calls of one answer, in lightspeed's vocabulary of today.

    Results are counted in rounds, from 1. Those of one step are one round;
    without steps, a round is over where the next call begins behind a result.
    """

    _answer: Answer = attrs.field(factory=Answer, init=False)
    """The calls as far as they came; nothing else."""
    _told: dict[int, str] = attrs.field(factory=dict, init=False)
    """By number: the id each was told under."""
    _running: bool = attrs.field(default=False, init=False)
    """Whether a step goes on in which tools are run."""
    _round: int = attrs.field(default=0, init=False)
    _answered: bool = attrs.field(default=False, init=False)
    """Whether the round has a result."""

    def forget(self) -> None:
        """Forget every call, told or not: they were retracted."""
        self._answer, self._told = Answer(), {}
        self._round, self._answered = 0, False

    def begin(self, event: ToolCallStarted) -> None:
        """Take a call that began; not told before it is whole."""
        self._answered = self._answered and self._running
        self._answer.add(event)

    def grow(self, event: ToolCallDelta) -> Iterator[Frame]:
        """Take a piece of a call; a note that it is being run says that it is whole."""
        self._answer.add(event)
        if self._running and "parse_status" in (event.extra or {}):
            yield from self._tell(event.call)

    def complete(self, event: ToolCallCompleted) -> Iterator[Frame]:
        """Take a whole call."""
        if event.call not in self._told:
            yield self._write(event.call, event.tool_call)

    def answer(self, event: ToolResult, text: str) -> Iterator[Frame]:
        """Take a result, *text* in all; its call goes before it."""
        call = self._call(event.call)
        call.id, call.name = call.id or event.id, call.name or event.name
        yield from self._tell(event.call)
        if not self._answered:
            self._round, self._answered = self._round + 1, True
        result = {
            "id": self._told[event.call],
            "status": "failure" if _is_failure(event) else "success",
            "content": text,
            "type": "tool_result",
            "round": self._round,
        }
        yield said("tool_result", result)

    def enter(self, event: StepStarted) -> None:
        """Take the beginning of a step: its results will be another round."""
        self._running, self._answered = event.step == TOOLS, False

    def leave(self, event: StepCompleted) -> Iterator[Frame]:
        """Take the end of a step: calls that it ran are whole, with results or without."""
        self._running = False
        if event.step == TOOLS:
            ran = {_key(call) for call in as_dicts((event.extra or {}).get("tool_calls"))}
            for number, call in enumerate(self._answer.choice(0).calls):
                if (call.id or call.name) in ran:
                    yield from self._tell(number)

    def name_of(self, number: int) -> str:
        """Give the name of a call."""
        return self._call(number).name

    def _call(self, number: int) -> CallFold:
        return self._answer.choice(0).call(number)

    def _tell(self, number: int) -> Iterator[Frame]:
        if number not in self._told:
            yield self._write(number, self._call(number).tool_call())

    def _write(self, number: int, call: ToolCall) -> Frame:
        self._told[number] = id_ = call.id or f"call_{number}"
        args = _object_of(call.arguments)
        return said("tool_call", {"id": id_, "name": call.name, "args": args, "type": "tool_call"})


def _key(call: dict[str, Any]) -> str:
    return str(call.get("call_id") or call.get("tool_name") or "")


def _object_of(arguments: str) -> dict[str, Any]:
    """
    Give arguments as an object.

    What is none stands in ``args``, where the server puts it, too
    (``parse_arguments_string`` of lightspeed-stack); but nothing is guessed at.
    """
    if not arguments.strip():
        return {}
    try:
        value = decode(arguments)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"args": arguments}


def _is_failure(event: ToolResult) -> bool:
    extra = event.extra or {}
    said_beside = {**as_dict(extra.get("metadata")), **extra}
    return any(said_beside.get(fault) for fault in _FAULTS)
