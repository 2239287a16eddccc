"""The rules of a stage, checked: for those who write one."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Final

import anyio
import attrs

from ..dialects import HttpCall, OpenAIChat
from ..errors import MisuseError, StageError, TruncatedStream, excerpt
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
from ..pipeline import Clock, Emit, Pipeline, Recipe, Taps
from ..pipeline.recipe import is_async
from ..policy import Marks
from ..response import Usage
from ..stages import EventFanout
from ..supervisor import Supervisor

__all__ = ["ConformanceError", "JumpingClock", "check_stage"]

_HOLD: Final = 1024
"""What a stage may hold back unless it declares more (characters)."""
_PIECE: Final = 16
"""How the long texts are cut (characters)."""
_TURNS: Final = 50
"""Times every other task gets its turn before it is taken to wait (a count)."""
_PATIENCE: Final = 1.0
"""What a cancelled stage may take to clean up (seconds)."""
_BROKEN_RULE: Final = re.compile(r"broke the rule that (?P<rule>.+?): (?P<rest>.+)", re.S)

_Script = list[Event]
_Text = TextDelta | ReasoningDelta | RefusalDelta


class ConformanceError(AssertionError):
    """
    A stage broke a rule.

    Attributes:
        rule: which one, as the end of "broke the rule that ...".
        saw: what was expected, and what was seen.
        mend: what to do.
    """

    def __init__(self, stage: str, rule: str, saw: str, mend: str) -> None:
        super().__init__(f"stage {stage!r} broke the rule that {rule}: {saw}; {mend}")
        self.rule, self.saw, self.mend = rule, saw, mend


@attrs.define(eq=False)
class JumpingClock:
    """A clock that stands still, and jumps to the next time that is waited for."""

    time: float = 1000.0

    def now(self) -> float:
        """Give the time (seconds)."""
        return self.time

    async def wait(self, event: anyio.Event, until: float) -> None:
        """Let everybody else go on; then it is *until*, unless *event* is set."""
        await _turns()
        if not event.is_set():
            self.time = max(self.time, until)


def check_stage(
    factory: Any,
    *,
    texts: Iterable[str] = (),
    drops: Iterable[type[Event]] = (),
    hold: int | None = None,
    clock: Clock | None = None,
) -> None:
    """
    Check that what *factory* makes keeps the rules of a stage::

        def test_mine():
            check_stage(MyStage, texts=["what <my> stage looks for"])

    A plain function: it runs an event loop of its own, touches no network, and
    does the same every time. Every rule is checked in the pipeline that runs
    answers, over a few answers of its own and one of each of *texts*:

    * events are given, the terminal once and last, and nothing is raised;
    * no event is changed, and no state is shared between two runs;
    * nothing is lost that is not declared, and the order is kept;
    * where the text is cut does not matter;
    * together with its neighbours in one task or apart, the same comes out;
    * what is held back is bounded;
    * (an `AsyncStage`) cancelled anywhere, it ends, and says nothing more.

    Args:
        factory: as in a client's ``stages``: a class, a callable without
            arguments, a registered name, or an attrs instance.
        texts: answers that the stage does something to. It may do to them
            what it likes; the other rules hold for them, cut anywhere.
        drops: types of events that it may leave out or change, such as
            ``TextDelta``.
        hold: the most that it may hold back (characters); None: 1,024.
        clock: the clock that a stage with one of its own was given; a
            `JumpingClock`, or one like it.

    Raises:
        ConformanceError: a rule is broken; it says which, what was seen, and
            how to mend it.
        MisuseError: *factory* makes no stage, or an event loop runs already.
    """
    try:
        anyio.get_current_task()
    except RuntimeError:  # as it should be: there is no event loop yet
        pass
    else:
        raise MisuseError(
            "expected check_stage in a plain function, for it runs an event loop of its own; it "
            "was called in a coroutine; write `def test_...`, not `async def`"
        )
    recipe = Recipe.of(factory)
    check = _Check(
        factory,
        name=recipe.name,
        texts=tuple(texts),
        drops=tuple(drops),
        hold=_HOLD if hold is None else hold,
        clock=clock if clock is not None else JumpingClock(),
    )
    anyio.run(check.run)


@attrs.define(eq=False)
class _Check:
    """All the rules, for one stage."""

    factory: Any
    name: str
    texts: tuple[str, ...]
    drops: tuple[type[Event], ...]
    hold: int
    clock: Clock

    async def run(self) -> None:
        answers = _answers()
        scripts = [*answers, *map(_answer_of, self.texts)]
        for script in scripts:
            await self.alone(script)
        for script in answers:
            self.whole(script, await self.told(script))
        for script in scripts:
            await self.blind(script)
            await self.parted(script)
        await self.bounded()
        if is_async(self._fresh()):
            await self.last(answers[1])
            await self.cancelled(answers[1])

    def broke(self, rule: str, saw: str, mend: str) -> ConformanceError:
        return ConformanceError(self.name, rule, saw, mend)

    # -- the rules

    async def alone(self, script: _Script) -> None:
        """Nothing is changed that came in, and a run leaves nothing to the next."""
        pristine = copy.deepcopy(script)
        first = await self.told(script)
        for was, event in zip(pristine, script, strict=True):
            if was != event:
                raise self.broke(
                    "it changes no event it is given",
                    f"expected {excerpt(was)} to stay as it is; got {excerpt(event)}",
                    "give a new event: `attrs.evolve(event, ...)`",
                )
        await self._through([script[: len(script) // 2]], ends=False)  # broken off half way
        second = await self.told(script)
        if _fold(first) != _fold(second):
            raise self.broke(
                "no state is shared between runs",
                "expected a fresh stage to give the same again; " + _difference(first, second),
                "keep state in the instance the factory makes, and make a new one each time",
            )

    def whole(self, script: _Script, told: _Script) -> None:
        """Everything comes out that is not declared to be dropped, in its order."""
        for event in script:
            if isinstance(event, (_Text, ToolCallDelta, *self.drops)) or event.terminal:
                continue
            if event not in told:
                raise self._lost(excerpt(event), type(event))
        if ToolCallDelta not in self.drops and _arguments(script) != _arguments(told):
            raise self._lost(
                f"tool arguments {_arguments(script)} (got {_arguments(told)})", ToolCallDelta
            )
        for choice in {getattr(event, "choice", 0) for event in script}:
            self._in_order(choice, script, told)
        beside = [event for event in told if event in script and not isinstance(event, _Text)]
        places = [script.index(event) for event in beside]
        if places != sorted(places):
            raise self._disordered(" then ".join(type(event).__name__ for event in beside))

    def _in_order(self, choice: int, script: _Script, told: _Script) -> None:
        """Look for the words of each text, and for what stands between them."""
        said, at = _line_of(told, choice), -1
        for event in script:
            if getattr(event, "choice", choice) != choice:
                continue
            for token in _tokens(event):
                found = said.find(token)
                if found < 0 and not isinstance(event, self.drops):
                    raise self._lost(f"the text {token!r} of {excerpt(event)}", type(event))
                if 0 <= found < at:
                    raise self._disordered(f"{token!r} came out too early, in {excerpt(said)!r}")
                at = max(at, found)

    def _lost(self, what: str, kind: type[Event]) -> ConformanceError:
        return self.broke(
            "nothing is lost that is not declared",
            f"expected {what} to come out; it did not",
            f"pass on what you do not handle, or say check_stage(..., drops=({kind.__name__},))",
        )

    def _disordered(self, saw: str) -> ConformanceError:
        return self.broke(
            "the order is kept",
            f"expected events in the order they came; got {saw}",
            "give what you hold before you pass on anything else of its choice",
        )

    async def blind(self, script: _Script) -> None:
        """Where the deltas are cut does not matter, nor what comes in one read."""
        whole = await self.told(script)
        for cut in _cuts(script):
            pieces = [piece for event in script for piece in _cut(event, cut)]
            for batches in ([[piece] for piece in pieces], [pieces]):
                told = await self._through(batches)
                if _fold(told) != _fold(whole):
                    cuts = [p.text for p in pieces if isinstance(p, _Text)]
                    raise self.broke(
                        "where the text is cut does not matter",
                        f"expected the same for {excerpt(cuts)}; {_difference(whole, told)}",
                        "hold back what may go on in the next delta, and give it before anything "
                        "else",
                    )

    async def parted(self, script: _Script) -> None:
        """In one task with its neighbours or in its own, it gives the same."""
        together = await self.told(script)
        for how in ({"fuse": False}, {"behind": True}):
            apart = await self._through([[event] for event in script], **how)
            if _fold(together) != _fold(apart):
                raise self.broke(
                    "together equals apart",
                    f"expected the same in a task of its own; {_difference(together, apart)}",
                    "let nothing depend on which task it runs in, or when",
                )

    async def bounded(self) -> None:
        """What only the end of the answer sets free is no more than it may hold."""
        size = max(4 * self.hold, 4096)
        words = ("walking by the river they counted seven herons " * size)[:size]
        for text in (words, "x" * size, *(text + "\n" + words for text in self.texts)):
            pieces = [TextDelta(text[at : at + _PIECE]) for at in range(0, len(text), _PIECE)]
            held = await self._held([ResponseStarted(), *pieces, *_end()])
            if held > self.hold:
                raise self.broke(
                    "what it holds back is bounded",
                    f"expected at most {self.hold} characters held; got {held} of {len(text)} only "
                    "with the end of the answer",
                    "give what is certain as it comes, or say check_stage(..., hold=...)",
                )

    async def cancelled(self, script: _Script) -> None:
        """Cancelled where it waits, it ends, raises nothing else, and says nothing more."""
        for at in range(len(script)):
            for reads in (True, False):
                probe = _Probe(script[:at] if reads else script, room=len(script) if reads else at)
                problem = await probe.cancel(self._fresh())
                if problem:
                    raise self.broke(
                        "a cancelled stage ends, and says nothing more",
                        f"expected it to end when it is cancelled where it "
                        f"{'reads' if reads else 'sends'}; {problem}",
                        "let the cancellation pass: no bare except, a timeout for each wait "
                        "under a shield, no send in a `finally`",
                    )

    async def last(self, script: _Script) -> None:
        """Nothing comes behind the terminal, which the pipeline only ignores."""
        probe = _Probe(script, room=_HOLD, ends=True)
        with contextlib.suppress(anyio.ClosedResourceError):
            await self._fresh()(probe, probe)
        if probe.late:
            raise self.broke(
                "the terminal event is passed on, once and last",
                f"expected nothing behind ResponseCompleted; got {excerpt(probe.late[0])}",
                "send what you hold first, then the terminal",
            )

    # -- the runs

    def _fresh(self) -> Any:
        return Recipe.of(self.factory).fresh()[1]

    async def told(self, script: _Script) -> _Script:
        """Give what comes out where each event comes by itself."""
        return await self._through([[event] for event in script])

    async def _held(self, script: _Script) -> int:
        """Say how much text comes out only with the end of *script* (characters)."""
        out: _Script = []
        early = 0

        async def settle() -> None:
            nonlocal early
            before = None
            while before != (before := (len(out), self.clock.now())):
                await _turns()
            early = len(out)

        batches = [[event] for event in script[: -len(_end())]]
        await self._through([*batches, script[-len(_end()) :]], out=out, settle=settle)
        return sum(len(event.text) for event in out[early:] if isinstance(event, _Text))

    async def _through(
        self,
        batches: Sequence[_Script],
        *,
        out: _Script | None = None,
        fuse: bool = True,
        behind: bool = False,
        ends: bool = True,
        settle: Callable[[], Awaitable[None]] | None = None,
    ) -> _Script:
        """Take *batches* through a fresh stage, in the pipeline that runs answers."""
        out = [] if out is None else out
        source = _Batches(batches, settle)
        pipeline = Pipeline(
            [source, _Events(), self.factory, *([_Pass] if behind else []), EventFanout()],
            supervisor=Supervisor(),
            fuse=fuse,
        )
        line = pipeline.line(
            marks=Marks(0.0, 0.0),
            clock=self.clock,
            poke=lambda: None,
            deliver=out.extend,
            is_full=lambda: False,
            room=anyio.lowlevel.checkpoint,
        )
        try:
            await line.run(source, {}, _TAPS)
        except StageError as error:
            raise self._told_off(error) from error
        except TruncatedStream:
            if ends:
                raise
        return out

    def _told_off(self, error: StageError) -> ConformanceError:
        found = _BROKEN_RULE.search(str(error))
        if found is None:
            mend = "see what caused this error; every event of `streamkit.events` may come"
            return self.broke("it gives events and raises nothing", str(error), mend)
        saw, _, mend = found["rest"].rpartition("; ")
        return self.broke(found["rule"], saw, mend)


# -- around the stage


@attrs.define(eq=False)
class _Batches:
    """A source whose frames are events."""

    batches: Sequence[_Script]
    settle: Callable[[], Awaitable[None]] | None = None
    """Awaited before the last batch."""
    buffered: ClassVar[bool] = False

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


class _Events:
    """A parser whose frames are events already."""

    dialect: ClassVar[Any]

    def decoder(self) -> Any:
        """Give the decoder, which is this."""
        return self

    evidence: ClassVar[None] = None

    def feed(self, frame: Event, /) -> Sequence[Event]:
        """Give the event."""
        return (frame,)

    def eof(self, _residue: str = "", /) -> Sequence[Event]:
        """Know of no end but the terminal."""
        raise TruncatedStream("the script was broken off")


class _Dialect(OpenAIChat):
    """A dialect whose frames are events already."""

    def decoder(self) -> Any:
        """Give the decoder."""
        return _Events()


_Events.dialect = _Dialect()
_TAPS: Final = Taps(
    on_bytes=lambda: None, max_frame_bytes=1, max_response_bytes=1, connect=1.0, close=1.0
)


class _Pass:
    """Pass every event on, from another task."""

    async def __call__(self, source: Any, sink: Any) -> None:
        async for event in source:
            await sink.send(event)


@attrs.define(eq=False)
class _Probe:
    """Both ends of an `AsyncStage`: gives *script*, then waits; takes *room* events, then waits."""

    script: _Script
    room: int
    ends: bool = False
    """Whether the script has an end; without, the next read waits."""
    late: _Script = attrs.field(factory=list, init=False)
    """What was sent when nothing more should be."""
    _given: int = attrs.field(default=0, init=False)
    _taken: int = attrs.field(default=0, init=False)
    _over: bool = attrs.field(default=False, init=False)
    _gate: anyio.Event = attrs.field(factory=anyio.Event, init=False)
    _done: anyio.Event = attrs.field(factory=anyio.Event, init=False)
    _problem: str = attrs.field(default="", init=False)

    def __aiter__(self) -> _Probe:
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
            await _turns()
            if self._done.is_set():  # it has nothing to wait for here
                return ""
            self._over = True
            scope.cancel()
            with anyio.move_on_after(_PATIENCE):
                await self._done.wait()
            if not self._done.is_set():
                self._problem = "it goes on waiting"
            self._gate.set()
        if self.late:
            return f"it sent {excerpt(self.late[0])}"
        return self._problem

    async def _run(self, stage: Any, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                await stage(self, self)
                if scope.cancel_called:
                    self._problem = self._problem or "it returned as if nothing were"
        except Exception as error:  # noqa: BLE001 (whatever it raises is told)
            self._problem = f"it raised {type(error).__name__}: {excerpt(error)}"
        self._done.set()


async def _turns() -> None:
    for _ in range(_TURNS):
        await anyio.lowlevel.checkpoint()


# -- what goes in


def _end(*choices: int) -> _Script:
    ends = [Finished(choice, "stop") for choice in choices or (0,)]
    return [*ends, ResponseCompleted(evidence="finish_reason")]


def _answers() -> list[_Script]:
    """Give the answers every stage is asked to pass on."""
    usage = Usage(input_tokens=3, output_tokens=9)
    return [
        [
            ResponseStarted("a-1", "demo-1"),
            TextDelta("Seven herons stood in the reeds,\nand no one\tcounted é 漢字 😀 twice."),
            Metadata({"logprobs": {"content": []}}, 0),
            TextDelta(" An eighth arrived; it left `again`."),
            UsageReported(usage, {"prompt_tokens": 3, "completion_tokens": 9}),
            *_end(),
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
            *_end(),
        ],
        [
            ResponseStarted("a-3", "demo-1"),
            TextDelta("Copper rusts green,", 1),
            TextDelta("Silver turns black,"),
            TextDelta(" says the smith.", 1),
            RefusalDelta("Gold I may not discuss.", 1),
            TextDelta(" adds her sister."),
            *_end(0, 1),
        ],
        [ResponseStarted("a-4", "demo-1"), *_end()],
    ]


def _answer_of(text: str) -> _Script:
    return [ResponseStarted("a-5", "demo-1"), TextDelta(text), *_end()]


def _cuts(script: _Script) -> Iterator[Callable[[str], list[str]]]:
    """Give ways to cut every text of *script*; a short answer of one text is cut everywhere."""
    yield list
    yield lambda text: re.findall(r"(?s).{1,3}", text)
    texts = [event.text for event in script if isinstance(event, _Text)]
    for at in range(1, len(texts[0]) if len(texts) == 1 else 0):
        yield partial(_cut_at, at)


def _cut_at(at: int, text: str) -> list[str]:
    return [text[:at], text[at:]]


def _cut(event: Event, cut: Callable[[str], list[str]]) -> list[Any]:
    if isinstance(event, _Text):
        return [attrs.evolve(event, text=piece) for piece in cut(event.text)]
    if isinstance(event, ToolCallDelta):
        return [attrs.evolve(event, arguments=piece) for piece in cut(event.arguments)]
    return [event]


# -- what came out


def _fold(told: _Script) -> tuple[dict[Any, str], _Script]:
    """Give every text joined, and the events that are none."""
    joined: dict[Any, list[str]] = {}
    for event in told:
        if isinstance(event, _Text) and event.text:
            field = event.field if isinstance(event, ReasoningDelta) else None
            joined.setdefault((event.channel, event.choice, field), []).append(event.text)
        elif isinstance(event, ToolCallDelta):
            joined.setdefault(("call", event.choice, event.call), []).append(event.arguments)
    rest = [event for event in told if not isinstance(event, _Text | ToolCallDelta)]
    return {key: "".join(pieces) for key, pieces in joined.items()}, rest


def _difference(one: _Script, other: _Script) -> str:
    (texts, events), (other_texts, other_events) = _fold(one), _fold(other)
    for key in sorted({*texts, *other_texts}, key=str):
        if texts.get(key) != other_texts.get(key):
            was, now = texts.get(key, ""), other_texts.get(key, "")
            return f"the {key[0]} of choice {key[1]} was {excerpt(was)!r} and is {excerpt(now)!r}"
    return f"the other events were {excerpt(events)} and are {excerpt(other_events)}"


def _arguments(script: _Script) -> dict[Any, str]:
    return {key: text for key, text in _fold(script)[0].items() if key[0] == "call"}


def _tokens(event: Event) -> Iterator[str]:
    """Give what is looked for in what came out: words, and marks of what stands between them."""
    if isinstance(event, _Text):
        yield from re.findall(r"\w+", event.text.casefold())
    elif isinstance(event, Citation | ToolCallStarted | Finished):
        yield f"\0{type(event).__name__}\0"


def _line_of(told: _Script, choice: int) -> str:
    """Give all that a choice says in one line, in the order it came out."""
    own = [event for event in told if getattr(event, "choice", None) == choice]
    texts = [e.text.casefold() if isinstance(e, _Text) else "".join(_tokens(e)) for e in own]
    return "".join(texts)
