"""The stages of every attempt, as a value, and the way to run requests through them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

import attrs

from ..errors import MisuseError, excerpt
from ..policy import Marks
from .bypass import bypassing
from .clock import Clock
from .line import Line
from .recipe import Recipe
from .stage import Delivering, Fan, Parsing, Source

__all__ = ["Pipeline", "Supervising"]


class Supervising(Protocol):
    """Who owns the runs of a pipeline: the supervisor."""

    async def open(self, pipeline: Pipeline, /) -> None:
        """Open the task group the runs live in."""

    async def aclose(self) -> None:
        """Cancel the runs, wait for them, and close the task group."""

    def stream(self, request: Mapping[str, Any], /, **callbacks: Any) -> Any:
        """Give a run as a context manager."""

    def start(
        self,
        request: Mapping[str, Any],
        /,
        run_id: str | None,
        log: Callable[[str], Any] | None,
        **callbacks: Any,
    ) -> Any:
        """Give a run that outlives its caller."""


@attrs.define(eq=False)
class Pipeline:
    """
    The stages of every attempt, in order, and who supervises them::

        Pipeline(
            [Transport(http), ChunkParser("openai-chat"), Accumulator(), EventFanout()],
            supervisor=Supervisor(Buffered(http)),
        )

    A source comes first, a parser second, the fan-out last. What stands
    between is a list of recipes (see `Recipe`): each attempt gets fresh stages.
    """

    stages: Sequence[Any]
    supervisor: Supervising = attrs.field(kw_only=True)
    fuse: bool = attrs.field(default=True, kw_only=True)
    """Whether one task drives synchronous neighbours; off, every stage has its own."""
    source: Source = attrs.field(init=False)
    parser: Parsing = attrs.field(init=False)
    fanout: Fan = attrs.field(init=False)
    _recipes: tuple[Recipe, ...] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        _check(self.stages)
        self.source, self.parser, *between, self.fanout = self.stages
        self._recipes = tuple(Recipe.of(entry) for entry in between)

    async def __aenter__(self) -> Self:
        await self.supervisor.open(self)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.supervisor.aclose()

    def stream(self, request: Mapping[str, Any], **callbacks: Any) -> Any:
        """Run *request* for as long as its ``async with`` (see `streamkit.Client.stream`)."""
        return self.supervisor.stream(request, **callbacks)

    def start(
        self,
        request: Mapping[str, Any],
        run_id: str | None = None,
        log: Callable[[str], Any] | None = None,
        **callbacks: Any,
    ) -> Any:
        """Run *request* until it ends (see `streamkit.Client.start`)."""
        return self.supervisor.start(request, run_id=run_id, log=log, **callbacks)

    def line(
        self,
        *,
        marks: Marks,
        clock: Clock,
        poke: Callable[[], None],
        delivery: Delivering,
    ) -> Line:
        """Make the stages of one attempt, fresh."""
        stages = tuple(_fresh(recipe) for recipe in self._recipes)
        return Line(
            dialect=self.parser.dialect,
            stages=stages,
            marks=marks,
            clock=clock,
            poke=poke,
            delivery=delivery,
            fuse=self.fuse,
            final=tuple(
                name
                for recipe, (name, _) in zip(self._recipes, stages, strict=True)
                if recipe.on_error == "fail"
            ),
        )


def _fresh(recipe: Recipe) -> tuple[str, Any]:
    """Make a stage, and give it with its name."""
    name, stage = recipe.fresh()
    return name, bypassing(name, stage) if recipe.on_error == "bypass" else stage


def _check(stages: Sequence[Any]) -> None:
    """Hold the shape of a pipeline, with an error that says which place is wrong."""
    if isinstance(stages, str) or not isinstance(stages, Sequence):
        raise MisuseError(f"expected the stages of a pipeline as a list; got {excerpt(stages)!r}")
    places = ((0, Source, "a source such as Transport(http)"), (1, Parsing, "a ChunkParser"))
    for place, kind, wanted in (*places, (-1, Fan, "an EventFanout")):
        if len(stages) < len(places) + 1 or not _is(stages[place], kind):
            names = ", ".join(_name(stage) for stage in stages) or "nothing"
            where = "last" if place < 0 else f"at place {place + 1}"
            raise MisuseError(
                f"expected {wanted} {where} in the pipeline; got [{names}]; write "
                "[Transport(http), ChunkParser(dialect), *stages, EventFanout()]"
            )


def _is(stage: Any, kind: type) -> bool:
    """Whether *stage* does what *kind* says; a class only describes it."""
    return isinstance(stage, kind) and not isinstance(stage, type)


def _name(stage: Any) -> str:
    return f"the class {stage.__name__}" if isinstance(stage, type) else type(stage).__name__
