"""Whether a frame is as its API says: such a one goes on as it came, any other is told anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from ..events import Event, ToolCallDelta, ToolCallStarted
from ..framing import DONE, decode_strictly
from .traced import Verbatim

__all__ = ["is_clean"]

_DONE: Final = DONE


def is_clean(dialect: str, verbatim: Verbatim) -> bool:
    """
    Whether SDKs of *dialect* read the frame as it stands, and as it was read here.

    Args:
        dialect: its name.
        verbatim: a frame, whose data may be anything, and the events it gave.
    """
    frame = verbatim.frame
    data = frame.data if isinstance(frame.data, str) else frame.data.decode("utf-8", "replace")
    if data == _DONE:
        return dialect == "openai-chat" and frame.event == "message"
    if "\n" in data or "\r" in data:
        return False
    try:
        value = decode_strictly(data)
    except ValueError:
        return False
    return isinstance(value, dict) and _SHAPES.get(dialect, _any)(value, verbatim)


def _any(_value: dict[str, Any], _verbatim: Verbatim) -> bool:
    return True


def _chat(value: dict[str, Any], verbatim: Verbatim) -> bool:
    """Whether it is a ``chat.completion.chunk`` (OpenAI, API reference: streaming)."""
    choices = value.get("choices")
    return (
        verbatim.frame.event == "message"
        and "error" not in value
        and type(value.get("id")) is str
        and type(value.get("model")) is str
        and type(value.get("created")) is int
        and value.get("object") == "chat.completion.chunk"
        and type(choices) is list
        and all(_chat_choice(choice) for choice in choices)
        and isinstance(value.get("usage"), dict | None)
        and (bool(choices) or isinstance(value.get("usage"), dict))
        and _calls_said(choices) == _calls_read(verbatim.events)
        and all(_begins_well(event) for event in verbatim.events)
    )


_Calls = dict[tuple[int, int], tuple[str, str]]
"""Name and arguments that one frame says, by choice and call."""


def _begins_well(event: Event) -> bool:
    """Whether a call begins with its id and its name, and neither goes on."""
    if isinstance(event, ToolCallStarted):
        return bool(event.id and event.name)
    return not (isinstance(event, ToolCallDelta) and event.name)


def _calls_said(choices: list[dict[str, Any]]) -> _Calls:
    said: _Calls = {}
    for choice in choices:
        for call in choice["delta"].get("tool_calls") or ():
            place = (choice["index"], call["index"])
            name, arguments = said.get(place, ("", ""))
            function = call["function"]
            said[place] = (
                name + (function.get("name") or ""),
                arguments + (function.get("arguments") or ""),
            )
    return said


def _calls_read(events: Sequence[Event]) -> _Calls:
    read: _Calls = {}
    for event in events:
        if isinstance(event, ToolCallStarted | ToolCallDelta):
            place = (event.choice, event.call)
            name, arguments = read.get(place, ("", ""))
            more = event.arguments if isinstance(event, ToolCallDelta) else ""
            read[place] = (name + event.name, arguments + more)
    return read


_FINISHES: Final = frozenset(
    {None, "stop", "length", "tool_calls", "content_filter", "function_call"}
)


def _chat_choice(choice: Any) -> bool:
    if type(choice) is not dict or type(choice.get("index")) is not int:
        return False
    delta, reason = choice.get("delta"), choice.get("finish_reason")
    if type(delta) is not dict or not isinstance(reason, str | None) or reason not in _FINISHES:
        return False
    role, calls = delta.get("role", "assistant"), delta.get("tool_calls")
    return (
        role == "assistant"
        and isinstance(delta.get("content"), str | None)
        and isinstance(delta.get("refusal"), str | None)
        and "function_call" not in delta
        and (calls is None or (type(calls) is list and all(_chat_call(call) for call in calls)))
    )


def _chat_call(call: Any) -> bool:
    if type(call) is not dict or type(call.get("index")) is not int:
        return False
    function = call.get("function")
    return (
        isinstance(call.get("id"), str | None)
        and call.get("type", "function") == "function"
        and type(function) is dict
        and isinstance(function.get("name"), str | None)
        and isinstance(function.get("arguments"), str | None)
    )


def _named(value: dict[str, Any], verbatim: Verbatim) -> bool:
    """Whether the frame's name is its type: the APIs that name theirs."""
    return verbatim.frame.event == value.get("type") != "error"


def _response(value: dict[str, Any], verbatim: Verbatim) -> bool:
    """Whether it is an event of a response; gateways leave the name out, and its SDK knows that."""
    name, kind = verbatim.frame.event, value.get("type")
    return isinstance(kind, str) and kind != "error" and name in (kind, "message")


def _unnamed(_value: dict[str, Any], verbatim: Verbatim) -> bool:
    return verbatim.frame.event == "message"


_SHAPES: Final[dict[str, Callable[[dict[str, Any], Verbatim], bool]]] = {
    "openai-chat": _chat,
    "openai-responses": _response,
    "anthropic-messages": _named,
    "gemini": _unnamed,
    "llama-stack-turn": _unnamed,
}
