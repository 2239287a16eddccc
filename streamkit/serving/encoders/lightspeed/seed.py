"""The vocabulary of lightspeed when it streamed agents' turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

import attrs

from ....dialects.llama_stack_turn.content import as_dict, as_dicts
from ....errors import MisuseError, code_of
from ....events import (
    AwaitingInput,
    Citation,
    Event,
    RefusalDelta,
    ResponseCancelled,
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
)
from ....framing import Frame
from ....response import Response
from .documents import Documents
from .words import SEARCH, TOOLS, answer_of, end_of, said, sentence, texts_of

__all__ = ["LightspeedSeed"]

_MODEL: Final = "inference"
_SHIELD: Final = "shield_call"
_MEMORY: Final = "query_from_memory"
"""The tool whose results are counted, not told."""
_VIOLATION: Final = "Violation: {user_message} (Metadata: {metadata})"
_PLACES: Final = ("user_message", "metadata", "violation_level")
"""What a shield says of a violation."""


def _fillable(_encoder: object, field: attrs.Attribute[Any], value: str) -> None:
    try:
        value.format(**dict.fromkeys(_PLACES, ""))
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise MisuseError(
            f"expected {field.name} with no places but those of {', '.join(_PLACES)}; "
            f"got {value!r}; write {{{{ for a brace"
        ) from error


@attrs.define(eq=False, kw_only=True)
class LightspeedSeed:
    """
    The events of one run in lightspeed's first vocabulary.

    Joined, the tokens whose role is inference, or that have none, are the
    answer. What tools say is told as ``tool_call``: a call's name once it is
    known, the pieces it is written in as they come; and what ran, with what
    it gave back, at the end of the step it ran in. A whole call's arguments
    are told there too; where an answer has no steps, they are told as they come.

    After `AwaitingInput` there is no ``turn_complete``: the turn goes on once it is answered.
    """

    irrevocable: ClassVar[frozenset[str]] = frozenset({"text", "refusal", "tool_calls"})
    remembers: ClassVar[bool] = True

    conversation_id: str | None = None
    """What ``start`` tells; None for the run's id."""
    roles: Mapping[str, str] = attrs.field(factory=dict)
    """The role of each kind of step, where it is not the step's own name."""
    violation: str = attrs.field(default=_VIOLATION, validator=_fillable)
    """What a shield's violation is told as; it may have ``{violation_level}``, too."""
    no_violation: str = "No Violation"
    available_quotas: Mapping[str, int] = attrs.field(factory=dict)
    """What the user may still spend; read when the end is told."""
    explain: Callable[[Exception], str] = attrs.field(default=sentence)
    """Says to anyone what went wrong."""
    _id: int = attrs.field(default=0, init=False)
    """The next frame's."""
    _documents: Documents = attrs.field(factory=Documents, init=False)
    _names: dict[int, str] = attrs.field(factory=dict, init=False)
    """What was told of the name of each call, by its number."""
    _results: list[ToolResult] | None = attrs.field(default=None, init=False)
    """Those that wait for the end of the step their tools ran in; None outside one."""
    _stepped: bool = attrs.field(default=False, init=False)
    """Whether the answer has steps."""
    _awaiting: bool = attrs.field(default=False, init=False)

    def opening(self, run_id: str, /) -> Sequence[Frame]:
        """Give the id of the conversation."""
        return (said("start", {"conversation_id": self.conversation_id or run_id}),)

    def encode(self, event: Event, /) -> Sequence[Frame]:
        """Give the frames of the next event; the first choice is told, others are not."""
        tell = self._TELL.get(type(event))
        if tell is None or getattr(event, "choice", 0) != 0:
            return ()
        return tuple(tell(self, event))

    def heartbeat(self) -> Frame:
        """Give the frame that the seed gave for what it did not know."""
        return self._say("heartbeat", "heartbeat")

    def farewell(self) -> Frame | None:
        """Give None: clients of this format cannot come back."""
        return None

    def failure(self, error: Exception, /) -> dict[str, Any]:
        """Give the body of an HTTP status, as the service wrote it: a sentence and a code."""
        return {"detail": {"response": self.explain(error), "cause": code_of(error)}}

    # -- the answer

    def _nothing_yet(self, _event: Event) -> Iterator[Frame]:
        yield self._say("token", "")

    def _words(self, event: TextDelta | RefusalDelta) -> Iterator[Frame]:
        yield self._say("token", event.text, _MODEL)

    def _awaits(self, event: AwaitingInput) -> Iterator[Frame]:
        self._awaiting = True
        return self._nothing_yet(event)

    def _cited(self, event: Citation) -> Iterator[Frame]:
        self._documents.cite(event.citation)
        return iter(())

    def _unknown(self, _event: Event) -> Iterator[Frame]:
        yield self.heartbeat()

    # -- steps

    def _step(self, event: StepStarted | StepCompleted) -> Iterable[Frame]:
        self._stepped = True
        return self._STEPS.get((type(event), event.step), LightspeedSeed._unknown)(self, event)

    def _quiet(self, _event: Event) -> Iterable[Frame]:
        return ()

    def _inferring(self, _event: StepStarted) -> Iterator[Frame]:
        yield self._say("token", "", _MODEL)

    def _shielded(self, event: StepCompleted) -> Iterator[Frame]:
        token, violation = self.no_violation, (event.extra or {}).get("violation")
        if violation:
            told = as_dict(violation)
            token = self.violation.format(**{place: str(told.get(place)) for place in _PLACES})
        yield self._say("token", token, _SHIELD)

    def _running(self, _event: StepStarted) -> Iterator[Frame]:
        self._results = self._results or []
        yield self._tool("", TOOLS)

    def _ran(self, event: StepCompleted) -> Iterator[Frame]:
        for call in as_dicts((event.extra or {}).get("tool_calls")):
            name, arguments = call.get("tool_name", ""), call.get("arguments")
            arguments = "" if arguments is None else arguments
            yield self._tool(f"Tool:{name} arguments:{arguments}", TOOLS)
        yield from self._release()

    # -- tools

    def _call(self, event: ToolCallStarted) -> Iterator[Frame]:
        return self._name(event.call, event.name)

    def _piece(self, event: ToolCallDelta) -> Iterator[Frame]:
        if self._results is not None:
            return  # a tool at work: what ran is told at the step's end
        written = (event.extra or {}).get("tool_call")
        if isinstance(written, str):
            yield self._tool(written)
        else:
            yield from self._name(event.call, str(as_dict(written).get("tool_name") or ""))
        if event.name:
            self._names[event.call] = self._names.get(event.call, "") + event.name
            yield self._tool(event.name)
        if event.arguments and not self._stepped:
            yield self._tool(event.arguments)

    def _name(self, call: int, name: str) -> Iterator[Frame]:
        """Tell a call's name, unless it was told, or will be."""
        if name not in ("", self._names.get(call)):
            self._names[call] = name
            if self._results is None:
                yield self._tool(name)

    def _result(self, event: ToolResult) -> Iterator[Frame]:
        if self._results is None:
            yield self._gave(event)
        else:
            self._results.append(event)

    def _release(self) -> Iterator[Frame]:
        """Tell the results that waited."""
        results, self._results = self._results or (), None
        for result in results:
            yield self._gave(result)

    def _gave(self, result: ToolResult) -> Frame:
        name = result.name or self._names.get(result.call, "")
        text = " ".join(texts := texts_of(result.content))
        if name == _MEMORY:
            size = len(text.encode("utf-8", "surrogatepass"))
            return self._tool(f"Fetched {size} bytes from memory", TOOLS)
        if name == SEARCH and result.content:
            for item in texts:
                self._documents.read(item)
            summary = texts[0].lstrip().partition("\n")[0]
            return self._tool(f"Tool:{name} summary:{summary}", TOOLS)
        return self._tool(f"Tool:{name} response:{text}", TOOLS)

    # -- the end

    def _completed(self, event: ResponseCompleted) -> Iterator[Frame]:
        yield from self._release()
        if not self._awaiting:
            yield self._say("turn_complete", answer_of(event.response))
        yield self._end(event.response or Response())

    def _failed(self, event: ResponseFailed) -> Iterator[Frame]:
        yield self._say("error", self.explain(event.error))

    def _cancelled(self, event: ResponseCancelled) -> Iterator[Frame]:
        yield self._end(event.response, truncated=True)

    def _end(self, response: Response, *, truncated: bool | None = None) -> Frame:
        documents: list[dict[str, str | None]] = [
            {"doc_url": one.url, "doc_title": one.title}
            for one in self._documents
            if one.url and one.title
        ]
        return end_of(documents, response, self.available_quotas, truncated=truncated)

    # -- the frame

    def _say(self, event: str, token: str, kind: str | None = None) -> Frame:
        role = {} if kind is None else {"role": self.roles.get(kind, kind)}
        id_, self._id = self._id, self._id + 1
        return said(event, {"id": id_, **role, "token": token})

    def _tool(self, token: str, kind: str = _MODEL) -> Frame:
        return self._say("tool_call", token, kind)

    _STEPS: ClassVar[
        dict[tuple[type[Event], str], Callable[[LightspeedSeed, Any], Iterable[Frame]]]
    ] = {
        (StepStarted, _MODEL): _inferring,
        (StepCompleted, _MODEL): _quiet,
        (StepStarted, _SHIELD): _quiet,
        (StepCompleted, _SHIELD): _shielded,
        (StepStarted, TOOLS): _running,
        (StepCompleted, TOOLS): _ran,
    }
    """By kind of step; of any other there is no more to say than that it is there."""

    _TELL: ClassVar[dict[type[Event], Callable[[LightspeedSeed, Any], Iterable[Frame]]]] = {
        ResponseStarted: _nothing_yet,
        TextDelta: _words,
        RefusalDelta: _words,
        ToolCallStarted: _call,
        ToolCallDelta: _piece,
        ToolResult: _result,
        Citation: _cited,
        StepStarted: _step,
        StepCompleted: _step,
        AwaitingInput: _awaits,
        Unknown: _unknown,
        ResponseCompleted: _completed,
        ResponseFailed: _failed,
        ResponseCancelled: _cancelled,
    }
