"""How a message is asked for, and what its words mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import attrs

from ...events import Event
from ...response import Finish, Usage
from ..answer import Answer, ChoiceFold
from ..dialect import HttpCall
from .decoder import AnthropicMessagesDecoder, read_message
from .encoder import AnthropicMessagesEncoder
from .finish import FINISHES
from .message import message_of
from .usage import usage_of

__all__ = ["AnthropicMessages"]

_VERSION: Final = {"anthropic-version": "2023-06-01"}
"""
The version of the API that is read here, and that its imitators speak; without
one a call is refused. The client's own headers come before it, for a later one.
"""


@attrs.frozen
class AnthropicMessages:
    """
    The dialect ``anthropic-messages``.

    The client's base URL is the server's root, as the official SDK has it:
    the version is in the path of the call.
    """

    name: ClassVar[str] = "anthropic-messages"

    def streaming(self, request: Mapping[str, Any], /) -> HttpCall:
        """Ask for a stream."""
        return HttpCall("v1/messages", {**request, "stream": True}, headers=_VERSION)

    def buffered(self, request: Mapping[str, Any], /) -> HttpCall:
        """Send the request as it is, without the stream's flag."""
        body = {key: value for key, value in request.items() if key != "stream"}
        return HttpCall("v1/messages", body, headers=_VERSION)

    def authorization(self, api_key: str, /) -> Mapping[str, str]:
        """Send the key in a header of its own."""
        return {"x-api-key": api_key}

    def decoder(self) -> AnthropicMessagesDecoder:
        """Give a fresh decoder."""
        return AnthropicMessagesDecoder()

    def encoder(self) -> AnthropicMessagesEncoder:
        """Give a fresh encoder."""
        return AnthropicMessagesEncoder()

    def read_buffered(self, body: Any, /) -> Sequence[Event]:
        """Give the events of a ``message``."""
        return read_message(body)

    def response(self, answer: Answer, /) -> dict[str, Any]:
        """Give the ``message`` of an accumulated answer."""
        return message_of(answer)

    def usage(self, raw: Mapping[str, Any], /) -> Usage:
        """Read ``usage``."""
        return usage_of(raw)

    def finish(self, choice: ChoiceFold, /) -> Finish:
        """Judge by the reason, and by the calls nobody ran: clones end those in ``end_turn``."""
        reason = choice.finish_reason
        word = "stop" if reason is None else FINISHES.get(reason, "other")
        asked = any(not (call.hosted or call.ran) for call in choice.calls)
        return "tool_calls" if word == "stop" and asked else word
