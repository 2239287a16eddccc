"""What the provider really did: its replies, watched as they are given."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import attrs

from ..testing import Pause, Recorded, Reply, Step, Wire
from .scenes import Scene

__all__ = ["Backstage", "Call"]

Ending = Literal["", "ended", "hung up", "reset"]
_ERROR = 400  # the first HTTP status that is one


@attrs.define(eq=False)
class Call:
    """One call the provider got, and what it answered as far as it came."""

    request: Recorded
    status: int
    chunks: int = 0
    garbled: int = 0
    """Chunks that are not JSON."""
    keep_alives: int = 0
    done: bool = False
    """Whether the done marker was sent."""
    body: str = ""
    """What was sent besides chunks: one JSON body."""
    ending: Ending = ""

    @property
    def error(self) -> str:
        """What the provider said was wrong; empty where it said nothing of the kind."""
        if self.status < _ERROR or not self.body:
            return ""
        return str(json.loads(self.body)["error"]["message"])

    @property
    def left(self) -> bool:
        """Whether the client went away before the answer was over."""
        return self.request.disconnected.is_set()

    def note(self, data: bytes) -> None:
        """Note one piece of the body."""
        text = data.decode()
        if text.startswith(":"):
            self.keep_alives += 1
        elif text == "data: [DONE]\n\n":
            self.done = True
        elif text.startswith("data:"):
            self.chunks += 1
            self.garbled += not _is_json(text.removeprefix("data:"))
        else:
            self.body += text


@attrs.define(eq=False)
class Backstage:
    """The script of a scene: hands out its replies, and notes what becomes of them."""

    scene: Scene
    pace: float
    """What every pause is multiplied with; 0 leaves none."""
    changed: Callable[[], None]
    """Called when the provider did something that no event will tell."""
    calls: list[Call] = attrs.field(factory=list, init=False)

    def reply(self, request: Recorded) -> Reply:
        """Give what *request* gets."""
        reply = self.scene.streamed(request) if request.streaming else self.scene.buffered
        call = Call(request, reply.status)
        self.calls.append(call)
        self.changed()
        return Reply(
            *(self._step(step, call) for step in reply.steps),
            _Noted(_end, call, self.changed),
            status=reply.status,
            headers=dict(reply.headers),
            framing=reply.framing,
            before=[self._step(step, call) for step in reply.before],
        )

    def _step(self, step: bytes | Step, call: Call) -> Step:
        if isinstance(step, Pause):
            return Pause(step.seconds * self.pace)
        return _Noted(step, call, self.changed)


@attrs.frozen
class _Noted:
    """A step, and a note of what it does to the wire."""

    step: bytes | Step
    call: Call
    changed: Callable[[], None]

    async def __call__(self, wire: Wire, /) -> None:
        noted = _NotedWire(wire, self.call, self.changed)
        await (noted.send(self.step) if isinstance(self.step, bytes) else self.step(noted))


@attrs.frozen
class _NotedWire:
    """A `Wire` that notes what is done to it."""

    wire: Wire
    call: Call
    changed: Callable[[], None]

    async def send(self, data: bytes) -> None:
        await self.wire.send(data)
        self.call.note(data)
        if data.startswith(b":"):
            self.changed()

    async def send_eof(self) -> None:
        self._end("hung up")
        await self.wire.send_eof()

    async def reset(self) -> None:
        self._end("reset")
        await self.wire.reset()

    async def aclose(self) -> None:
        self._end("hung up")
        await self.wire.aclose()

    def _end(self, ending: Ending) -> None:
        self.call.ending = self.call.ending or ending
        self.changed()


async def _end(wire: Any, /) -> None:
    """Note that the reply came to its end in good order."""
    wire.call.ending = wire.call.ending or "ended"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
