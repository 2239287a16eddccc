"""Whether a scene came out as it must."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from ..events import Event, ResponseCompleted, ResponseFailed, Terminal
from ..response import Response
from ..testing import Recorded
from .account import Account
from .backstage import Call
from .scenes import Scene

__all__ = ["Check", "Verdict", "judge"]


@attrs.frozen
class Check:
    """One thing that was looked at."""

    what: str
    expected: Any
    got: Any

    @property
    def ok(self) -> bool:
        """Whether it is as expected."""
        return bool(self.expected == self.got)


@attrs.frozen
class Verdict:
    """What came of a scene, and whether it is what must come of it."""

    scene: Scene
    account: Account
    calls: tuple[Call, ...]
    seconds: float
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is as expected."""
        return not self.differences

    @property
    def differences(self) -> tuple[Check, ...]:
        """What is not as expected."""
        return tuple(check for check in self.checks if not check.ok)

    @property
    def outcome(self) -> Terminal | None:
        """The run's terminal event; None where it never came."""
        return _outcome(self.account.events)

    @property
    def response(self) -> Response:
        """The answer, as the outcome has it."""
        return _response(self.outcome)


def judge(
    scene: Scene,
    account: Account,
    *,
    calls: Sequence[Call],
    requests: Sequence[Recorded],
    body: dict[str, Any],
    seconds: float,
) -> Verdict:
    """
    Compare what came with what must come.

    Args:
        scene: what must come.
        account: what a watcher saw.
        calls: what the provider answered.
        requests: what the provider was asked.
        body: what the caller asked, without stream flags.
        seconds: how long it took.
    """
    must = scene.expected
    outcome = _outcome(account.events)
    response = _response(outcome)
    asked = ("stream",) * must.streams + (() if must.rerouted is None else ("buffered",))
    ends = [at for at, event in enumerate(account.events) if event.terminal]
    kind = ResponseCompleted if must.failure is None else ResponseFailed
    checks = (
        Check("the outcome", kind.__name__, type(outcome).__name__),
        Check("the places of terminal events", [len(account.events) - 1], ends),
        Check("the text delivered", must.text, account.text()),
        Check("response.text", must.text, response.text),
        Check("the reasoning delivered", must.reasoning, account.text("reasoning")),
        Check("response.reasoning", must.reasoning, response.reasoning),
        Check("the tool calls delivered", must.tool_calls, account.tool_calls()),
        Check("response.tool_calls", must.tool_calls, response.tool_calls),
        Check("the channels retracted", must.retracted, tuple(account.retracted)),
        Check("the reroutes", _some(must.rerouted), tuple(r.code for r in account.reroutes)),
        Check("response.rerouted", must.rerouted is not None, response.rerouted),
        Check("response.evidence", must.evidence, response.evidence),
        Check("the error", must.failure, _failure(outcome, must.failure)),
        Check("the provider's calls", asked, tuple(map(_kind, requests))),
        *(
            Check("the buffered request", body, request.json)
            for request in requests
            if not request.streaming
        ),
    )
    return Verdict(scene, account, tuple(calls), seconds, checks)


def _outcome(events: Sequence[Event]) -> Terminal | None:
    return next((event for event in events if isinstance(event, Terminal)), None)


def _response(outcome: Terminal | None) -> Response:
    return getattr(outcome, "response", None) or Response()


def _some(code: str | None) -> tuple[str, ...]:
    return () if code is None else (code,)


def _kind(request: Recorded) -> str:
    return "stream" if request.streaming else "buffered"


def _failure(outcome: Terminal | None, must: tuple[str, str] | None) -> tuple[str, str] | None:
    """Give the error's code and message: of the message the expected words, if it has them."""
    if not isinstance(outcome, ResponseFailed):
        return None
    said = str(outcome.error)
    words = must[1] if must is not None and must[1] in said else said
    return getattr(outcome.error, "code", type(outcome.error).__name__), words
