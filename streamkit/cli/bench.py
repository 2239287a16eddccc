"""``streamkit bench``: what a stage, a pipeline or an endpoint of one's own costs."""

from __future__ import annotations

import json
import os
import pkgutil
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import attrs
import click

from ..dialects import get_dialect
from ..errors import MisuseError
from ..framing import encode
from ..testing import gauge
from ..testing.speaker import speaking
from .faults import usual_request

__all__ = ["bench"]

_RAW: Final = "raw httpx"
_QUESTION: Final = [{"role": "user", "content": "Count to one hundred, in words."}]
_WIDE: Final = 0.15
"""The spread above which a figure is marked."""
_LINE: Final = "{:<34}{:>14}{:>12}{:>12}{:>12}"


@click.command()
@click.option(
    "--stage",
    "stages",
    multiple=True,
    metavar="S",
    help="A stage, by name or as package.module:factory; again for more, one after the other.",
)
@click.option(
    "--pipeline",
    metavar="P",
    help="package.module:factory, called with a base URL: gives a Client, a Pipeline, or what is "
    "entered and has their stream().",
)
@click.option(
    "--url", metavar="URL", help="An endpoint's base URL. [default: a provider on loopback]"
)
@click.option("--model", metavar="M", help="The model an endpoint is asked for.")
@click.option(
    "--request",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The request's JSON, instead of --model and a question of ours.",
)
@click.option("--key-env", metavar="NAME", help="The environment variable with the API key.")
@click.option("--dialect", default="openai-chat", show_default=True, metavar="D", help="The API.")
@click.option(
    "--deltas",
    type=click.IntRange(min=1),
    default=5000,
    show_default=True,
    metavar="N",
    help="How long the answers on loopback are.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    metavar="N",
    help="How often each is measured. [default: 7; 3 at an endpoint]",
)
@click.option(
    "--backend",
    type=click.Choice(["asyncio", "uvloop", "trio"]),
    default="asyncio",
    show_default=True,
    help="The event loop.",
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON, with every round.")
def bench(
    *,
    stages: Sequence[str],
    pipeline: str | None,
    url: str | None,
    model: str | None,
    request: Path | None,
    key_env: str | None,
    dialect: str,
    deltas: int,
    rounds: int | None,
    backend: str,
    as_json: bool,
) -> int:
    """
    Measure what streaming costs: streamkit, your stages, your pipeline.

    They are compared with httpx that reads the same bytes and makes nothing of
    them, in turn, round after round. Without --url a provider in another
    process sends answers over loopback, all at once, one delta in each HTTP
    chunk: the figure is processor time. At an endpoint it is how deltas
    arrive; each round asks it once for everybody who is compared.
    """
    sys.path.insert(0, "")  # so that a module in the current directory is found
    asked = Asked(
        request=_request(request, model, url, dialect),
        dialect=dialect,
        key=_key(key_env),
        rounds=rounds or (3 if url else 7),
        backend=backend,
    )
    subjects = asked.subjects(stages, pipeline)
    if url is None:
        with speaking(gauge.frames(dialect, deltas)) as root:
            readings = asked.compare(subjects, root)
    else:
        if not as_json:
            click.echo(f"asking {url} {asked.rounds * len(subjects)} times")
        readings = asked.compare(subjects, url)
    if as_json:
        click.echo(_json(readings))
    elif url is None:
        said = f"{deltas:,} deltas a round, {asked.rounds} rounds, {backend}"
        _burst(readings, deltas, said)
    else:
        _arrivals(readings, f"{asked.rounds} rounds, {backend}")
    return 0


@attrs.frozen
class Asked:
    """How it is measured."""

    request: Mapping[str, Any]
    dialect: str
    key: str | None = attrs.field(repr=False)
    rounds: int
    backend: str

    def subjects(self, stages: Sequence[str], pipeline: str | None) -> dict[str, gauge.Subject]:
        """Give who is compared: the floor, streamkit, and with each stage more; or a pipeline."""
        spoken = get_dialect(self.dialect)
        headers = spoken.authorization(self.key) if self.key else {}
        found = {_RAW: gauge.raw(spoken, headers)}
        if pipeline is not None:
            return {**found, pipeline: gauge.through(_factory(pipeline))}
        make = partial(gauge.client, self.dialect, api_key=self.key)
        found["streamkit"] = make()
        for count, stage in enumerate(stages, 1):
            again = f" ({count})" if stage in stages[: count - 1] else ""
            found[f"+ {stage}{again}"] = make(stages[:count])
        return found

    def compare(self, subjects: Mapping[str, gauge.Subject], url: str) -> Readings:
        """Measure them all."""
        work = partial(gauge.compare, subjects, url, self.request, rounds=self.rounds)
        if self.backend == "trio":
            return anyio.run(work, backend="trio")
        uvloop = {"use_uvloop": self.backend == "uvloop"}
        return anyio.run(work, backend="asyncio", backend_options=uvloop)


Readings = dict[str, list[gauge.Reading]]


def _request(
    file: Path | None, model: str | None, url: str | None, dialect: str
) -> Mapping[str, Any]:
    if file is not None:
        try:
            read = json.loads(file.read_bytes())
        except ValueError as error:
            raise MisuseError(f"expected {file} to be a request's JSON; got {error}") from None
        if not isinstance(read, dict):
            raise MisuseError(f"expected {file} to be a JSON object; got {type(read).__name__}")
        return read
    if url is not None and model is None:
        raise MisuseError("expected --model or --request for an endpoint; got neither")
    return usual_request(dialect) if url is None else {"model": model, "messages": _QUESTION}


def _key(name: str | None) -> str | None:
    if name is not None and not os.environ.get(name):
        raise MisuseError(f"expected the API key in the environment variable {name}; it is not set")
    return None if name is None else os.environ[name]


def _factory(name: str) -> Any:
    try:
        return pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise MisuseError(
            f"expected pipeline {name!r} to be package.module:factory; got: {error}"
        ) from error


def _burst(readings: Readings, deltas: int, said: str) -> None:
    """Show what a delta costs, and what each line adds to the one before."""
    costs = {
        name: [reading.cpu / deltas * 1e6 for reading in rounds]
        for name, rounds in readings.items()
    }
    click.echo(_LINE.format(said, "µs a delta", "spread", f"x {_RAW}", "added"))
    before: list[float] | None = None
    for name, cost in costs.items():
        one, times = gauge.figure(cost), gauge.figure(_over(cost, costs[_RAW]))
        added = "" if before is None else f"{gauge.figure(_minus(cost, before)).median:+.2f}"
        cells = (f"{one.median:.2f}", _spread(one), f"{times.median:.2f}", added)
        click.echo(_LINE.format(name, *cells))
        before = cost
    _note(gauge.figure(cost) for cost in costs.values())


def _arrivals(readings: Readings, said: str) -> None:
    """Show how deltas arrive."""
    heads = ("first delta", "p50 gap", "p99 gap", "deltas/s")
    click.echo(_LINE.format(said, *heads))
    for name, rounds in readings.items():
        first = gauge.figure([reading.first for reading in rounds])
        gaps = sorted(gap for reading in rounds for gap in reading.gaps) or [0.0]
        pace = statistics.median(reading.count / reading.wall for reading in rounds)
        middle, late = gaps[len(gaps) // 2], gaps[int(len(gaps) * 0.99)]
        cells = (_ms(first.median), _ms(middle), _ms(late), f"{pace:.0f}")
        click.echo(_LINE.format(name, *cells))
    click.echo(f"{_RAW} sees reads of bytes, not deltas; each round's answer is another one.")


def _over(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [mine / theirs for mine, theirs in zip(one, other, strict=True)]


def _minus(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [mine - theirs for mine, theirs in zip(one, other, strict=True)]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _spread(one: gauge.Figure) -> str:
    return f"{one.spread:.0%}{' !' if one.spread > _WIDE else ''}"


def _note(figures: Iterator[gauge.Figure]) -> None:
    if any(one.spread > _WIDE for one in figures):
        click.echo("! the rounds lie too far apart to say much: try a quieter machine, more rounds")


def _json(readings: Readings) -> str:
    told = {
        name: [
            {"deltas": r.count, "cpu": r.cpu, "wall": r.wall, "first": r.first, "gaps": r.gaps}
            for r in rounds
        ]
        for name, rounds in readings.items()
    }
    return encode(told).decode()
