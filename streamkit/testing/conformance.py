"""The rules of a stage, checked: for those who write one."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import anyio
import attrs

from ..errors import MisuseError, StageError, TruncatedStream, excerpt
from ..events import (
    Event,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
)
from ..pipeline import Clock, Pipeline, Recipe
from ..pipeline.recipe import is_async
from ..policy import Marks
from ..stages import ChunkParser, EventFanout
from ..supervisor import Supervisor
from .bench import (
    TAPS,
    Batches,
    EventsDialect,
    JumpingClock,
    Pass,
    Probe,
    Script,
    Shown,
    Text,
    answer_of,
    answers_to_pass,
    arguments_of,
    cut_event,
    cuts_of,
    difference,
    end_of,
    fold,
    line_of,
    tokens_of,
    turns,
)

__all__ = ["ConformanceError", "be_outside_a_loop", "check_stage"]

_HOLD: Final = 1024
"""What a stage may hold back unless it declares more (characters)."""
_PIECE: Final = 16
"""How the long texts are cut (characters)."""
_BROKEN_RULE: Final = re.compile(r"broke the rule that (?P<rule>.+?): (?P<rest>.+)", re.DOTALL)


class ConformanceError(AssertionError):
    """
    A stage, or a dialect, broke a rule.

    Attributes:
        rule: which one, as the end of "broke the rule that ...".
        saw: what was expected, and what was seen.
        mend: what to do.
    """

    def __init__(self, name: str, rule: str, saw: str, mend: str, *, kind: str = "stage") -> None:
        super().__init__(f"{kind} {name!r} broke the rule that {rule}: {saw}; {mend}")
        self.rule, self.saw, self.mend = rule, saw, mend


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
    be_outside_a_loop("check_stage")
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


def be_outside_a_loop(name: str) -> None:
    """
    See that the check *name* may run an event loop of its own.

    Raises:
        MisuseError: one runs already.
    """
    try:
        anyio.get_current_task()
    except RuntimeError:  # as it should be: there is no event loop yet
        return
    raise MisuseError(
        f"expected {name} in a plain function, for it runs an event loop of its own; it "
        "was called in a coroutine; write `def test_...`, not `async def`"
    )


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
        answers = answers_to_pass()
        scripts = [*answers, *map(answer_of, self.texts)]
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

    async def alone(self, script: Script) -> None:
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
        await self._through([script[: len(script) // 2]])  # broken off half way
        second = await self.told(script)
        if fold(first) != fold(second):
            raise self.broke(
                "no state is shared between runs",
                "expected a fresh stage to give the same again; " + difference(first, second),
                "keep state in the instance the factory makes, and make a new one each time",
            )

    def whole(self, script: Script, told: Script) -> None:
        """Everything comes out that is not declared to be dropped, in its order."""
        for event in script:
            if isinstance(event, (Text, ToolCallDelta, *self.drops)) or event.terminal:
                continue
            if event not in told:
                raise self._lost(excerpt(event), type(event))
        if not issubclass(ToolCallDelta, self.drops) and arguments_of(script) != arguments_of(told):
            raise self._lost(
                f"tool arguments {arguments_of(script)} (got {arguments_of(told)})", ToolCallDelta
            )
        for choice in {getattr(event, "choice", 0) for event in script}:
            self._in_order(choice, script, told)
        beside = [event for event in told if event in script and not isinstance(event, Text)]
        places = [script.index(event) for event in beside]
        if places != sorted(places):
            raise self._disordered(" then ".join(type(event).__name__ for event in beside))

    def _in_order(self, choice: int, script: Script, told: Script) -> None:
        """Look for the words of each text, and for what stands between them."""
        said, at = line_of(told, choice), 0
        for event in script:
            if getattr(event, "choice", choice) != choice:
                continue
            for token in tokens_of(event):
                found = said.find(token, at)
                if found >= 0:
                    at = found + len(token)
                elif token in said:
                    raise self._disordered(f"{token!r} before what came before it")
                elif not isinstance(event, self.drops):
                    raise self._lost(f"{token!r} of {excerpt(event)}", type(event), choice)

    def _lost(self, what: str, kind: type[Event], choice: int | None = None) -> ConformanceError:
        where = "" if choice is None else f" in choice {choice}"
        return self.broke(
            "nothing is lost that is not declared",
            f"expected {what} to come out{where}; it did not",
            f"pass on what you do not handle, or say check_stage(..., drops=({kind.__name__},))",
        )

    def _disordered(self, saw: str) -> ConformanceError:
        return self.broke(
            "the order is kept",
            f"expected events in the order they came; got {saw}",
            "give what you hold before you pass on anything else of its choice",
        )

    async def blind(self, script: Script) -> None:
        """Where the deltas are cut does not matter, nor what comes in one read."""
        whole = await self.told(script)
        for cut in cuts_of(script):
            pieces = [piece for event in script for piece in cut_event(event, cut)]
            for batches in ([[piece] for piece in pieces], [pieces]):
                told = await self._through(batches)
                if fold(told) != fold(whole):
                    cuts = [p.text for p in pieces if isinstance(p, Text)]
                    raise self.broke(
                        "where the text is cut does not matter",
                        f"expected the same for {excerpt(cuts)}; {difference(whole, told)}",
                        "hold back what may go on in the next delta, and give it before anything "
                        "else",
                    )

    async def parted(self, script: Script) -> None:
        """In one task with its neighbours or in its own, it gives the same."""
        together = await self.told(script)
        batches = [[event] for event in script]
        apart = await self._through(batches, fuse=False)
        ahead = await self._through(batches, behind=True)
        for told in (apart, ahead):
            if fold(together) != fold(told):
                raise self.broke(
                    "together equals apart",
                    f"expected the same in a task of its own; {difference(together, told)}",
                    "let nothing depend on which task it runs in, or when",
                )

    async def bounded(self) -> None:
        """What only the end of the answer sets free is no more than it may hold."""
        size = max(4 * self.hold, 4096)
        words = ("walking by the river they counted seven herons " * size)[:size]
        for text in (words, "x" * size, *(text + "\n" + words for text in self.texts)):
            pieces = [TextDelta(text[at : at + _PIECE]) for at in range(0, len(text), _PIECE)]
            held = await self._held([ResponseStarted(), *pieces, *end_of()])
            if held > self.hold:
                raise self.broke(
                    "what it holds back is bounded",
                    f"expected at most {self.hold} characters held; got {held} of {len(text)} only "
                    "with the end of the answer",
                    "give what is certain as it comes, or say check_stage(..., hold=...)",
                )

    async def cancelled(self, script: Script) -> None:
        """Cancelled where it waits, it ends, raises nothing else, and says nothing more."""
        for at in range(len(script)):
            for reads in (True, False):
                probe = Probe(script[:at] if reads else script, room=len(script) if reads else at)
                problem = await probe.cancel(self._fresh())
                if problem:
                    raise self.broke(
                        "a cancelled stage ends, and says nothing more",
                        f"expected it to end when it is cancelled where it "
                        f"{'reads' if reads else 'sends'}; {problem}",
                        "let the cancellation pass: no bare except, a timeout for each wait "
                        "under a shield, no send in a `finally`",
                    )

    async def last(self, script: Script) -> None:
        """Nothing comes behind the terminal, which the pipeline only ignores."""
        probe = Probe(script, room=_HOLD, ends=True)
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

    async def told(self, script: Script) -> Script:
        """Give what comes out where each event comes by itself."""
        return await self._through([[event] for event in script])

    async def _held(self, script: Script) -> int:
        """Say how much text comes out only with the end of *script* (characters)."""
        out: Script = []
        early = 0

        async def settle() -> None:
            nonlocal early
            before = None
            while before != (before := (len(out), self.clock.now())):
                await turns(4)  # a `JumpingClock` jumps after one
            early = len(out)

        batches = [[event] for event in script[: -len(end_of())]]
        await self._through([*batches, script[-len(end_of()) :]], out=out, settle=settle)
        return sum(len(event.text) for event in out[early:] if isinstance(event, Text))

    async def _through(
        self,
        batches: Sequence[Script],
        *,
        out: Script | None = None,
        fuse: bool = True,
        behind: bool = False,
        settle: Callable[[], Awaitable[None]] | None = None,
    ) -> Script:
        """Take *batches* through a fresh stage, in the pipeline that runs answers."""
        out = [] if out is None else out
        source = Batches(batches, settle)
        pipeline = Pipeline(
            [
                source,
                ChunkParser(EventsDialect()),
                self.factory,
                *([Pass] if behind else []),
                EventFanout(),
            ],
            supervisor=Supervisor(),
            fuse=fuse,
        )
        line = pipeline.line(
            marks=Marks(0.0, 0.0),
            clock=self.clock,
            poke=lambda: None,
            delivery=Shown(out),
        )
        try:
            await line.drive(source, {}, TAPS)
            line.verdict()
        except StageError as error:
            raise self._told_off(error) from error
        except TruncatedStream:
            pass  # it was broken off, as it should be
        return out

    def _told_off(self, error: StageError) -> ConformanceError:
        found = _BROKEN_RULE.search(str(error))
        if found is None:
            mend = "see what caused this error; every event of `streamkit.events` may come"
            return self.broke("it gives events and raises nothing", str(error), mend)
        saw, _, mend = found["rest"].rpartition("; ")
        return self.broke(found["rule"], saw, mend)
