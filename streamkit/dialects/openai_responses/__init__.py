"""
OpenAI's Responses API, and what the world makes of it.

Source: the API reference, "Create a model response", "The response object" and
"Streaming events"; divergences seen in the wild are in docs/reference/quirks.md.

An answer is a list of items. What events say of them:

1. Text, refusals, reasoning and calls are deltas, as in every dialect. Of the
   reasoning, a summary's field is ``reasoning`` and the model's own words are
   ``reasoning_content``: what other APIs call the two.
2. A message and a reasoning item are told as `Metadata` of the answer, under
   ``output.N`` (*N* is their place), when they begin and when they are whole; of
   several parts each is told under ``output.N.content.M`` where the next begins.
   Of words that were told there is but ``told``: from where to where they stand
   in their channel (characters).
3. Any other item is a step, its kind the item's type: the provider runs it. A
   call of an MCP server is a ``tool_execution``: it acts outside of the
   provider, and asked again would act twice.
4. What such an item says of itself on the way is `Unknown`; whole, it is all
   in the step's end.
"""

from .decoder import OpenAIResponsesDecoder
from .dialect import OpenAIResponses
from .encoder import OpenAIResponsesEncoder

__all__ = ["OpenAIResponses", "OpenAIResponsesDecoder", "OpenAIResponsesEncoder"]
