"""
Chunks to events.

A chunk is a whole ``GenerateContentResponse`` of its own. Its envelope and the
fields beside a candidate's content are compared with what was told before, in
C; a part that is nothing but text, as nearly every one is, costs one event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any, Final

import attrs

from ...errors import InBandError, MalformedStream, ProviderError, excerpt
from ...events import (
    Event,
    Metadata,
    ResponseCompleted,
    ResponseStarted,
    TextDelta,
    ToolCallStarted,
    Unknown,
    UsageReported,
)
from ...framing import Frame, decode, decode_strictly, payloads
from ...policy import Ruling, Seen, Verdict, judge
from ..ending import raise_behind, truncated
from ..in_band import find_error, not_json, residual_error
from .candidate import Candidate
from .content import usage_of

__all__ = ["GeminiDecoder", "read_content"]

_ENVELOPE: Final = frozenset({"responseId", "modelVersion", "promptFeedback", "createTime"})
_NAMES: Final = {"responseId": "id", "modelVersion": "model"}
"""What events call the fields that they model."""
_PASSED: Final = ("", "BLOCKED_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED", "0")
"""Words for a block that is none."""
_ABSENT: Final = object()


def read_content(body: Any) -> Sequence[Event]:
    """
    Give the events of a whole ``GenerateContentResponse``.

    Raises:
        InBandError: *body* is the provider's error, or its word that the prompt is blocked.
        MalformedStream: *body* is no answer.
    """
    if (error := find_error(body)) is not None:
        raise error
    if not (isinstance(body, dict) and (body.get("candidates") or "promptFeedback" in body)):
        raise MalformedStream(
            f"expected an answer with candidates; got {excerpt(body)!r}; "
            "check that the endpoint speaks gemini"
        )
    decoder = GeminiDecoder()
    events: list[Event] = []
    decoder.chunk(deepcopy(body), "message", events)
    return [*events, *decoder.rest(), ResponseCompleted(evidence="buffered")]


@attrs.define(eq=False)
class GeminiDecoder:
    """Chunks to events, for one attempt."""

    _head: dict[str, Any] | None = attrs.field(default=None, init=False)
    """The envelope of the chunk before: what is equal to it tells nothing new."""
    _known: dict[str, Any] = attrs.field(factory=dict, init=False)
    _usage: dict[str, Any] | None = attrs.field(default=None, init=False)
    _candidates: dict[int, Candidate] = attrs.field(factory=dict, init=False)
    _started: bool = attrs.field(default=False, init=False)
    _content: bool = attrs.field(default=False, init=False)
    _said: bool = attrs.field(default=False, init=False)

    @property
    def evidence(self) -> str | None:
        """What proves the end so far."""
        return self._ruling(residue=False).evidence

    @property
    def said(self) -> bool:
        """Whether text or a call came."""
        return self._said

    def _ruling(self, *, residue: bool) -> Ruling:
        candidates = self._candidates.values()
        return judge(
            Seen(
                answered=bool(candidates),
                content=self._content,
                finished=bool(candidates) and all(one.reason for one in candidates),
                open_call=any(one.open_call and not one.reason for one in candidates),
                residue=residue,
            )
        )

    def feed(self, frame: Frame, /) -> Iterable[Event]:
        """Read the next frame."""
        if frame.whole:
            return self._whole(frame)
        try:
            values: Sequence[Any] = (decode_strictly(frame.data),)
        except (ValueError, RecursionError):
            if frame.event == "error":
                raise InBandError(excerpt(frame.data)) from None
            values = payloads(frame)
        out: list[Event] = []
        try:
            for value in values:
                if type(value) is dict:
                    self.chunk(value, frame.event, out)
                elif value is not None:
                    self._odd(value, frame.event, out)
        except ProviderError as error:
            return raise_behind(out, error)
        if not self._said:
            self._content = self._content or any(event.progress for event in out)
            self._said = any(type(event) in (TextDelta, ToolCallStarted) for event in out)
        return out

    def eof(self, residue: str = "", /) -> Sequence[Event]:
        """Judge the end of the body."""
        error = residual_error(residue) if residue else None
        ruling = self._ruling(residue=error is not None)
        if ruling.verdict.whole:
            return (*self.rest(), ResponseCompleted(evidence=ruling.evidence))
        if ruling.verdict is Verdict.ERROR and error is not None:
            raise error
        raise truncated("a finishReason", self._wanting(ruling.verdict), residue)

    def rest(self) -> Sequence[Event]:
        """Give what only the end tells: that a call whose end was not said is whole."""
        out: list[Event] = []
        for candidate in self._candidates.values():
            candidate.end(out)
        return out

    def chunk(self, chunk: dict[str, Any], name: str, out: list[Event]) -> None:
        """
        Read one chunk; it is ours to take apart.

        Raises:
            InBandError: it is the provider's error; *out* has what it told before.
        """
        candidates = chunk.pop("candidates", None)
        usage = chunk.pop("usageMetadata", None)
        if chunk != self._head or name == "error":
            known = candidates is not None or usage is not None
            if not self._changed(chunk, name, out, known=known):
                return
        for position, candidate in enumerate(candidates or ()):
            if type(candidate) is dict:
                self._candidate(candidate, position, out)
        if usage and usage != self._usage and type(usage) is dict:
            self._usage = usage
            out.append(UsageReported(usage_of(usage), usage))
        if "promptFeedback" in chunk and not candidates:
            _check_blocked(chunk["promptFeedback"])

    def _changed(self, chunk: dict[str, Any], name: str, out: list[Event], *, known: bool) -> bool:
        """Read an envelope unlike the one before. Gives whether the chunk is one of an answer."""
        error = find_error(chunk)
        if error is None and name == "error":
            error = find_error({"error": chunk})
        if error is not None:
            raise error
        if not known and not chunk.keys() & _ENVELOPE:
            if chunk:
                out.append(Unknown(chunk, name))
            return False
        self._head = chunk
        new = {_NAMES.get(k, k): v for k, v in chunk.items() if self._known.get(k, _ABSENT) != v}
        for once in _NAMES:  # the first that is not empty counts
            if self._known.get(once):
                new.pop(_NAMES[once], None)
        self._known |= {k: v for k, v in chunk.items() if v or not self._known.get(k)}
        if not self._started:
            self._started = True
            id_, model = str(new.pop("id", None) or ""), str(new.pop("model", None) or "")
            out.append(ResponseStarted(id_, model, new or None))
        elif new:
            out.append(Metadata(None, new))
        return True

    def _odd(self, value: Any, name: str, out: list[Event]) -> None:
        """Read what is no object: an error in a list, as it comes without SSE."""
        if (error := find_error(value)) is not None:
            raise error
        out.append(Unknown(value, name))

    def _candidate(self, candidate: dict[str, Any], position: int, out: list[Event]) -> None:
        index = candidate.pop("index", position)
        index = index if type(index) is int else position
        reader = self._candidates.get(index)
        if reader is None:
            reader = self._candidates[index] = Candidate(index)
        reader.read(candidate, out)

    def _whole(self, frame: Frame) -> Sequence[Event]:
        try:
            value = decode(frame.data)
        except ValueError:
            raise not_json(frame.data) from None
        return read_content(value)

    @staticmethod
    def _wanting(verdict: Verdict) -> str:
        """Say what is missing."""
        if verdict is Verdict.CUT_CALL:
            return "the arguments of a function call broke off"
        return "no answer came at all" if verdict is Verdict.NOTHING else "none came"


def _check_blocked(feedback: Any) -> None:
    """Raise the provider's word that the prompt is blocked, if that is what *feedback* says."""
    reason = feedback.get("blockReason") if type(feedback) is dict else None
    word = str(reason or "")
    if word not in _PASSED:
        said = feedback.get("blockReasonMessage")
        raise InBandError(
            excerpt(f"the prompt is blocked: {word}" + (f", {said}" if said else "")),
            provider_code=word,
        )
