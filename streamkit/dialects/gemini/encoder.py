"""
Events to chunks: what `GeminiDecoder` reads, written.

Divergences from a literal copy of what the provider sent:

1. Function calls and finish reasons are told at the end, behind the answer's
   evidence: clients act on a call that they see. Calls that the provider ran
   itself, or that broke off, are not told.
2. Arguments are an object here. Those of a tool that takes any text are
   ``{"input": text}``; a call whose arguments are no object is one the model
   got wrong, and the reason is ``MALFORMED_FUNCTION_CALL``.
3. A refusal is told as text: the API has no word for it. Of another API's
   answer no unknown fields are told, nor its citations.
4. A heartbeat is an empty chunk: the official client cannot read a comment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Final

import attrs

from ...errors import StreamkitError, explain
from ...events import (
    Event,
    Finished,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    ResponseStarted,
    Retracted,
    StepStarted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    UsageReported,
)
from ...framing import Frame, encode_ascii
from ...response import ToolCall

__all__ = ["GeminiEncoder"]


class GeminiEncoder:
    pass
