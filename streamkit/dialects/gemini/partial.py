"""The arguments of a call that come by path, written as the JSON text they add up to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import attrs

from ...errors import MalformedStream, excerpt
from ...framing import encode

__all__ = ["PartialArguments"]

_STEP: Final = re.compile(
    r"""\.(?P<name>[^.\[\]]+)|\[(?P<index>\d{1,9})\]|\[(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\]"""
)
_VALUES: Final = ("numberValue", "boolValue", "nullValue")
_ITEMS: Final = 100_000
"""The longest array that is believed (a count): a path must not cost memory by itself."""

Step = str | int
Path = tuple[Step, ...]


@attrs.define(eq=False)
class _Open:
    """An object or an array that is being written."""

    step: Step
    """Where it stands in the one around it."""
    is_array: bool = False
    written: set[Step] = attrs.field(factory=set)

    @property
    def end(self) -> str:
        return "]" if self.is_array else "}"

    def takes(self, step: Step) -> bool:
        """Whether what stands at *step* can be written next."""
        if self.is_array:
            return step == len(self.written)
        return isinstance(step, str) and step not in self.written

    def begin(self, step: Step) -> str:
        """Write what goes before the value at *step*."""
        comma = "," if self.written else ""
        self.written.add(step)
        return comma if self.is_array else f"{comma}{_json(step)}:"


@attrs.define(eq=False)
class PartialArguments:
    """
    The arguments of one call, as far as they came.

    `put` gives the text each piece adds, `close` the rest. Where a piece goes
    back to what was left, or leaves out an item, nothing more is given until
    `close`, which then gives the whole object: `settle` takes it for the
    arguments.

    Source: the API reference, "FunctionCall" and "PartialArg".
    """

    _root: dict[str, Any] = attrs.field(factory=dict, init=False)
    _open: list[_Open] = attrs.field(factory=list, init=False)
    """From the arguments themselves to the innermost that is being written."""
    _string: Path | None = attrs.field(default=None, init=False)
    """Where a text stands that goes on."""
    _place_of_it: tuple[Any, Step] = attrs.field(default=((), ""), init=False)
    """What it stands in, and where."""
    _pieces: list[str] = attrs.field(factory=list, init=False)
    """That text, as far as it came."""
    _astray: bool = attrs.field(default=False, init=False)
    """Whether the pieces left the order of a text."""

    def put(self, piece: Mapping[str, Any]) -> str:
        """
        Take one of ``partialArgs``, and give the text it adds; often none.

        Raises:
            MalformedStream: its path cannot be read, or leads through what is no object.
        """
        path = _path_of(piece)
        kind = next((kind for kind in _VALUES if kind in piece), None)
        if kind is None:
            return self._put_text(path, piece)
        value = None if kind == "nullValue" else piece[kind]
        return self._end_text() + self._place(path, value, _json(value))

    def put_all(self, arguments: Mapping[str, Any]) -> str:
        """Take arguments that come whole, behind others that did not."""
        return self._end_text() + "".join(
            self._place((name,), value, _json(value)) for name, value in arguments.items()
        )

    def close(self) -> str:
        """Give the rest, behind which nothing comes; of no pieces an empty object."""
        rest = self._end_text()
        if self._astray:
            return _json(self._root)
        return rest + (self._leave(0) if self._open else "{}")

    def _put_text(self, path: Path, piece: Mapping[str, Any]) -> str:
        text = str(piece.get("stringValue") or "")
        if self._string == path:
            written = "" if self._astray else _json(text)[1:-1]
        else:
            written = self._end_text() + self._place(path, "", _json(text)[:-1])
            self._string = path
        self._pieces.append(text)
        return written if piece.get("willContinue") else written + self._end_text()

    def _end_text(self) -> str:
        """Close the text that is open."""
        if self._string is None:
            return ""
        self._string = None
        around, step = self._place_of_it
        around[step] = "".join(self._pieces)
        self._pieces.clear()
        return "" if self._astray else '"'

    def _place(self, path: Path, value: Any, written: str) -> str:
        """Give *written*, the value at *path*, with all that goes before it."""
        self._place_of_it = _set(self._root, path, value)
        if self._astray:
            return ""
        start = "" if self._open else "{"
        self._open = self._open or [_Open("")]
        depth = self._common(path)
        if not (self._open[depth - 1].takes(path[depth - 1]) and _begin(path[depth:])):
            self._astray = True
            return start + self._leave(1)  # not whole: what comes whole behind it is a repeat
        return start + self._leave(depth) + self._enter(path, depth) + written

    def _common(self, path: Path) -> int:
        """Count the open ones that *path* leads through, the arguments themselves among them."""
        depth = 1
        while depth < min(len(self._open), len(path)) and self._open[depth].step == path[depth - 1]:
            depth += 1
        return depth

    def _enter(self, path: Path, depth: int) -> str:
        """Open what *path* leads through, below the *depth* that are open."""
        written = self._open[-1].begin(path[depth - 1])
        for step, below in zip(path[depth - 1 :], path[depth:], strict=False):
            inner = _Open(step, is_array=isinstance(below, int))
            self._open.append(inner)
            written += ("[" if inner.is_array else "{") + inner.begin(below)
        return written

    def _leave(self, depth: int) -> str:
        """Close all but the outermost *depth*."""
        left, self._open = self._open[depth:], self._open[:depth]
        return "".join(one.end for one in reversed(left))


def _path_of(piece: Mapping[str, Any]) -> Path:
    """Read ``$.recipe.steps[0]['at most']``."""
    path = _steps_of(str(piece.get("jsonPath")))
    if path is None:
        raise MalformedStream(
            f"expected the path of an argument, such as $.city.name; got {excerpt(piece)!r}; "
            "check that the endpoint speaks gemini"
        )
    return path


@lru_cache(maxsize=64)  # a text comes in many pieces, each with its path
def _steps_of(text: str) -> Path | None:
    """Read a path; None where it cannot be read."""
    steps: list[Step] = []
    at = 1
    while (found := _STEP.match(text, at)) is not None:
        steps.append(int(found["index"]) if found["index"] else found["name"] or found["quoted"])
        at = found.end()
    readable = text.startswith("$") and at == len(text)
    return tuple(steps) if readable and steps and _are_sound(steps) else None


def _begin(steps: Path) -> bool:
    """Whether the first item of each new array is its first."""
    return all(step == 0 for step in steps if isinstance(step, int))


def _are_sound(steps: list[Step]) -> bool:
    """Whether they begin in an object, and lead to an item that can be."""
    return isinstance(steps[0], str) and all(s < _ITEMS for s in steps if isinstance(s, int))


def _set(root: dict[str, Any], path: Path, value: Any) -> tuple[Any, Step]:
    """
    Put *value* where *path* leads, making what is missing on the way.

    Returns:
        What it now stands in, and where.
    """
    inner: Any = root
    for step, below in pairwise(path):
        inner = _at(inner, step, path, [] if isinstance(below, int) else {})
    _at(inner, path[-1], path, value, replace=True)
    return inner, path[-1]


def _at(around: Any, step: Step, path: Path, new: Any, *, replace: bool = False) -> Any:
    """Give what stands at *step*; *new*, put there, where nothing does or it is to be replaced."""
    if isinstance(around, list) and isinstance(step, int):
        around.extend([None] * (step + 1 - len(around)))
    elif not (isinstance(around, dict) and isinstance(step, str)):
        raise MalformedStream(
            f"expected the path {excerpt(path)} to lead through objects and arrays; got "
            f"{excerpt(around)!r} on the way; ask again"
        )
    missing = around.get(step) is None if isinstance(around, dict) else around[step] is None
    if replace or missing:
        around[step] = new
    return around[step]


def _json(value: Any) -> str:
    return encode(value).decode()
