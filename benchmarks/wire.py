"""
The bytes: answers as providers stream them, in two wires. Pure, standard library only.

A script is a model's name, so every client can ask for it: ``text-5000-1`` is
5,000 deltas of text, 1 event in each HTTP chunk; ``tools-...`` are arguments
of four calls, ``reasoning-...`` thinks for half of its deltas. Every delta of
a kind has the same length, and what they say is known: a client that loses,
repeats or reorders one is told so instead of being measured.
"""

import json
from functools import cache

PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
"""Where each wire is asked."""

CALLS = 4
"""Tool calls of a ``tools`` script."""
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
STAMP = b"0" * 19
"""Where a drip's event carries the time it was sent at (nanoseconds of the monotonic clock)."""

_ENVELOPE = {
    "id": "chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
    "model": "gpt-4o-2024-08-06",
    "system_fingerprint": "fp_0123456789",
}
_MESSAGE = {
    "id": "msg_01AbCdEfGhIjKlMnOpQrStUv",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "output_tokens": 1},
}


def parse(script):
    """The kind of a script, and its numbers."""
    kind, *numbers = script.split("-")
    return kind, *map(int, numbers)


def word(number):
    """What a delta of text says."""
    return f" word{number % 97:02}"


@cache
def said(kind, events):
    """Every delta of an answer, in order: ``(channel, text)``; calls are channels by number."""
    if kind == "tools":
        each = events // CALLS
        return [(call, piece) for call in range(CALLS) for piece in _arguments(each)]
    if kind == "reasoning":
        half = events // 2
        return [("reasoning" if n < half else "text", word(n)) for n in range(events)]
    return [("text", word(number)) for number in range(events)]


def _arguments(pieces):
    """The JSON of one call's arguments, in so many pieces: one string that grows."""
    return ['{"text": "', *(word(number) for number in range(pieces - 2)), '"}']


@cache
def expected(kind, events, channels=("text", "reasoning", "tools")):
    """What a client that shows these channels must have been told, joined."""
    return "".join(
        text
        for channel, text in said(kind, events)
        if (channel if isinstance(channel, str) else "tools") in channels
    )


def chunked(data):
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@cache
def frames(wire, kind, events):
    """The frames of an answer."""
    return [*opening(wire, kind), *_deltas(wire, kind, events), *closing(wire, kind)]


@cache
def body(wire, kind, events, per_chunk):
    """A whole body, so many events in each HTTP chunk."""
    every = frames(wire, kind, events)
    groups = (every[at : at + per_chunk] for at in range(0, len(every), per_chunk))
    return b"".join(chunked(b"".join(group)) for group in groups) + END


def size(wire, kind, events):
    """The bytes of a body, without HTTP's chunks."""
    return sum(map(len, frames(wire, kind, events)))


def stamped(wire):
    """The two halves of a frame of text, around the time it is sent at."""
    mark = " " + STAMP.decode()
    frame = _openai({"content": mark}) if wire == "openai" else _block_delta(0, text=mark)
    return frame.split(STAMP)


def opening(wire, kind="text"):
    """The frames before the first delta."""
    if wire == "openai":
        return [_openai({"role": "assistant", "content": ""})]
    start = [_event("message_start", message=_MESSAGE)]
    if kind == "text":
        start.append(_block_start(0, {"type": "text", "text": ""}))
    return start


def closing(wire, kind="text"):
    """The frames behind the last delta."""
    if wire == "openai":
        return [_openai({}, "tool_calls" if kind == "tools" else "stop"), b"data: [DONE]\n\n"]
    last = {"tools": CALLS - 1, "reasoning": 1}.get(kind, 0)
    reason = "tool_use" if kind == "tools" else "end_turn"
    return [
        _event("content_block_stop", index=last),
        _event(
            "message_delta",
            delta={"stop_reason": reason, "stop_sequence": None},
            usage={"output_tokens": 1},
        ),
        _event("message_stop"),
    ]


def completion(text, mark):
    """A buffered answer, *mark* its id."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    whole = {"object": "chat.completion", "created": 1_700_000_000, "model": "gpt-4o-2024-08-06"}
    return json.dumps({"id": mark, **whole, "choices": [choice], "usage": usage}).encode()


def _deltas(wire, kind, events):
    openai = wire == "openai"
    before = None
    for channel, text in said(kind, events):
        if kind != "text" and channel != before:
            yield from (_openai_opens if openai else _anthropic_opens)(channel, before)
        before = channel
        yield (_openai_says if openai else _anthropic_says)(channel, text, kind)


def _openai_opens(channel, _before):
    if isinstance(channel, int):
        function = {"name": "write", "arguments": ""}
        call = {"index": channel, "id": f"call_{channel}", "type": "function", "function": function}
        yield _openai({"tool_calls": [call]})


def _openai_says(channel, text, _kind):
    if isinstance(channel, int):
        return _openai({"tool_calls": [{"index": channel, "function": {"arguments": text}}]})
    return _openai({"content" if channel == "text" else "reasoning_content": text})


def _anthropic_opens(channel, before):
    number = channel if isinstance(channel, int) else int(channel == "text")
    if before is not None:
        yield _event("content_block_stop", index=number - 1)
    if isinstance(channel, int):
        block = {"type": "tool_use", "id": f"toolu_{channel}", "name": "write", "input": {}}
    elif channel == "reasoning":
        block = {"type": "thinking", "thinking": "", "signature": ""}
    else:
        block = {"type": "text", "text": ""}
    yield _block_start(number, block)


def _anthropic_says(channel, text, kind):
    if isinstance(channel, int):
        return _block_delta(channel, partial_json=text)
    if channel == "reasoning":
        return _block_delta(0, thinking=text)
    return _block_delta(int(kind == "reasoning"), text=text)


_TYPES = {"text": "text_delta", "partial_json": "input_json_delta", "thinking": "thinking_delta"}


def _block_delta(index, **says):
    ((field, text),) = says.items()
    delta = {"type": _TYPES[field], field: text}
    return _event("content_block_delta", index=index, delta=delta)


def _block_start(index, block):
    return _event("content_block_start", index=index, content_block=block)


def _event(kind, **fields):
    return f"event: {kind}\ndata: {_json({'type': kind, **fields})}\n\n".encode()


def _openai(delta, finish_reason=None):
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return f"data: {_json({**_ENVELOPE, 'choices': [choice]})}\n\n".encode()


def _json(value):
    return json.dumps(value, separators=(",", ":"))
