"""
Google's Gemini API, on AI Studio and on Vertex: ``generateContent``.

Source: the API reference, "GenerateContentResponse", and the guides "Thought
signatures" and "Function calling". Divergences from a literal copy:

1. Text parts in a row are one part of the answer, unless one of them has
   fields of its own: a signature belongs to the part it came with.
2. The arguments of a call that come by path (``partialArgs``) are written as
   the JSON text they add up to, as they come. Where they go back to what was
   written before, all of them are told once more at the end.
3. A candidate says its finish reason as often as it likes; the last one
   counts. A stream that says it with every chunk proves its end no better.
4. A prompt that is blocked is an `InBandError`: there is no answer.
"""

from .decoder import GeminiDecoder
from .dialect import Gemini
from .encoder import GeminiEncoder

__all__ = ["Gemini", "GeminiDecoder", "GeminiEncoder"]
