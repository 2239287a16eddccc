"""Supervision for those who hold an SDK already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import attrs

from .client import arranged
from .dialects import Dialect
from .errors import MisuseError
from .limits import Limits
from .pipeline import Pipeline
from .policy import ReroutePolicy
from .stages import ChunkParser, EventFanout
from .stages.called import Call, Called
from .supervisor import CallbackOptions, Run, Supervisor

__all__ = ["Supervised", "supervise"]


def supervise(
    *,
    stream: Call,
    buffered: Call | None = None,
    dialect: str | Dialect = "openai-chat",
    stages: Sequence[Any] | None = None,
    limits: Limits | None = None,
    reroute: ReroutePolicy | None = None,
    **callbacks: Unpack[CallbackOptions],
) -> Supervised:
    """
    Supervise calls of an SDK that you hold::

        async with streamkit.supervise(
            stream=lambda: sdk.chat.completions.create(**request, stream=True),
            buffered=lambda: sdk.chat.completions.create(**request),
            dialect="openai-chat",
        ) as run:
            async for text in run.text(): ...

    The same parser, stages, clocks, delivery and supervision as a client's
    stream; it iterates as that does.

    Args:
        stream: an async function that gives an async iterator of chunks: the
            SDK's objects, dicts, or raw bytes. It is closed on every way out.
        buffered: an async function that gives the answer without streaming;
            None reroutes nothing.
        dialect: the API whose objects they are.
        stages: as for `streamkit.Client`.
        limits: as for `streamkit.Client`.
        reroute: as for `streamkit.Client`.
        callbacks: see `streamkit.supervisor.Callbacks`.

    Returns:
        An async context manager that gives a `Run`.

    Raises:
        MisuseError: an argument is not what it must be.
    """
    for name, call in (("stream", stream), ("buffered", buffered)):
        if call is not None and not callable(call):
            raise MisuseError(
                f"expected {name} to be an async function without arguments; got {call!r}; "
                "write `lambda: sdk....create(...)`, so that it is called when it is its turn"
            )
    pipeline = Pipeline(
        [Called(stream), ChunkParser(dialect), *arranged(stages or ()), EventFanout()],
        supervisor=Supervisor(
            None if buffered is None else Called(buffered, buffered=True),
            limits=limits if limits is not None else Limits(),
            reroute=reroute if reroute is not None else ReroutePolicy(),
        ),
    )
    return Supervised(pipeline, dict(callbacks))


@attrs.define(eq=False)
class Supervised:
    """One supervised call, for as long as its ``async with``."""

    _pipeline: Pipeline
    _callbacks: dict[str, Any]
    _scope: Any = attrs.field(default=None, init=False)

    async def __aenter__(self) -> Run:
        await self._pipeline.__aenter__()
        try:
            self._scope = self._pipeline.stream({}, **self._callbacks)
            run: Run = await self._scope.__aenter__()
        except BaseException:
            await self._pipeline.__aexit__()
            raise
        return run

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self._scope.__aexit__(*exc)
        finally:
            await self._pipeline.__aexit__(*exc)
