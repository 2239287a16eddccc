"""The log of a healed run: what is appended goes out, in the bytes of its API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

import anyio
import attrs

from ..dialects import Encoder
from ..errors import TransportError
from ..events import (
    Event,
    Finished,
    Rerouted,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
    is_visible,
)
from ..framing import Frame
from ..logs import Fold
from ..policy import Irrevocable
from ..response import Response
from .gathering import Gathering
from .settling import Settling
from .traced import Verbatim

__all__ = ["Outlet"]

_MOST: Final = 256 * 1024
"""How much may wait to be read before the provider is held up (bytes)."""


@attrs.define(eq=False)
class Outlet:
    """
    Write one run for the one who asked: nobody joins, so nothing is kept but what was told.

    Frames go on as they came for as long as nobody changed their events, and
    they are as their API says. From the first that is not, and from an attempt
    that takes over from another, the events are written anew by the dialect's
    encoder, which reads first what was told before.

    The frames that say why the answer ended are held back until that is known
    to be true: no client can be told to forget them. One that begins a tool
    call waits for the next, which may go on with its name.
    """

    run_id: str
    encoder: Encoder
    view: Irrevocable
    is_clean: Callable[[Verbatim], bool]
    unasked: tuple[type[Event], ...] = ()
    """Events that are not written anew: who asked did not ask for them."""
    ready: anyio.Event = attrs.field(factory=anyio.Event, init=False)
    """Set once there is anything to read, or nothing will come."""
    ended: bool = attrs.field(default=False, init=False)
    early: ResponseFailed | ResponseCancelled | None = attrs.field(default=None, init=False)
    """The end, where the run had no answer before anything was told."""
    broken: bool = attrs.field(default=False, init=False)
    """Whether it ended behind what was told, and its end could not be told."""
    rerouted: bool = attrs.field(default=False, init=False)
    """Whether the buffered call took over."""
    _epoch: int = attrs.field(default=0, init=False)
    _pieces: list[bytes] = attrs.field(factory=list, init=False)
    _size: int = attrs.field(default=0, init=False)
    _room: anyio.Event | None = attrs.field(default=None, init=False)
    _told: Fold = attrs.field(factory=Fold, init=False)
    """The events of the frames that went on as they came."""
    _since: list[Event] = attrs.field(factory=list, init=False)
    """Events whose frame was not named yet."""
    _held: list[Verbatim] = attrs.field(factory=list, init=False)
    """Frames that say the end."""
    _settling: Settling = attrs.field(factory=Settling, init=False)
    _gathering: Gathering = attrs.field(init=False)
    _anew: bool = attrs.field(default=False, init=False)
    """Whether events are written anew."""
    _takes_over: bool = attrs.field(default=False, init=False)
    """Whether this attempt goes on with what another told, or is the buffered call's."""
    _forwarded: bool = attrs.field(default=False, init=False)
    _spoke: bool = attrs.field(default=False, init=False)
    """Whether anything was given out to be read."""

    def __attrs_post_init__(self) -> None:
        self._gathering = Gathering(self.run_id)

    # -- what the supervisor's delivery asks of a log ----------------------------

    def bind(self, owner: object) -> None:
        """Hear who writes it; nobody elsewhere reads it."""

    def begin(self) -> int:
        """Take a new epoch."""
        self._epoch += 1
        told = self._forwarded or bool(self._held or self._since)
        self._takes_over = told or self.rerouted
        return self._epoch

    def append(self, epoch: int, events: Sequence[Event], /) -> bool:
        """Write *events*, never waiting."""
        if epoch != self._epoch or self.ended:
            return False
        if events and (self._fails_early(events[-1]) or self._reroutes(events[0])):
            return True
        if self._takes_over and not self._anew:
            self._write_anew()
        for event in self._settled(events):
            if self._anew:
                self._encode(event)
            elif isinstance(event, Verbatim):
                self._verbatim(event)
            elif event.terminal:
                self._end(event)
            else:
                self._since.append(event)
        if events and events[-1].terminal:
            self.ended = True
        if self._pieces or self.ended:
            self.ready.set()
        return True

    def _settled(self, events: Sequence[Event]) -> Iterator[Event]:
        return chain.from_iterable(map(self._settling, events))

    def _fails_early(self, last: Event) -> bool:
        """Note a failure before anything was told: it is said as a status, not in the stream."""
        if self._spoke or not isinstance(last, ResponseFailed | ResponseCancelled):
            return False
        self.early, self.ended = last, True
        self.ready.set()
        return True

    def _reroutes(self, first: Event) -> bool:
        """Note that the buffered call takes over: told alone, and no API has a word for it."""
        rerouted = isinstance(first, Rerouted)
        self.rerouted = self.rerouted or rerouted
        return rerouted

    def give_up(self, terminal: Event) -> None:
        """End all the same, where `append` raised."""
        if not self.ended and not self._fails_early(terminal):
            if not self._spoke:  # an answer that cannot be written
                self.early = ResponseFailed(TransportError("it was given up"), Response())
            self.broken = self._spoke
        self.ended = True
        self.ready.set()

    @property
    def full(self) -> bool:
        """Whether the provider must wait for who reads."""
        return self._size > _MOST

    async def room(self) -> None:
        """Wait until something was read."""
        while self.full:
            self._room = anyio.Event()
            await self._room.wait()

    @property
    def subscribers(self) -> int:
        """One: who asked."""
        return 1

    # -- who reads ----------------------------------------------------------------

    async def read(self) -> bytes | None:
        """Give what is there, waiting for the first of it; None at the end."""
        while not self._pieces:
            if self.ended:
                return None
            self.ready = anyio.Event()
            await self.ready.wait()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._room is not None:
            self._room.set()
        return data

    # -- as it came -----------------------------------------------------------------

    def _verbatim(self, frame: Verbatim) -> None:
        since, self._since = self._since, []
        unchanged = len(since) == len(frame.events) and all(
            a is b for a, b in zip(since, frame.events, strict=True)
        )
        if not (unchanged and self.is_clean(frame)):
            self._since = since
            self._write_anew()
        elif self._is_end(frame):
            self._held.append(frame)
        else:
            self._release()
            self._held.append(frame)
            if not _begins_a_call(frame):
                self._release()

    def _is_end(self, frame: Verbatim) -> bool:
        """Whether a frame belongs to the end; one that shows something says it was none."""
        if any(isinstance(event, Finished) for event in frame.events):
            return True
        return bool(self._held) and not any(is_visible(event) for event in frame.events)

    def _release(self) -> None:
        held, self._held = self._held, []
        for frame in held:
            self._forward(frame)

    def _forward(self, verbatim: Verbatim) -> None:
        self._forwarded = True
        self._told.absorb(verbatim.events)
        self._put(_wire(verbatim.frame))

    def _end(self, terminal: Event) -> None:
        """End as the provider did, where all it said went on; otherwise by the encoder."""
        rest = [event for event in self._since if not isinstance(event, ToolCallCompleted)]
        whole = isinstance(terminal, ResponseCompleted) and (self._held or self._forwarded)
        if whole and not rest:
            self._release()
        else:
            self._write_anew()
            self._encode(terminal)

    # -- written anew -----------------------------------------------------------------

    def _write_anew(self) -> None:
        """Have the encoder write from here on; it reads first what was told."""
        self._anew = True
        opening = self.encoder.opening(self.run_id)
        if not self._forwarded:
            self._put(b"".join(map(_wire, opening)))
        for event in self._told.events():
            for told in self._views(event):
                self.encoder.encode(told)
        self._told = Fold()
        held, self._held = self._held, []
        since, self._since = self._since, []
        for event in (*(event for frame in held for event in frame.events), *since):
            self._encode(event)

    def _encode(self, event: Event) -> None:
        if isinstance(event, (Verbatim, *self.unasked)):
            return
        for told in self._views(event):
            for frame in self.encoder.encode(told):
                self._put(_wire(frame))

    def _views(self, event: Event) -> Iterator[Event]:
        return chain.from_iterable(map(self.view, self._gathering(event)))

    def _put(self, data: bytes) -> None:
        if data:
            self._spoke = True
            self._pieces.append(data)
            self._size += len(data)


def _begins_a_call(verbatim: Verbatim) -> bool:
    """Whether a frame begins a call, and has none of its arguments: its name may go on."""
    begun = [event for event in verbatim.events if isinstance(event, ToolCallStarted)]
    deltas = [event for event in verbatim.events if isinstance(event, ToolCallDelta)]
    return bool(begun) and not any(delta.arguments for delta in deltas)


def _wire(frame: Frame) -> bytes:
    """Write a frame as server-sent events have it (WHATWG HTML 9.2.5)."""
    data: Any = frame.data.encode() if isinstance(frame.data, str) else frame.data
    name = b"" if frame.event == "message" else b"event: " + frame.event.encode() + b"\n"
    return name + b"".join(b"data: " + line + b"\n" for line in data.split(b"\n")) + b"\n"
