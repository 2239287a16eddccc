"""
One file per provider API, pure: frames to events, buffered JSON to events.

`get_dialect` gives one by its name; `Dialect` is the contract of all.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import MisuseError
from .answer import Answer, CallFold, ChoiceFold, StepFold
from .dialect import Decoder, Dialect, HttpCall
from .encoder import Encoder
from .in_band import find_error, read_error
from .llama_stack_turn import LlamaStackTurn, LlamaStackTurnEncoder
from .openai_chat import OpenAIChat, OpenAIChatEncoder
from .openai_responses import OpenAIResponses, OpenAIResponsesEncoder

__all__ = [
    "Answer",
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
    "OpenAIResponses",
    "OpenAIResponsesEncoder",
    "StepFold",
    "find_error",
    "get_dialect",
    "read_error",
]

_DIALECTS: dict[str, Callable[[], Dialect]] = {
    LlamaStackTurn.name: LlamaStackTurn,
    OpenAIChat.name: OpenAIChat,
    OpenAIResponses.name: OpenAIResponses,
}


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
    return _DIALECTS[dialect]()
