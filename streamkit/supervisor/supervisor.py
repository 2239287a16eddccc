"""Who owns the runs: catches any exception, and reroutes to the buffered call."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import anyio
import attrs
from anyio.abc import TaskGroup

from ..cancellation import is_foreign
from ..errors import (
    MisuseError,
    excerpt,
)
from ..events import (
    ResponseFailed,
    Terminal,
)
from ..framing import encode
from ..limits import Limits
from ..logger import log
from ..pipeline import Clock, Pipeline, Source, SystemClock
from ..policy import Breaker, ReroutePolicy
from ..response import Response
from .audience import Audience
from .callbacks import Callbacks
from .course import Ambit, Course
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
    _ambit: Ambit | None = attrs.field(default=None, init=False)
    breaker: Breaker = attrs.field(init=False)
    """Whether each model's streaming is tried: ``breaker.state(model)``."""
    dropped: set[str] = attrs.field(factory=set, init=False)
    """Fields of a request that the endpoint refused: no call has them any more."""
    _runs: set[Run] = attrs.field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self.breaker = Breaker(self.reroute.trip_after, self.reroute.recover)

    async def open(self, pipeline: Pipeline, /) -> None:
        """Open the task group the runs of *pipeline* live in."""
        if self._tasks is not None:
            raise MisuseError("expected to be opened once; it is open already; share it as it is")
        tasks = anyio.create_task_group()
        await tasks.__aenter__()
        self._pipeline, self._tasks = pipeline, tasks
        self._opener = anyio.get_current_task().id
        watch = Watch(self.limits, self.clock)
        self._ambit = Ambit(
            pipeline=pipeline,
            buffered=self.buffered,
            limits=self.limits,
            reroute=self.reroute,
            clock=self.clock,
            watch=watch,
            breaker=self.breaker,
            dropped=self.dropped,
        )
        tasks.start_soon(watch.run)

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
        run.log.bind(run)
        if callbacks.subscribe:
            audience = Audience(run, self.limits.finalise)
            audience.seat()
            self._tasks.start_soon(audience.listen)
            run.told, run.hush = audience.told, audience.hush
        self._runs.add(run)
        self._tasks.start_soon(self._main, run, request)
        return run

    async def _main(self, run: Run, request: dict[str, Any]) -> None:
        """Run to the one outcome, whatever happens on the way."""
        assert self._ambit is not None  # noqa: S101
        timeline = Timeline(self.clock.now())
        delivery = Delivery(run.log, self.limits.hold_events, timeline, self.clock)
        course = Course(run.id, request, self._ambit, delivery, timeline)
        outcome: Terminal | None = None
        try:
            with run.scope:
                outcome = await course.take()
        except Exception as error:  # noqa: BLE001 (a bug of ours, or of a log: the run ends all the same)
            outcome = ResponseFailed(error, Response())
        except anyio.get_cancelled_exc_class():
            if not is_foreign():
                raise
        finally:
            # Also reached by a cancellation from outside the run's own scope.
            outcome = outcome or course.broken_off(run.failure)
            try:
                outcome = course.told(outcome)
                await Audience(run, self.limits.finalise).hear(outcome)
                delivery.end(outcome)
            except Exception as error:  # noqa: BLE001
                log.error("the end of a run could not be told", run=run.id, error=repr(error))
                with suppress(Exception):  # the log broke already, and is anyone's
                    run.log.give_up(outcome)
            finally:
                run.outcome = outcome
                self._runs.discard(run)
                run.done.set()
