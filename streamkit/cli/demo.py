"""Scenes, run and judged: a real client against a real provider, on loopback."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import anyio
import click
import rich.console

from ..client import Client
from ..testing import FaultProvider
from .account import Account
from .backstage import Backstage, Call
from .display import Display
from .live import Live
from .plain import Plain
from .scenes import QUESTION, SCENES, Scene
from .verdict import Verdict, judge

__all__ = ["BODY", "demo", "run_demo", "run_scene"]

BODY: Final[dict[str, Any]] = {
    "model": "demo-1",
    "messages": [{"role": "user", "content": QUESTION}],
}
"""What is asked in every scene."""

Update = Callable[[Account, Sequence[Call]], None]

_PATIENCE = 20.0
"""Seconds after which a scene is judged by what came; its own limits end it long before."""
_REST = 0.35
"""Seconds between scenes, to read the verdict in."""


def _pace(_context: click.Context, _option: click.Parameter, speed: float | None) -> float | None:
    if speed is None:
        return None
    if math.isnan(speed):
        raise click.BadParameter("expected a number of 0.1 or more; got nan")
    return 1 / speed


@click.command()
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
    return 0 if run_demo(display, pace=pace) else 1


def run_demo(display: Display, scenes: Sequence[Scene] = SCENES, *, pace: float = 1.0) -> bool:
    """
    Run *scenes*, one after the other, and show them.

    Args:
        display: what shows them.
        scenes: what is run.
        pace: what every pause is multiplied with; 0 leaves none.

    Returns:
        Whether every scene came out as it must.
    """
    return anyio.run(_run_all, display, scenes, pace, backend="asyncio")


async def _run_all(display: Display, scenes: Sequence[Scene], pace: float) -> bool:
    verdicts: list[Verdict] = []
    with display:
        display.open(QUESTION, len(scenes))
        for scene in scenes:
            display.begin(scene)
            verdict = await run_scene(scene, pace=pace, update=display.update)
            verdicts.append(verdict)
            display.end(verdict)
            await anyio.sleep(_REST * pace)
        display.close(verdicts)
    return all(verdict.ok for verdict in verdicts)


async def run_scene(scene: Scene, *, pace: float = 1.0, update: Update | None = None) -> Verdict:
    """
    Run one scene on a provider of its own.

    Args:
        scene: what is run.
        pace: what every pause is multiplied with; 0 leaves none. The clocks
            of the scene's limits stay as they are.
        update: called whenever there is something new to show.

    Returns:
        What came of it, judged; also where it is not what must come.
    """
    account, started = Account(), anyio.current_time()

    def changed() -> None:
        """Tell whoever shows it."""
        if update is not None:
            update(account, backstage.calls)

    backstage = Backstage(scene, pace, changed)
    async with (
        FaultProvider(stream=backstage.reply, buffered=backstage.reply) as provider,
        Client(base_url=provider.url, limits=scene.limits) as client,
    ):
        with anyio.move_on_after(_PATIENCE):
            async with client.stream(BODY) as run:
                async for event in run:
                    account.take(event)
                    changed()
        seconds = anyio.current_time() - started
        requests = list(provider.requests)
    return judge(
        scene, account, calls=backstage.calls, requests=requests, body=BODY, seconds=seconds
    )
