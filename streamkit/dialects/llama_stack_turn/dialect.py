"""How an agent's turn is asked for, and what its words mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import quote

import attrs

from ...errors import MisuseError
from ...events import Event
from ...response import Finish, Usage
from ..answer import Answer, ChoiceFold
from ..dialect import HttpCall
from .decoder import AWAITING, LlamaStackTurnDecoder, read_turn
from .encoder import LlamaStackTurnEncoder
from .turn import turn_of

__all__ = ["LlamaStackTurn"]

_FINISHES: Final[dict[str, Finish]] = {
    "end_of_turn": "stop",
    "end_of_message": "stop",
    "out_of_tokens": "length",
}


@attrs.frozen
class LlamaStackTurn:
    """
    The dialect ``llama-stack-turn``.

    A request is the JSON of a turn (``messages``, ``toolgroups``, ...) and two
    keys more, that go into the path and not into the JSON: ``agent_id`` and
    ``session_id``. The client's base URL is the server's root.
    """

    name: ClassVar[str] = "llama-stack-turn"

    def streaming(self, request: Mapping[str, Any], /) -> HttpCall:
        """
        Ask for a stream.

        Raises:
            MisuseError: ``agent_id`` or ``session_id`` is missing.
        """
        return _call(request, stream=True)

    def buffered(self, request: Mapping[str, Any], /) -> HttpCall:
        """
        Ask for the turn in one.

        Raises:
            MisuseError: ``agent_id`` or ``session_id`` is missing.
        """
        return _call(request, stream=False)

    def authorization(self, api_key: str, /) -> Mapping[str, str]:
        """Send the key as a bearer token."""
        return {"authorization": f"Bearer {api_key}"}

    def decoder(self) -> LlamaStackTurnDecoder:
        """Give a fresh decoder."""
        return LlamaStackTurnDecoder()

    def encoder(self) -> LlamaStackTurnEncoder:
        """Give a fresh encoder."""
        return LlamaStackTurnEncoder()

    def read_buffered(self, body: Any, /) -> Sequence[Event]:
        """Give the events of a ``Turn``."""
        return read_turn(body)

    def response(self, answer: Answer, /) -> dict[str, Any]:
        """Give the ``Turn`` of an accumulated answer."""
        return turn_of(answer)

    def usage(self, _raw: Mapping[str, Any], /) -> Usage:
        """Know of none: a turn does not say what it cost."""
        return Usage()

    def finish(self, choice: ChoiceFold, /) -> Finish:
        """Judge by how the turn ended, then by the reason, and by the calls nobody ran."""
        if choice.extra.get("event_type") == AWAITING:
            return "paused"
        reason = choice.finish_reason
        if reason == "end_of_message" and not all(call.ran for call in choice.calls):
            return "tool_calls"
        return "stop" if reason is None else _FINISHES.get(reason, "other")


def _call(request: Mapping[str, Any], *, stream: bool) -> HttpCall:
    agent, session = (_id(request, key) for key in ("agent_id", "session_id"))
    body = {k: v for k, v in request.items() if k not in ("agent_id", "session_id")}
    return HttpCall(f"v1/agents/{agent}/session/{session}/turn", {**body, "stream": stream})


def _id(request: Mapping[str, Any], key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str) or not value:
        raise MisuseError(
            f"expected {key!r} in the request, for the path of the call; got {value!r}; "
            "create an agent and a session first"
        )
    return quote(value, safe="")
