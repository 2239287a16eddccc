"""Chunks and bodies of gemini, and ways to read and to write them; shared by its tests."""

import json

from streamkit.dialects import Gemini

from .spoken import Spoken, answer_of, frame

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


SPOKEN = Spoken(DIALECT, frame)
decoded = SPOKEN.decoded
streamed = SPOKEN.streamed
raw_of = SPOKEN.raw_of
accumulated = SPOKEN.accumulated
response_of = SPOKEN.response_of
opened = SPOKEN.opened
frames = SPOKEN.frames


def buffered(body):
    """The events of a buffered answer."""
    return list(DIALECT.read_buffered(body))


def parts_of(events, index=0):
    """The parts of one candidate."""
    return raw_of(events)["candidates"][index]["content"].get("parts", [])


def calls_of(events):
    """Name and arguments of the first choice's calls."""
    settled = [fold.tool_call() for fold in answer_of(events).choice(0).calls]
    return [(one.name, json.loads(one.arguments)) for one in settled]
