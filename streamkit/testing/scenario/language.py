"""
The language of scenarios: `parse` reads it, `write` writes it.

A scenario is lines. ``stream`` and ``buffered`` begin an act: what a streaming
request and what another one gets, in turn, the last repeated. What stands
below is the act, in the order of the wire. How far a line is indented does not
matter, and ``#`` begins a comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Final

import attrs

from ...errors import MisuseError
from .act import Act
from .forms import Form
from .lexer import Tokens, Unreadable, tokens_of
from .places import At
from .slots import short
from .vocabulary import CHOICE, FORMS, PLACES, SLOW_ACCEPT, form_of

__all__ = ["parse", "write_act", "write_line", "write_scenario"]

_SIDES: Final = ("stream", "buffered")
_HEADS: Final = sorted({" ".join(form.head) for form in (*FORMS, CHOICE, SLOW_ACCEPT)} | {*_SIDES})
_BY_LENGTH: Final = sorted((*FORMS, CHOICE, SLOW_ACCEPT), key=lambda form: -len(form.head))


def parse(text: str) -> dict[str, Any]:
    """
    Read a scenario.

    Returns:
        The arguments of `Scenario`.

    Raises:
        MisuseError: a line is not of the language; says which, what was
            expected, what came, and what may have been meant.
    """
    reader = _Reader()
    for number, source in enumerate(text.split("\n"), 1):
        try:
            reader.read(Tokens(tokens_of(source)))
        except (Unreadable, MisuseError) as error:
            raise MisuseError(f"line {number}: {error}") from None
    return reader.sections()


@attrs.define(eq=False)
class _Reader:
    """Where reading stands."""

    _acts: list[tuple[str, list[Any]]] = attrs.field(factory=list, init=False)
    _choice: int = attrs.field(default=0, init=False)
    _accept: float = attrs.field(default=0.0, init=False)

    def read(self, tokens: Tokens) -> None:
        """Read one line."""
        for side in _SIDES:
            if tokens.skip(side):
                _at_its_end(tokens, side)
                self._acts.append((side, []))
                self._choice = 0
                return
        if tokens:
            form = _form(tokens)
            self._line(form, _read(form, tokens, self._choice))

    def sections(self) -> dict[str, Any]:
        """Give what was read."""
        sides = {side: [Act(*lines) for of, lines in self._acts if of == side] for side in _SIDES}
        return {**sides, "accept_delay": self._accept}

    def _line(self, form: Form, value: Any) -> None:
        if (form is SLOW_ACCEPT) == bool(self._acts):
            where = "before the first act" if self._acts else "in an act; begin one with 'stream'"
            raise MisuseError(f"expected '{' '.join(form.head)}' {where}")
        if form is SLOW_ACCEPT:
            self._accept = value["seconds"]
        elif form is CHOICE:
            self._choice = value["choice"]
        else:
            lines = self._acts[-1][1]
            Act(*lines, value)  # told with the line that is too much
            lines.append(value)


def _form(tokens: Tokens) -> Form:
    """Find the form a line is written in, and take its head."""
    said = str(tokens)
    for form in _BY_LENGTH:
        if tokens.skip(*form.head):
            return form
    words = said.split()
    meant = (get_close_matches(" ".join(words[:n]), _HEADS, 1, 0.6) for n in (2, 1))
    close = next((found[0] for found in meant if found), None)
    hint = f"did you mean '{close}'?" if close else f"the words are: {', '.join(_HEADS)}"
    raise Unreadable(f"expected a line that begins with a word of the language; got {said}; {hint}")


def _read(form: Form, tokens: Tokens, choice: int) -> Any:
    try:
        value = form.read(tokens, choice)
        if form.placed and tokens:
            value = At(_place(tokens), value)
        _at_its_end(tokens, " ".join(form.head))
    except (Unreadable, MisuseError) as error:
        raise Unreadable(f"{error}; it is written: {form.usage}") from None
    return value


def _place(tokens: Tokens) -> Any:
    for form in PLACES:
        if tokens.skip(*form.head):
            return form.read(tokens)
    raise Unreadable(f"expected a place ({', '.join(form.usage for form in PLACES)}); got {tokens}")


def _at_its_end(tokens: Tokens, what: str) -> None:
    if tokens:
        raise Unreadable(f"expected nothing more behind '{what}'; got {tokens}")


def write_line(line: Any) -> str:
    """
    Write one line of an act; whose choice it is of is not in it.

    Raises:
        MisuseError: the language has no words for it.
    """
    if type(line) is not At or any(form.matches(line) for form in FORMS):
        return form_of(line, FORMS).write(line)
    step, place = form_of(line.step, FORMS), form_of(line.place, PLACES)
    if not step.placed:
        form_of(line, FORMS)  # which raises
    return f"{step.write(line.step)} {place.write(line.place)}"


def write_act(act: Act) -> Iterator[str]:
    """Write the lines of an act."""
    choice = 0
    line: Any
    for line in act.lines:
        if _is_chosen(line) and line.choice != choice:
            choice = line.choice
            yield f"choice {choice}"
        yield write_line(line)


def _is_chosen(line: Any) -> bool:
    return any(form.chosen and form.matches(line) for form in FORMS)


def write_scenario(stream: Sequence[Act], buffered: Sequence[Act], accept_delay: float) -> str:
    """
    Write a scenario, to be read by `parse`.

    Raises:
        MisuseError: the language has no words for one of its lines.
    """
    lines = [f"slow accept {short(accept_delay)}"] if accept_delay else []
    for side, acts in zip(_SIDES, (stream, buffered), strict=True):
        for act in acts:
            lines += [side, *(f"    {line}" for line in write_act(act))]
    return "\n".join((*lines, ""))
