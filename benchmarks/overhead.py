"""
What streamkit adds to a chunk: ``python -m benchmarks.overhead``.

The same bytes over loopback HTTP, the provider in another process, clients
built outside the timing, runs interleaved; medians of processor time, and
ratios inside this one run. ``--check`` exits with 1 where a bar is missed.
"""

import argparse
import asyncio
import json
from pathlib import Path

from .measure import machine, measure, middle, versions
from .provider import provider

RAW, HAND, OURS, APART = "raw httpx", "httpx-sse + json", "streamkit", "streamkit apart"
SDK, HELPER = "openai raw", "openai helper"

SCENARIOS = {
    "burst, 1 event a chunk": ("burst-10000-1", (RAW, HAND, OURS, APART, SDK, HELPER), 7),
    "burst, 16 events a chunk": ("burst-10000-16", (RAW, HAND, OURS, APART, SDK, HELPER), 7),
    "drip, 200 streams": ("drip-40-70", (RAW, HAND, OURS, APART), 5),
    "1,000 chunks": ("burst-1000-1", (RAW, OURS), 15),
    "10,000 chunks": ("burst-10000-1", (RAW, OURS), 7),
    "100,000 chunks": ("burst-100000-1", (RAW, OURS), 5),
}


def bars(cost):
    """Each bar: its name, what was measured, and what it may be."""
    one, drip = cost["burst, 1 event a chunk"], cost["drip, 200 streams"]
    total = {n: cost[f"{n:,} chunks"][OURS] * n for n in (1_000, 10_000, 100_000)}
    short, long = (total[10_000] - total[1_000]) / 9_000, (total[100_000] - total[10_000]) / 90_000
    added, by_hand = one[OURS] - one[RAW], one[HAND] - one[RAW]
    return [
        ("added over raw, against httpx-sse + json", added / by_hand, 1.3),
        ("burst, against raw", one[OURS] / one[RAW], 2.0),
        ("drip, against raw", drip[OURS] / drip[RAW], 1.4),
        ("openai helper, against streamkit (at least)", one[HELPER] / one[OURS], 10.0),
        ("slope from 10,000 to 100,000, against 1,000 to 10,000", long / short, 1.15),
    ]


def is_held(name, figure, bar):
    """Whether a bar is held."""
    if "at least" in name:
        return figure >= bar
    return 2 - bar <= figure <= bar if "slope" in name else figure <= bar


def table(cost, spread):
    """The figures, as Markdown."""
    names = list(dict.fromkeys(name for costs in cost.values() for name in costs))
    lines = ["| µs a chunk (x raw) | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for scenario, costs in cost.items():
        cells = [
            f"{costs[name]:.1f} (x{costs[name] / costs[RAW]:.2f})" if name in costs else ""
            for name in names
        ]
        lines.append(f"| {scenario} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"Widest spread of a client's runs: {spread:.0%} of its median."])


async def run():
    """Every scenario, one after the other."""
    with provider() as url:
        return {
            title: await measure(url, scenario, names, runs)
            for title, (scenario, names, runs) in SCENARIOS.items()
        }


def main():
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a bar is missed")
    options = parser.parse_args()

    times = asyncio.run(run())
    cost = {title: middle(by_client) for title, by_client in times.items()}
    spread = max(
        (max(runs) - min(runs)) / cost[title][name]
        for title, by_client in times.items()
        for name, runs in by_client.items()
    )
    judged = [(name, figure, bar, is_held(name, figure, bar)) for name, figure, bar in bars(cost)]
    print(table(cost, spread))
    print()
    for name, figure, bar, held in judged:
        print(f"{'held  ' if held else 'MISSED'}  {name}: {figure:.2f} (bar {bar:g})")
    print()
    print(", ".join(f"{package} {number}" for package, number in versions().items()))
    if options.json is not None:
        report = {
            "machine": machine(),
            "versions": versions(),
            "microseconds_a_chunk": times,
            "bars": [
                dict(zip(("name", "figure", "bar", "held"), row, strict=True)) for row in judged
            ],
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    if options.check and not all(held for *_, held in judged):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
