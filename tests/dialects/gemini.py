"""Chunks and bodies of gemini, and ways to read and to write them; shared by its tests."""

import json

from streamkit.dialects import Answer, Gemini
from streamkit.events import ResponseCompleted
from streamkit.framing import Frame
from streamkit.stages import Accumulator

DIALECT = Gemini()
HEAD = {"modelVersion": "g-1", "responseId": "r-1"}
USAGE = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}
SIGNED = {"thoughtSignature": "c2ln"}


def text(words, **fields):
    """A part of text."""
    return {"text": words, **fields}


def thought(words, **fields):
    """A part of the model's reasoning."""
    return {"text": words, "thought": True, **fields}


def call(name=None, args=None, *, part=None, **fields):
    """A part that is a function call, or a piece of one."""
    body = {key: value for key, value in (("name", name), ("args", args)) if value is not None}
    return {"functionCall": {**body, **fields}, **(part or {})}


def piece(path, more=None, **value):
    """A piece of the arguments of a call, which goes on."""
    going_on = {"willContinue": True} if more else {}
    return call(partialArgs=[{"jsonPath": path, **value, **going_on}], willContinue=True)


def candidate(*parts, reason=None, index=0, **fields):
    """A candidate with these parts."""
    content = {"parts": list(parts)} if parts else {}
    ended = {"finishReason": reason} if reason else {}
    return {"content": {**content, "role": "model"}, **ended, "index": index, **fields}


def chunk(*parts, reason=None, index=0, head=HEAD, usage=None, **fields):
    """One chunk, or a body, of one candidate."""
    counted = {"usageMetadata": usage} if usage else {}
    one = candidate(*parts, reason=reason, index=index, **fields)
    return {"candidates": [one], **counted, **head}


STOP = chunk(reason="STOP")


def frame(value, event="message"):
    """One frame of a JSON value, or of text as it stands."""
    return Frame(value if isinstance(value, str) else json.dumps(value), event)


def decoded(*values, decoder=None):
    """The events of these frames."""
    decoder = decoder or DIALECT.decoder()
    frames = [value if isinstance(value, Frame) else frame(value) for value in values]
    return [event for one in frames for event in decoder.feed(one)]


def streamed(*values):
    """The events of a whole stream, its end included."""
    decoder = DIALECT.decoder()
    return [*decoded(*values, decoder=decoder), *decoder.eof()]


def buffered(body):
    """The events of a buffered answer."""
    return list(DIALECT.read_buffered(body))


def answer_of(events):
    """The fold of events."""
    answer = Answer()
    for event in events:
        answer.add(event)
    return answer


def raw_of(events):
    """The ``GenerateContentResponse`` events add up to."""
    return DIALECT.response(answer_of(events))


def parts_of(events, index=0):
    """The parts of one candidate."""
    return raw_of(events)["candidates"][index]["content"].get("parts", [])


def calls_of(events):
    """Name and arguments of the first choice's calls."""
    settled = [fold.tool_call() for fold in answer_of(events).choice(0).calls]
    return [(one.name, json.loads(one.arguments)) for one in settled]


def accumulated(events, dialect=DIALECT):
    """Events as a watcher sees them: the response on the terminal."""
    stage = Accumulator()
    stage.bind(dialect)
    return [out for event in events for out in stage(event)]


def response_of(events, dialect=DIALECT):
    """The response of a whole answer."""
    *_, end = accumulated(events, dialect)
    assert isinstance(end, ResponseCompleted)
    return end.response


def only(kind, events):
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]
