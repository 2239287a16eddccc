"""
One file per provider API, pure: frames to events, buffered JSON to events.

`get_dialect` gives one by its name; `Dialect` is the contract of all, which
`streamkit.testing.check_dialect` checks. Packages register theirs under the
entry points ``streamkit.dialects``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

from ..errors import MisuseError
from ..lazily import lazily
from ..plugins import load_dialect

if TYPE_CHECKING:
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

_DIALECTS = {
    "anthropic-messages": "AnthropicMessages",
    "gemini": "Gemini",
    "llama-stack-turn": "LlamaStackTurn",
    "openai-chat": "OpenAIChat",
    "openai-responses": "OpenAIResponses",
}
"""The class of each, by the name that it has itself."""

if not TYPE_CHECKING:
    # A program speaks one dialect or two: the others are not read.
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "answer": ("Answer", "CallFold", "ChoiceFold", "PartMark", "StepFold"),
            "anthropic_messages": ("AnthropicMessages", "AnthropicMessagesEncoder"),
            "dialect": ("Decoder", "Dialect", "HttpCall"),
            "encoder": ("Encoder",),
            "gemini": ("Gemini", "GeminiEncoder"),
            "in_band": ("find_error", "read_error"),
            "llama_stack_turn": ("LlamaStackTurn", "LlamaStackTurnEncoder"),
            "openai_chat": ("OpenAIChat", "OpenAIChatEncoder"),
            "openai_responses": ("OpenAIResponses", "OpenAIResponsesEncoder"),
        },
        rooms=("arguments", "calls", "merge"),
    )


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
    own = _DIALECTS.get(dialect)
    found = _registered(dialect) if own is None else getattr(sys.modules[__name__], own)
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
