"""
One event as an entry of a stream, and its id.

The id is ``epoch-seq``, as everywhere. Redis refuses an entry whose id is not
above the newest, so an epoch that was overtaken can write no more: the id is
the fencing token.
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

__all__ = ["FIELD", "TAKEN_OVER", "Entry", "pack", "pack_all", "unpack", "unpack_all"]

FIELD: Final = "e"
"""The one field of an entry."""

TAKEN_OVER: Final = 1 << 16
"""The epoch of whoever ends a run whose writer is gone; no run makes so many attempts."""


@attrs.frozen
class Entry:
    """An event where it stands."""

    epoch: int
    seq: int
    event: Event

    @property
    def id(self) -> str:
        """Its id in Redis."""
        return f"{self.epoch}-{self.seq}"

    @property
    def taken_over(self) -> bool:
        """Whether it ends the run in its writer's place; its number then tells nothing."""
        return self.epoch >= TAKEN_OVER

    @classmethod
    def of(cls, came: tuple[bytes, dict[bytes, bytes]]) -> Entry:
        """Read what Redis gives."""
        id_, fields = came
        epoch, _, seq = id_.decode().partition("-")
        return cls(int(epoch), int(seq), unpack(fields.get(FIELD.encode(), b"null")))


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
