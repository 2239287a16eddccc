"""What stands around a stage that is checked: its answers, both of its ends, and the clock."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Final

import anyio
import attrs

from ..dialects import HttpCall, OpenAIChat
from ..errors import TruncatedStream, excerpt
from ..events import (
    Citation,
    Event,
    Finished,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
    ResponseCompleted,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Unknown,
    UsageReported,
)
from ..framing import Ended
from ..pipeline import Emit, Taps
from ..response import Usage

__all__ = [
    "TAPS",
    "Batches",
    "EventsDialect",
    "JumpingClock",
    "Pass",
    "Probe",
    "Script",
    "Shown",
    "Text",
    "answer_of",
    "answers_to_pass",
    "arguments_of",
    "cut_event",
    "cuts_of",
    "difference",
    "end_of",
    "fold",
    "line_of",
    "tokens_of",
    "turns",
]

_TURNS: Final = 50
"""Times every other task gets its turn before it is taken to wait (a count)."""
_PATIENCE: Final = 1.0
"""What a cancelled stage may take to clean up (seconds)."""

Script = list[Event]
Text = TextDelta | ReasoningDelta | RefusalDelta


@attrs.define(eq=False)
class JumpingClock:
    """A clock that stands still, and jumps to the next time that is waited for."""

    time: float = 1000.0

    def now(self) -> float:
        """Give the time (seconds)."""
        return self.time

    async def wait(self, event: anyio.Event, until: float) -> None:
        """Let everybody else go on; then it is *until*, unless *event* is set."""
        await turns()
        if not event.is_set():
            self.time = max(self.time, until)


@attrs.define(eq=False)
class Batches:
    """A source whose frames are events."""

    batches: Sequence[Script]
    settle: Callable[[], Awaitable[None]] | None = None
    """Awaited before the last batch."""
    buffered: ClassVar[bool] = False
    secrets: ClassVar[Sequence[str]] = ()

    def call(self, _dialect: Any, _request: dict[str, Any], /) -> HttpCall:
        """Say nothing: nothing is sent."""
        return HttpCall("", {})

    async def fetch(self, _call: HttpCall, _dialect: Any, emit: Emit, _taps: Taps, /) -> Ended:
        """Emit each batch, as if one read had given it."""
        for number, batch in enumerate(self.batches, 1):
            if self.settle is not None and number == len(self.batches):
                await self.settle()
            frames: list[Any] = [*batch]
            await emit(frames)
            await anyio.lowlevel.checkpoint()
        return Ended()


class _Decoder:
    """Frames that are events already."""

    evidence: ClassVar[None] = None

    def feed(self, frame: Event, /) -> Sequence[Event]:
        """Give the event."""
        return (frame,)

    def eof(self, _residue: str = "", /) -> Sequence[Event]:
        """Know of no end but the terminal."""
        raise TruncatedStream("the script was broken off")


class EventsDialect(OpenAIChat):
    """A dialect whose frames are events already."""

    def decoder(self) -> Any:
        """Give the decoder."""
        return _Decoder()


TAPS: Final = Taps(
    on_bytes=lambda: None, max_frame_bytes=1, max_response_bytes=1, connect=1.0, close=1.0
)


@attrs.frozen
class Shown:
    """Takes what comes out of the last stage."""

    events: Script
    full: ClassVar[bool] = False

    def deliver(self, batch: Script, /) -> None:
        """Keep it."""
        self.events.extend(batch)

    async def room(self) -> None:
        """There always is."""


class Pass:
    """Pass every event on, from another task."""

    async def __call__(self, source: Any, sink: Any) -> None:
        """Read and send."""
        async for event in source:
            await sink.send(event)


@attrs.define(eq=False)
class Probe:
    """Both ends of an `AsyncStage`: gives *script*, then waits; takes *room* events, then waits."""

    script: Script
    room: int
    ends: bool = False
    """Whether the script has an end; without, the next read waits."""
    late: Script = attrs.field(factory=list, init=False)
    """What was sent when nothing more should be."""
    _given: int = attrs.field(default=0, init=False)
    _taken: int = attrs.field(default=0, init=False)
    _over: bool = attrs.field(default=False, init=False)
    _gate: anyio.Event = attrs.field(factory=anyio.Event, init=False)
    _done: anyio.Event = attrs.field(factory=anyio.Event, init=False)
    _problem: str = attrs.field(default="", init=False)

    def __aiter__(self) -> Probe:
        return self

    async def __anext__(self) -> Event:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def receive(self) -> Event:
        """Give the next event; behind the last, wait to be cancelled."""
        await anyio.lowlevel.checkpoint()
        if self._given == len(self.script):
            if not self.ends:
                await self._gate.wait()
            raise anyio.EndOfStream
        self._given += 1
        return self.script[self._given - 1]

    async def send(self, event: Event, /) -> None:
        """Take an event; behind the last there is room for, wait to be cancelled."""
        if self._over:
            self.late.append(event)
            raise anyio.ClosedResourceError
        await anyio.lowlevel.checkpoint()
        self._taken += 1
        self._over = event.terminal
        if self._taken > self.room:
            await self._gate.wait()
            raise anyio.ClosedResourceError

    async def cancel(self, stage: Any) -> str:
        """Run *stage* until it waits, cancel it, and say what is wrong with how it ends."""
        scope = anyio.CancelScope()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._run, stage, scope)
            await turns()
            if self._done.is_set():  # it has nothing to wait for here
                return ""
            self._over = True
            scope.cancel()
            with anyio.move_on_after(_PATIENCE):
                await self._done.wait()
            stuck = not self._done.is_set()
            self._gate.set()  # so that it ends after all
        if self.late:
            return f"it sent {excerpt(self.late[0])}"
        return "it goes on waiting" if stuck else self._problem

    async def _run(self, stage: Any, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                await stage(self, self)
                if scope.cancel_called:
                    self._problem = "it returned as if nothing were"
        except Exception as error:  # noqa: BLE001 (whatever it raises is told)
            self._problem = f"it raised {type(error).__name__}: {excerpt(error)}"
        self._done.set()


async def turns(times: int = 1) -> None:
    """Let every other task go on until it waits; *times* as long."""
    for _ in range(_TURNS * times):
        await anyio.lowlevel.checkpoint()


# -- what goes in


def end_of(*choices: int) -> Script:
    """Give the end of an answer of *choices*; of the first alone when there are none."""
    ends = [Finished(choice, "stop") for choice in choices or (0,)]
    return [*ends, ResponseCompleted(evidence="finish_reason")]


def answers_to_pass() -> list[Script]:
    """Give the answers that every stage is asked to pass on."""
    usage = Usage(input_tokens=3, output_tokens=9)
    return [
        [
            ResponseStarted("a-1", "demo-1"),
            TextDelta("Seven herons stood in the reeds,\nand no one\tcounted é 漢字 😀 twice."),
            Metadata(0, {"logprobs": {"content": []}}),
            TextDelta(" An eighth arrived; it left `again`."),
            UsageReported(usage, {"prompt_tokens": 3, "completion_tokens": 9}),
            *end_of(),
        ],
        [
            ResponseStarted("a-2", "demo-1"),
            ReasoningDelta("First weigh the lantern. Then ask about rain."),
            TextDelta("The harbour opens at dawn"),
            Citation({"type": "url_citation", "url": "https://example.com/harbour"}),
            TextDelta(" and closes by midnight. Shall I look?"),
            ToolCallStarted(0, "call_1", "tide"),
            ToolCallDelta(0, '{"place": "harbour'),
            ToolCallDelta(0, ' wall", "day": 2}'),
            TextDelta("Looking it up"),
            Unknown({"ping": 1}),
            *end_of(),
        ],
        [
            ResponseStarted("a-3", "demo-1"),
            TextDelta("Copper rusts green,", 1),
            TextDelta("Silver turns black,"),
            TextDelta(" says the smith.", 1),
            RefusalDelta("Gold I may not discuss.", 1),
            TextDelta(" adds her sister."),
            *end_of(0, 1),
        ],
        [ResponseStarted("a-4", "demo-1"), *end_of()],
    ]


def answer_of(text: str) -> Script:
    """Give an answer that says *text*."""
    return [ResponseStarted("a-5", "demo-1"), TextDelta(text), *end_of()]


def cuts_of(script: Script) -> Iterator[Callable[[str], list[str]]]:
    """Give ways to cut every text of *script*; a short answer of one text is cut everywhere."""
    yield list
    yield lambda text: re.findall(r"(?s).{1,3}", text)
    texts = [event.text for event in script if isinstance(event, Text)]
    for at in range(1, len(texts[0]) if len(texts) == 1 else 0):
        yield partial(_cut_at, at)


def _cut_at(at: int, text: str) -> list[str]:
    return [text[:at], text[at:]]


def cut_event(event: Event, cut: Callable[[str], list[str]]) -> list[Any]:
    """Give the deltas that say what *event* says, in pieces; itself where it is none."""
    if isinstance(event, Text):
        return [attrs.evolve(event, text=piece) for piece in cut(event.text)]
    if isinstance(event, ToolCallDelta):
        return [attrs.evolve(event, arguments=piece) for piece in cut(event.arguments)]
    return [event]


# -- what came out


def fold(told: Script) -> tuple[dict[Any, str], Script]:
    """Give every text joined, and the events that are none."""
    joined: dict[Any, list[str]] = {}
    for event in told:
        if isinstance(event, Text) and event.text:
            field = event.field if isinstance(event, ReasoningDelta) else None
            joined.setdefault((event.channel, event.choice, field), []).append(event.text)
        elif isinstance(event, ToolCallDelta):
            joined.setdefault(("call", event.choice, event.call), []).append(event.arguments)
    rest = [event for event in told if not isinstance(event, Text | ToolCallDelta)]
    return {key: "".join(pieces) for key, pieces in joined.items()}, rest


def difference(one: Script, other: Script) -> str:
    """Say what is not the same in two scripts."""
    (texts, events), (other_texts, other_events) = fold(one), fold(other)
    for key in sorted({*texts, *other_texts}, key=str):
        if texts.get(key) != other_texts.get(key):
            was, now = texts.get(key, ""), other_texts.get(key, "")
            return f"the {key[0]} of choice {key[1]} was {excerpt(was)!r} and is {excerpt(now)!r}"
    return f"the other events were {excerpt(events)} and are {excerpt(other_events)}"


def arguments_of(script: Script) -> dict[Any, str]:
    """Give the joined arguments of each tool call."""
    return {key: text for key, text in fold(script)[0].items() if key[0] == "call"}


def tokens_of(event: Event) -> Iterator[str]:
    """Give what is looked for in what came out: words, and marks of what stands between them."""
    if isinstance(event, Text):
        yield from re.findall(r"[a-z]{4,}|[^\x00-\x7f]+", event.text.casefold())
    elif isinstance(event, Citation | ToolCallStarted | Finished):
        yield f"\0{type(event).__name__}\0"  # in no answer


def line_of(told: Script, choice: int) -> str:
    """Give all that a choice says in one line, in the order it came out."""
    own = [event for event in told if getattr(event, "choice", None) == choice]
    texts = [e.text.casefold() if isinstance(e, Text) else "".join(tokens_of(e)) for e in own]
    return "".join(texts)
