"""
Anthropic's Messages.

Source: the API reference, "Messages" and "Streaming Messages". How its content
blocks are told, and where that is not what the reference says:

1. A block begins with a ``Metadata`` of its message that has one item of
   ``content``: the block's number, its type, and every field that no event
   models. What comes behind it is told in that block.
2. A delta that no event models (a signature, a type nobody knows) is such a
   ``Metadata`` too, as ``delta`` in the item.
3. Tools that the provider runs (``server_tool_use``, ``mcp_tool_use``) are
   calls with *hosted* set, and what they give back is a ``ToolResult``.
4. Only ``message_stop`` is the end: this API always sends it, so a stream that
   has its stop reason and no more was cut. Behind a stop reason a gateway's
   ``[DONE]`` says the same; elsewhere it says nothing.
5. ``input_tokens`` of the neutral usage counts what was read from the cache and
   written to it, which the API counts beside its own ``input_tokens``.
"""

from .decoder import AnthropicMessagesDecoder
from .dialect import AnthropicMessages
from .encoder import AnthropicMessagesEncoder

__all__ = ["AnthropicMessages", "AnthropicMessagesDecoder", "AnthropicMessagesEncoder"]
