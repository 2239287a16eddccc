"""Who owns the runs: catches any exception, and reroutes to the buffered call."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import attrs
from anyio.abc import TaskGroup

from ..cancellation import is_foreign
from ..errors import (
    MisuseError,
    StageError,
    Stalled,
    StreamkitError,
    excerpt,
    most_upstream,
)
from ..events import (
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    Terminal,
)
from ..framing import encode
from ..limits import Limits
from ..logger import log
from ..pipeline import Clock, Pipeline, Source, SystemClock
from ..policy import ReroutePolicy
from ..response import Response, Usage
from .attempt import Attempt
from .audience import Audience
from .callbacks import Callbacks
from .delivery import Delivery
from .run import Run, RunScope
from .timeline import Timeline
from .watch import Watch

__all__ = ["Supervisor"]

_UNOPENED = (
    "expected the client to be open; it is not; write "
    "`async with streamkit.Client(...) as client:` around its use"
)


@attrs.define(eq=False)
class Supervisor:
    """
    Own the attempts of every run.

    Any ``Exception`` inside a streaming attempt, a stage's bug included, is
    logged at INFO and the request goes to the buffered source; if that fails
    too, its error counts, with the streaming error as its ``__cause__``.
    Cancellation is no exception: it is never rerouted.
    """

    buffered: Source | None = None
    """What a failed stream is rerouted to; None reroutes nothing."""
    limits: Limits = attrs.field(factory=Limits, kw_only=True)
    reroute: ReroutePolicy = attrs.field(factory=ReroutePolicy, kw_only=True)
    clock: Clock = attrs.field(factory=SystemClock, kw_only=True)
    _pipeline: Pipeline | None = attrs.field(default=None, init=False)
    _tasks: TaskGroup | None = attrs.field(default=None, init=False)
    _opener: int = attrs.field(default=0, init=False)
    """The task that opened it: it alone may close it."""
    _watch: Watch | None = attrs.field(default=None, init=False)
    _runs: set[Run] = attrs.field(factory=set, init=False)

    async def open(self, pipeline: Pipeline, /) -> None:
        """Open the task group the runs of *pipeline* live in."""
        if self._tasks is not None:
            raise MisuseError("expected to be opened once; it is open already; share it as it is")
        tasks = anyio.create_task_group()
        await tasks.__aenter__()
        self._pipeline, self._tasks = pipeline, tasks
        self._opener = anyio.get_current_task().id
        self._watch = Watch(self.limits, self.clock)
        tasks.start_soon(self._watch.run)

    async def aclose(self) -> None:
        """Cancel the runs, wait until their connections are closed, and close the group."""
        if self._tasks is None:
            return
        if anyio.get_current_task().id != self._opener:
            raise MisuseError(
                "expected the client to be closed by the task that opened it; another one does, "
                "perhaps a callback; leave the client's `async with` where it was entered"
            )
        tasks, self._tasks = self._tasks, None
        try:
            with anyio.CancelScope(shield=True):
                for run in list(self._runs):
                    run.scope.cancel()
                for run in list(self._runs):
                    await run.done.wait()
        finally:
            tasks.cancel_scope.cancel()
            # No exception is passed in, so none of the user's is ever wrapped.
            await tasks.__aexit__(None, None, None)

    def stream(self, request: Mapping[str, Any], /, **callbacks: Any) -> RunScope:
        """Give a run as a context manager: it lives as long as its ``async with``."""
        body, told = self._checked(request), Callbacks.of(callbacks)
        return RunScope(lambda: self._begin(body, told, None, None))

    def start(
        self,
        request: Mapping[str, Any],
        /,
        run_id: str | None = None,
        log: Callable[[str], Any] | None = None,
        **callbacks: Any,
    ) -> Run:
        """Give a run that outlives its caller: it ends by itself, or with the client."""
        return self._begin(self._checked(request), Callbacks.of(callbacks), run_id, log)

    def _checked(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if self._tasks is None:
            raise MisuseError(_UNOPENED)
        try:
            encode(dict(request))
        except (TypeError, ValueError) as error:
            raise MisuseError(
                "expected the provider's own request as a JSON object; got "
                f"{excerpt(repr(request))} ({error}); pass a dict of plain values"
            ) from error
        return dict(request)

    def _begin(
        self,
        request: dict[str, Any],
        callbacks: Callbacks,
        run_id: str | None,
        log_of: Callable[[str], Any] | None,
    ) -> Run:
        if self._tasks is None or self._pipeline is None:
            raise MisuseError(_UNOPENED)
        id_ = run_id or secrets.token_hex(16)
        run = Run(id_, (log_of or self._pipeline.fanout.open_log)(id_), callbacks)
        audience = Audience(run, self.limits.finalise)
        if callbacks.subscribe:
            audience.seat()
            self._tasks.start_soon(audience.listen)
            run.told, run.hush = audience.told, audience.hush
        self._runs.add(run)
        self._tasks.start_soon(self._main, run, request, audience)
        return run

    async def _main(self, run: Run, request: dict[str, Any], audience: Audience) -> None:
        """Run to the one outcome, whatever happens on the way."""
        timeline = Timeline(self.clock.now())
        delivery = Delivery(
            run.log,
            self.limits.hold_events,
            on_first_text=lambda: timeline.saw_text(self.clock.now()),
        )
        attempts: list[Attempt] = []
        outcome: Terminal | None = None
        try:
            with run.scope:
                outcome = await self._supervise(run, request, timeline, delivery, attempts)
        except Exception as error:  # noqa: BLE001 (a bug of ours, or of a log: the run ends all the same)
            outcome = ResponseFailed(error, Response())
        except anyio.get_cancelled_exc_class():
            if not is_foreign():
                raise
        finally:
            # Also reached by a cancellation from outside the run's own scope.
            outcome = outcome or _broken_off(run, attempts)
            try:
                outcome = self._timed(outcome, timeline, attempts)
                with anyio.CancelScope(shield=True):
                    await audience.hear(outcome)
                delivery.end(outcome)
            except Exception as error:  # noqa: BLE001
                log.error("the end of a run could not be told", run=run.id, error=repr(error))
            finally:
                run.outcome = outcome
                self._runs.discard(run)
                run.done.set()

    async def _supervise(
        self,
        run: Run,
        request: dict[str, Any],
        timeline: Timeline,
        delivery: Delivery,
        attempts: list[Attempt],
    ) -> Terminal:
        assert self._pipeline is not None  # noqa: S101
        pipeline = self._pipeline
        try:
            return await self._attempt(pipeline.source, request, timeline, delivery, attempts)
        except Exception as raised:  # noqa: BLE001 (the contract: any exception reroutes)
            error = most_upstream(raised)
            await anyio.lowlevel.checkpoint_if_cancelled()  # cancellation is never rerouted
            if self.buffered is None or _is_final(error) or not self._allows(error):
                return ResponseFailed(error, _partial(attempts))
            first = error
        code = getattr(first, "code", StreamkitError.code)
        status = getattr(first, "status", None)
        log.info(
            "streaming failed; rerouted to the buffered call", run=run.id, code=code, status=status
        )
        log.debug("why streaming failed", run=run.id, error=excerpt(first))
        delivery.reroute(code, len(attempts) + 1)
        try:
            return await self._attempt(self.buffered, request, timeline, delivery, attempts)
        except Exception as raised:  # noqa: BLE001
            error = most_upstream(raised)
            error.__cause__ = first
            return ResponseFailed(error, _partial(attempts))

    def _allows(self, error: Exception) -> bool:
        """Ask the policy; one that raises is a bug, and the contract holds without it."""
        try:
            return self.reroute.when(error)
        except Exception as bug:  # noqa: BLE001
            log.error("the reroute policy raised and is passed over", error=type(bug).__name__)
            return True

    async def _attempt(
        self,
        source: Source,
        request: dict[str, Any],
        timeline: Timeline,
        delivery: Delivery,
        attempts: list[Attempt],
    ) -> Terminal:
        assert self._pipeline is not None  # noqa: S101
        assert self._watch is not None  # noqa: S101
        attempt = Attempt(source, request, self.limits, self.clock, timeline, self._watch, delivery)
        attempts.append(attempt)
        return ResponseCompleted(await attempt.run(self._pipeline))

    def _timed(self, outcome: Terminal, timeline: Timeline, attempts: list[Attempt]) -> Terminal:
        assert isinstance(outcome, ResponseCompleted | ResponseFailed | ResponseCancelled)  # noqa: S101
        response = attrs.evolve(
            outcome.response or Response(),
            rerouted=len(attempts) > 1,
            wasted=_wasted(outcome, attempts),
            timings=timeline.timings(self.clock.now()),
        )
        outcome = attrs.evolve(outcome, response=response)
        if isinstance(outcome, ResponseCompleted):
            outcome = attrs.evolve(outcome, evidence=response.evidence)
        return outcome


def _wasted(outcome: Terminal, attempts: list[Attempt]) -> tuple[Usage, ...]:
    """Give what attempts reported that gave no part of the answer."""
    partials = _partials(attempts)
    gave = len(partials) - 1 if isinstance(outcome, ResponseCompleted) else _telling(partials)
    usages = (p.usage for n, p in enumerate(partials) if n != gave and p is not None)
    return tuple(usage for usage in usages if usage is not None)


def _broken_off(run: Run, attempts: list[Attempt]) -> Terminal:
    """Give the outcome of a run that was cancelled: by a caller, or by a callback that failed."""
    if run.failure is not None:
        return ResponseFailed(run.failure, _partial(attempts))
    return ResponseCancelled(_partial(attempts, cancelled=True))


def _is_final(error: Exception) -> bool:
    """Whether no second call can help: misuse, the time of all attempts is up, a stage says so."""
    if isinstance(error, StageError):
        return error.final
    if isinstance(error, MisuseError):  # a request that cannot be built: nothing was sent
        return True
    return isinstance(error, Stalled) and error.clock == "total"


def _partial(attempts: list[Attempt], *, cancelled: bool = False) -> Response:
    """Give as much of the answer as came: of the newest attempt that has content."""
    partials = _partials(attempts)
    number = _telling(partials)
    partial = (partials[number] if number >= 0 else None) or Response()
    return attrs.evolve(partial, finish="cancelled") if cancelled else partial


def _partials(attempts: list[Attempt]) -> list[Response | None]:
    try:
        return [attempt.partial() for attempt in attempts]
    except Exception as error:  # noqa: BLE001 (a folding stage may be anyone's)
        log.error("the partial answer could not be told", error=type(error).__name__)
        return []


def _telling(partials: list[Response | None]) -> int:
    """Give the number of the newest with content, else of the newest there is; -1 for none."""
    there = [number for number, partial in enumerate(partials) if partial is not None]
    full = [number for number in there if (p := partials[number]) is not None and p.choices]
    return (full or there or [-1])[-1]
