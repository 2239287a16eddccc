"""What a dialect is checked with: answers to write, and what must come back of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from ..dialects import Answer, Dialect, OpenAIChat
from ..errors import excerpt
from ..events import (
    Citation,
    Event,
    Finished,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
    ResponseCompleted,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from ..framing import Frame
from ..response import Choice, Response, Usage
from ..stages import Accumulator

__all__ = [
    "CHAT",
    "CUT",
    "REQUEST",
    "SPECIMENS",
    "accumulated",
    "answer_of",
    "bytes_of",
    "data_of",
    "difference",
    "in_characters",
    "leaves",
    "response_of",
    "unlike",
]

CHAT: Final = OpenAIChat()
"""Whose words the specimens are in."""
REQUEST: Final[Mapping[str, Any]] = {
    "model": "demo-1",
    "agent_id": "agent-1",
    "session_id": "session-1",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Which herons are grey?"}],
}
"""A request that has what the paths of the known dialects need."""

_USAGE: Final = UsageReported(
    Usage(5, 7, 12), {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
)
_CALL: Final = (
    ToolCallStarted(0, "call_1", "tide"),
    ToolCallDelta(0, '{"place": "Łódź", '),
    ToolCallDelta(0, '"day": 2}'),
)


def _end(reason: str) -> list[Event]:
    return [Finished(0, reason), ResponseCompleted(evidence="finish_reason")]


SPECIMENS: Final[dict[str, list[Event]]] = {
    "text": [
        ResponseStarted("a-1", "demo-1"),
        TextDelta('Seven "herons"\n'),
        TextDelta("\u2028é 漢字 😀 \\ "),
        TextDelta("data: [DONE]"),
        *_end("stop"),
    ],
    "text that was cut": [
        ResponseStarted("a-2", "demo-1"),
        TextDelta("Copper rusts"),
        *_end("length"),
    ],
    "text that was filtered": [
        ResponseStarted("a-3", "demo-1"),
        TextDelta("Copper"),
        *_end("content_filter"),
    ],
    "reasoning and text": [
        ResponseStarted("a-4", "demo-1"),
        ReasoningDelta("First weigh "),
        ReasoningDelta("the lantern."),
        TextDelta("The harbour opens "),
        TextDelta("at dawn."),
        *_end("stop"),
    ],
    "a call": [ResponseStarted("a-5", "demo-1"), *_CALL, *_end("tool_calls")],
    "text and calls": [
        ResponseStarted("a-6", "demo-1"),
        TextDelta("I shall look. "),
        *_CALL,
        ToolCallStarted(1, "call_2", "rain"),
        ToolCallDelta(1, "{}"),
        *_end("tool_calls"),
    ],
    "calls in turns": [
        ResponseStarted("a-7", "demo-1"),
        _CALL[0],
        ToolCallStarted(1, "call_2", "tide"),
        _CALL[1],
        ToolCallDelta(1, '{"place": '),
        _CALL[2],
        ToolCallDelta(1, '"Rye"}'),
        *_end("tool_calls"),
    ],
    "a refusal": [
        ResponseStarted("a-8", "demo-1"),
        RefusalDelta("Gold I may "),
        RefusalDelta("not discuss."),
        *_end("stop"),
    ],
    "usage": [ResponseStarted("a-9", "demo-1"), TextDelta("Twelve."), _USAGE, *_end("stop")],
    "two choices": [
        ResponseStarted("a-10", "demo-1"),
        TextDelta("Silver"),
        TextDelta("Copper", 1),
        TextDelta(" turns black."),
        TextDelta(" rusts.", 1),
        Finished(1, "stop"),
        *_end("stop"),
    ],
    "fields of another": [
        ResponseStarted("a-11", "demo-1", {"unheard_of": {"deep": [None, 1]}}),
        TextDelta("Rye"),
        Citation({"type": "url_citation", "url": "https://example.com/rye"}),
        Metadata(0, {"unheard_of": 1}),
        Metadata(0, {"unheard_of": "two"}, message=True),
        Metadata(None, {"unheard_of_too": True}),
        *_end("stop"),
    ],
    "nothing": [ResponseStarted("a-12", "demo-1"), *_end("stop")],
}
"""Answers of no API in particular, by what is in them."""

CUT: Final = [
    ResponseStarted("a-13", "demo-1"),
    TextDelta("I shall look."),
    _CALL[0],
    _CALL[1],
    *_end("length"),
]
"""One that broke off in the arguments of a call."""


def in_characters(script: Sequence[Event]) -> list[Event]:
    """Give the same answer in pieces of one character."""
    pieces: list[Event] = []
    for event in script:
        if isinstance(event, TextDelta | ReasoningDelta | RefusalDelta):
            pieces += [attrs.evolve(event, text=character) for character in event.text]
        elif isinstance(event, ToolCallDelta):
            pieces += [attrs.evolve(event, arguments=character) for character in event.arguments]
        else:
            pieces.append(event)
    return pieces


def accumulated(script: Sequence[Event], dialect: Dialect) -> list[Event]:
    """Give *script* as a watcher gets it: calls behind the evidence, the response at the end."""
    stage = Accumulator()
    stage.bind(dialect)
    return [out for event in script for out in stage(event)]


def answer_of(script: Sequence[Event]) -> Answer:
    """Give the fold of *script*."""
    answer = Answer()
    for event in script:
        answer.add(event)
    return answer


def response_of(script: Sequence[Event], dialect: Dialect) -> Response:
    """Give the response that *script* ends in; an empty one where it ends in none."""
    last = accumulated(script, dialect)[-1]
    response = last.response if isinstance(last, ResponseCompleted) else None
    return response or Response()


def data_of(frame: Frame) -> bytes:
    """Give the data of a frame."""
    return frame.data if isinstance(frame.data, bytes) else frame.data.encode()


def bytes_of(frames: Sequence[Frame]) -> bytes:
    """Write *frames* as server-sent events."""
    body = b""
    for frame in frames:
        name = f"event: {frame.event}\n".encode() if frame.event != "message" else b""
        body += name + b"data: " + data_of(frame) + b"\n\n"
    return body


def unlike(
    was: Response, now: Response, *, exact: bool = False, unsaid: Collection[str] = ()
) -> str:
    """
    Say how an answer that was written and read differs from what it was; empty where not.

    Args:
        was: what was written.
        now: what was read.
        exact: whether reasoning, refusals, usage and every choice must be there,
            too; without, an API may have no word for them.
        unsaid: neutral words for ends that the API has none for.
    """
    if exact and len(was.choices) != len(now.choices):
        return f"expected {len(was.choices)} choices; got {len(now.choices)}"
    if not now.choices:
        return "expected an answer; got one without a choice"
    pairs = zip(was.choices, now.choices, strict=False)
    found = (_unlike_choice(one, other, exact=exact, unsaid=unsaid) for one, other in pairs)
    said = next((f"in choice {n}, {said}" for n, said in enumerate(found) if said), "")
    return said or _unlike_usage(was.usage, now.usage, exact=exact)


def _unlike_choice(was: Choice, now: Choice, *, exact: bool, unsaid: Collection[str]) -> str:
    aspects: list[tuple[str, Any, Any]] = [
        ("text", was.text + was.refusal, now.text + now.refusal),
        ("calls", _calls(was), _calls(now)),
    ]
    if was.finish not in unsaid:
        aspects.append(("finish", was.finish, now.finish))
    if exact:
        aspects.append(("refusal", was.refusal, now.refusal))
        reason = was.finish_reason or now.finish_reason  # a stream always says one
        aspects.append(("finish reason", reason, now.finish_reason))
    if exact or now.reasoning:
        aspects.append(("reasoning", was.reasoning, now.reasoning))
    return next((difference(*aspect) for aspect in aspects if aspect[1] != aspect[2]), "")


def _unlike_usage(was: Usage | None, now: Usage | None, *, exact: bool) -> str:
    if was == now or (now is None and not exact):
        return ""
    counts, told = ({} if one is None else attrs.asdict(one) for one in (was, now))
    if not exact and all(counts.get(k) == told[k] or not (counts.get(k) or told[k]) for k in told):
        return ""  # an API that must say a number says 0
    return difference("usage", was, now)


def difference(aspect: str, was: Any, now: Any) -> str:
    """Say what of an answer is not what it was."""
    return f"expected the {aspect} {excerpt(repr(was))}; got {excerpt(repr(now))}"


def _calls(choice: Choice) -> list[tuple[str, Any]]:
    return [(call.name, _value(call.arguments)) for call in choice.tool_calls]


def _value(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def leaves(value: Any, path: str = "") -> Counter[str]:
    """Count what a JSON value says, each with its path; the order of lists aside, and nulls."""
    found: Counter[str] = Counter()
    for step, inner in _inner(value):
        found += leaves(inner, f"{path}{step}")
    if value not in (None, "") and not isinstance(value, dict | list):
        found[f"{path} = {_spaceless(value)}"] += 1
    return found


def _inner(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((f".{key}", inner) for key, inner in value.items())
    elif isinstance(value, list):
        yield from (("[]", inner) for inner in value)


def _spaceless(value: Any) -> str:
    """Write a value; how the JSON in a text is spaced says nothing, nor does the dot of 1.0."""
    same = int(value) if isinstance(value, float) and value.is_integer() else value
    text = json.dumps(same, sort_keys=True)
    return re.sub(r"\s+", "", text)
