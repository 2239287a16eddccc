"""From samples to figures: medians, their spread, and which are too wide to publish. Pure."""

import statistics
from dataclasses import dataclass

__all__ = ["FEWEST", "WIDE", "Figure", "figure", "percentile", "ratio"]

WIDE = {
    "cpu": 0.15,
    "wall": 0.2,
    "p50": 0.3,
    "p99": 0.5,
    "memory": 0.25,
    "peak": 0.15,
    "load": float("inf"),  # no figure of its own: it says under what the others were taken
}
"""
The widest spread of a figure that is published, by what it is of. Latencies spread by nature,
and far more at the tail; resident memory comes in steps of an allocator's arenas.
"""
FEWEST = 7
"""Runs a published figure has at least (a count)."""


@dataclass(frozen=True)
class Figure:
    """A median of several runs."""

    median: float
    low: float
    """The lower quartile."""
    high: float
    """The upper one."""
    runs: int
    bar: float
    """The widest spread that is published."""

    @property
    def spread(self):
        """Between the quartiles, as a share of the median."""
        return (self.high - self.low) / abs(self.median) if self.median else 0.0

    @property
    def wide(self):
        """Whether the runs lie too far apart for the median to mean anything."""
        return self.spread > self.bar

    def why_not(self, fewest=FEWEST):
        """Why it may not stand in a table; empty where it may."""
        if self.runs < fewest:
            return f"{self.runs} runs of {fewest}"
        return f"spread {self.spread:.0%}" if self.wide else ""


def figure(samples, metric="cpu"):
    """The figure of a metric's runs; those that were not made are None. None without any."""
    made = [sample for sample in samples or () if sample is not None]
    if not made:
        return None
    middle = low = high = statistics.median(made)
    if len(made) > 1:
        low, _, high = statistics.quantiles(made, n=4, method="inclusive")
    return Figure(middle, low, high, len(made), WIDE[metric])


def ratio(samples, base, metric="cpu"):
    """The figure of a metric against another's, run by run: what a machine does to both cancels."""
    pairs = zip(samples or (), base or (), strict=False)
    return figure(
        [one / other if one is not None and other else None for one, other in pairs], metric
    )


def percentile(ordered, share):
    """The value that so large a share of an ordered list does not pass."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
