"""
OpenAI's chat completions, and what the world makes of them.

Source: the API reference, "Create chat completion" and "The chat completion
chunk object"; divergences seen in the wild are in docs/reference/quirks.md.
"""

from .decoder import OpenAIChatDecoder
from .dialect import OpenAIChat
from .encoder import OpenAIChatEncoder

__all__ = ["OpenAIChat", "OpenAIChatDecoder", "OpenAIChatEncoder"]
