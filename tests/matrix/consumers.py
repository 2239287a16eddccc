"""Who watches a run, and how."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import anyio
import attrs

from streamkit.events import (
    Event,
    ReasoningDelta,
    ResponseFailed,
    TextDelta,
    ToolCallCompleted,
)
from streamkit.logs import Block, Coalesce

from .view import View

__all__ = ["BODY", "CONSUMERS", "Consumer", "Stage"]

BODY: Final = {"model": "demo-1", "messages": []}
SEAM: Final = "\x1e"


@attrs.define(eq=False)
class Stage:
    """What a consumer is given, and what it tells of what it saw."""

    client: Any
    reached: anyio.Event
    """Set when the provider waits for the consumer to leave."""
    shown: View
    """What it waits to have seen before it leaves."""
    leaves: bool
    """Whether it leaves at all: there is nothing to leave where the run is over."""
    request: dict[str, Any] = BODY
    runs: list[Any] = attrs.field(factory=list)
    """The run, once there is one."""
    outcomes: list[Event] = attrs.field(factory=list)
    """What ``on_result`` was told."""
    views: dict[str, View] = attrs.field(factory=dict)
    """What each watcher saw, to its end."""
    odd: list[str] = attrs.field(factory=list)
    """What a consumer found wrong."""

    def stream(self, **callbacks: Any) -> Any:
        """Give the run's context manager."""
        return self.client.stream(self.request, on_result=self.outcomes.append, **callbacks)

    def start(self) -> Any:
        """Start a run that outlives its caller."""
        run = self.client.start(self.request, on_result=self.outcomes.append)
        self.runs.append(run)
        return run

    def same(self, what: str, expected: object, actual: object) -> None:
        """Note where the two differ."""
        if expected != actual:
            self.odd.append(f"{what}: expected {expected!r}, got {actual!r}")


@attrs.frozen
class Consumer:
    """One way to watch."""

    watch: Callable[[Stage], Awaitable[None]]
    leaves: str = ""
    """Whether it leaves, at the fault's point or in the second call."""


async def _iterates(stage: Stage) -> None:
    async with stage.stream() as run:
        stage.runs.append(run)
        stage.views["loop"] = await View.of(run)


async def _text(stage: Stage) -> None:
    """Read text alone; a seam stands where something was taken back."""
    pieces, error = [], None
    async with stage.stream(seam=SEAM) as run:
        stage.runs.append(run)
        try:
            async for text in run.text():
                pieces.append(text)  # noqa: PERF401 (what came before an error counts)
        except Exception as raised:  # noqa: BLE001 (compared below)
            error = raised
    outcome = run.outcome
    failed = outcome.error if isinstance(outcome, ResponseFailed) else None
    stage.same("text() raises", failed, error)
    seen = await View.of(run.subscribe())
    if text := seen.truth.text.get(0):
        stage.same("text()", text, "".join(pieces).rpartition(SEAM)[2])


async def _callbacks(stage: Stage) -> None:
    """Wait for the answer alone, and be told by functions."""
    events: list[Event] = []
    told: dict[str, list[Any]] = {"text": [], "reasoning": [], "calls": [], "retract": []}
    first: list[int] = []
    error = None
    try:
        await stage.client.complete(
            stage.request,
            on_event=events.append,
            on_text=told["text"].append,
            on_reasoning=told["reasoning"].append,
            on_tool_call=told["calls"].append,
            on_retract=told["retract"].append,
            on_first_delta=lambda: first.append(1),
            on_result=stage.outcomes.append,
        )
    except Exception as raised:  # noqa: BLE001 (compared below)
        error = raised
    end = events[-1]
    stage.same("complete() raises", end.error if isinstance(end, ResponseFailed) else None, error)
    stage.views["callbacks"] = view = View.folded(events)
    expected = {
        "text": [e.text for e in events if isinstance(e, TextDelta)],
        "reasoning": [e.text for e in events if isinstance(e, ReasoningDelta)],
        "calls": [e.tool_call for e in events if isinstance(e, ToolCallCompleted)],
        "retract": view.retracted,
    }
    stage.same("callbacks", expected, told)
    stage.same("on_first_delta", [1] if expected["text"] else [], first)


