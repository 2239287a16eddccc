"""The vocabulary of lightspeed today, as its client on npm reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import attrs

from ....errors import code_of
from ....events import (
    Citation,
    Event,
    Gap,
    RefusalDelta,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    Retracted,
    StepCompleted,
    StepStarted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
)
from ....framing import Frame
from ....response import Response
from ...status import status_of
from .calls import Calls
from .documents import Documents
from .words import SEARCH, answer_of, end_of, said, sentence, texts_of

__all__ = ["LightspeedCurrent"]


@attrs.define(eq=False, kw_only=True)
class LightspeedCurrent:
    """
    The events of one run in lightspeed's vocabulary of today.

    A tool call is told once, when it is whole: when it runs, when its result
    is there, or with the whole answer. A result is told when it comes.

    Text that is taken back is replaced by an ``assistant_answer`` without any:
    the server writes none, but its client puts it in the place of all tokens
    it has. A call or result that was told cannot be taken back: it stays with
    the client, beside those of the answer that counts. It did run.

    Its models forbid fields they do not know, so there are none but theirs.
    """

    irrevocable: ClassVar[frozenset[str]] = frozenset()
    remembers: ClassVar[bool] = True

    conversation_id: str | None = None
    """What ``start`` tells; None for the run's id."""
    request_id: str | None = None
    """What a client interrupts by; None for the run's id."""
    available_quotas: Mapping[str, int] = attrs.field(factory=dict)
    """What the user may still spend; read when the end is told."""
    explain: Callable[[Exception], str] = attrs.field(default=sentence)
    """Says to anyone what went wrong."""
    status: Callable[[Exception], int] = attrs.field(default=status_of)
    """Gives the HTTP status that says it, too."""
    _run: str = attrs.field(default="", init=False)
    _id: int = attrs.field(default=0, init=False)
    """The next token's."""
    _texted: bool = attrs.field(default=False, init=False)
    """Whether text stands with the client."""
    _calls: Calls = attrs.field(factory=Calls, init=False)
    _documents: Documents = attrs.field(factory=Documents, init=False)

    def opening(self, run_id: str, /) -> Sequence[Frame]:
        """Give the ids of the conversation and of the request."""
        self._run = run_id
        return (said("start", {"conversation_id": self._conversation, **self._request}),)

    def encode(self, event: Event, /) -> Sequence[Frame]:
        """Give the frames of the next event; the first choice is told, others are not."""
        tell = self._TELL.get(type(event))
        if tell is None or getattr(event, "choice", 0) != 0:
            return ()
        return tuple(tell(self, event))

    def heartbeat(self) -> Frame | None:
        """Give None: the vocabulary has no word for it, and its client reads over comments."""
        return None

    def farewell(self) -> Frame | None:
        """Give None: clients of this format cannot come back."""
        return None

    def failure(self, error: Exception, /) -> dict[str, Any]:
        """Give the body of an HTTP status; the client throws its ``response``."""
        return {"detail": self._told(error)}

    @property
    def _conversation(self) -> str:
        return self.conversation_id or self._run

    @property
    def _request(self) -> dict[str, str]:
        return {"request_id": self.request_id or self._run}

    # -- the answer

    def _text(self, event: TextDelta) -> Iterator[Frame]:
        self._texted = True
        yield self._token("token", event.text)

    def _refusal(self, event: RefusalDelta) -> Iterator[Frame]:
        yield self._token("token", event.text)

    def _cited(self, event: Citation) -> Iterable[Frame]:
        self._documents.cite(event.citation)
        return ()

    # -- tools

    def _began(self, event: ToolCallStarted) -> Iterable[Frame]:
        self._calls.begin(event)
        return ()

    def _piece(self, event: ToolCallDelta) -> Iterable[Frame]:
        return self._calls.grow(event)

    def _whole(self, event: ToolCallCompleted) -> Iterable[Frame]:
        return self._calls.complete(event)

    def _result(self, event: ToolResult) -> Iterator[Frame]:
        texts = texts_of(event.content)
        yield from self._calls.answer(event, " ".join(texts))
        if self._calls.name_of(event.call) == SEARCH:
            for text in texts:
                self._documents.read(text)

    def _enter(self, event: StepStarted) -> Iterable[Frame]:
        self._calls.enter(event)
        return ()

    def _leave(self, event: StepCompleted) -> Iterable[Frame]:
        return self._calls.leave(event)

    # -- what is taken back

    def _retracted(self, event: Retracted) -> Iterable[Frame]:
        return self._TAKE_BACK.get(event.channel, LightspeedCurrent._keep)(self)

    def _gap(self, _event: Gap) -> Iterable[Frame]:
        self._documents.forget("citations")
        self._forget_tools()
        return self._anew()

    def _keep(self) -> Iterable[Frame]:
        return ()

    def _anew(self) -> Iterator[Frame]:
        """Have the client forget its tokens: what counts comes next."""
        self._texted = False
        yield said("assistant_answer", answer="", conversation_id=self._conversation)

    def _unless_texted(self) -> Iterable[Frame]:
        """Take back a refusal: text that stands beside it would go as well."""
        return () if self._texted else self._anew()

    def _forget_tools(self) -> Iterable[Frame]:
        self._calls.forget()
        self._documents.forget("tool_calls")
        return ()

    def _forget_citations(self) -> Iterable[Frame]:
        self._documents.forget("citations")
        return ()

    # -- the end

    def _completed(self, event: ResponseCompleted) -> Iterator[Frame]:
        yield self._token("turn_complete", answer_of(event.response))
        documents: list[dict[str, str | None]] = [
            {
                "doc_url": one.url,
                "doc_title": one.title,
                "source": one.source,
                "document_id": one.id,
            }
            for one in self._documents
        ]
        yield end_of(documents, event.response or Response(), self.available_quotas)

    def _failed(self, event: ResponseFailed) -> Iterator[Frame]:
        told = self._told(event.error)
        yield said("error", {"status_code": self.status(event.error), **told})

    def _cancelled(self, _event: ResponseCancelled) -> Iterator[Frame]:
        yield said("interrupted", self._request)

    def _told(self, error: Exception) -> dict[str, str]:
        return {"response": self.explain(error), "cause": code_of(error)}

    def _token(self, event: str, token: str) -> Frame:
        id_, self._id = self._id, self._id + 1
        return said(event, {"id": id_, "token": token})

    _TAKE_BACK: ClassVar[dict[str, Callable[[LightspeedCurrent], Iterable[Frame]]]] = {
        "text": _anew,
        "refusal": _unless_texted,
        "tool_calls": _forget_tools,
        "citations": _forget_citations,
    }
    """By channel; nothing of the others was told."""

    _TELL: ClassVar[dict[type[Event], Callable[[LightspeedCurrent, Any], Iterable[Frame]]]] = {
        TextDelta: _text,
        RefusalDelta: _refusal,
        Citation: _cited,
        ToolCallStarted: _began,
        ToolCallDelta: _piece,
        ToolCallCompleted: _whole,
        ToolResult: _result,
        StepStarted: _enter,
        StepCompleted: _leave,
        Retracted: _retracted,
        Gap: _gap,
        ResponseCompleted: _completed,
        ResponseFailed: _failed,
        ResponseCancelled: _cancelled,
    }
