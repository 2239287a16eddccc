"""Chunks and bodies of openai-chat, and ways to read them; shared by its tests."""

import json

from streamkit.dialects import Answer, OpenAIChat
from streamkit.events import (
    ReasoningDelta,
    RefusalDelta,
    ResponseCompleted,
    TextDelta,
)
from streamkit.framing import Frame

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


def frame(value, event="message"):
    """One frame of a JSON value, or of text as it stands."""
    return Frame(value if isinstance(value, str) else json.dumps(value), event)


def decoded(*values, decoder=None):
    """The events of these frames, to the done marker if there is one."""
    decoder = decoder or DIALECT.decoder()
    frames = [value if isinstance(value, Frame) else frame(value) for value in values]
    return [event for one in frames for event in decoder.feed(one)]


def streamed(*values):
    """The events of a whole stream, its end included."""
    decoder = DIALECT.decoder()
    events = decoded(*values, decoder=decoder)
    if not (events and isinstance(events[-1], ResponseCompleted)):
        events += decoder.eof()
    return events


def answer_of(events):
    """The fold of events."""
    answer = Answer()
    for event in events:
        answer.add(event)
    return answer


def raw_of(events):
    """The ``chat.completion`` events add up to."""
    return DIALECT.response(answer_of(events))


def message_of(events):
    """The message of the first choice."""
    return raw_of(events)["choices"][0]["message"]


def only(kind, events):
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def text_of(events, choice=0):
    """The text of one choice, joined."""
    return "".join(e.text for e in only(TextDelta, events) if e.choice == choice)


def reasoning_of(events):
    """The reasoning, joined."""
    return "".join(event.text for event in only(ReasoningDelta, events))


def refusal_of(events):
    """The refusal, joined."""
    return "".join(event.text for event in only(RefusalDelta, events))
