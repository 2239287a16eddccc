"""The attempts of one run, one after the other, to its outcome."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import anyio
import attrs

from ..errors import StreamkitError, excerpt, most_upstream
from ..events import (
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    Terminal,
)
from ..limits import Limits
from ..logger import log
from ..pipeline import Clock, Pipeline, Source, Without
from ..policy import Breaker, Next, Plan, ReroutePolicy
from ..response import Response, Usage
from .attempt import Attempt
from .delivery import Delivery
from .timeline import Timeline
from .watch import Watch

__all__ = ["Ambit", "Course"]


@attrs.define(eq=False)
class Ambit:
    """What the runs of one client share."""

    pipeline: Pipeline
    buffered: Source | None
    limits: Limits
    reroute: ReroutePolicy
    clock: Clock
    watch: Watch
    breaker: Breaker
    dropped: set[str]
    """Fields of a request that the endpoint refused: no call has them any more."""


@attrs.define(eq=False)
class Course:
    """One run's way: streaming first, then what the plan says, to one outcome."""

    run_id: str
    request: dict[str, Any]
    ambit: Ambit
    delivery: Delivery
    timeline: Timeline
    _attempts: Sequence[Attempt] = attrs.field(default=(), init=False)
    _streamed: Exception | None = attrs.field(default=None, init=False)
    """What streaming failed with."""
    _plan: Plan = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._plan = Plan(self.ambit.reroute, can_buffer=self.ambit.buffered is not None)

    async def take(self) -> Terminal:
        """Make the attempts, as many as it takes, and give the outcome."""
        ambit, breaker, now = self.ambit, self.ambit.breaker, self.ambit.clock.now
        if ambit.buffered is not None and not breaker.allows(self._model, now()):
            log.info("streaming is off for a while", run=self.run_id, model=self._model)
            return await self._buffer(ambit.buffered)
        outcome: Terminal | None = None
        try:
            while outcome is None:
                source = Without.of(ambit.pipeline.source, ambit.dropped)
                try:
                    response = await self._attempt(source).run(ambit.pipeline)
                except Exception as raised:  # noqa: BLE001 (the contract: any exception reroutes)
                    error = most_upstream(raised)
                else:
                    breaker.succeeded(self._model, now())
                    return ResponseCompleted(response)
                outcome = await self._recover(error, source)
        finally:
            breaker.left(self._model, now())  # what was noted before stays noted
        return outcome

    async def _recover(self, error: Exception, source: Source) -> Terminal | None:
        """Go where the plan says after streaming failed; None is to stream again."""
        await anyio.lowlevel.checkpoint_if_cancelled()  # cancellation is never rerouted
        step = self._next(error, source)
        self._streamed = error
        if step.kind == "again":
            await self._prepare(step, error)
            return None
        if step.kind == "buffered" and self.ambit.buffered is not None:
            return await self._reroute(error, self.ambit.buffered)
        return ResponseFailed(error, self.partial())

    async def _prepare(self, step: Next, error: Exception) -> None:
        """Do what comes before the next stream: leave a field out, or wait."""
        code = getattr(error, "code", StreamkitError.code)
        if step.without is not None:
            self.ambit.dropped.add(step.without)
        log.info("streaming again", run=self.run_id, code=code, without=step.without)
        if step.delay:
            await self.ambit.clock.wait(anyio.Event(), self.ambit.clock.now() + step.delay)

    async def _reroute(self, error: Exception, buffered: Source) -> Terminal:
        """Make the buffered call after streaming failed."""
        code = getattr(error, "code", StreamkitError.code)
        log.info(
            "streaming failed; rerouted to the buffered call",
            run=self.run_id,
            code=code,
            status=getattr(error, "status", None),
        )
        log.debug("why streaming failed", run=self.run_id, error=excerpt(error))
        self.delivery.reroute(code, len(self._attempts) + 1)
        outcome = await self._buffer(buffered)
        if isinstance(outcome, ResponseCompleted):
            state = self.ambit.breaker.failed(self._model, self.ambit.clock.now())
            if state == "open":
                log.warning("streaming failed again and again", model=self._model, state=state)
        return outcome

    async def _buffer(self, buffered: Source) -> Terminal:
        attempt = self._attempt(Without.of(buffered, self.ambit.dropped))
        try:
            return ResponseCompleted(await attempt.run(self.ambit.pipeline))
        except Exception as raised:  # noqa: BLE001
            error = most_upstream(raised)
            if self._streamed is not None:
                error.__cause__ = self._streamed
            return ResponseFailed(error, self.partial())

    def _attempt(self, source: Source) -> Attempt:
        ambit = self.ambit
        attempt = Attempt(
            source,
            self.request,
            ambit.limits,
            ambit.clock,
            self.timeline,
            ambit.watch,
            self.delivery,
        )
        self._attempts = (*self._attempts, attempt)
        return attempt

    def _next(self, error: Exception, source: Source) -> Next:
        """Ask the plan; a policy that raises is a bug, and the contract holds without it."""
        ambit = self.ambit
        try:
            return self._plan.after(
                error,
                buffered=source.buffered,
                tools_ran=any(attempt.tools_ran for attempt in self._attempts),
                fields=self._fields(source),
                left=self.timeline.started + ambit.limits.total - ambit.clock.now(),
                chance=random.random(),  # noqa: S311 (jitter)
            )
        except Exception as bug:  # noqa: BLE001
            log.error("the reroute policy raised and is passed over", error=type(bug).__name__)
            return Next("buffered")

    def _fields(self, source: Source) -> frozenset[str]:
        try:
            return frozenset(source.call(self.ambit.pipeline.parser.dialect, self.request).body)
        except Exception:  # noqa: BLE001 (a call that cannot be made has no fields)
            return frozenset()

    @property
    def _model(self) -> str:
        """What streaming is judged by: the request's model."""
        return str(self.request.get("model") or "")

    def broken_off(self, failure: Exception | None) -> Terminal:
        """Give the outcome of a run that was cancelled: by a caller, or by what failed in one."""
        if failure is not None:
            return ResponseFailed(failure, self.partial())
        return ResponseCancelled(attrs.evolve(self.partial(), finish="cancelled"))

    def partial(self) -> Response:
        """Give as much of the answer as came: of the newest attempt that has content."""
        partials = self._partials(self._attempts)
        number = _telling(partials)
        return (partials[number] if number >= 0 else None) or Response()

    def told(self, outcome: Terminal) -> Terminal:
        """Give *outcome* with what is known of the way."""
        assert isinstance(outcome, ResponseCompleted | ResponseFailed | ResponseCancelled)  # noqa: S101
        response = attrs.evolve(
            outcome.response or Response(),
            rerouted=self._streamed is not None and self._attempts[-1].source.buffered,
            wasted=self._wasted(outcome),
            timings=self.timeline.timings(self.ambit.clock.now()),
        )
        if isinstance(outcome, ResponseCompleted):
            return ResponseCompleted(response, response.evidence)
        return attrs.evolve(outcome, response=response)

    def _wasted(self, outcome: Terminal) -> tuple[Usage, ...]:
        """Give what attempts reported that gave no part of the answer."""
        whole = isinstance(outcome, ResponseCompleted)
        partials = self._partials(self._attempts[:-1] if whole else self._attempts)
        gave = None if whole else _telling(partials)
        usages = (p.usage for n, p in enumerate(partials) if n != gave and p is not None)
        return tuple(usage for usage in usages if usage is not None)

    def _partials(self, attempts: Sequence[Attempt]) -> list[Response | None]:
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
