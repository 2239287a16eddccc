"""The kinds of answer: what is sent for each, streamed and whole, and what is true of it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from streamkit.testing import answers

__all__ = ["ANSWERS", "SECONDS", "Answer", "Args", "Call", "Piece", "Text", "Think", "Truth"]


@attrs.frozen
class Text:
    """A piece of text."""

    text: str
    choice: int = 0


@attrs.frozen
class Think:
    """A piece of reasoning."""

    text: str
    choice: int = 0


@attrs.frozen
class Call:
    """The beginning of a tool call."""

    number: int
    id: str
    name: str
    choice: int = 0


@attrs.frozen
class Args:
    """A piece of a tool call's arguments."""

    number: int
    text: str
    choice: int = 0


Piece = Text | Think | Call | Args


@attrs.define
class Truth:
    """What is known of an answer by choice: text, reasoning, and calls (id, name, arguments)."""

    text: dict[int, str] = attrs.field(factory=dict)
    reasoning: dict[int, str] = attrs.field(factory=dict)
    calls: dict[int, list[tuple[str, str, str]]] = attrs.field(factory=dict)

    @classmethod
    def of(cls, pieces: Iterable[Piece]) -> "Truth":
        """Fold *pieces*."""
        truth = cls()
        for piece in pieces:
            truth.add(piece)
        return truth

    def add(self, piece: Piece) -> None:
        """Fold in one more."""
        if isinstance(piece, Text):
            self.text[piece.choice] = self.text.get(piece.choice, "") + piece.text
        elif isinstance(piece, Think):
            self.reasoning[piece.choice] = self.reasoning.get(piece.choice, "") + piece.text
        elif isinstance(piece, Call):
            self.calls.setdefault(piece.choice, []).append((piece.id, piece.name, ""))
        else:
            calls = self.calls[piece.choice]
            id_, name, before = calls[piece.number]
            calls[piece.number] = (id_, name, before + piece.text)


@attrs.frozen
class Answer:
    """One answer, as pieces in the order a stream tells them."""

    pieces: tuple[Piece, ...]
    reasons: Mapping[int, str]
    """The finish reason of each choice."""

    @property
    def role(self) -> tuple[bytes, ...]:
        """The frames that begin each choice."""
        role = {"role": "assistant", "content": ""}
        return tuple(answers.chunk(role, index=index) for index in self.reasons)

    @property
    def content(self) -> tuple[bytes, ...]:
        """One frame for each piece."""
        return tuple(answers.chunk(_delta(p), index=p.choice) for p in self.pieces)

    @property
    def finish(self) -> tuple[bytes, ...]:
        """The frames with the finish reasons."""
        reasons = self.reasons.items()
        return tuple(answers.chunk({}, finish_reason=r, index=index) for index, r in reasons)

    @property
    def whole(self) -> bytes:
        """The buffered body."""
        truth = self.truth
        choices = [
            {"index": i, "message": _message(truth, i), "finish_reason": reason}
            for i, reason in self.reasons.items()
        ]
        return answers.completion(choices=choices)

    @property
    def truth(self) -> Truth:
        """What the answer says."""
        return Truth.of(self.pieces)

    def shown(self, count: int | None = None) -> Truth:
        """Give what a watcher of a stream sees of the first *count* pieces."""
        seen, calling = [], set()
        for piece in self.pieces[:count]:
            if isinstance(piece, Call):
                calling.add(piece.choice)
            if not (isinstance(piece, Text) and piece.choice in calling):
                seen.append(piece)
        return Truth.of(seen)

    def partial(self, count: int) -> Truth:
        """Give what the first *count* pieces say, shown or not."""
        return Truth.of(self.pieces[:count])


def _delta(piece: Piece) -> dict[str, Any]:
    if isinstance(piece, Text):
        return {"content": piece.text}
    if isinstance(piece, Think):
        return {"reasoning_content": piece.text}
    if isinstance(piece, Call):
        call = {"id": piece.id, "type": "function"}
        return _entry(piece, **call, function={"name": piece.name, "arguments": ""})
    return _entry(piece, function={"arguments": piece.text})


def _entry(piece: Call | Args, **fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": piece.number, **fields}]}


def _message(truth: Truth, choice: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": truth.text.get(choice)}
    if choice in truth.reasoning:
        message["reasoning_content"] = truth.reasoning[choice]
    if calls := truth.calls.get(choice):
        message["tool_calls"] = [answers.tool_call(n, a, id=i) for i, n, a in calls]
    return message


def _answer(*pieces: Piece, **reasons: str) -> Answer:
    return Answer(pieces, {int(name[1:]): reason for name, reason in reasons.items()})


ANSWERS: Final = {
    "text": _answer(Text("Guten "), Text("Tag, "), Text("Zürich"), Text("!"), _0="stop"),
    "reasoning": _answer(
        Think("Let me "), Think("überlegen"), Text("Also: "), Text("ja, "), Text("so."), _0="stop"
    ),
    "tools": _answer(
        Call(0, "call_a", "weather"),
        Args(0, '{"city":"Zü'),
        Args(0, 'rich"}'),
        Call(1, "call_b", "date"),
        Args(1, '{"day":1}'),
        _0="tool_calls",
    ),
    "mixed": _answer(
        Think("Hm, was "),
        Text("Ich schaue für dich."),
        Call(0, "call_a", "search"),
        Args(0, '{"q":'),
        Text(" Moment."),
        Args(0, '"x"}'),
        _0="tool_calls",
    ),
    "choices": _answer(
        Text("Eins "),
        Text("Uno ", 1),
        Text("für "),
        Text("per ", 1),
        Text("dich, Zoë"),
        Text("te", 1),
        _0="stop",
        _1="length",
    ),
}
"""
The kinds of answer.

Each has a character of several bytes, and what a watcher does not see is never
the last that was sent: so one who has seen the rest knows that it came.
"""

_OTHERS: Final = {
    "text": _answer(Text("Guten Abend, Welt"), _0="stop"),
    "reasoning": _answer(Think("Let me see"), Text("Nein."), _0="stop"),
    "tools": _answer(Call(0, "call_z", "weather"), Args(0, json.dumps({"city": 1})), _0="stop"),
    "mixed": _answer(
        Think("Hm, wer "), Text("Sofort."), Call(0, "c", "find"), Args(0, "{}"), _0="tool_calls"
    ),
    "choices": _answer(Text("Eins für alle"), Text("Uno per tutti", 1), _0="stop", _1="stop"),
}
_SHORTER: Final = {
    "text": _answer(Text("Guten "), _0="length"),
    "reasoning": _answer(Think("Let me "), Text("Also"), _0="length"),
    "tools": _answer(Call(0, "call_a", "weather"), Args(0, '{"city":"Zürich"}'), _0="stop"),
    "mixed": _answer(Think("Hm"), Text("Ich"), _0="length"),
    "choices": _answer(Text("Ei"), _0="length"),
}
_KINDS: Final = {
    "text": "tools",
    "reasoning": "choices",
    "tools": "text",
    "mixed": "text",
    "choices": "mixed",
}

SECONDS: Final = {
    "same": ANSWERS,
    "different": _OTHERS,
    "shorter": _SHORTER,
    "another kind": {kind: ANSWERS[other] for kind, other in _KINDS.items()},
    "fails": None,
}
"""What the buffered call says for each kind of answer; None where it fails with 503."""
