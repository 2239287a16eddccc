"""How a fresh stage is made for each attempt."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, cast, get_args

import attrs

from ..errors import MisuseError, StageError, StreamkitError, excerpt
from ..plugins import load_stage

__all__ = ["Recipe", "is_async"]

OnError = Literal["reroute", "bypass", "fail"]


@attrs.frozen
class Recipe:
    """
    How a fresh stage is made for each attempt.

    Made of what users write in a list of stages: a factory (a class, or any
    callable without arguments), a registered name, or an attrs instance,
    whose settings each attempt copies and whose state it does not.
    """

    name: str
    make: Callable[[], Any]
    on_error: OnError = "reroute"
    """What the stage's exception brings: see `of`."""

    @classmethod
    def of(cls, entry: Any, on_error: OnError | None = None) -> Recipe:
        """
        Read one entry of a list of stages; a recipe stays as it is.

        Args:
            entry: what makes the stage.
            on_error: what an exception of the stage's brings: ``reroute``, as
                any failure (None is this too); ``bypass``: the events go on
                without it; ``fail``: the run fails, for asking again would
                not help.

        Raises:
            MisuseError: *entry* is none of the three; nothing was called yet.
        """
        if on_error not in (None, *get_args(OnError)):
            raise MisuseError(f"expected on_error of {get_args(OnError)}; got {on_error!r}")
        if on_error is not None:
            return attrs.evolve(cls.of(entry), on_error=on_error)
        if isinstance(entry, Recipe):
            return entry
        if isinstance(entry, str):
            return attrs.evolve(cls.of(load_stage(entry)), name=entry)
        if attrs.has(type(entry)) and callable(entry):
            return cls(type(entry).__name__, lambda: attrs.evolve(entry))
        if not callable(entry) or not _takes_nothing(entry):
            raise MisuseError(
                f"expected a stage factory (a class, or a callable without arguments) or a "
                f"registered name; got {entry!r}; a stage holds the state of one attempt, so "
                f"pass what makes it: `lambda: ...`"
            )
        return cls(_name(getattr(entry, "func", entry)), cast("Any", entry))  # of a partial's

    def fresh(self) -> tuple[str, Any]:
        """
        Make the stage of one attempt, and give it with its name.

        Raises:
            StageError: the factory raised.
            MisuseError: what it gives is no stage.
        """
        try:
            stage = self.make()
        except StreamkitError:
            raise
        except Exception as error:
            problem = f"could not be made: {type(error).__name__}: {excerpt(error)}"
            raise StageError(self.name, problem) from error
        if not callable(stage):
            raise MisuseError(
                f"expected stage {self.name!r} to be made callable; the factory gave {stage!r}; "
                "a stage is `(event) -> events`, or `async (source, sink)`"
            )
        return (_name(stage) if self.name == "<lambda>" else self.name), stage


def _name(entry: Any) -> str:
    return str(getattr(entry, "__name__", type(entry).__name__))


def is_async(stage: Any) -> bool:
    """Whether *stage* is an `AsyncStage`."""
    kind: type = type(stage)
    return inspect.iscoroutinefunction(stage) or _is_called_async(kind)


@lru_cache  # it is asked at each request
def _is_called_async(kind: type) -> bool:
    return inspect.iscoroutinefunction(getattr(kind, "__call__", None))  # noqa: B004 (the method)


def _takes_nothing(entry: Any) -> bool:
    try:
        inspect.signature(entry).bind()
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature: let the call tell
        return True
    return True
