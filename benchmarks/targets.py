"""What streamkit must hold: ratios inside one run. Pure."""

from dataclasses import dataclass

from .figures import FEWEST, figure, ratio

__all__ = ["TARGETS", "Target", "Verdict", "judged"]

OURS, RAW = "streamkit", "raw httpx"


@dataclass(frozen=True)
class Target:
    """One figure, and what it may be."""

    name: str
    scenario: str
    bar: float
    subject: str = OURS
    against: str = RAW
    metric: str = "cpu"
    least: bool = False
    """Whether it must be at least *bar*, instead of at most."""
    other: str = ""
    """The scenario of the figure it is compared with, where that is another one."""
    load: float | None = None
    """The load up to which it is asked of a subject (share of a core)."""


def _faster(rival, times):
    return Target(
        f"burst, {rival} against streamkit",
        "burst",
        times,
        subject=rival,
        against=OURS,
        least=True,
    )


TARGETS = (
    Target("burst, against raw httpx", "burst", 1.6),
    Target("drip at 500 streams, against raw httpx", "drip-500", 1.25),
    Target(
        "drip at 500 streams, p99 latency, against raw httpx",
        "drip-500",
        2.0,
        metric="p99",
        load=0.5,
    ),
    _faster("openai helper", 14.0),
    _faster("langchain-openai", 12.0),
    _faster("pydantic-ai", 12.0),
    _faster("litellm", 30.0),
    _faster("anthropic helper", 3.0),
    Target("memory of an open stream, against raw httpx", "memory", 1.6, metric="memory"),
    Target(
        "import, against what streamkit declares", "import", 1.3, against="what streamkit declares"
    ),
    Target(
        "a chunk of 100,000, against one of 1,000",
        "long-100000",
        1.15,
        against=OURS,
        other="long-1000",
    ),
    Target(
        "a chunk of 1,000, against one of 100,000",
        "long-1000",
        1.15,
        against=OURS,
        other="long-100000",
    ),
)


@dataclass(frozen=True)
class Verdict:
    """What a target came to."""

    target: Target
    figure: object = None
    """None where it could not be measured."""
    note: str = ""
    """Why it is not decided; empty where it is."""

    @property
    def held(self):
        """True, False, or None where nothing can be said."""
        if self.note:
            return None
        value, bar = self.figure.median, self.target.bar
        return value >= bar if self.target.least else value <= bar

    @property
    def word(self):
        """In one word."""
        return {True: "held", False: "MISSED", None: "undecided"}[self.held]


def judged(results, *, fewest=FEWEST):
    """
    Judge every target that a run has figures for.

    A ratio that spreads too wide to be published as a figure still decides a
    target where both its quartiles lie on one side of the bar.

    Args:
        results: what each scenario came to, by key.
        fewest: runs a figure must have (a count).
    """
    return [
        _verdict(target, results, fewest)
        for target in TARGETS
        if {target.scenario, target.other or target.scenario} <= {*results}
    ]


def _verdict(target, results, fewest):
    scenario, other = results[target.scenario], results[target.other or target.scenario]
    mine = scenario["samples"].get(target.subject, {})
    theirs = other["samples"].get(target.against, {})
    found = ratio(mine.get(target.metric), theirs.get(target.metric), target.metric)
    if found is None:
        missing = {**scenario["failed"], **other["failed"]}
        why = missing.get(target.subject) or missing.get(target.against) or "not selected"
        return Verdict(target, None, f"not measured: {why}")
    straddles = found.low <= target.bar <= found.high
    if (why := found.why_not(fewest)) and (straddles or found.runs < fewest):
        return Verdict(target, found, why)
    if target.load is not None:
        load = figure(mine["load"]).median
        if load > target.load:
            return Verdict(
                target, found, f"asked up to {target.load:g} of a core; it took {load:.2f}"
            )
    return Verdict(target, found)
