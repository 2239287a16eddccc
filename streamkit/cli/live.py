"""The demo on a terminal: answers that appear as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

import attrs
import rich.live
from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from . import words
from .account import Account, Passage
from .backstage import Call
from .scenes import Scene
from .verdict import Verdict

__all__ = ["Live"]

_WIDEST = 96
"""Columns beyond which a line of prose is no pleasure to read."""
_MARGIN = 4
_OURS = "cyan"
"""What streamkit did, and the text it brought."""


@attrs.define(eq=False)
class Live:
    """One scene at a time is redrawn in place; what is over stays in the scrollback."""

    console: Console
    _live: rich.live.Live | None = attrs.field(default=None, init=False)
    _scene: Scene | None = attrs.field(default=None, init=False)
    _number: int = attrs.field(default=0, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop()

    def open(self, question: str, scenes: int) -> None:
        """Say what is going to be seen."""
        self._print(Text("streamkit demo", style="bold"), Text(words.opening(question, scenes)))

    def begin(self, scene: Scene) -> None:
        """Open a scene."""
        self._scene = scene
        self._number += 1
        self._live = rich.live.Live(
            self._picture(Account(), ()),
            console=self.console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start(refresh=True)

    def update(self, account: Account, calls: Sequence[Call]) -> None:
        """Redraw the scene."""
        if self._live is not None:
            self._live.update(self._picture(account, calls), refresh=True)

    def end(self, verdict: Verdict) -> None:
        """Draw the scene for the last time, with what came of it."""
        if self._live is not None:
            picture = self._picture(verdict.account, verdict.calls, verdict)
            self._live.update(picture, refresh=True)
        self._stop()

    def close(self, verdicts: Sequence[Verdict]) -> None:
        """Sum up."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("", no_wrap=True)
        table.add_column("scene", no_wrap=True)
        table.add_column("error", style="dim", no_wrap=True)
        table.add_column("streamkit")
        table.add_column("calls", justify="right", style="dim")
        table.add_column("time", justify="right", style="dim", no_wrap=True)
        for number, verdict in enumerate(verdicts, 1):
            row = words.row(verdict)
            mark = Text(f"{'✓' if row.ok else '✗'}", style=_colour(row.ok))
            mark.append(f" {number:>2}", style="dim")
            did = Text(row.did, style=_OURS if row.error else "")
            table.add_row(mark, row.title, row.error, did, row.calls, row.seconds)
        good = all(verdict.ok for verdict in verdicts)
        total = Text(words.total(verdicts), style=f"bold {_colour(good)}")
        self.console.print(Padding(Group(table, "", total), (1, 0, 1, 2)))

    def _print(self, *lines: RenderableType) -> None:
        self.console.print(Padding(Group(*lines), (1, 2, 0, 2)), width=self._width)

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    @property
    def _width(self) -> int:
        return min(self.console.width, _WIDEST)

    def _picture(
        self, account: Account, calls: Sequence[Call], verdict: Verdict | None = None
    ) -> RenderableType:
        scene = self._scene
        title = Text(f"{self._number:>2}  ", style="dim")
        title.append(scene.title if scene else "", style="bold not dim")
        fault = Text(" " * _MARGIN + (scene.fault if scene else ""), style="dim")
        answer = list(self._answer(account.passages))
        facts = Padding(_facts(account, calls), (0, 0, 0, _MARGIN))
        ending = [_ending(verdict)] if verdict is not None else []
        parts = ["", title, fault, *(["", *answer, ""] if answer else [""]), facts, *ending]
        return Constrain(Group(*parts), self._width)

    def _answer(self, passages: Sequence[Passage]) -> Iterator[Text]:
        """Give the answer's lines, each behind a bar."""
        for paragraph in _paragraphs(passages):
            for line in paragraph.wrap(self.console, self._width - _MARGIN - 2):
                line.rstrip()
                yield Text.assemble(" " * _MARGIN, ("│ ", "dim"), line)


def _facts(account: Account, calls: Sequence[Call]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", width=9)
    table.add_column()
    for number, call in enumerate(calls):
        table.add_row("" if number else "provider", words.provider(call))
    table.add_row("streamkit", Text(words.did(account), style=_OURS if account.reroutes else ""))
    return table


def _ending(verdict: Verdict) -> RenderableType:
    line = Text(words.verdict_line(verdict))
    line.stylize(f"bold {_colour(verdict.ok)}", 0, 1)
    lines = [line]
    for what, expected, got in words.differences(verdict):
        lines.append(Text(what, style="red"))
        lines += [Text(f"  expected {expected}"), Text(f"  got      {got}")]
    return Padding(Group(*lines), (0, 0, 0, _MARGIN))


def _paragraphs(passages: Sequence[Passage]) -> Iterator[Text]:
    """Give paragraphs: a passage that only continues the one before joins it."""
    open_: Text | None = None
    before: Passage | None = None
    for passage in passages:
        said = _said(passage)
        if open_ is not None and before is not None and _goes_on(before, passage):
            open_.append_text(said)
        else:
            if open_ is not None:
                yield open_
            open_ = Text().append_text(said)
        before = passage
    if open_ is not None:
        yield open_


def _goes_on(before: Passage, passage: Passage) -> bool:
    alike = before.channel == passage.channel and before.call == passage.call
    return alike and not before.retracted and not passage.retracted


def _said(passage: Passage) -> Text:
    if passage.retracted:
        return Text(passage.text, style="dim strike")
    if passage.channel == "reasoning":
        return Text(passage.text, style="dim italic")
    if passage.channel == "tool_calls":
        return _called(passage)
    return Text(passage.text, style=_OURS if passage.attempt > 1 else "")


def _called(passage: Passage) -> Text:
    call = passage.tool_call
    if call is None:
        return Text(f"→ {passage.text}", style="dim")
    return Text.assemble("→ ", (call.name, "bold"), f"({call.arguments})")


def _colour(good: bool) -> str:
    return "green" if good else "red"
