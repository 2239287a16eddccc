"""A line over bytes in memory, and the stages that tests put in it."""

from collections.abc import Sequence
from contextlib import aclosing
from itertools import pairwise

import anyio
import attrs

from streamkit.events import Event, ResponseCompleted, TextDelta
from streamkit.framing import read_frames
from streamkit.pipeline import Clock, Pipeline, SystemClock, Taps
from streamkit.policy import Marks
from streamkit.response import Response
from streamkit.stages import ChunkParser, EventFanout
from streamkit.supervisor import Supervisor
from streamkit.testing import answers

REQUEST = {"model": "m", "messages": []}
TAPS = Taps(
    on_bytes=lambda: None,
    max_frame_bytes=1 << 20,
    max_response_bytes=1 << 24,
    connect=5.0,
    close=5.0,
)


def cut_at(body, places):
    """Cut *body* at each of *places* (taken modulo its length)."""
    edges = sorted({0, len(body), *(place % (len(body) + 1) for place in places)})
    return [body[a:b] for a, b in pairwise(edges)]


@attrs.define(eq=False)
class Bytes:
    """A source that reads the given pieces, then fails if it is told to."""

    pieces: Sequence[bytes]
    error: Exception | None = None
    content_type: str = "text/event-stream"
    buffered: bool = False
    left: int = attrs.field(default=0, init=False)
    """How often the body was left, whole or not."""

    def call(self, dialect, request):
        return dialect.streaming(request)

    async def fetch(self, call, dialect, emit, taps):
        async with aclosing(self._read()) as body:
            return await read_frames(
                body,
                emit,
                content_type=self.content_type,
                max_frame_bytes=taps.max_frame_bytes,
                max_response_bytes=taps.max_response_bytes,
                on_bytes=taps.on_bytes,
            )

    async def _read(self):
        try:
            for piece in self.pieces:
                await anyio.lowlevel.checkpoint()
                yield piece
            if self.error is not None:
                raise self.error
        finally:
            self.left += 1


@attrs.define(eq=False)
class Silent(Bytes):
    """A source that, behind its pieces, says nothing until it is left."""

    async def _read(self):
        try:
            for piece in self.pieces:
                await anyio.lowlevel.checkpoint()
                yield piece
            await anyio.sleep_forever()
        finally:
            self.left += 1


@attrs.frozen
class Told:
    """What came out of a line."""

    batches: list[list[Event]]
    response: Response | None
    raised: Exception | None

    @property
    def events(self):
        """Every event, in order."""
        return [event for batch in self.batches for event in batch]

    @property
    def error(self):
        """What was raised, comparable."""
        error = self.raised
        return error and (type(error), getattr(error, "code", None), str(error))

    @property
    def text(self):
        """The text that was shown, joined."""
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))


def pipeline_of(source, *stages, fuse=True, dialect="openai-chat"):
    """Join *source* and *stages* as users do."""
    return Pipeline(
        [source, ChunkParser(dialect), *stages, EventFanout()],
        supervisor=Supervisor(),
        fuse=fuse,
    )


class Delivered:
    """Takes what comes out of the last stage."""

    def __init__(self, deliver, is_full, room):
        self.deliver, self.room, self._is_full = deliver, room, is_full

    @property
    def full(self):
        """Whether to wait."""
        return self._is_full()


def line_of(pipeline, deliver, *, clock: Clock | None = None, is_full=None, room=None, marks=None):
    """Make the stages of one attempt, as the supervisor does."""
    return pipeline.line(
        marks=marks or Marks(0.0, 0.0),
        clock=clock or SystemClock(),
        poke=lambda: None,
        delivery=Delivered(deliver, is_full or (lambda: False), room or anyio.lowlevel.checkpoint),
    )


async def drive(line, source):
    """Take one attempt through *line*, and give the answer."""
    await line.drive(source, REQUEST, TAPS)
    return line.verdict()


async def run(source, *stages, fuse=True, **more):
    """Take *source* through *stages*; tell what came out, and how it ended."""
    return await run_pipeline(pipeline_of(source, *stages, fuse=fuse), **more)


