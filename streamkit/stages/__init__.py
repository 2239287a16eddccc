"""The stage library: one noun per file."""

from .accumulator import Accumulator
from .buffered import Buffered
from .endpoint import Endpoint
from .fanout import EventFanout
from .parser import ChunkParser
from .suppressor import Suppressor
from .transport import Transport

__all__ = [
    "Accumulator",
    "Buffered",
    "ChunkParser",
    "Endpoint",
    "EventFanout",
    "Suppressor",
    "Transport",
]
