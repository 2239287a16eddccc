"""The calls that are the caller's to run, as far as they were told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs

from ....events import ToolCallCompleted, ToolCallDelta, ToolCallStarted
from ....framing import Frame
from ...answer import CallFold
from ...merge import merge
from ..items import CALLS
from ..names import CALLED
from .envelope import Envelope
from .item import Written
from .numbered import Numbered
from .told import Told

__all__ = ["Calling", "Calls"]

_NO_FIELDS: Final = frozenset(
    {
        *("output_index", "item_id", "type", "index", "function", "custom"),
        *("tool_call", "parse_status"),
    }
)
"""What a call's extra says that is no field of an item, or is one in another API's shape."""


@attrs.define(eq=False)
class Calling(Written):
    """A call that is the caller's to run."""

    fold: CallFold = attrs.field(kw_only=True)

    def json(self) -> dict[str, Any]:
        """Write it with its arguments."""
        extra = {k: v for k, v in self.fold.extra.items() if k not in _NO_FIELDS}
        arguments = self.fold.tool_call().arguments
        return self.item | extra | {"call_id": self.item["call_id"], CALLS[self.kind]: arguments}

    def empty(self) -> dict[str, Any]:
        """Write it without them."""
        return {**self.json(), CALLS[self.kind]: ""}

    def argue(self, arguments: str) -> Frame:
        """Tell a piece of its arguments."""
        return self._events.event(
            f"{CALLED[self.kind]}.delta",
            item_id=self.id,
            output_index=self.index,
            delta=arguments,
        )

    def hang_up(self) -> Iterator[Frame]:
        """Tell that it is whole, with its arguments unless they broke off."""
        if self.closed:
            return
        cut = self.fold.cut
        if "status" not in self.fold.extra:
            self.item["status"] = "incomplete" if cut else "completed"
        if not cut:
            field = CALLS[self.kind]
            done = {field: self.json()[field]}
            where = {"item_id": self.id, "output_index": self.index}
            yield self._events.event(f"{CALLED[self.kind]}.done", **where, **done)
        yield from self.close()


@attrs.define(eq=False)
class Calls:
    """The calls of an answer, by number."""

    _events: Numbered
    _envelope: Envelope
    _told: Told
    agent: bool = attrs.field(default=False, init=False)
    """Whether the answer is an agent's turn of another API: a call waits until it is whole."""
    _folds: dict[int, CallFold] = attrs.field(factory=dict, init=False)
    _calling: dict[int, Calling] = attrs.field(factory=dict, init=False)
    """Those that were told."""

    def grow(self, event: ToolCallStarted | ToolCallDelta) -> Iterator[Frame]:
        """Take a piece of a call; it begins once it is known which, and whose."""
        fold = self._folds.setdefault(event.call, CallFold())
        fold.id = fold.id or event.id
        fold.name += event.name
        fold.hosted = fold.hosted or (isinstance(event, ToolCallStarted) and event.hosted)
        arguments = event.arguments if isinstance(event, ToolCallDelta) else ""
        if arguments:
            fold.fragments.append(arguments)
        merge(fold.extra, event.extra)
        call = self._calling.get(event.call)
        if call is not None:
            if arguments:
                yield call.argue(arguments)
        elif fold.id and fold.name and not (fold.hosted or self.agent):
            yield from self._begin(event.call, fold)

    def complete(self, event: ToolCallCompleted) -> Iterator[Frame]:
        """Tell that a call is whole: act upon it."""
        fold = self._folds.setdefault(event.call, CallFold())
        if event.call not in self._calling:
            whole = event.tool_call
            fold.id, fold.name = whole.id or f"call_{event.call}", whole.name
            fold.fragments = fold.fragments or [whole.arguments]
            yield from self._begin(event.call, fold)
        yield from self._calling[event.call].hang_up()

    def hang_up(self) -> Iterator[Frame]:
        """Tell that all are whole, but for an agent's."""
        for call in () if self.agent else self._calling.values():
            yield from call.hang_up()

    def _begin(self, number: int, fold: CallFold) -> Iterator[Frame]:
        """Tell that a call begins, with as much of its arguments as came."""
        kind = "custom_tool_call" if fold.custom else "function_call"
        id_ = fold.extra.get("item_id") or self._envelope.id_for(kind, number)
        item = {"id": id_, "type": kind, "status": "in_progress", "name": fold.name}
        item |= {"call_id": fold.id, CALLS[kind]: ""}
        call = self._calling[number] = Calling(self._events, kind, id_, item, fold=fold)
        yield from self._told.add(call, fold.extra.get("output_index"))
        if fold.fragments:
            yield call.argue("".join(fold.fragments))
