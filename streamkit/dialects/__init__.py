"""
One file per provider API, pure: frames to events, buffered JSON to events.

`get_dialect` gives one by its name; `Dialect` is the contract of all, which
`streamkit.testing.check_dialect` checks. Packages register theirs under the
entry points ``streamkit.dialects``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from ..errors import MisuseError
from ..plugins import load_dialect
from .answer import Answer, CallFold, ChoiceFold, PartMark, StepFold
from .anthropic_messages import AnthropicMessages, AnthropicMessagesEncoder
from .dialect import Decoder, Dialect, HttpCall
from .encoder import Encoder
from .gemini import Gemini, GeminiEncoder
from .in_band import find_error, read_error
from .llama_stack_turn import LlamaStackTurn, LlamaStackTurnEncoder
from .openai_chat import OpenAIChat, OpenAIChatEncoder
from .openai_responses import OpenAIResponses, OpenAIResponsesEncoder

__all__ = [
    "Answer",
    "AnthropicMessages",
    "AnthropicMessagesEncoder",
    "CallFold",
    "ChoiceFold",
    "Decoder",
    "Dialect",
    "Encoder",
    "Gemini",
    "GeminiEncoder",
    "HttpCall",
    "LlamaStackTurn",
    "LlamaStackTurnEncoder",
    "OpenAIChat",
    "OpenAIChatEncoder",
    "OpenAIResponses",
    "OpenAIResponsesEncoder",
    "PartMark",
    "StepFold",
    "find_error",
    "get_dialect",
    "read_error",
]

_DIALECTS: dict[str, Callable[[], Dialect]] = {
    AnthropicMessages.name: AnthropicMessages,
    Gemini.name: Gemini,
    LlamaStackTurn.name: LlamaStackTurn,
    OpenAIChat.name: OpenAIChat,
    OpenAIResponses.name: OpenAIResponses,
}


def get_dialect(dialect: str | Dialect) -> Dialect:
    """
    Give the dialect of that name; one that is a dialect already stays as it is.

    Args:
        dialect: a dialect, or a name: of ours, registered under
            ``streamkit.dialects``, or ``package.module:factory``. What stands
            there is a dialect, or a class or callable that makes one.

    Raises:
        MisuseError: there is no dialect of that name, or what there is is none.
    """
    if not isinstance(dialect, str):
        return dialect
    found = _DIALECTS.get(dialect) or _registered(dialect)
    made = found() if callable(found) else found
    if not callable(getattr(made, "decoder", None)):
        raise MisuseError(
            f"expected {dialect!r} to be a dialect, or what makes one; got {made!r}; see "
            "streamkit.dialects.Dialect"
        )
    return cast("Dialect", made)


def _registered(name: str) -> Any:
    try:
        return load_dialect(name)
    except MisuseError as error:
        raise MisuseError(f"{error}; built in: {', '.join(sorted(_DIALECTS))}") from error
