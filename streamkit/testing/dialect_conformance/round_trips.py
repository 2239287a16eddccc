"""The rules of what is written and read back."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Final, get_args

from ...errors import excerpt
from ...events import Event, ResponseCompleted, ResponseStarted, ToolCallCompleted
from ...framing import Frame, encode
from ...policy import Evidence
from ..specimens import (
    CHAT,
    SPECIMENS,
    difference,
    in_characters,
    leaves,
    response_of,
    unlike,
)
from .streams import check_bytes, check_cuts, check_strangers
from .subject import Subject

__all__ = ["check_answer", "check_body", "check_fresh"]

_EVIDENCE: Final = frozenset(get_args(Evidence))


def check_fresh(subject: Subject) -> None:
    """What one has read or written no other knows of."""
    for make in (subject.dialect.decoder, subject.dialect.encoder):
        if make() is make():
            raise subject.broke(
                "decoders and encoders are fresh",
                f"expected another each time; got the same from {make.__name__}() twice",
                "make a new one in each call",
            )
    frames = subject.written(SPECIMENS["text and calls"], CHAT)
    subject.read(frames[: len(frames) // 2], ends=False)  # broken off half way
    decoder = subject.dialect.decoder()
    if decoder.evidence is not None or decoder.said:
        raise subject.broke(
            "decoders and encoders are fresh",
            "expected a new decoder to know of no evidence and of nothing said; got "
            f"evidence {decoder.evidence!r} and said {decoder.said!r}",
            "keep state in the instance, and make a new one in each call",
        )


async def check_answer(subject: Subject, script: list[Event]) -> None:
    """An answer of no API in particular is read back as what it says, however it is cut."""
    frames = subject.written(script, CHAT)
    events = subject.read(frames)
    mend = "have the encoder tell it, and the decoder read what the encoder tells"
    subject.same(
        "what is written of any answer is read back",
        unlike(response_of(script, CHAT), subject.response(events), unsaid=subject.unsaid),
        mend,
    )
    pieces = subject.read(subject.written(in_characters(script), CHAT))
    subject.same(
        "how an answer is cut into deltas does not matter",
        unlike(subject.response(events), subject.response(pieces), exact=True),
        "let no delta depend on the one before",
    )
    _check_own(subject, events)
    check_strangers(subject, frames, events)
    check_cuts(subject, frames, subject.response(events))
    await check_bytes(subject, frames, events)


def check_body(subject: Subject, body: Any) -> None:
    """A buffered answer of the API keeps every field."""
    given = copy.deepcopy(body)
    events = list(subject.dialect.read_buffered(given))
    if given != body:
        raise subject.broke(
            "a buffered answer is not changed",
            f"expected {excerpt(body)} to stay as it is; got {excerpt(given)}",
            "copy what is taken apart",
        )
    _check_kept(subject, "a buffered answer keeps every field", body, subject.raw(events))
    _check_own(subject, events)


def _check_own(subject: Subject, events: list[Event]) -> None:
    """An answer of the API itself is read back field by field, and its buffered twin as it is."""
    _check_form(subject, events)
    raw = subject.raw(events)
    again = subject.read(subject.written(events, subject.dialect))
    rule = "what is written of an answer of its own is read back, field by field"
    mend = "have the encoder tell every field that the decoder reads"
    found = unlike(subject.response(events), subject.response(again), exact=True)
    subject.same(rule, found, mend)
    _check_kept(subject, rule, raw, subject.raw(again))
    _check_twin(subject, events, raw)


def _check_twin(subject: Subject, events: list[Event], raw: dict[str, Any]) -> None:
    """Its JSON, *raw*, is read as what the stream of it said."""
    body = copy.deepcopy(raw)
    twin = list(subject.dialect.read_buffered(body))
    rule = "a buffered answer gives the same as the stream of it"
    mend = "read both with the same functions"
    _check_form(subject, twin, evidence="buffered")
    subject.same(rule, unlike(subject.response(events), subject.response(twin), exact=True), mend)
    if raw != subject.raw(twin):
        raise subject.broke(rule, difference("JSON", raw, subject.raw(twin)), mend)
    if raw != body:
        raise subject.broke(
            "a buffered answer is not changed",
            f"expected {excerpt(raw)} to stay as it is; got {excerpt(body)}",
            "copy what is taken apart",
        )
    whole = list(subject.dialect.decoder().feed(Frame(encode(raw), whole=True)))
    if whole != twin:
        raise subject.broke(
            "a buffered answer that came in place of a stream is read as one",
            difference("events", twin, whole),
            "give read_buffered's events where frame.whole is set",
        )


def _check_form(subject: Subject, events: Sequence[Event], *, evidence: str | None = None) -> None:
    """The end is there, once and last, with what proves it; a call is not ours to complete."""
    last = events[-1] if events else None
    ends = sum(event.terminal for event in events)
    if not isinstance(last, ResponseCompleted) or ends != 1:
        raise subject.broke(
            "an answer ends in ResponseCompleted, once and last",
            f"expected it behind {excerpt(events[-3:-1])}; got {excerpt(last)}, {ends} ends",
            "give it in eof, or as soon as nothing more can come",
        )
    if last.evidence not in ({evidence} if evidence else _EVIDENCE):
        raise subject.broke(
            "the end says what proves it",
            f"expected evidence {evidence or 'of streamkit.policy.Evidence'!r}; got "
            f"{last.evidence!r}",
            "give what policy.judge ruled, or 'buffered'",
        )
    starts = [n for n, event in enumerate(events) if isinstance(event, ResponseStarted)]
    if starts not in ([], [0]):
        raise subject.broke(
            "ResponseStarted comes once, and first",
            f"expected it at 0; got it at {starts}",
            "give it with the first frame of an answer, and what comes late as Metadata",
        )
    if any(isinstance(event, ToolCallCompleted) for event in events):
        raise subject.broke(
            "ToolCallCompleted is the accumulator's to give",
            "expected none of a decoder; got one",
            "give ToolCallStarted and ToolCallDelta",
        )


def _check_kept(subject: Subject, rule: str, was: Any, now: Any) -> None:
    """See that no field is lost."""
    if lost := leaves(was) - leaves(now):
        raise subject.broke(
            rule,
            f"expected {excerpt(next(iter(lost)))} in the answer's JSON; it is not there",
            "carry what no event models in extra, and fold it into response",
        )
