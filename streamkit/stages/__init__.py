"""The stage library: one noun per file."""

from typing import TYPE_CHECKING

from ..lazily import lazily

if TYPE_CHECKING:
    from .accumulator import Accumulator
    from .buffered import Buffered
    from .collected import Collected
    from .endpoint import Endpoint
    from .fanout import EventFanout
    from .parser import ChunkParser
    from .redact import Redact
    from .smooth import Smooth
    from .suppressor import Suppressor
    from .think_tags import ThinkTags
    from .transport import Transport

__all__ = [
    "Accumulator",
    "Buffered",
    "ChunkParser",
    "Collected",
    "Endpoint",
    "EventFanout",
    "Redact",
    "Smooth",
    "Suppressor",
    "ThinkTags",
    "Transport",
]

if not TYPE_CHECKING:
    # Most of the library is not in most pipelines.
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "accumulator": ("Accumulator",),
            "buffered": ("Buffered",),
            "collected": ("Collected",),
            "endpoint": ("Endpoint",),
            "fanout": ("EventFanout",),
            "parser": ("ChunkParser",),
            "redact": ("Redact",),
            "smooth": ("Smooth",),
            "suppressor": ("Suppressor",),
            "think_tags": ("ThinkTags",),
            "transport": ("Transport",),
        },
        rooms=("body", "called", "foreign"),
    )
