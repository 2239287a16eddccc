"""A run in words: Markdown tables, and one line for each target. Pure."""

from .figures import FEWEST, figure, ratio
from .scenarios import SCENARIOS
from .targets import judged

__all__ = ["figures_of", "machine", "scenario_table", "summary", "verdicts", "versions"]

HEADS = {
    "cpu": "processor time",
    "wall": "wall time",
    "p50": "median",
    "p99": "p99",
    "peak": "peak MiB",
    "memory": "resident",
    "load": "of a core",
}
PRECISE = {"p50": 0, "p99": 0, "peak": 0}
HEADLINERS = {
    "streamkit": (
        "anyio",
        "attrs",
        "h11",
        "httpcore",
        "httpx",
        "httpx-sse",
        "msgspec",
        "structlog",
        "aiohttp",
        "httpx-aiohttp",
        "httpx2",
        "starlette",
        "sse-starlette",
    ),
    "openai": ("openai", "httpx2", "pydantic", "jiter"),
    "anthropic": ("anthropic", "httpx2", "pydantic"),
    "litellm": ("litellm", "openai", "aiohttp", "pydantic"),
    "langchain": ("langchain-openai", "langchain-core", "openai", "pydantic"),
    "pydantic-ai": ("pydantic-ai-slim", "openai", "pydantic"),
}
"""Of each venv, the packages a chunk passes through."""


def figures_of(scenario, metric, *, fewest=FEWEST):
    """By subject: its figure, that of its ratio to the base, and why it is refused, if it is."""
    samples = scenario["samples"]
    base = samples.get(scenario["base"], {}).get(metric)
    found = {}
    for name, metrics in samples.items():
        one, against = figure(metrics.get(metric), metric), ratio(metrics.get(metric), base, metric)
        if one is not None:
            found[name] = one, against, one.why_not(fewest)
    return found


def _cell(one, metric, refused):
    if refused:
        return f"refused: {refused}"
    return f"{one.median:.{PRECISE.get(metric, 1)}f} ±{one.spread:.0%}"


def _times(against, refused):
    return "" if refused or against is None or against.wide else f"x{against.median:.2f}"


def scenario_table(scenario, *, fewest=FEWEST):
    """A scenario's figures, a row for each subject."""
    metrics = [*next(iter(scenario["samples"].values()), {})]
    if not metrics:
        return _missing(scenario)
    first = metrics[0]
    heads = ["", f"{HEADS[first]}, {scenario['unit']}", f"x {scenario['base']}"]
    heads += [HEADS[metric] for metric in metrics[1:]]
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    every = {metric: figures_of(scenario, metric, fewest=fewest) for metric in metrics}
    for name, (one, against, refused) in every[first].items():
        cells = [_cell(one, first, refused), _times(against, refused)]
        for metric in metrics[1:]:
            if metric == "load":
                cells.append(f"{every[metric][name][0].median:.2f}")
                continue
            other, _, why = every[metric][name]
            cells.append(_cell(other, metric, why))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + _missing(scenario)


def _missing(scenario):
    lines = [f"* {name}: not measured: {why}" for name, why in scenario["failed"].items()]
    return "\n\n" + "\n".join(lines) if lines else ""


def tables(results, *, fewest=FEWEST):
    """Every scenario, in order."""
    parts = []
    for key in (each.key for each in SCENARIOS if each.key in results):
        scenario = results[key]
        parts.append(f"### {scenario['title']}\n\n{scenario_table(scenario, fewest=fewest)}")
    return "\n\n".join(parts)


def verdicts(results, *, fewest=FEWEST):
    """A line for each target."""
    lines = []
    for verdict in judged(results, fewest=fewest):
        bar = f"{'at least' if verdict.target.least else 'at most'} {verdict.target.bar:g}"
        got = f"{verdict.figure.median:.2f}" if verdict.figure else "-"
        note = f" ({verdict.note})" if verdict.note else ""
        lines.append(f"{verdict.word:9}  {verdict.target.name}: {got}, {bar}{note}")
    return "\n".join(lines)


def machine(report):
    """Where it was measured, in a sentence."""
    at = report["machine"]
    return (
        f"{at['processor']}, {at['cores']} cores, {at['memory_gib']} GiB, {at['system']}; "
        f"{at['python']}; load average before: {at['load']}; commit {report['commit']}; "
        f"{report['when']}{_later(report)}"
    )


def _later(report):
    """Say what was measured behind the run, because it had left a target undecided."""
    every = [each for each in report["scenarios"].values() if "again" in each]
    if not every:
        return ""
    titles, at = ", ".join(each["title"] for each in every), every[-1]["again"]
    return (
        f". Measured again, for the run had left their targets undecided: {titles}; "
        f"load average before: {at['load']}; commit {at['commit']}; {at['when']}"
    )


def versions(report):
    """What was measured: of each venv, what a chunk passes through."""
    lines = []
    for family, packages in report["packages"].items():
        named = [f"{p} {packages[p]}" for p in HEADLINERS.get(family, ()) if p in packages]
        if named:
            lines.append(f"* {family}: {', '.join(named)}")
    return "\n".join(lines)


def summary(report):
    """The whole run, as Markdown."""
    fewest = report["runs"] if report["quick"] else FEWEST
    quick = (
        "\n**Tried out with small sizes and few runs: nothing here is to be published.**\n"
        if report["quick"]
        else ""
    )
    return f"""# Benchmarks of streamkit
{quick}
{machine(report)}. {report["seconds"] / 60:.0f} minutes.

{versions(report)}

Medians of {report["runs"]} runs or more, interleaved; ± is the distance between the quartiles, as a
share of the median. A figure that spreads too wide is refused.

## Targets

```
{verdicts(report["scenarios"], fewest=fewest)}
```

## Figures

{tables(report["scenarios"], fewest=fewest)}
"""
