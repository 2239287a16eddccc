"""What can be typed, and what the exit status says."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import anyio
import click
import rich.console

from ..dialects import get_dialect
from ..errors import MisuseError, StreamkitError
from ..framing import encode
from ..replay import replay
from .bench import bench
from .demo import run_demo
from .display import Display
from .faults import faults
from .live import Live
from .plain import Plain

__all__ = ["run"]

_FAILURE, _MISUSE = 1, 2


def run(args: Sequence[str] | None = None) -> int:
    """
    Run the command line; what goes wrong is one line, never a traceback.

    Returns:
        The exit status.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):  # a terminal that knows no ✓ still gets its lines
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        status = commands.main(args, prog_name="streamkit", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:  # click's word for Ctrl-C
        raise KeyboardInterrupt from None
    except (StreamkitError, OSError) as error:
        click.echo(f"error: {' '.join(str(error).split())}", err=True)
        return _MISUSE if isinstance(error, MisuseError) else _FAILURE
    return int(status or 0)


def _version() -> str:
    try:
        return version("streamkit")
    except PackageNotFoundError:  # a checkout on the path, not installed
        from .. import __version__  # noqa: PLC0415

        return __version__


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
)
@click.version_option(_version(), message="streamkit %(version)s")
@click.pass_context
def commands(context: click.Context) -> None:
    """Streaming of LLM answers that never breaks the call."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _pace(_context: click.Context, _option: click.Parameter, speed: float | None) -> float | None:
    if speed is None:
        return None
    if math.isnan(speed):
        raise click.BadParameter("expected a number of 0.1 or more; got nan")
    return 1 / speed


@commands.command()
@click.option("--plain", is_flag=True, help="Plain lines, as where the output is no terminal.")
@click.option(
    "--speed",
    "pace",
    type=click.FloatRange(min=0.1),
    callback=_pace,
    metavar="X",
    help="How fast the provider speaks: 2 is twice as fast, inf never pauses. "
    "[default: 1; inf for plain lines]",
)
def demo(*, plain: bool, pace: float | None) -> int:
    """
    Watch answers arrive whole from a provider that misbehaves.

    The provider is a real HTTP server on this machine's loopback: no key and
    no network are needed. Each scene is checked as it is shown; the exit
    status is 1 if an answer was not exactly the expected one, delivered once.
    """
    # This process speaks to loopback only; a proxy of the environment's has no part in it.
    os.environ["no_proxy"] = "*"  # lower case is the one that wins
    console = rich.console.Console(highlight=False)
    lines = plain or not sys.stdout.isatty() or console.is_dumb_terminal
    display: Display = Plain(click.echo) if lines else Live(console)
    if pace is None:
        pace = 0.0 if lines else 1.0
    return 0 if run_demo(display, pace=pace) else _FAILURE


@commands.command("replay")
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
def replay_command(*, dialect: str, chunk: int | None, files: Sequence[Path]) -> int:
    """
    Take recorded bodies through the stages of a live answer.

    Each FILE is a body as a client reads it, of any framing. For each one line
    of JSON is printed: what became of it, and the answer. Nothing is rerouted.
    The exit status is 1 if one failed.
    """
    get_dialect(dialect)  # told before the first line, not instead of it
    failed = False
    for file in files:
        replayed = anyio.run(partial(replay, file.read_bytes(), dialect, chunk=chunk))
        failed = failed or replayed.error is not None
        click.echo(encode(replayed.summary(str(file))).decode())
    return _FAILURE if failed else 0


commands.add_command(faults)
commands.add_command(bench)
