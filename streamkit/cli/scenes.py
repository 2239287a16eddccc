"""The demo's scenes: what a provider does wrong, and the answer that must arrive all the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import attrs

from ..limits import Limits
from ..response import ToolCall
from ..testing import Drop, KeepAlive, Pause, Recorded, Reply, Step, answers

__all__ = ["QUESTION", "SCENES", "Expected", "Scene"]

QUESTION: Final = "Why do streams break?"

_WORD = 0.034
"""Seconds between words; after a comma or a stop it is three times as long."""
_THOUGHT = 0.45
"""Seconds before a buffered answer."""
_LIMITS = Limits(total=10.0)
_UNASKED = Reply(answers.error("nothing is scripted for a second call"), status=501)


@attrs.frozen(kw_only=True)
class Expected:
    """What must come out of a scene: as delivered, retractions applied, and in the response."""

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    streams: int = 1
    """How many streaming calls it takes (a count)."""
    rerouted: str | None = None
    """The code of the streaming error; None where the stream gave the answer."""
    retracted: tuple[str, ...] = ()
    """The channels that were taken back, in order."""
    evidence: str | None = "finish_reason"
    failure: tuple[str, str] | None = None
    """The error's code, and words of its message; None where the answer arrives."""


@attrs.frozen(kw_only=True)
class Scene:
    """One thing that goes wrong, or nothing, and what must come of it."""

    title: str
    fault: str
    """What the provider does, in one sentence."""
    stream: Reply | Callable[[Recorded], Reply]
    """What a request with ``stream`` gets."""
    buffered: Reply = _UNASKED
    """What a request without it gets."""
    expected: Expected
    limits: Limits = _LIMITS

    def streamed(self, request: Recorded) -> Reply:
        """Give what a *request* with ``stream`` gets."""
        return self.stream if isinstance(self.stream, Reply) else self.stream(request)


def _spoken(deltas: Iterable[dict[str, Any]]) -> Iterator[bytes | Step]:
    """Give a frame for each delta, at the pace of somebody who speaks."""
    for delta in deltas:
        yield answers.chunk(delta)
        said = str(*delta.values()).rstrip()
        yield Pause(_WORD * (3 if said.endswith((",", ".", ":")) else 1))


def _says(text: str, field: str = "content") -> Iterator[bytes | Step]:
    """Give *text*, a frame for each word."""
    return _spoken({field: word} for word in re.findall(r"\S+\s*", text))


def _calls(name: str, *arguments: str) -> Iterator[bytes | Step]:
    """Give one tool call: id and name, then the pieces of its arguments."""
    functions = [{"name": name, "arguments": ""}, *({"arguments": piece} for piece in arguments)]
    head = {"id": "call_1", "type": "function"}
    for function in functions:
        yield answers.chunk({"tool_calls": [{"index": 0, **head, "function": function}]})
        yield Pause(_WORD * 3)
        head = {}


def _begins(*steps: Iterable[bytes | Step]) -> list[bytes | Step]:
    """Give the first frame, which only says whose turn it is, and *steps*."""
    return [
        answers.chunk({"role": "assistant", "content": ""}),
        Pause(_WORD * 3),
        *(step for several in steps for step in several),
    ]


def _ends(reason: str = "stop") -> list[bytes]:
    return [answers.chunk({}, finish_reason=reason), answers.done()]


def _answer(text: str) -> Reply:
    return Reply(answers.completion(text), before=[Pause(_THOUGHT)])


def _healed(
    title: str, fault: str, *steps: bytes | Step, says: str, until: str, code: str, **more: Any
) -> Scene:
    """Give a scene that breaks after the words *until*; the buffered answer says it all."""
    text = until + says
    return Scene(
        title=title,
        fault=fault,
        stream=Reply(*_begins(_says(until)), *steps),
        buffered=_answer(text),
        expected=Expected(text=text, rerouted=code, evidence="buffered"),
        **more,
    )


def _rejected(title: str, fault: str, status: int, error: bytes, text: str) -> Scene:
    """Give a scene where only the buffered call is answered."""
    return Scene(
        title=title,
        fault=fault,
        stream=Reply(error, status=status),
        buffered=_answer(text),
        expected=Expected(text=text, rerouted="rejected", evidence="buffered"),
    )


_HEALTHY = (
    "A stream is a courtesy: the first word reaches you while the last is still being "
    "thought of. On a good day nothing stands between the two."
)
_TOOL_TEXT = "Some questions need a look outside, so let me look. "
_ARGUMENTS = ('{"city": ', '"Reykjavík", ', '"unit": ', '"celsius"}')
_FIRST_WORDS = "Streams break because the network is made of hope and copper, and "
_OTHER_WORDS = (
    "Ask twice, and a model may answer twice. What was shown first is taken back, and the "
    "second answer stands alone."
)
_REASONING = "Cables, balancers, restarts: every hop can let go, and none knows what it carries. "
_CONCLUSION = "Because an answer passes through many hands, and any of them may open."
_ONE_PIECE = (
    "You asked for a river and were handed a glass of water. It is the same water: an answer "
    "is an answer, and no second call is needed."
)
_STRICT = (
    "A strict server reads every field and forgives none. One word too many, and the whole "
    "request comes back unread; without it, the answer streams."
)
_UNKNOWN_FIELD = Reply(
    answers.error("Unrecognized field: stream_options", param="stream_options"), status=422
)
_LIMITED = Reply(answers.error("Rate limit exceeded", type="rate_limit_error"), status=429)


