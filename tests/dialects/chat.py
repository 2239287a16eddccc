"""Chunks and bodies of openai-chat, and ways to read them; shared by its tests."""

from streamkit.dialects import OpenAIChat
from streamkit.events import (
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
)

from .spoken import Spoken, frame, only

DIALECT = OpenAIChat()
HEAD = {"id": "chatcmpl-a1", "object": "chat.completion.chunk", "created": 17, "model": "m-1"}
DONE = "[DONE]"
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def chunk(delta=None, finish_reason=None, *, index=0, choices=None, head=HEAD, **fields):
    """One chunk: of a choice's delta, or of *choices* as they are given."""
    if choices is None:
        choices = [{"index": index, "delta": delta, "finish_reason": finish_reason}]
    return {**head, "choices": choices, **fields}


def usage_chunk(usage=USAGE):
    """The last chunk of a stream that reports its usage."""
    return chunk(choices=[], usage=usage)


SPOKEN = Spoken(DIALECT, frame)
decoded = SPOKEN.decoded
streamed = SPOKEN.streamed
raw_of = SPOKEN.raw_of
accumulated = SPOKEN.accumulated
opened = SPOKEN.opened
frames = SPOKEN.frames


def message_of(events):
    """The message of the first choice."""
    return raw_of(events)["choices"][0]["message"]


def text_of(events, choice=0):
    """The text of one choice, joined."""
    return "".join(e.text for e in only(TextDelta, events) if e.choice == choice)


def reasoning_of(events):
    """The reasoning, joined."""
    return "".join(event.text for event in only(ReasoningDelta, events))


def refusal_of(events):
    """The refusal, joined."""
    return "".join(event.text for event in only(RefusalDelta, events))
