"""One answer in the frames of each dialect, written by hand: text, and then a call."""

import json
from collections.abc import Callable
from typing import Any, Final

import attrs

from .answers import Args, Call, Text, Truth

__all__ = ["ANOTHER", "ANSWER", "SPOTS", "WIRES", "Wire"]

SAID: Final = ("Ich schaue ", "für dich.")
ARGUMENTS: Final = ('{"q":"Zür', 'ich"}')
CALL: Final = Call(0, "call_1", "search")
ANSWER: Final = Truth.of([*map(Text, SAID), CALL, *(Args(0, piece) for piece in ARGUMENTS)])
"""What is streamed, and what the buffered call says where it says the same."""
ANOTHER: Final = Truth.of([Text("Gleich, Zoë.")])
"""What it says where it says something else."""
SPOTS: Final = {
    "before the content": Truth(),
    "in the text": Truth.of([Text(SAID[0])]),
    "in the call": Truth.of([*map(Text, SAID), CALL, Args(0, ARGUMENTS[0])]),
}
"""Where a fault strikes, and what was said by then."""


@attrs.frozen
class Wire:
    """How a dialect tells it."""

    frames: tuple[bytes, ...]
    """The whole answer."""
    spots: tuple[int, int, int]
    """How many frames come before each of `SPOTS`."""
    whole: Callable[[Truth], Any]
    """A buffered body."""
    error: bytes
    """A frame of the API's that says it is overloaded."""
    called: str
    """The API's word for the end of an answer with calls."""
    ended: str
    """The API's word for the end of any other."""
    asks: dict[str, Any] = attrs.field(factory=dict)
    """What a request must have."""
    base: str = ""
    """The base URL's path."""
    broken: str = ""
    """The API's word for the end of an answer that failed, where it has one."""
    calls_late: bool = False
    """Whether a call is told once it is whole."""


def _sse(value: Any, event: str = "") -> bytes:
    data = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {data}\n\n".encode()


def _named(kind: str, **fields: Any) -> bytes:
    return _sse({"type": kind, **fields}, kind)


def _call_of(truth: Truth) -> tuple[str, str, Any] | None:
    """Give id, name and arguments of the call, if there is one."""
    for id_, name, arguments in truth.calls.get(0, ()):
        return id_, name, json.loads(arguments)
    return None


# -- openai-chat


def _chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 17, "model": "m-1"}
    return _sse({**head, "choices": [choice]})


def _chat_call(**fields: Any) -> bytes:
    return _chunk({"tool_calls": [{"index": 0, **fields}]})


def _chat(truth: Truth) -> Any:
    message: dict[str, Any] = {"role": "assistant", "content": truth.text[0]}
    if call := _call_of(truth):
        function = {"name": call[1], "arguments": "".join(ARGUMENTS)}
        message["tool_calls"] = [{"id": call[0], "type": "function", "function": function}]
    reason = "tool_calls" if call else "stop"
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


_CHAT: Final = Wire(
    frames=(
        _chunk({"role": "assistant", "content": ""}),
        *(_chunk({"content": piece}) for piece in SAID),
        _chat_call(id="call_1", type="function", function={"name": "search", "arguments": ""}),
        *(_chat_call(function={"arguments": piece}) for piece in ARGUMENTS),
        _chunk({}, "tool_calls"),
        _sse("[DONE]"),
    ),
    spots=(1, 2, 5),
    whole=_chat,
    error=_sse({"error": {"message": "busy", "type": "server_error", "code": None}}),
    called="tool_calls",
    ended="stop",
    base="/v1",
)

# -- anthropic-messages


def _block(index: int, **block: Any) -> bytes:
    return _named("content_block_start", index=index, content_block=block)


def _delta(index: int, kind: str, **fields: str) -> bytes:
    return _named("content_block_delta", index=index, delta={"type": kind, **fields})


def _message(**fields: Any) -> dict[str, Any]:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "content": []}
    usage = {"input_tokens": 9, "output_tokens": 1}
    return {**head, "stop_reason": None, "stop_sequence": None, "usage": usage, **fields}


def _anthropic(truth: Truth) -> Any:
    content: list[Any] = [{"type": "text", "text": truth.text[0]}]
    if call := _call_of(truth):
        content.append({"type": "tool_use", "id": call[0], "name": call[1], "input": call[2]})
    return _message(content=content, stop_reason="tool_use" if call else "end_turn")


_ANTHROPIC: Final = Wire(
    frames=(
        _named("message_start", message=_message()),
        _block(0, type="text", text=""),
        *(_delta(0, "text_delta", text=piece) for piece in SAID),
        _named("content_block_stop", index=0),
        _block(1, type="tool_use", id="call_1", name="search", input={}),
        *(_delta(1, "input_json_delta", partial_json=piece) for piece in ARGUMENTS),
        _named("content_block_stop", index=1),
        _named(
            "message_delta",
            delta={"stop_reason": "tool_use", "stop_sequence": None},
            usage={"output_tokens": 6},
        ),
        _named("message_stop"),
    ),
    spots=(2, 3, 7),
    whole=_anthropic,
    error=_named("error", error={"type": "overloaded_error", "message": "Overloaded"}),
    called="tool_use",
    ended="end_turn",
    asks={"max_tokens": 9},
)

# -- gemini


def _candidate(*parts: Any, **fields: Any) -> dict[str, Any]:
    content = {"parts": list(parts), "role": "model"}
    return {"candidates": [{"content": content, "index": 0, **fields}], "responseId": "r-1"}


def _by_path(piece: str, *, more: bool, **fields: Any) -> dict[str, Any]:
    partial = [{"jsonPath": "$.q", "stringValue": piece, "willContinue": more}]
    return {"functionCall": {**fields, "partialArgs": partial, "willContinue": more}}


