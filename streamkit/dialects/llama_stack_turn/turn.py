"""An accumulated answer as a ``Turn``."""

from __future__ import annotations

from typing import Any, Final

from ...events import ToolResult
from ..answer import Answer, CallFold, ChoiceFold, StepFold
from .content import as_dict, call_json, message_json

__all__ = ["turn_of"]

_OF_DELTAS: Final = ("tool_call", "parse_status")
"""What a delta says that tells no whole call; no field of a call."""


def turn_of(answer: Answer) -> dict[str, Any]:
    """
    Give the ``Turn`` of an accumulated answer.

    Steps that did not end are not in it, but their text is in the message.
    """
    choice = answer.choice(0)
    whole = [step for step in answer.steps if step.completed]
    steps = [_step(step, choice) for step in whole]
    extra = {key: value for key, value in answer.extra.items() if key != "id"}
    kept = as_dict(extra.pop("output_message", None))
    text = "".join(choice.text[max((step.texts.stop for step in whole), default=0) :])
    last = next((s["model_response"] for s in reversed(steps) if "model_response" in s), None)
    message = {**(last if last and not text else message_json(text)), **kept}
    if choice.finish_reason is not None:
        message["stop_reason"] = choice.finish_reason
    return {
        "turn_id": answer.id,
        "session_id": "",
        "input_messages": [],
        "steps": steps,
        "output_message": message,
        "started_at": None,
        **extra,
    }


def _step(step: StepFold, choice: ChoiceFold) -> dict[str, Any]:
    extra = step.extra
    raw: dict[str, Any] = {"step_id": step.id, "step_type": step.kind}
    if step.kind == "inference":
        text = "".join(choice.text[step.texts.start : step.texts.stop])
        calls = choice.calls[step.calls.start : step.calls.stop]
        said = message_json(text, [_call(call) for call in calls])
        extra = {**extra, "model_response": {**said, **as_dict(extra.get("model_response"))}}
    elif step.kind == "tool_execution":
        raw["tool_responses"] = [_response(result) for result in step.results]
    return {**raw, **extra}


def _call(call: CallFold) -> dict[str, Any]:
    settled = call.tool_call()
    extra = {key: value for key, value in call.extra.items() if key not in _OF_DELTAS}
    return call_json(settled.id, settled.name, settled.arguments, extra)


def _response(result: ToolResult) -> dict[str, Any]:
    said = {"call_id": result.id, "tool_name": result.name, "content": result.content}
    return {**said, **(result.extra or {})}
