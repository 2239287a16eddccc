"""
Bodies in OpenAI's chat format, for replies: pure, compact, and valid.

Streams are tuples of frames, one `bytes` each, so that a script can cut,
repeat or replace any of them::

    Reply(*answers.text_stream("Hel", "lo")[:2], Drop())
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

__all__ = [
    "CREATED",
    "chunk",
    "completion",
    "done",
    "error",
    "reasoning_stream",
    "text_stream",
    "tool_call",
    "tool_stream",
    "usage_chunk",
]

CREATED: Final = 1_700_000_000
"""When every answer was made (Unix seconds); always the same, so that answers compare equal."""

_ID: Final = "chatcmpl-1"
_MODEL: Final = "demo-1"


def chunk(
    delta: Mapping[str, Any],
    *,
    finish_reason: str | None = None,
    index: int = 0,
    id: str = _ID,  # noqa: A002
    model: str = _MODEL,
    **top: Any,
) -> bytes:
    """
    Return the frame of one chunk with one choice.

    Args:
        delta: the choice's delta, as it is sent.
        finish_reason: of the choice.
        index: of the choice.
        id: of the answer.
        model: of the answer.
        top: more fields of the chunk itself; they replace the usual ones.
    """
    choice = {"index": index, "delta": dict(delta), "finish_reason": finish_reason}
    return _frame(_chunk(id, model, [choice]) | top)


def usage_chunk(prompt: int, completion: int) -> bytes:
    """Return the frame that has no choices but the usage (tokens)."""
    return _frame(_chunk(_ID, _MODEL, []) | {"usage": _usage(prompt, completion)})


def done() -> bytes:
    """Return the done marker's frame."""
    return b"data: [DONE]\n\n"


def text_stream(
    *pieces: str,
    finish_reason: str = "stop",
    usage: tuple[int, int] | None = None,
    done: bool = True,
) -> tuple[bytes, ...]:
    """
    Return the frames of a text answer: role, one for each piece, finish, usage, done marker.

    Args:
        pieces: the text, as it is cut into deltas.
        finish_reason: the provider's own word.
        usage: prompt and completion tokens; None leaves the usage chunk out.
        done: whether the done marker is sent.
    """
    return _stream(map(_text, pieces), finish_reason, usage, done=done)


def tool_stream(
    name: str,
    *argument_pieces: str,
    id: str = "call_1",  # noqa: A002
    before: Iterable[str] = (),
    after: Iterable[str] = (),
    finish_reason: str = "tool_calls",
    usage: tuple[int, int] | None = None,
    done: bool = True,
) -> tuple[bytes, ...]:
    """
    Return the frames of an answer with one tool call, and text around it.

    Args:
        name: of the tool, sent whole with the id, in a frame of its own.
        argument_pieces: the arguments' JSON, as it is cut into deltas.
        id: of the call.
        before: pieces of text before the call.
        after: pieces of text after the call.
        finish_reason: the provider's own word.
        usage: prompt and completion tokens; None leaves the usage chunk out.
        done: whether the done marker is sent.
    """
    deltas = [
        *map(_text, before),
        _tool(id=id, type="function", function={"name": name, "arguments": ""}),
        *(_tool(function={"arguments": piece}) for piece in argument_pieces),
        *map(_text, after),
    ]
    return _stream(deltas, finish_reason, usage, done=done)


def reasoning_stream(
    reasoning_pieces: Iterable[str],
    text_pieces: Iterable[str],
    *,
    field: str = "reasoning_content",
    finish_reason: str = "stop",
    usage: tuple[int, int] | None = None,
    done: bool = True,
) -> tuple[bytes, ...]:
    """
    Return the frames of an answer that thinks first.

    Args:
        reasoning_pieces: the reasoning, as it is cut into deltas.
        text_pieces: the text, as it is cut into deltas.
        field: the delta's key for reasoning; some providers say ``reasoning``.
        finish_reason: the provider's own word.
        usage: prompt and completion tokens; None leaves the usage chunk out.
        done: whether the done marker is sent.
    """
    deltas = [*({field: piece} for piece in reasoning_pieces), *map(_text, text_pieces)]
    return _stream(deltas, finish_reason, usage, done=done)


def tool_call(
    name: str,
    arguments: str,
    *,
    id: str = "call_1",  # noqa: A002
) -> dict[str, Any]:
    """Return one entry of `completion`'s *tool_calls*; *arguments* is JSON, as text."""
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def completion(
    text: str | None = None,
    *,
    tool_calls: Iterable[Mapping[str, Any]] = (),
    reasoning: str | None = None,
    finish_reason: str | None = None,
    usage: tuple[int, int] | None = (10, 5),
    **extra: Any,
) -> bytes:
    """
    Return a buffered answer, as the provider gives it without ``stream``.

    Args:
        text: the message's content; None is sent as null.
        tool_calls: entries such as `tool_call` returns; left out when there are none.
        reasoning: sent as ``reasoning_content``; left out when None.
        finish_reason: the provider's own word; None is ``tool_calls`` or ``stop``, as fits.
        usage: prompt and completion tokens; None leaves usage out.
        extra: more fields of the answer itself; they replace the usual ones.
    """
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls := [dict(call) for call in tool_calls]:
        message["tool_calls"] = calls
    if reasoning is not None:
        message["reasoning_content"] = reasoning
    reason = finish_reason or ("tool_calls" if calls else "stop")
    choice = {"index": 0, "message": message, "finish_reason": reason}
    counted = {"usage": _usage(*usage)} if usage else {}
    return _json(_answer("chat.completion", _ID, _MODEL, [choice]) | counted | extra)


def error(
    message: str,
    *,
    type: str = "invalid_request_error",  # noqa: A002
    code: str | None = None,
    param: str | None = None,
) -> bytes:
    """Return the error envelope."""
    return _json({"error": {"message": message, "type": type, "param": param, "code": code}})


def _stream(
    deltas: Iterable[Mapping[str, Any]],
    finish_reason: str,
    usage: tuple[int, int] | None,
    *,
    done: bool,
) -> tuple[bytes, ...]:
    return (
        chunk({"role": "assistant", "content": ""}),
        *map(chunk, deltas),
        chunk({}, finish_reason=finish_reason),
        *((usage_chunk(*usage),) if usage else ()),
        *((_DONE,) if done else ()),
    )


def _text(piece: str) -> dict[str, Any]:
    return {"content": piece}


def _tool(**fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, **fields}]}


def _answer(kind: str, id_: str, model: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": id_, "object": kind, "created": CREATED, "model": model, "choices": choices}


def _chunk(id_: str, model: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return _answer("chat.completion.chunk", id_, model, choices)


def _usage(prompt: int, completed: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completed,
        "total_tokens": prompt + completed,
    }


def _frame(fields: Mapping[str, Any]) -> bytes:
    return b"data: " + _json(fields) + b"\n\n"


def _json(fields: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(fields)


_DONE: Final = done()
