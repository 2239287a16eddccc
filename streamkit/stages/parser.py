"""Frames to events."""

from __future__ import annotations

import attrs

from ..dialects import Decoder, Dialect, get_dialect

__all__ = ["ChunkParser"]


@attrs.frozen
class ChunkParser:
    """Ask a dialect what the frames mean. A frame it does not know is `Unknown`, never an error."""

    dialect: Dialect = attrs.field(converter=get_dialect)
    """A dialect, or the name of one."""

    def decoder(self) -> Decoder:
        """Give a fresh decoder, for one attempt."""
        return self.dialect.decoder()
