"""``streamkit replay``: recorded bodies through the real pipeline, a line of JSON for each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio
import click

from ..dialects import get_dialect
from ..framing import encode
from ..replay import replay as replayed

__all__ = ["replay"]


@click.command()
@click.option(
    "--dialect",
    required=True,
    metavar="D",
    help="The provider's API the bodies were recorded from, such as openai-chat.",
)
@click.option(
    "--chunk",
    type=click.IntRange(min=1),
    metavar="N",
    help="Cut the bodies into reads of N bytes. [default: one read]",
)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
def replay(*, dialect: str, chunk: int | None, files: Sequence[Path]) -> int:
    """
    Take recorded bodies through the stages of a live answer.

    Each FILE is a body as a client reads it, of any framing. For each one line
    of JSON is printed: what became of it, and the answer. Nothing is rerouted.
    The exit status is 1 if one failed.
    """
    get_dialect(dialect)  # told before the first line, not instead of it
    failed = False
    for file in files:
        made = anyio.run(partial(replayed, file.read_bytes(), dialect, chunk=chunk))
        failed = failed or made.error is not None
        click.echo(encode(made.summary(str(file))).decode())
    return 1 if failed else 0
