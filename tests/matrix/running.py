"""One case, run over real HTTP, and compared with what must come of it."""

import gc
import json
import ssl
from collections.abc import Iterable
from functools import cache, partial
from time import perf_counter
from typing import Any, Final

import anyio
import attrs
import httpx

import streamkit
from streamkit.events import Rerouted, ResponseCancelled, ResponseCompleted, ResponseFailed
from streamkit.logs import Cursor
from streamkit.pipeline import Line
from streamkit.response import Response
from streamkit.stages.http import Http
from streamkit.supervisor.attempt import Attempt
from streamkit.supervisor.course import Course
from streamkit.supervisor.delivery import Delivery
from streamkit.supervisor.run import Run, RunScope
from streamkit.testing import FaultProvider, Recorded

from .answers import Truth
from .cases import Case, End
from .clock import SilenceClock
from .consumers import CONSUMERS, Stage
from .dialects import DialectCase
from .view import View

__all__ = ["SOON", "Finding", "run", "run_all"]

SOON: Final = 20.0
"""How long a case may take (seconds). Silences cost none: see `SilenceClock`."""
_LIVING: Final = (Run, RunScope, Attempt, Course, Delivery, Line, Cursor)
"""What lives no longer than its run."""
_KINDS: Final = {
    ResponseCompleted: "completed",
    ResponseFailed: "failed",
    ResponseCancelled: "cancelled",
}


@attrs.frozen
class Finding:
    """What became of a case."""

    case: Case | DialectCase
    seconds: float
    problems: tuple[str, ...]
    """How it differs from what must come of it; empty where it does not."""


async def run_all(
    chosen: Iterable[Case | DialectCase], warned: list[str] | None = None, *, fuse: bool = True
) -> list[Finding]:
    """
    Run the cases at the same time; what they leave behind is a finding of each.

    Args:
        chosen: the cases.
        warned: where warnings of the garbage collector are gathered; it is emptied.
        fuse: see `run`.
    """
    findings: list[Finding] = []

    async def one(case: Case | DialectCase) -> None:
        findings.append(await run(case, fuse=fuse))

    tasks_before = len(anyio.get_running_tasks())
    async with anyio.create_task_group() as tasks:
        for case in chosen:
            tasks.start_soon(one, case)
    left = (*left_behind(), *_tasks_left(tasks_before), *(warned or ()))
    if warned:
        warned.clear()
    return [attrs.evolve(finding, problems=(*finding.problems, *left)) for finding in findings]


def left_behind() -> list[str]:
    """Name what of a run is still alive; what it left to the garbage collector warns here."""
    gc.collect()
    return [f"left behind: {thing!r}" for thing in gc.get_objects() if type(thing) in _LIVING]


def _tasks_left(before: int) -> list[str]:
    tasks = anyio.get_running_tasks()
    return [f"{len(tasks)} tasks, {before} before: {tasks}"] if len(tasks) != before else []


async def run(case: Case | DialectCase, *, fuse: bool = True) -> Finding:
    """
    Run *case*, and compare.

    Args:
        case: what happens, and what must come of it.
        fuse: over streamkit's own HTTP client; off, every stage has a task of
            its own, and the client is httpx's.
    """
    began, problems = perf_counter(), []
    try:
        with anyio.fail_after(SOON):
            problems = await _run(case, fuse=fuse)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is the finding)
        problems = [f"{type(error).__name__}: {error}"]
    return Finding(case, perf_counter() - began, tuple(problems))


async def _run(case: Case | DialectCase, *, fuse: bool) -> list[str]:
    reached, end = anyio.Event(), case.end
    staged = case.staged(reached, SilenceClock())
    async with FaultProvider(stream=staged.stream, buffered=staged.buffered) as provider:
        theirs = partial(httpx.AsyncClient, verify=_tls(), trust_env=False)
        async with Http(_tls()) if fuse else theirs() as http:
            async with streamkit.Client(
                base_url=provider.url.removesuffix("/v1") + staged.base,
                http=http,
                fuse=fuse,
                **staged.options,
            ) as client:
                shown = View(end.shown, reasons=end.reasons)
                stage = Stage(
                    client, reached, shown, leaves=bool(case.leaves), request=staged.request
                )
                await CONSUMERS[case.consumer].watch(stage)
                problems = await _compared(end, stage, provider.requests)
                await _left(provider)
        await _closed(provider)
    return problems


@cache
def _tls() -> ssl.SSLContext:
    """Read the certificates once, not for each client."""
    return ssl.create_default_context()


async def _left(provider: FaultProvider) -> None:
    """Wait until every request is done with; closing the HTTP client would see to it, too."""
    for request in provider.requests:
        await request.finished.wait()


async def _closed(provider: FaultProvider) -> None:
    """Wait until the provider has seen every connection close; `run` bounds it."""
    while provider.connections:
        await anyio.lowlevel.checkpoint()


async def _compared(end: End, stage: Stage, requests: list[Recorded]) -> list[str]:
    same = stage.same
    outcome = stage.outcomes[-1]
    same("on_result", 1, len(stage.outcomes))
    same("requests", end.requests, "".join("S" if r.streaming else "b" for r in requests))
    for run in stage.runs:
        same("run.outcome", outcome, run.outcome)
        stage.views["log"] = await View.of(run.subscribe())
    for name, view in stage.views.items():
        _compare_view(stage, name, view, end)
        same(f"{name}: terminals", [outcome], view.terminals)
    _compare_outcome(stage, outcome, end)
    _compare_response(stage, outcome.response, end)
    return stage.odd


def _compare_view(stage: Stage, name: str, view: View, end: End) -> None:
    stage.odd += [f"{name}: {problem}" for problem in view.odd]
    stage.same(f"{name}: shown", end.shown, view.truth)
    acted = Truth()
    for choice, call in view.completed:
        acted.calls.setdefault(choice, []).append((call.id, call.name, call.arguments))
    calls = end.response.calls if end.outcome == "completed" else {}
    stage.same(f"{name}: calls to act upon", calls, acted.calls)
    back = sorted((event.channel, event.choice) for event in view.retracted)
    stage.same(f"{name}: retracted", list(end.retracted), back)
    reroutes = [Rerouted(end.cause, 2)] if end.cause else []
    stage.same(f"{name}: reroutes", reroutes, view.reroutes)


def _compare_outcome(stage: Stage, outcome: Any, end: End) -> None:
    stage.same("outcome", end.outcome, _KINDS[type(outcome)])
    error = getattr(outcome, "error", None)
    stage.same("error", end.code, getattr(error, "code", error))
    cause = end.cause if end.outcome == "failed" else None
    stage.same("its cause", cause, getattr(getattr(error, "__cause__", None), "code", None))


def _compare_response(stage: Stage, response: Response, end: End) -> None:
    said, reasons = Truth(), {}
    for choice in response.choices:
        if choice.text:
            said.text[choice.index] = choice.text
        if choice.reasoning:
            said.reasoning[choice.index] = choice.reasoning
        if choice.tool_calls:
            calls = [(call.id, call.name, call.arguments) for call in choice.tool_calls]
            said.calls[choice.index] = calls
        stage.same(
            "valid",
            [_is_json(c.arguments) for c in choice.tool_calls],
            [c.valid for c in choice.tool_calls],
        )
        if choice.finish_reason is not None:
            reasons[choice.index] = choice.finish_reason
    stage.same("response", end.response, said)
    stage.same("finish reasons", end.reasons, reasons)
    stage.same("evidence", end.evidence, response.evidence)
    stage.same("rerouted", end.requests.endswith("b"), response.rerouted)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
