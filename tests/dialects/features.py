"""
What each dialect can, found by asking it: ``python -m tests.dialects.features --write``.

Nothing here is said by hand. Answers are written with a dialect's encoder and
read with its decoder, and bodies of its API are read; what comes out is what
the table says.
"""

import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Final

from streamkit.dialects import _DIALECTS, OpenAIChat, get_dialect
from streamkit.errors import InBandError, ProviderError
from streamkit.events import (
    CHANNELS,
    AwaitingInput,
    Citation,
    Finished,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
    ResponseCompleted,
    ResponseFailed,
    ResponseStarted,
    StepCompleted,
    StepStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    Unknown,
    UsageReported,
)
from streamkit.framing import Frame
from streamkit.response import Response
from streamkit.testing.specimens import REQUEST, SPECIMENS, accumulated, answer_of, leaves

from . import (
    test_anthropic_round_trip,
    test_gemini,
    test_llama_stack_turn_twin,
    test_openai_responses_round_trip,
    test_openai_round_trip,
)

PAGE: Final = Path(__file__).parents[2] / "docs/reference/dialects.md"
BODIES: Final = {
    "anthropic-messages": test_anthropic_round_trip.BODIES,
    "gemini": test_gemini.BODIES,
    "llama-stack-turn": {
        name: test_llama_stack_turn_twin.as_json(turn)
        for name, turn in test_llama_stack_turn_twin.TURNS.items()
    },
    "openai-chat": test_openai_round_trip.BODIES,
    "openai-responses": test_openai_responses_round_trip.BODIES,
}
"""Bodies of each API."""
BEGIN, END = "<!-- begin: generated -->", "<!-- end: generated -->"
NO = "no"
CHAT = OpenAIChat()
STARTED, DONE = ResponseStarted("a-1", "demo-1"), ResponseCompleted(evidence="finish_reason")
STEPS = [
    STARTED,
    StepStarted("inference", "s-1"),
    TextDelta("I shall look."),
    ToolCallStarted(0, "c-1", "tide"),
    ToolCallDelta(0, '{"day": 2}'),
    StepCompleted("inference", "s-1"),
    StepStarted("tool_execution", "s-2"),
    ToolResult(0, "high", 0, "c-1", "tide"),
    StepCompleted("tool_execution", "s-2"),
    StepStarted("inference", "s-3"),
    TextDelta("High."),
    StepCompleted("inference", "s-3"),
    Finished(0, "end_of_turn"),
    DONE,
]
REFUSING = [STARTED, RefusalDelta("No."), Finished(0, "stop"), DONE]
ENDS = {
    "stop": SPECIMENS["text"],
    "length": SPECIMENS["text that was cut"],
    "tool_calls": SPECIMENS["a call"],
    "content_filter": SPECIMENS["text that was filtered"],
    "refusal": SPECIMENS["a refusal"],
}


class Probe:
    """One dialect, and what is asked of it."""

    def __init__(self, name):
        self.dialect = get_dialect(name)
        self.bodies = BODIES[name]

    def frames(self, script):
        """What *script* is told as, each frame with the number of its event."""
        encoder, told = self.dialect.encoder(), []
        encoder.opening("run-1")
        for number, event in enumerate(accumulated(script, CHAT)):
            told += [(number, frame) for frame in encoder.encode(event)]
        return told

    def back(self, script):
        """What its decoder makes of what its encoder tells of *script*."""
        decoder, events = self.dialect.decoder(), []
        for _, frame in self.frames(script):
            events += decoder.feed(frame)
        return events if events and events[-1].terminal else [*events, *decoder.eof()]

    @cached_property
    def read(self):
        """The kinds of event that come out of bodies of its API."""
        return {type(e) for body in self.bodies.values() for e in self.dialect.read_buffered(body)}

    def way(self, kind, script):
        """Whether it reads events of a kind, and whether it writes them."""
        writes = any(type(event) is kind for event in self.back(script))
        reads = writes or kind in self.read
        return "reads, writes" if writes else "reads" if reads else NO


def call_of(ask):
    """How a call goes out."""
    query = "&".join(f"{key}={value}" for key, value in ask.params.items())
    return f"`{ask.path}{'?' + query if query else ''}`"


def flags_of(probe):
    """The fields that only the streaming body has, or has otherwise."""
    one, other = (ask(REQUEST).body for ask in (probe.dialect.streaming, probe.dialect.buffered))
    return ", ".join(f"`{key}`" for key in one if one[key] != other.get(key)) or NO


def choices_of(probe):
    """Whether the second of two choices is told, and read."""
    response = accumulated(probe.back(SPECIMENS["two choices"]), probe.dialect)[-1].response
    return "reads, writes" if len(response.choices) > 1 else NO


def refusal_of(probe):
    """What a refusal is told as."""
    kinds = {type(event) for event in probe.back(REFUSING)}
    return "reads, writes" if RefusalDelta in kinds else "as text" if TextDelta in kinds else NO


