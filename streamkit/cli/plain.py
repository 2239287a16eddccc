"""Plain lines: for files, for logs, and for those who ask for them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final, Self

import attrs

from . import words
from .account import Account, Passage
from .backstage import Call
from .scenes import Scene
from .verdict import Verdict

__all__ = ["Plain"]

_WIDTH: Final = 80
_LABEL: Final = 11
_LINE: Final = "{:<1} {:>2} {:<28} {:<10} {:<19} {:>5} {:>6}"


@attrs.define(eq=False)
class Plain:
    """A scene at a time, a line at a time, no escape codes."""

    write: Callable[[str], object]
    """Called with each line."""
    _number: int = attrs.field(default=0, init=False)
    _scenes: int = attrs.field(default=0, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def open(self, question: str, scenes: int) -> None:
        """Say what is going to be seen."""
        self._scenes = scenes
        self._lines(words.opening(question, scenes))

    def begin(self, scene: Scene) -> None:
        """Open a scene."""
        self._number += 1
        self.write("")
        self.write(f"[{self._number}/{self._scenes}] {scene.title}")
        self._fact("fault", scene.fault)

    def update(self, account: Account, calls: Sequence[Call]) -> None:
        """Say nothing yet: a line, once written, stays."""

    def end(self, verdict: Verdict) -> None:
        """Say what was seen, and what came of it."""
        for call in verdict.calls:
            self._fact("provider", words.provider(call))
        for retracted, attempt, channel, text in _paragraphs(verdict.account.passages):
            label = channel if attempt == 1 else f"+ {channel}"
            self._fact("taken back" if retracted else label, text)
        self._fact("streamkit", words.did(verdict.account))
        self._lines(words.verdict_line(verdict), "  ")
        for what, expected, got in words.differences(verdict):
            self.write(f"    {what}")
            self.write(f"      expected {expected}")
            self.write(f"      got      {got}")

    def close(self, verdicts: Sequence[Verdict]) -> None:
        """Sum up."""
        self.write("")
        self.write(_LINE.format("", "", "scene", "error", "streamkit", "calls", "time"))
        for number, verdict in enumerate(verdicts, 1):
            row = words.row(verdict)
            mark = "✓" if row.ok else "✗"
            fields = (mark, number, row.title, row.error, row.did, row.calls, row.seconds)
            self.write(_LINE.format(*fields))
        self._lines(words.total(verdicts))

    def _fact(self, label: str, text: str) -> None:
        self._lines(f"{label:<{_LABEL}}{text}", "  ", " " * (_LABEL + 2))

    def _lines(self, text: str, first: str = "", then: str | None = None) -> None:
        later = first if then is None else then
        for line in textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=later):
            self.write(line)


def _paragraphs(passages: Sequence[Passage]) -> list[tuple[bool, int, str, str]]:
    def key(passage: Passage) -> tuple[bool, int, str, int | None]:
        channel = "tool call" if passage.channel == "tool_calls" else passage.channel
        return passage.retracted, passage.attempt, channel, passage.call

    return [
        (retracted, attempt, channel, "".join(map(_said, several)).strip())
        for (retracted, attempt, channel, _), several in groupby(passages, key)
    ]


def _said(passage: Passage) -> str:
    call = passage.tool_call
    return passage.text if call is None else f"{call.name}({call.arguments})"
