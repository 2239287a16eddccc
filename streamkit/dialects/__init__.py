"""
One file per provider API, pure: frames to events, buffered JSON to events.

`get_dialect` gives one by its name; `Dialect` is the contract of all.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..errors import MisuseError
from ..lazily import lazily

if TYPE_CHECKING:
    from .answer import Answer, CallFold, ChoiceFold, PartMark, StepFold
    from .anthropic_messages import AnthropicMessages, AnthropicMessagesEncoder
    from .dialect import Decoder, Dialect, HttpCall
    from .encoder import Encoder
    from .in_band import find_error, read_error
    from .llama_stack_turn import LlamaStackTurn, LlamaStackTurnEncoder
    from .openai_chat import OpenAIChat, OpenAIChatEncoder

__all__ = [
    "Answer",
    "AnthropicMessages",
    "AnthropicMessagesEncoder",
    "CallFold",
    "ChoiceFold",
    "Decoder",
    "Dialect",
    "Encoder",
    "HttpCall",
    "LlamaStackTurn",
    "LlamaStackTurnEncoder",
    "OpenAIChat",
    "OpenAIChatEncoder",
    "PartMark",
    "StepFold",
    "find_error",
    "get_dialect",
    "read_error",
]

_DIALECTS = {
    "anthropic-messages": "AnthropicMessages",
    "llama-stack-turn": "LlamaStackTurn",
    "openai-chat": "OpenAIChat",
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
            "in_band": ("find_error", "read_error"),
            "llama_stack_turn": ("LlamaStackTurn", "LlamaStackTurnEncoder"),
            "openai_chat": ("OpenAIChat", "OpenAIChatEncoder"),
        },
        rooms=("arguments", "calls", "merge"),
    )


def get_dialect(dialect: str | Dialect) -> Dialect:
    """
    Give the dialect of that name; one that is a dialect already stays as it is.

    Raises:
        MisuseError: there is no dialect of that name.
    """
    if not isinstance(dialect, str):
        return dialect
    if dialect not in _DIALECTS:
        raise MisuseError(
            f"expected a dialect's name; got {dialect!r}; there are: {', '.join(sorted(_DIALECTS))}"
        )
    made: Dialect = getattr(sys.modules[__name__], _DIALECTS[dialect])()
    return made