def calls_told(probe):
    """When a call is told: with its pieces, or behind the whole answer."""
    script = SPECIMENS["a call"]
    first = next(n for n, event in enumerate(script) if isinstance(event, ToolCallStarted))
    ends = next(n for n, event in enumerate(script) if isinstance(event, Finished))
    early = [n for n, _ in probe.frames(script) if first <= n < ends]
    return "as they come" if early else "at the end"


def fields_of(probe):
    """Where fields that no event models are kept on the way there and back."""
    known = {
        "answer": [STARTED, Metadata(None, {"unheard_of": 1})],
        "choice": [STARTED, Metadata(0, {"unheard_of": 1})],
        "message": [STARTED, Metadata(0, {"unheard_of": 1}, message=True)],
    }
    kept = []
    for where, begun in known.items():
        script = [*begun, TextDelta("a"), Finished(0, "stop"), DONE]
        raw = probe.dialect.response(answer_of(probe.back(script)))
        if any("unheard_of" in leaf for leaf in leaves(raw)):
            kept.append(where)
    return ", ".join(kept) or NO


def ends_of(probe):
    """The neutral words for an end that come back as they were."""
    found = []
    for word, script in ENDS.items():
        response = accumulated(probe.back(script), probe.dialect)[-1].response
        found += [f"`{word}`"] if response.finish == word else []
    return ", ".join(found)


def proofs_of(probe):
    """What proves the end, as its frames come."""
    proofs, decoder = [], probe.dialect.decoder()
    for _, frame in probe.frames(SPECIMENS["usage"]):
        ends = [event for event in decoder.feed(frame) if event.terminal]
        proof = ends[0].evidence if ends else decoder.evidence
        proofs += [f"`{proof}`"] if proof and f"`{proof}`" not in proofs else []
    return ", ".join(proofs)


def last_of(probe):
    """Whether its frames say that nothing more comes."""
    frames, decoder = probe.frames(SPECIMENS["text"]), probe.dialect.decoder()
    ended = any(event.terminal for _, frame in frames for event in decoder.feed(frame))
    return "a marker" if ended else "the body's end"


def error_of(probe):
    """What a run that failed is read as."""
    encoder, decoder = probe.dialect.encoder(), probe.dialect.decoder()
    try:
        for event in (STARTED, ResponseFailed(InBandError("no"), Response())):
            for frame in encoder.encode(event):
                list(decoder.feed(frame))
    except ProviderError as error:
        return f"`{error.code}`"
    return NO


def unknown_of(probe):
    """What a frame is read as that nobody knows."""
    frame = Frame('{"type": "unheard_of", "unheard_of": 1}', "unheard_of")
    kinds = {type(event) for event in probe.dialect.decoder().feed(frame)}
    return "kept" if kinds == {Unknown} else NO


def irrevocable_of(probe):
    """The channels whose words cannot be taken back, once they are told."""
    told = probe.dialect.encoder().irrevocable
    return ", ".join(channel for channel in CHANNELS if channel in told) or NO


def way(kind, script):
    """A feature that is a kind of event."""
    return lambda probe: probe.way(kind, script)


FEATURES: Final[dict[str, Callable[[Probe], str]]] = {
    "streaming call": lambda probe: call_of(probe.dialect.streaming(REQUEST)),
    "buffered call": lambda probe: call_of(probe.dialect.buffered(REQUEST)),
    "fields for the stream": flags_of,
    "the key's header": lambda probe: ", ".join(f"`{h}`" for h in probe.dialect.authorization("k")),
    "text": way(TextDelta, SPECIMENS["text"]),
    "several choices": choices_of,
    "reasoning": way(ReasoningDelta, SPECIMENS["reasoning and text"]),
    "refusals": refusal_of,
    "tool calls": way(ToolCallStarted, SPECIMENS["a call"]),
    "calls are written": calls_told,
    "results of tools": way(ToolResult, STEPS),
    "steps": way(StepStarted, STEPS),
    "waiting for the caller": way(AwaitingInput, SPECIMENS["a call"]),
    "sources": way(Citation, SPECIMENS["fields of another"]),
    "usage": way(UsageReported, SPECIMENS["usage"]),
    "unknown fields come back": fields_of,
    "ends come back": ends_of,
    "proof of the end": proofs_of,
    "nothing comes behind": last_of,
    "a failed run reads as": error_of,
    "an unknown frame": unknown_of,
    "cannot be taken back": irrevocable_of,
    "heartbeat": lambda probe: "a frame" if probe.dialect.encoder().heartbeat() else "a comment",
}


def table():
    """The table, as it stands on the page."""
    names = sorted(_DIALECTS)
    probes = [Probe(name) for name in names]
    rows = [["", *(f"`{name}`" for name in names)], ["---"] * (len(names) + 1)]
    rows += [[feature, *map(found, probes)] for feature, found in FEATURES.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def page():
    """The page, with the table that is true now."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), "utf-8")
    else:
        sys.stdout.write(table() + "\n")