async def _several(stage: Stage) -> None:
    """Watch three times: at once, slowly and far behind, and with a bug."""
    run = stage.start()

    async def watch(name: str, **options: Any) -> None:
        pause = options.pop("pause", 0.0)
        async with run.subscribe(**options) as events:
            stage.views[name] = await View.of(events, pause)

    async def bug() -> None:
        with suppress(ZeroDivisionError):
            async with run.subscribe() as events:
                async for _ in events:
                    raise ZeroDivisionError

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, "quick")
        tasks.start_soon(bug)
        tasks.start_soon(lambda: watch("slow", policy=Coalesce(window=1), pause=0.002))
    await run.done.wait()


async def _callback_raises(stage: Stage) -> None:
    """Have a callback with a bug; whoever reads sees everything."""

    def bug(_event: Event) -> None:
        raise ZeroDivisionError("a bug of the caller's")

    async with stage.stream(on_event=bug) as run:
        stage.runs.append(run)
        stage.views["loop"] = await View.of(run)


async def _slow(stage: Stage) -> None:
    """Hold the provider up."""
    run = stage.start()
    async with run.subscribe(policy=Block(window=2)) as events:
        stage.views["slow"] = await View.of(events, 0.002)
    await run.done.wait()


async def _late(stage: Stage) -> None:
    """Come when all is over."""
    run = stage.start()
    with suppress(Exception):
        await run.response()
    stage.views["late"] = await View.of(run.subscribe())


async def _until_it_is_time(stage: Stage, run: Any) -> None:
    """Read until the provider waits, and all that it sent was seen."""
    await stage.reached.wait()
    view = View()
    if view.is_level(stage.shown):
        return
    async for event in run:
        view.add(event)
        if view.is_level(stage.shown):
            return
    stage.odd.append("the run was over before its consumer left it")


async def _leaves(stage: Stage) -> None:
    """Break out of the ``async with``."""
    async with stage.stream() as run:
        stage.runs.append(run)
        if stage.leaves:
            await _until_it_is_time(stage, run)
        else:
            stage.views["loop"] = await View.of(run)


async def _raises(stage: Stage) -> None:
    """Raise in the loop: the exception is the caller's own, and comes out as it is."""
    mine = ZeroDivisionError("the caller's")
    try:
        async with stage.stream() as run:
            stage.runs.append(run)
            if stage.leaves:
                await _until_it_is_time(stage, run)
            else:
                stage.views["loop"] = await View.of(run)
            raise mine
    except Exception as raised:  # noqa: BLE001 (compared)
        stage.same("the loop's exception", mine, raised)


async def _cancels(stage: Stage) -> None:
    """Cancel the run, and read it to its end."""
    run = stage.start()
    if stage.leaves:
        await _until_it_is_time(stage, run)
        await run.cancel()
    stage.views["after"] = await View.of(run.subscribe())
    await run.done.wait()


async def _is_cancelled(stage: Stage) -> None:
    """Be cancelled oneself."""
    with anyio.CancelScope() as scope:
        async with stage.stream() as run:
            stage.runs.append(run)
            if stage.leaves:
                await _until_it_is_time(stage, run)
                scope.cancel()
            stage.views["loop"] = await View.of(run)
    stage.same("the caller is cancelled", stage.leaves, scope.cancelled_caught)
    if stage.leaves:
        stage.views.clear()


CONSUMERS: Final = {
    "iterates": Consumer(_iterates),
    "text()": Consumer(_text),
    "callbacks": Consumer(_callbacks),
    "several": Consumer(_several),
    "a callback raises": Consumer(_callback_raises),
    "slow": Consumer(_slow),
    "late": Consumer(_late),
    "leaves": Consumer(_leaves, "point"),
    "raises": Consumer(_raises, "point"),
    "cancels": Consumer(_cancels, "point"),
    "leaves the second call": Consumer(_leaves, "second"),
    "cancels the second call": Consumer(_cancels, "second"),
    "is cancelled in the second call": Consumer(_is_cancelled, "second"),
}
