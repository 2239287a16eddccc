"""How responses are asked for, and what their words mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import attrs

from ...events import Event
from ...response import Finish, Usage
from ..answer import Answer, ChoiceFold
from ..dialect import HttpCall
from .decoder import OpenAIResponsesDecoder, read_response
from .encoder import OpenAIResponsesEncoder
from .envelope import AWAITING
from .response import response_of, usage_of

__all__ = ["OpenAIResponses"]

_FINISHES: Final[dict[str, Finish]] = {
    "completed": "stop",
    "incomplete:max_output_tokens": "length",
    "incomplete:max_tokens": "length",
    "incomplete:length": "length",
    "incomplete:content_filter": "content_filter",
    "cancelled": "cancelled",
}


@attrs.frozen
class OpenAIResponses:
    """The dialect ``openai-responses``."""

    name: ClassVar[str] = "openai-responses"

    def streaming(self, request: Mapping[str, Any], /) -> HttpCall:
        """Ask for a stream; its end brings the usage unasked."""
        return HttpCall("responses", {**request, "stream": True})

    def buffered(self, request: Mapping[str, Any], /) -> HttpCall:
        """Send the request as it is, without the stream's flags."""
        body = {k: v for k, v in request.items() if k not in ("stream", "stream_options")}
        return HttpCall("responses", body)

    def authorization(self, api_key: str, /) -> Mapping[str, str]:
        """Send the key as a bearer token."""
        return {"authorization": f"Bearer {api_key}"}

    def decoder(self) -> OpenAIResponsesDecoder:
        """Give a fresh decoder."""
        return OpenAIResponsesDecoder()

    def encoder(self) -> OpenAIResponsesEncoder:
        """Give a fresh encoder."""
        return OpenAIResponsesEncoder()

    def read_buffered(self, body: Any, /) -> Sequence[Event]:
        """Give the events of a ``response``."""
        return read_response(body)

    def response(self, answer: Answer, /) -> dict[str, Any]:
        """Give the ``response`` of an accumulated answer."""
        return response_of(answer)

    def usage(self, raw: Mapping[str, Any], /) -> Usage:
        """Read ``usage``."""
        return usage_of(raw)

    def finish(self, choice: ChoiceFold, /) -> Finish:
        """Judge by the status and by what came: calls are ``completed``, too."""
        reason = choice.finish_reason
        word = "stop" if reason is None else _FINISHES.get(reason, "other")
        if word != "stop":
            return word
        if choice.calls:
            return "tool_calls"
        if choice.extra.get(AWAITING):
            return "paused"
        return "refusal" if choice.refusal else "stop"
