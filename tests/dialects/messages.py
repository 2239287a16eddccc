"""Stream events and bodies of anthropic-messages, and ways to read them; shared by its tests."""

import json

from streamkit.dialects import AnthropicMessages
from streamkit.events import (
    Metadata,
    ReasoningDelta,
    TextDelta,
)
from streamkit.framing import Frame

from .spoken import Spoken, only

DIALECT = AnthropicMessages()
USAGE = {"input_tokens": 25, "output_tokens": 1}
HEAD = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-t",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": USAGE,
}
STOP = {"type": "message_stop"}
PING = {"type": "ping"}
TEXT = {"type": "text", "text": ""}
THINKING = {"type": "thinking", "thinking": "", "signature": ""}


def start(**fields):
    """The start of a message."""
    return {"type": "message_start", "message": {**HEAD, **fields}}


def begin(block, index=0):
    """The start of a content block."""
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(kind, index=0, **fields):
    """A delta of a content block."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def text(piece, index=0):
    """A piece of text."""
    return delta("text_delta", index, text=piece)


def think(piece, index=0):
    """A piece of thinking."""
    return delta("thinking_delta", index, thinking=piece)


def json_piece(piece, index=0):
    """A piece of a call's input."""
    return delta("input_json_delta", index, partial_json=piece)


def end(index=0):
    """The end of a content block."""
    return {"type": "content_block_stop", "index": index}


def finish(reason="end_turn", usage=None, **beside):
    """The end of a message's content."""
    return {
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": None},
        "usage": usage or {"output_tokens": 9},
        **beside,
    }


def tool(name="look", id_="toolu_1", kind="tool_use", **fields):
    """The block of a tool call."""
    return {"type": kind, "id": id_, "name": name, "input": {}, **fields}


def said(*pieces, index=0):
    """A whole block of text."""
    return [begin(TEXT, index), *(text(piece, index) for piece in pieces), end(index)]


def called(*pieces, index=0, **fields):
    """A whole tool call."""
    return [
        begin(tool(**fields), index),
        *(json_piece(piece, index) for piece in pieces),
        end(index),
    ]


def frame(value, event=None):
    """One frame of a JSON value, or of text as it stands, named as the API names it."""
    name = value.get("type", "message") if isinstance(value, dict) else "message"
    data = value if isinstance(value, str) else json.dumps(value)
    return Frame(data, event or str(name))


SPOKEN = Spoken(DIALECT, frame)
decoded = SPOKEN.decoded
streamed = SPOKEN.streamed
raw_of = SPOKEN.raw_of
accumulated = SPOKEN.accumulated
opened = SPOKEN.opened
frames = SPOKEN.frames


def response_of(*values):
    """The response of a whole stream."""
    return accumulated(streamed(*values))[-1].response


def content_of(*values):
    """The content blocks of a whole stream."""
    return response_of(*values).raw["content"]


def marks(events):
    """What the marks among events say, in order."""
    return [part for e in only(Metadata, events) if e.message for part in e.extra["content"]]


def text_of(events):
    """The text, joined."""
    return "".join(event.text for event in only(TextDelta, events))


def reasoning_of(events):
    """The reasoning, joined."""
    return "".join(event.text for event in only(ReasoningDelta, events))
