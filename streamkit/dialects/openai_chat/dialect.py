"""How chat completions are asked for, and what their words mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import attrs

from ...events import Event
from ...response import Finish, Usage
from ..answer import Answer, ChoiceFold
from ..dialect import HttpCall
from .completion import completion_of, usage_of
from .decoder import OpenAIChatDecoder, read_completion
from .encoder import OpenAIChatEncoder

__all__ = ["OpenAIChat"]

_FINISHES: Final[dict[str, Finish]] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


@attrs.frozen
class OpenAIChat:
    """The dialect ``openai-chat``."""

    name: ClassVar[str] = "openai-chat"

    def streaming(self, request: Mapping[str, Any], /) -> HttpCall:
        """Ask for a stream, with usage at its end."""
        options = request.get("stream_options") or {}
        body = {**request, "stream": True, "stream_options": {"include_usage": True, **options}}
        return HttpCall("chat/completions", body)

    def buffered(self, request: Mapping[str, Any], /) -> HttpCall:
        """Send the request as it is, without the stream's flags."""
        body = {k: v for k, v in request.items() if k not in ("stream", "stream_options")}
        return HttpCall("chat/completions", body)

    def authorization(self, api_key: str, /) -> Mapping[str, str]:
        """Send the key as a bearer token."""
        return {"authorization": f"Bearer {api_key}"}

    def decoder(self) -> OpenAIChatDecoder:
        """Give a fresh decoder."""
        return OpenAIChatDecoder()

    def encoder(self) -> OpenAIChatEncoder:
        """Give a fresh encoder."""
        return OpenAIChatEncoder()

    def read_buffered(self, body: Any, /) -> Sequence[Event]:
        """Give the events of a ``chat.completion``."""
        return read_completion(body)

    def response(self, answer: Answer, /) -> dict[str, Any]:
        """Give the ``chat.completion`` of an accumulated answer."""
        return completion_of(answer)

    def usage(self, raw: Mapping[str, Any], /) -> Usage:
        """Read ``usage``."""
        return usage_of(raw)

    def finish(self, choice: ChoiceFold, /) -> Finish:
        """Judge by the reason and by what came: many say ``stop`` behind tool calls."""
        reason = choice.finish_reason
        word = "stop" if reason is None else _FINISHES.get(reason, "other")
        if word == "stop" and choice.calls:
            return "tool_calls"
        return "refusal" if word == "stop" and choice.refusal else word
