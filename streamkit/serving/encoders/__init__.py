"""The formats that pages and services read, one file each; `fresh_encoder` gives one by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import attrs

from ...dialects import (
    AnthropicMessagesEncoder,
    Encoder,
    GeminiEncoder,
    OpenAIChatEncoder,
    OpenAIResponsesEncoder,
)
from ...errors import MisuseError
from ...plugins import load_encoder
from .lightspeed import LightspeedCurrent, LightspeedSeed
from .streamkit_json import StreamkitJson

__all__ = ["LightspeedCurrent", "LightspeedSeed", "StreamkitJson", "fresh_encoder"]

_ENCODERS: Final[dict[str, Callable[[], Encoder]]] = {
    "anthropic-messages": AnthropicMessagesEncoder,
    "gemini": GeminiEncoder,
    "lightspeed": LightspeedCurrent,
    "lightspeed-seed": LightspeedSeed,
    "openai-chat": OpenAIChatEncoder,
    "openai-responses": OpenAIResponsesEncoder,
    "streamkit": StreamkitJson,
}


def fresh_encoder(entry: Any) -> Encoder:
    """
    Make the encoder of one stream.

    Args:
        entry: a name (of ours, registered under ``streamkit.encoders``, or
            ``package.module:factory``); a class or callable without arguments;
            or an attrs instance, whose settings are copied and whose state is not.

    Raises:
        MisuseError: it is none of these.
    """
    if isinstance(entry, str):
        return fresh_encoder(_ENCODERS.get(entry) or _registered(entry))
    if attrs.has(type(entry)) and hasattr(entry, "encode"):
        return cast("Encoder", attrs.evolve(entry))
    made = entry() if callable(entry) else entry
    if not callable(getattr(made, "encode", None)):
        raise MisuseError(
            "expected an encoder's name, or what makes one: a class, or a callable without "
            f"arguments; got {entry!r}; there are: {', '.join(_ENCODERS)}"
        )
    return cast("Encoder", made)


def _registered(name: str) -> Any:
    try:
        return load_encoder(name)
    except MisuseError as error:
        raise MisuseError(f"{error}; built in: {', '.join(_ENCODERS)}") from error
