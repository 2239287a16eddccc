"""Recorded bodies, replayed through the stages of a live answer."""

from __future__ import annotations

from typing import Any, Final

import attrs

from .dialects import Dialect
from .errors import StreamkitError
from .events import ResponseCompleted, ResponseFailed
from .pipeline import Pipeline
from .policy import ReroutePolicy
from .response import Response, ToolCall
from .stages import Accumulator, ChunkParser, EventFanout, Suppressor
from .stages.recorded import Recorded
from .supervisor import Run, Supervisor

__all__ = ["Replayed", "replay"]

_REQUEST: Final[dict[str, Any]] = {}


@attrs.frozen
class Replayed:
    """What became of one recording."""

    response: Response
    error: Exception | None
    events: int
    """How many events were delivered, the terminal included (a count)."""

    def summary(self, file: str) -> dict[str, Any]:
        """Give the line that ``streamkit replay`` prints (design, section 6)."""
        response, error = self.response, self.error
        return {
            "file": file,
            "outcome": "completed" if error is None else "failed",
            "text": response.text,
            "reasoning": response.reasoning,
            "refusal": response.refusal,
            "tool_calls": [_call(call) for call in response.tool_calls],
            "finish_reason": response.finish_reason,
            "usage": None if response.usage is None else attrs.asdict(response.usage),
            "evidence": response.evidence,
            "error": None if error is None else _error(error),
            "events": self.events,
            "raw": response.raw,
        }


async def replay(
    body: bytes,
    dialect: str | Dialect,
    *,
    chunk: int | None = None,
    content_type: str = "",
) -> Replayed:
    """
    Take a recorded body through the guard, the sniffing, the dialect and the stages.

    Nothing is rerouted: how the recording ends is how the replay ends.

    Args:
        body: as a client reads it, transfer and content coding undone.
        dialect: the provider's API.
        chunk: bytes of each read; None reads it in one.
        content_type: what the provider said it is, where that is known.

    Raises:
        MisuseError: there is no such dialect.
    """
    pipeline = Pipeline(
        [
            Recorded(body, chunk, content_type),
            ChunkParser(dialect),
            Accumulator(),
            Suppressor(),
            EventFanout(),
        ],
        supervisor=Supervisor(reroute=ReroutePolicy.never()),
    )
    async with pipeline, pipeline.stream(_REQUEST) as run:
        await run.done.wait()
    return _verdict(run)


def _verdict(run: Run) -> Replayed:
    last, events = run.outcome, run.log.head
    if isinstance(last, ResponseFailed):
        return Replayed(last.response, last.error, events)
    assert isinstance(last, ResponseCompleted)  # noqa: S101 (nobody cancels a replay)
    return Replayed(last.response or Response(), None, events)


def _call(call: ToolCall) -> dict[str, Any]:
    return attrs.asdict(call)


def _error(error: Exception) -> dict[str, str]:
    return {"code": getattr(error, "code", StreamkitError.code), "message": str(error)}
