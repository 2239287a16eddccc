"""
Events as entries of a stream, and their ids.

The id of an event is ``epoch-seq``, as everywhere. What one run appended
between two calls is one entry: its id is that of its last event, and each of
its fields is an event, named by its number. Redis refuses an entry whose id is
not above the newest, so an epoch that was overtaken can write no more: the id
is the fencing token.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs

from ...codec import from_json, to_json
from ...errors import LogError, MalformedStream, MisuseError
from ...events import Event, ResponseFailed, Unknown
from ...framing import decode, encode_ascii
from ...response import Response

__all__ = ["TAKEN_OVER", "Entry", "end_in_its_place", "pack", "pack_all", "unpack_all"]

TAKEN_OVER: Final = 1 << 16
"""The epoch of whoever ends a run whose writer is gone; no run makes so many attempts."""


@attrs.frozen
class Entry:
    """One event, and where it stands."""

    epoch: int
    seq: int
    event: Event

    @property
    def id(self) -> str:
        """Its id."""
        return f"{self.epoch}-{self.seq}"

    @property
    def taken_over(self) -> bool:
        """Whether it ends the run in its writer's place; its number then tells nothing."""
        return self.epoch >= TAKEN_OVER

    @classmethod
    def all_of(cls, came: tuple[bytes, dict[bytes, bytes]]) -> list[Entry]:
        """Read what Redis gives: the events of one of its entries."""
        id_, fields = came
        epoch = int(id_.partition(b"-")[0])
        return [cls(epoch, int(seq), unpack(data)) for seq, data in fields.items()]


def end_in_its_place(terminal: Event) -> tuple[str, dict[str, bytes]]:
    """Give the id and the fields of the entry that ends a run whose writer is gone."""
    return f"{TAKEN_OVER}-1", {"1": pack(terminal)}


def pack(event: Event) -> bytes:
    """Write one event; in place of one that is no JSON, that it was there."""
    try:
        return encode_ascii(to_json(event))
    except (MisuseError, TypeError, ValueError, RecursionError):
        return encode_ascii(to_json(_instead_of(event)))


def unpack(data: bytes) -> Event:
    """Read one event; what a newer version wrote, and this one does not know, is `Unknown`."""
    return _event(decode(data))


def pack_all(id_: str, events: Iterable[Event]) -> bytes:
    """Write the events up to the one with *id_*, as few as tell the same."""
    return encode_ascii({"id": id_, "events": [decode(pack(event)) for event in events]})


def unpack_all(data: bytes) -> tuple[int, int, list[Event]]:
    """Read what `pack_all` wrote: epoch, sequence number, events."""
    came = decode(data)
    epoch, _, seq = came["id"].partition("-")
    return int(epoch), int(seq), [_event(said) for said in came["events"]]


def _instead_of(event: Event) -> Event:
    name = type(event).__name__
    if not event.terminal:
        return Unknown(name)
    return ResponseFailed(
        LogError(f"expected an answer that can be told as JSON; this {name} cannot"), Response()
    )


def _event(said: Any) -> Event:
    try:
        return from_json(said)
    except MalformedStream:
        return Unknown(said)
