"""An item, as far as it was told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from ....framing import Frame
from .numbered import Numbered

__all__ = ["Running", "Written"]


@attrs.define(eq=False)
class Written:
    """An item, as far as it was told."""

    _events: Numbered
    kind: str
    id: str
    item: dict[str, Any]
    """Its fields; what is told apart left out."""
    index: int = attrs.field(default=0, init=False)
    """Its place in what is written."""
    closed: bool = attrs.field(default=False, init=False)
    dropped: bool = attrs.field(default=False, init=False)
    """Whether it is no part of the answer after all."""

    def learn(self, said: dict[str, Any]) -> None:
        """Take what the provider says of it; its id stays as it was told."""
        self.item = {**said, **{k: self.item[k] for k in ("id",) if k in self.item}}

    def json(self) -> dict[str, Any]:
        """Write it as it is now."""
        return self.item

    def empty(self) -> dict[str, Any]:
        """Write it as it begins."""
        return self.item

    def begin(self, index: int) -> Frame:
        """Tell that it begins, there."""
        self.index, item = index, self.empty()
        return self._events.event("response.output_item.added", output_index=index, item=item)

    def close(self) -> Iterator[Frame]:
        """Tell that it is whole."""
        if not self.closed:
            self.closed = True
            where = {"output_index": self.index}
            yield self._events.event("response.output_item.done", **where, item=self.json())


@attrs.define(eq=False)
class Running(Written):
    """What the provider runs."""