def _strict(request: Recorded) -> Reply:
    """Give what a server answers that has never heard of ``stream_options``."""
    if "stream_options" in request.json:
        return _UNKNOWN_FIELD
    return Reply(*_begins(_says(_STRICT)), *_ends())


SCENES: Final[tuple[Scene, ...]] = (
    Scene(
        title="A healthy stream",
        fault="It streams the answer, as it should.",
        stream=Reply(*_begins(_says(_HEALTHY)), *_ends()),
        expected=Expected(text=_HEALTHY),
    ),
    _rejected(
        "Streaming is not supported",
        "It rejects stream=true with HTTP 400.",
        400,
        answers.error("Streaming is not supported", param="stream"),
        "Not every server speaks in pieces. Some were built when an answer came whole or not "
        "at all, and they say so before the first word.",
    ),
    Scene(
        title="stream_options is unknown",
        fault="It rejects a field it has never heard of with HTTP 422.",
        stream=_strict,
        expected=Expected(text=_STRICT, streams=2),
    ),
    _healed(
        "The connection drops",
        "It hangs up in the middle of the answer.",
        Drop(),
        until="Somewhere between two racks a balancer forgets a connection, and the sentence stops",
        says=" in the middle of a thought. What you have read stays; only the rest is fetched.",
        code="transport",
    ),
    _healed(
        "A garbled chunk",
        "It sends half a JSON object, then goes on as if nothing had happened.",
        b'data: {"id": "chatcmpl-1", "choices": [{"index": 0, "del\n\n',
        *_says(" together in a way that was never meant."),
        *_ends(),
        until="Bytes are cut wherever a buffer ends, and one careless proxy puts them back",
        says=" wrong. Whoever guesses what was meant makes it worse, so this is asked again.",
        code="malformed",
    ),
    _healed(
        "Silence behind keep-alives",
        "It stops answering, and keeps the line warm with comments.",
        KeepAlive(every=0.2),
        until="The line is alive: every moment a small ping says so. But a heartbeat",
        says=" is no word, and a patience that counts pings would wait for ever.",
        code="stalled",
        limits=attrs.evolve(_LIMITS, idle=0.9),
    ),
    Scene(
        title="A tool call",
        fault="It says a few words, then calls a tool, its arguments in pieces.",
        stream=Reply(
            *_begins(_says(_TOOL_TEXT), _calls("get_weather", *_ARGUMENTS)), *_ends("tool_calls")
        ),
        expected=Expected(
            text=_TOOL_TEXT,
            tool_calls=(ToolCall("call_1", "get_weather", "".join(_ARGUMENTS), valid=True),),
        ),
    ),
    _healed(
        "A cut that looks whole",
        "It ends in good order, but without a finish reason or [DONE].",
        until="Some answers end as if they were complete: no error, no reset, a tidy last byte.",
        says=" Without a finish reason, that is a pause nobody came back from.",
        code="truncated",
    ),
    Scene(
        title="A different second answer",
        fault="It hangs up; asked again, it answers in other words.",
        stream=Reply(*_begins(_says(_FIRST_WORDS)), Drop()),
        buffered=_answer(_OTHER_WORDS),
        expected=Expected(
            text=_OTHER_WORDS, rerouted="transport", retracted=("text",), evidence="buffered"
        ),
    ),
    Scene(
        title="Reasoning, then text",
        fault="It thinks aloud, in a field of its own, then answers.",
        stream=Reply(
            *_begins(_says(_REASONING, "reasoning_content"), _says(_CONCLUSION)), *_ends()
        ),
        expected=Expected(text=_CONCLUSION, reasoning=_REASONING),
    ),
    Scene(
        title="An answer in one piece",
        fault="It ignores stream=true and sends one JSON body.",
        stream=Reply(
            answers.completion(_ONE_PIECE),
            headers={"content-type": "application/json"},
            before=[Pause(_THOUGHT)],
        ),
        expected=Expected(text=_ONE_PIECE, evidence="buffered"),
    ),
    Scene(
        title="Nothing helps",
        fault="It rejects both calls with HTTP 429.",
        stream=_LIMITED,
        buffered=_LIMITED,
        expected=Expected(
            rerouted="rejected", evidence=None, failure=("rejected", "Rate limit exceeded")
        ),
    ),
)
"""In the order they are shown."""
