"""The names of a stream's events and of their fields, and what they are about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

__all__ = [
    "ARGUMENTS",
    "CALLED",
    "ENDS",
    "KNOWN",
    "PARTS",
    "SPEECH",
    "STATUSES",
    "TEXTS",
    "VARYING",
    "WAITING",
    "named",
]

ENDS: Final = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
    "response.done": "completed",
}
"""The last event, and the status it means where it says none."""
STATUSES: Final = frozenset(ENDS.values())
TEXTS: Final = {
    "response.output_text": ("message", "content", "output_text", "text"),
    "response.refusal": ("message", "content", "refusal", "refusal"),
    "response.reasoning_text": ("reasoning", "content", "reasoning_text", "text"),
    "response.reasoning": ("reasoning", "content", "reasoning_text", "text"),
    "response.reasoning_summary_text": ("reasoning", "summary", "summary_text", "text"),
}
"""What comes in ``delta`` and ``done``: type of item, list, type of part, field of the whole."""
PARTS: Final = {
    "response.content_part": "content",
    "response.reasoning_part": "content",
    "response.reasoning_summary_part": "summary",
}
"""What comes in ``added`` and ``done``: the list it stands in."""
ARGUMENTS: Final = {
    "response.function_call_arguments": "function_call",
    "response.custom_tool_call_input": "custom_tool_call",
}
"""What comes in ``delta`` and ``done``: the type of item."""
CALLED: Final = {kind: event for event, kind in ARGUMENTS.items()}
"""By type of item: what its ``delta`` and ``done`` come in."""
SPEECH: Final = {
    ("content", "output_text"): ("response.output_text", "response.content_part", "content_index"),
    ("content", "refusal"): ("response.refusal", "response.content_part", "content_index"),
    ("content", "reasoning_text"): (
        "response.reasoning_text",
        "response.content_part",
        "content_index",
    ),
    ("summary", "summary_text"): (
        "response.reasoning_summary_text",
        "response.reasoning_summary_part",
        "summary_index",
    ),
}
"""By list and type of part: the events of its words, of the part, and the field of its place."""
WAITING: Final = frozenset(
    {"mcp_approval_request", "computer_call", "local_shell_call", "shell_call", "apply_patch_call"}
)
"""Items that wait for the caller, unless the answer has their output."""
VARYING: Final = ("delta", "sequence_number", "obfuscation")
"""Fields of an event that are new each time; padding, and a number, say nothing."""
KNOWN: Final = frozenset(
    {
        *("type", "response", "item", "part", "annotation", "error", "logprobs", "text"),
        *("refusal", "arguments", "input", "item_id", "output_index", "content_index"),
        *("summary_index", "annotation_index", "call_id", "name", *VARYING),
    }
)
"""Fields of an event that are read, or name what it is about."""


def named(events: Iterable[str], *phases: str) -> Iterator[str]:
    """Name the events of these phases."""
    return (f"{event}.{phase}" for event in events for phase in phases)
