"""What can be typed, and what the exit status says."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click

from ..errors import MisuseError, StreamkitError

__all__ = ["COMMANDS", "run"]

_FAILURE, _MISUSE = 1, 2

COMMANDS: Final = {
    "bench": "Measure what streaming costs: streamkit, your stages, your pipeline.",
    "demo": "Watch answers arrive whole from a provider that misbehaves.",
    "faults": "Run a provider that misbehaves, to try a client on.",
    "replay": "Take recorded bodies through the stages of a live answer.",
}
"""By name, which is its module's and its function's too: what a command is for."""


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


def _show_version(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if not asked:
        return
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 (takes its time)

    try:
        installed = version("streamkit")
    except PackageNotFoundError:  # a checkout on the path, not installed
        from .. import __version__ as installed  # noqa: PLC0415

    click.echo(f"streamkit {installed}")
    context.exit()


class _Commands(click.Group):
    """Commands that are imported when they are run: help, and a mistake, need none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name them."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f".{cmd_name}", __package__), cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say what each is for."""
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.pass_context
def commands(context: click.Context) -> None:
    """Streaming of LLM answers that never breaks the call."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