async def run_pipeline(pipeline, **more):
    """Take one attempt through *pipeline*; tell what came out, and how it ended."""
    batches = []
    line = line_of(pipeline, batches.append, **more)
    try:
        response = await drive(line, pipeline.source)
    except Exception as error:  # noqa: BLE001 (it is what the tests compare)
        return Told(batches, None, error)
    return Told(batches, response, None)


def body_of(*pieces, **more):
    """Give the bytes of a healthy text answer."""
    return b"".join(answers.text_stream(*pieces, **more))


# -- stages ----------------------------------------------------------------------


class Pass:
    """Gives every event as it is."""

    def __call__(self, event):
        return (event,)


@attrs.define(eq=False)
class Drop:
    """Keeps every *every*-th event but the terminal."""

    every: int = 2
    _seen: int = attrs.field(default=0, init=False)

    def __call__(self, event):
        self._seen += 1
        return () if self._seen % self.every == 0 and not event.terminal else (event,)


class Twice:
    """Gives every text twice."""

    def __call__(self, event):
        return (event, event) if isinstance(event, TextDelta) else (event,)


@attrs.define(eq=False)
class Hold:
    """Holds *size* events back; the terminal frees them."""

    size: int = 3
    _held: list = attrs.field(factory=list, init=False)

    def __call__(self, event):
        self._held.append(event)
        if len(self._held) <= self.size and not event.terminal:
            return ()
        held, self._held = self._held, []
        return held


@attrs.define(eq=False)
class RaiseAt:
    """Raises at its *nth* event (from 1)."""

    nth: int = 1
    _seen: int = attrs.field(default=0, init=False)

    def __call__(self, event):
        self._seen += 1
        if self._seen == self.nth:
            raise ValueError(f"event {self.nth}")
        return (event,)


@attrs.define(eq=False)
class MintAt:
    """Ends the answer with its *nth* event (from 1), and does not look whether it did."""

    nth: int = 1
    _seen: int = attrs.field(default=0, init=False)

    def __call__(self, event):
        self._seen += 1
        if self._seen == self.nth and not event.terminal:
            return (event, ResponseCompleted(evidence="done_marker"))
        return (event,)


class Swallow:
    """Breaks the rule that the terminal is passed on."""

    def __call__(self, event):
        return () if event.terminal else (event,)


class Echo:
    """Breaks the rule that the terminal comes last."""

    def __call__(self, event):
        return (event, TextDelta("too late")) if event.terminal else (event,)


class Double:
    """Breaks the rule that the terminal comes once."""

    def __call__(self, event):
        return (event, event)


@attrs.define(eq=False)
class NothingAt:
    """Returns None, which is no sequence, for its *nth* event (from 1)."""

    nth: int = 1
    _seen: int = attrs.field(default=0, init=False)

    def __call__(self, event):
        self._seen += 1
        return None if self._seen == self.nth else (event,)


class PassAsync:
    """Passes every event on, from a task of its own."""

    async def __call__(self, source, sink):
        async for event in source:
            await sink.send(event)


@attrs.define(eq=False)
class RaiseAsync:
    """Raises at its *nth* event (from 1), in a task of its own."""

    nth: int = 1

    async def __call__(self, source, sink):
        seen = 0
        async for event in source:
            seen += 1
            if seen == self.nth:
                raise ValueError(f"event {self.nth}")
            await sink.send(event)


@attrs.define(eq=False)
class MintAsync:
    """Ends the answer with its *nth* event (from 1) and returns."""

    nth: int = 1

    async def __call__(self, source, sink):
        seen = 0
        async for event in source:
            seen += 1
            await sink.send(event)
            if seen == self.nth and not event.terminal:
                await sink.send(ResponseCompleted(evidence="done_marker"))
                return


class SwallowAsync:
    """Breaks the rule that the terminal is passed on."""

    async def __call__(self, source, sink):
        async for event in source:
            if not event.terminal:
                await sink.send(event)
