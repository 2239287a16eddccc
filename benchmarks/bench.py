"""A run: every scenario, its subjects in turn, round after round."""

import math
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain, groupby, zip_longest

from .figures import FEWEST, figure, percentile
from .processes import Cores, workers
from .provider import Provider, provider
from .scenarios import PERCENTILES
from .unavailable import Unavailable
from .venvs import Venvs

__all__ = ["Bench", "measured", "run"]

EXTRA = 480.0
"""For how long figures that spread too wide get more rounds (seconds): a whole run has an end."""


@dataclass
class Bench:
    """What a scenario works with."""

    venvs: Venvs
    cores: Cores
    provider: Provider | None = None
    workers: dict = field(default_factory=dict)
    notes: dict = field(default_factory=dict)
    """What a scenario remembers of a subject."""
    until: float = math.inf
    """When no more rounds are added to those asked for (seconds of the monotonic clock)."""


@dataclass
class Tally:
    """What a scenario's subjects came to, so far."""

    scenario: object
    bench: Bench
    failed: dict = field(default_factory=dict)
    samples: dict = field(default_factory=dict)
    """By subject, by metric: one value a round, None where there was none."""
    late: dict = field(default_factory=dict)
    rounds: int = 0
    seconds: float = 0.0
    """How long it took."""

    def round(self, names):
        """Measure the subjects, a step each, in as many turns as a round has; what fails is out."""
        parts = {name: [] for name in names}
        for _ in range(self.scenario.turns):
            for name in names:
                began = time.monotonic()
                self._turn(name, parts)
                self.seconds += time.monotonic() - began
                yield
        for name, made in parts.items():
            self._note(name, self.scenario.joined(made))
        self.rounds += 1

    def _turn(self, name, parts):
        if name in parts:
            try:
                parts[name].append(self.scenario.once(self.bench, name))
            except Unavailable as error:
                self.fail(name, error)
                del parts[name]

    def _note(self, name, got):
        self.late.setdefault(name, []).extend(got.pop("late", ()))
        every = self.samples.setdefault(name, {metric: [] for metric in self.scenario.metrics})
        for metric, values in every.items():
            values.extend([None] * (self.rounds - len(values)))
            values.append(got[metric])

    def fail(self, name, error):
        """Leave a subject out from now on."""
        self.failed[name] = str(error)
        self.samples.pop(name, None)

    def wide(self):
        """The subjects whose figures are not to be published as they are, and the base."""
        found = {
            name
            for name, metrics in self.samples.items()
            for metric in metrics
            if figure(metrics[metric], metric).wide
        }
        return found | {self.scenario.base} if found else found

    def report(self):
        """What it came to, as JSON has it."""
        scenario = self.scenario
        return {
            "title": scenario.title,
            "unit": scenario.unit,
            "base": scenario.base,
            "seconds": round(self.seconds, 1),
            "failed": self.failed,
            "samples": {
                name: {metric: _rounded(values) for metric, values in metrics.items()}
                for name, metrics in self.samples.items()
                if any(metrics.values())
            },
            "late": {name: _digest(late) for name, late in self.late.items() if late},
        }


def _rounded(values):
    return [value if value is None else float(f"{value:.5g}") for value in values]


def _digest(late):
    late.sort()
    return {str(share): round(percentile(late, share), 1) for share in PERCENTILES}


def measured(scenarios, bench, runs, say=print):
    """
    Measure scenarios whose figures are compared: the same processes, in turn.

    Every round each subject has its turn, or several that are joined, in an
    order that moves on by one from round to round. Where figures spread too
    wide after *runs* rounds, those subjects and the base have half as many
    again.

    Args:
        scenarios: see `benchmarks.scenarios`; most are compared with no other.
        bench: who does it.
        runs: how many rounds (a count).
        say: told how it goes.

    Returns:
        What each came to, as JSON has it, by key.
    """
    with ExitStack() as stack:
        tallies = _begun(scenarios, bench, stack)
        going = True
        while going:
            every = [(tally, _turns(tally, runs, tallies)) for tally in tallies]
            going = [tally.round(turns) for tally, turns in every if turns]
            for _ in zip_longest(*going):
                """A step of each: what is compared lies as near as can be."""
    for tally in tallies:
        lost = f"; not measured: {', '.join(tally.failed)}" if tally.failed else ""
        say(f"{tally.seconds:5.0f} s  {tally.scenario.title}: {tally.rounds} rounds{lost}")
    return {tally.scenario.key: tally.report() for tally in tallies}


def _begun(scenarios, bench, stack):
    """Start the subjects that the scenarios share, and prepare each for each."""
    began, (first, *_) = time.monotonic(), scenarios
    there, missing = {}, {}
    if first.room != "import":
        started = workers(first.room, first.names, bench.venvs, bench.provider, bench.cores)
        there, missing = stack.enter_context(started)
    tallies = []
    for scenario in scenarios:
        own = replace(bench, workers=there, notes={})
        tallies.append(tally := Tally(scenario, own, {**missing}))
        for name in scenario.names:
            if name not in tally.failed:
                try:
                    scenario.prepare(own, name)
                    tally.samples[name] = {metric: [] for metric in scenario.metrics}
                except Unavailable as error:
                    tally.fail(name, error)
        tally.seconds = time.monotonic() - began
        began += tally.seconds
    return tallies


def _turns(tally, runs, compared):
    """Whose turn it is in one more round, in order; nobody's where none is wanted."""
    extra = runs // 2 if runs >= FEWEST else 0
    late = time.monotonic() > tally.bench.until
    if tally.rounds >= runs + extra or (tally.rounds >= runs and late):
        return []
    wanted = [*tally.samples]
    if tally.rounds >= runs:
        wanted = [*chain.from_iterable(each.wide() for each in compared)]
    turns = [name for name in tally.scenario.names if name in wanted and name in tally.samples]
    at = tally.rounds % len(turns) if turns else 0
    return turns[at:] + turns[:at]


def run(scenarios, venvs, *, runs=FEWEST, pinned=True, say=print):
    """
    Measure every scenario; give what they came to, by key.

    Args:
        scenarios: which.
        venvs: where clients are installed.
        runs: rounds of each (a count).
        pinned: whether provider and subjects have a core each.
        say: told how it goes.
    """
    cores, until = Cores(pinned=pinned), time.monotonic() + EXTRA
    results = {}
    for _, compared in groupby(scenarios, lambda scenario: scenario.compared or scenario.key):
        with provider() as peer:  # a fresh one: what a failed client left open is gone
            cores.provider(peer.pid)
            results |= measured([*compared], Bench(venvs, cores, peer, until=until), runs, say)
    return results
