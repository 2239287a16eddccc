"""``streamkit faults``: a provider that misbehaves as a scenario says, until Ctrl-C."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

import anyio
import attrs
import click
import rich.console
from rich.text import Text

from ..dialects import Dialect, get_dialect
from ..errors import MisuseError
from ..events import Event
from ..testing import FaultProvider, Recorded, Reply, answers
from ..testing.scenario import Content, Given, Turns, about, compiled, scene, scenes, write_line

__all__ = ["faults", "usual_request"]

_SCENE: Final = "cut"
"""What is played where nothing else is asked for."""
_QUESTION: Final = [{"role": "user", "content": "Hello?"}]
_ASKED: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "anthropic-messages": ("", {"model": "demo-1", "max_tokens": 100, "messages": _QUESTION}),
    "gemini": ("/v1", {"model": "demo-1", "contents": [{"parts": [{"text": "Hello?"}]}]}),
    "llama-stack-turn": ("", {"agent_id": "a-1", "session_id": "s-1", "messages": _QUESTION}),
    "openai-responses": ("/v1", {"model": "demo-1", "input": "Hello?"}),
}
"""By dialect: the base URL's path and a request, where they are not the usual ones."""
_USUAL: Final = ("/v1", {"model": "demo-1", "messages": _QUESTION})
_UNSCRIPTED: Final = Reply(answers.error("no act is written for this request"), status=501)


@click.command()
@click.option("--list", "listing", is_flag=True, help="Show the scenes there are, and end.")
@click.option("--show", metavar="NAME", help="Print the script of a scene, and end.")
@click.option("--scene", "named", metavar="NAME", help=f"Play a scene. [default: {_SCENE}]")
@click.option(
    "--dialect",
    default="openai-chat",
    show_default=True,
    metavar="D",
    help="The API that is spoken.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="The port to listen on. [default: a free one]",
)
@click.argument(
    "file", required=False, metavar="[SCENARIO_FILE]", type=click.Path(exists=True, dir_okay=False)
)
def faults(
    *,
    listing: bool,
    show: str | None,
    named: str | None,
    dialect: str,
    port: int,
    file: str | None,
) -> int:
    """
    Run a provider that misbehaves, to try a client on.

    It is a real HTTP server on this machine's loopback, and plays a scene, or
    a scenario of your own from a file, until Ctrl-C. Each request it gets is
    told in one line.
    """
    if listing:
        click.echo("\n".join(f"{name:<24}{about(text)}" for name, text in scenes().items()))
        return 0
    if show is not None:
        click.echo(scene(show), nl=False)
        return 0
    title, text = _script(file, named)
    spoken = get_dialect(dialect)
    try:
        arguments = compiled(text, spoken)
    except MisuseError as error:
        raise MisuseError(f"{file or named or _SCENE}: {error}") from None
    try:
        anyio.run(_play, arguments, port, Board.of(title, spoken), backend="asyncio")
    except KeyboardInterrupt:
        click.echo()  # behind the terminal's ^C
    return 0


def _script(file: str | None, named: str | None) -> tuple[str, str]:
    """Find what is played, and what it is called."""
    if file is not None and named is not None:
        raise MisuseError("expected a file or a scene; got both; leave one of them out")
    if file is None:
        name = named or _SCENE
        text = scene(name)
        return f"scene {name}: {about(text)}", text
    with click.open_file(file, encoding="utf-8") as opened:
        try:
            return file, opened.read()
        except UnicodeDecodeError as error:
            raise MisuseError(f"expected {file} to be UTF-8; got {error.reason}") from None


async def _play(arguments: dict[str, Any], port: int, board: Board) -> None:
    told = {side: partial(_given, arguments.get(side), board) for side in ("stream", "buffered")}
    async with FaultProvider(**{**arguments, **told}, port=port) as provider:
        board.open(provider.url)
        await anyio.sleep_forever()  # until Ctrl-C


def _given(turns: Turns | None, board: Board, recorded: Recorded) -> Reply:
    given = None if turns is None else turns.give(recorded)
    board.tell(recorded, given)
    return _UNSCRIPTED if given is None else given.reply


@attrs.define(eq=False)
class Board:
    """What is shown: where the provider is, and each request as it comes."""

    title: str
    dialect: Dialect
    write: Callable[[Text], object]
    """Called with each line."""
    _number: int = attrs.field(default=0, init=False)

    @classmethod
    def of(cls, title: str, dialect: Dialect) -> Board:
        """Show on a terminal in colours, elsewhere in plain lines."""
        if not sys.stdout.isatty():
            return cls(title, dialect, lambda line: click.echo(line.plain))
        console = rich.console.Console(highlight=False)
        return cls(title, dialect, partial(console.print, soft_wrap=True))

    def open(self, url: str) -> None:
        """Say where the provider is, and how it is asked."""
        path, request = _ASKED.get(self.dialect.name, _USUAL)
        base = url.removesuffix("/v1") + path
        call = self.dialect.streaming(request)
        query = f"?{urlencode(call.params)}" if call.params else ""
        where = shlex.quote(f"{base}/{call.path}{query}")
        curl = f"curl -N {where} -H 'content-type: application/json' "
        self.write(Text(self.title, style="bold"))
        self._fact("dialect", Text(self.dialect.name))
        self._fact("base URL", Text(base, style="cyan"))
        self._fact("try it", Text(curl + f"-d {shlex.quote(json.dumps(call.body))}"))
        self._fact("end it", Text("Ctrl-C"))

    def tell(self, recorded: Recorded, given: Given | None) -> None:
        """Say in one line what was asked, and what it gets."""
        self._number += 1
        asked = "stream=true" if recorded.streaming else "buffered"
        line = Text.assemble(
            (f"{self._number:>4}  ", "dim"),
            f"{recorded.method} {recorded.path}  ",
            (asked, "bold"),
            "  → ",
            (_words(given), "cyan"),
        )
        self.write(line)

    def _fact(self, label: str, value: Text) -> None:
        self.write(Text.assemble((f"{label:<10}", "dim"), value))


def _words(given: Given | None) -> str:
    """Say what a request got."""
    if given is None:
        return "501: no act is written for it"
    which = f"{given.side} {given.number} of {given.count}"
    if given.rejected is not None:
        return f"{which}: rejected, for it has the field {given.rejected}"
    wrong = [write_line(line) for line in given.act.lines if not isinstance(line, Content | Event)]
    return f"{which}: {' · '.join(wrong) or 'nothing goes wrong'}"


def usual_request(dialect: str) -> dict[str, Any]:
    """Give a request as anybody might send it to a provider of that dialect."""
    return _ASKED.get(dialect, _USUAL)[1]