def _gemini(truth: Truth) -> Any:
    parts: list[Any] = [{"text": truth.text[0]}]
    if call := _call_of(truth):
        parts.append({"functionCall": {"id": call[0], "name": call[1], "args": call[2]}})
    return _candidate(*parts, finishReason="STOP")


_GEMINI: Final = Wire(
    frames=(
        _sse({"responseId": "r-1", "modelVersion": "m-1"}),
        *(_sse(_candidate({"text": piece})) for piece in SAID),
        _sse(_candidate(_by_path("Zür", more=True, id="call_1", name="search"))),
        _sse(_candidate(_by_path("ich", more=False))),
        _sse(_candidate(finishReason="STOP")),
    ),
    spots=(1, 2, 4),
    whole=_gemini,
    error=_sse({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}),
    called="STOP",
    ended="STOP",
    base="/v1",
)

# -- llama-stack-turn


def _payload(kind: str, **fields: Any) -> bytes:
    return _sse({"event": {"payload": {"event_type": kind, **fields}}})


def _step(kind: str, **fields: Any) -> bytes:
    return _payload(f"step_{kind}", step_type="inference", step_id="s1", **fields)


def _progress(kind: str, **delta: Any) -> bytes:
    return _step("progress", delta={"type": kind, **delta})


def _tool(call: tuple[str, str, Any]) -> dict[str, Any]:
    id_, name, arguments = call
    said = {"arguments": arguments, "arguments_json": "".join(ARGUMENTS)}
    return {"call_id": id_, "tool_name": name, **said}


def _turn(truth: Truth) -> Any:
    call = _call_of(truth)
    said = {
        "role": "assistant",
        "content": truth.text[0],
        "stop_reason": "end_of_message" if call else "end_of_turn",
        "tool_calls": [_tool(call)] if call else [],
    }
    step = {"step_id": "s1", "step_type": "inference", "turn_id": "t1", "model_response": said}
    times = {"started_at": "2026-01-01T00:00:00Z", "input_messages": []}
    return {"turn_id": "t1", "session_id": "s", **times, "steps": [step], "output_message": said}


_LLAMA: Final = Wire(
    frames=(
        _payload("turn_start", turn_id="t1"),
        _step("start"),
        *(_progress("text", text=piece) for piece in SAID),
        _progress("tool_call", tool_call="", parse_status="started"),
        *(
            _progress("tool_call", tool_call=piece, parse_status="in_progress")
            for piece in ARGUMENTS
        ),
        _progress(
            "tool_call", tool_call=_tool(_call_of(ANSWER) or ("", "", {})), parse_status="succeeded"
        ),
        _step("complete", step_details=_turn(ANSWER)["steps"][0]),
        _payload("turn_awaiting_input", turn=_turn(ANSWER)),
    ),
    spots=(1, 3, 6),
    whole=_turn,
    error=_sse({"error": {"message": "500: Internal server error"}}),
    called="end_of_message",
    ended="end_of_turn",
    asks={"agent_id": "a-1", "session_id": "s-1"},
    calls_late=True,
)

# -- openai-responses


def _response(status: str, output: list[Any]) -> dict[str, Any]:
    head = {"id": "resp_1", "object": "response", "created_at": 17, "model": "m-1", "usage": None}
    return {**head, "status": status, "error": None, "output": output}


def _item_text(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
    return {**item, "content": [part]}


def _item_call(status: str, arguments: str) -> dict[str, Any]:
    item = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "search"}
    return {**item, "status": status, "arguments": arguments}


def _item(kind: str, index: int, item: dict[str, Any]) -> bytes:
    return _named(f"response.output_item.{kind}", output_index=index, item=item)


def _responses(truth: Truth) -> Any:
    items = [_item_text(truth.text[0])]
    if _call_of(truth):
        items.append(_item_call("completed", "".join(ARGUMENTS)))
    return _response("completed", items)


_PART: Final = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
_EMPTY: Final = {"type": "output_text", "text": "", "annotations": []}
_ARGUING: Final = {"item_id": "fc_1", "output_index": 1}
_ARGUED: Final = "response.function_call_arguments"
_WHOLE_TEXT: Final = "".join(SAID)
_RESPONSES: Final = Wire(
    frames=(
        _named("response.created", response=_response("in_progress", [])),
        _item("added", 0, {**_item_text(""), "content": [], "status": "in_progress"}),
        _named("response.content_part.added", **_PART, part=_EMPTY),
        *(_named("response.output_text.delta", **_PART, delta=piece) for piece in SAID),
        _named("response.output_text.done", **_PART, text=_WHOLE_TEXT),
        _item("done", 0, _item_text(_WHOLE_TEXT)),
        _item("added", 1, _item_call("in_progress", "")),
        *(_named(f"{_ARGUED}.delta", **_ARGUING, delta=piece) for piece in ARGUMENTS),
        _named(f"{_ARGUED}.done", **_ARGUING, arguments="".join(ARGUMENTS)),
        _item("done", 1, _item_call("completed", "".join(ARGUMENTS))),
        _named("response.completed", response=_responses(ANSWER)),
    ),
    spots=(3, 4, 9),
    whole=_responses,
    error=_named("error", code="server_error", message="The server had an error", param=None),
    called="completed",
    ended="completed",
    broken="failed",
    base="/v1",
)

WIRES: Final = {
    "anthropic-messages": _ANTHROPIC,
    "gemini": _GEMINI,
    "llama-stack-turn": _LLAMA,
    "openai-chat": _CHAT,
    "openai-responses": _RESPONSES,
}
"""By dialect."""
