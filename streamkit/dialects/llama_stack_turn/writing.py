"""What the encoder writes: payloads, calls, the details of steps, and why a turn ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...errors import explain
from ...framing import Frame, encode_ascii
from ...response import Response
from ..answer import CallFold, StepFold
from .content import as_dict, call_json

__all__ = ["EPOCH", "call_of", "details_of", "error_json", "payload", "reason_of"]

EPOCH: Final = "1970-01-01T00:00:00Z"
"""A time that nobody said: the API wants one."""
_REASONS: Final = {
    "stop": "end_of_turn",
    "length": "out_of_tokens",
    "tool_calls": "end_of_message",
    "paused": "end_of_message",
}
"""The API's word for a neutral one."""
_OF_DELTAS: Final = ("tool_call", "parse_status")
"""What a delta says that tells no whole call; no field of a call."""
_NEEDED: Final[dict[str, dict[str, Any]]] = {
    "memory_retrieval": {"vector_db_ids": "", "inserted_context": ""}
}
"""Fields of a step's details that the client's types want."""


def payload(event_type: str, **fields: Any) -> Frame:
    """Give the frame of one event of a turn."""
    return Frame(encode_ascii({"event": {"payload": {"event_type": event_type, **fields}}}))


def error_json(code: str) -> dict[str, Any]:
    """Give the API's error: a *code* and the sentence of ours for it."""
    return {"error": {"message": explain(code), "code": code}}


def call_of(call: CallFold) -> dict[str, Any]:
    """Write a call as far as it came."""
    settled = call.tool_call()
    extra = {key: value for key, value in call.extra.items() if key not in _OF_DELTAS}
    return call_json(settled.id, settled.name, settled.arguments, extra)


def details_of(
    step: StepFold, calls: Sequence[CallFold], turn_id: str, extra: Mapping[str, Any] | None
) -> dict[str, Any]:
    """
    Give a step's details beside what events tell, nothing missing that the API wants.

    Args:
        step: the step, whole.
        calls: those of the answer so far.
        turn_id: of the turn it stands in.
        extra: what the provider said of it.
    """
    details = {"turn_id": turn_id, **_NEEDED.get(step.kind, {}), **(extra or {})}
    if step.kind == "inference":
        reason = "end_of_message" if len(calls) > step.calls.start else "end_of_turn"
        message = as_dict(details.get("model_response"))
        details["model_response"] = {"stop_reason": reason, **message}
    elif step.kind == "tool_execution" and "tool_calls" not in details:
        numbers = dict.fromkeys(result.call for result in step.results)
        details["tool_calls"] = [call_of(calls[number]) for number in numbers]
    return details


def reason_of(reason: str | None, response: Response | None, *, speaks: bool) -> str | None:
    """
    Give why an answer ended, in a word of the API or of one that speaks it.

    Args:
        reason: the provider's word; None where it said none.
        response: the answer; None where nobody accumulated it.
        speaks: whether the provider speaks this API.
    """
    if reason is None or reason in _REASONS.values():
        return reason
    if reason in _REASONS or speaks:
        return _REASONS.get(reason, reason)
    finish = None if response is None else response.finish
    return _REASONS.get(finish or "", "end_of_turn")
