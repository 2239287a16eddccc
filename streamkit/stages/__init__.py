"""The stage library: one noun per file."""

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
