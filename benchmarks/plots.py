"""Pictures of a run, each a question answered at a glance; SVG and PNG."""

import textwrap

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter

from .figures import FEWEST
from .report import figures_of
from .scenarios import DRAWN

__all__ = ["PLOTS", "draw"]

OURS, FLOOR, HAND, RIVAL = "#0b6e4f", "#8d99a6", "#c98b2b", "#3b5b92"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 14,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999999",
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "svg.hashsalt": "streamkit",  # the same run gives the same file
    "figure.dpi": 110,
}
FOOTER = 150
"""Characters in a line below a picture."""
CONCURRENCY = ("drip-1", "drip-100", "drip-500")
_PALETTE = {
    "raw httpx": FLOOR,
    "raw aiohttp": "#b8c0c8",
    "httpx-sse + json": HAND,
    "by hand, two tasks": "#a36f1e",
    "streamkit": OURS,
    "streamkit, httpx-aiohttp": "#52b788",
    "openai": "#7a5195",
    "openai helper": "#7a5195",
    "anthropic": "#bc5090",
    "anthropic helper": "#bc5090",
    "litellm": "#d1495b",
    "langchain-openai": "#2f6690",
    "pydantic-ai": "#00798c",
}


def _color(name):
    if name.startswith("streamkit"):
        return OURS
    if name.startswith("raw"):
        return FLOOR
    return HAND if "json" in name or name.startswith("by hand") else RIVAL


def _plain(value, _position=None):
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def _finished(figure, report, said, *, refused=(), right=1.0):
    """Say below what is drawn, who is not, and where it was measured; make room for it."""
    at = report["machine"]
    if refused:
        said += f" · not drawn, their rounds lie too far apart: {', '.join(refused)}"
    note = "tried out, not to be published · " if report["quick"] else ""
    where = f"{note}{at['processor']}, {at['cores']} cores · {at['python']} · {report['when'][:10]}"
    lines = textwrap.wrap(f"{said} · {where}", FOOTER)
    figure.tight_layout(rect=(0, 0.17 * len(lines) / figure.get_figheight(), right, 1))
    figure.text(0.01, 0.01, "\n".join(lines), fontsize=7.5, color="#777777", va="bottom")
    return figure


def _told(report, key, metric):
    """The figures of a scenario that may be shown: subject, median, times the base."""
    fewest = report["runs"] if report["quick"] else FEWEST
    found = figures_of(report["scenarios"][key], metric, fewest=fewest)
    return {
        name: (one.median, against.median if against and not against.wide else None)
        for name, (one, against, refused) in found.items()
        if not refused or report["quick"]
    }


def _refused(report, key, metric, names=None):
    """Who of *names* has figures that may not be shown."""
    told, samples = _told(report, key, metric), report["scenarios"][key]["samples"]
    return [name for name in names or samples if name in samples and name not in told]


def _bars(report, key, metric, *, title, axis, said):
    """One bar for each subject, the cheapest on top; from zero, so that lengths are ratios."""
    told = sorted(_told(report, key, metric).items(), key=lambda item: -item[1][0])
    figure, axes = plt.subplots(figsize=(8.6, 0.36 * len(told) + 1.5))
    names = [name for name, _ in told]
    values = [value for _, (value, _) in told]
    axes.barh(names, values, color=[_color(name) for name in names], height=0.68)
    base = report["scenarios"][key]["base"]
    for at, (_, (value, times)) in enumerate(told):
        beside = f"  {value:.1f}" + (f"   x{times:.1f}" if times else "")
        axes.text(value, at, beside, va="center", fontsize=9, color="#333333")
    axes.set_xlim(0, max(values, default=1) * 1.2)
    for label in axes.get_yticklabels():
        if label.get_text() == "streamkit":
            label.set_fontweight("bold")
    axes.tick_params(length=0)
    axes.grid(axis="x")
    axes.set_title(title)
    axes.set_xlabel(f"{axis}   (x {base})")
    return _finished(figure, report, said, refused=_refused(report, key, metric))


def cost(report):
    """What a chunk costs each client."""
    return _bars(
        report,
        "burst",
        "cpu",
        title="What a chunk costs, by client",
        axis="processor time, µs a chunk",
        said="burst, one event in each HTTP chunk",
    )


def memory(report):
    """What an open stream weighs."""
    return _bars(
        report,
        "memory",
        "memory",
        title="What an open stream weighs, by client",
        axis="resident memory, KiB a stream",
        said="more and more streams, each with four deltas so far",
    )


def _labelled(axes, ends):
    """Names at the ends of lines, moved apart so that none covers another."""
    low, high = axes.get_ylim()
    transform = axes.transData
    free = 0.0
    for y, x, name, color in sorted(ends):
        at = max(transform.transform((x, min(max(y, low), high)))[1], free)
        free = at + 15
        place = transform.inverted().transform((0, at))[1]
        bold = "bold" if name == "streamkit" else "normal"
        axes.annotate(
            name,
            (x, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=color,
            fontweight=bold,
            annotation_clip=False,
        )


def _scaled(axes):
    """Name one, two and five of each power of ten."""
    axes.yaxis.set_major_formatter(FuncFormatter(_plain))
    axes.yaxis.set_minor_formatter(
        FuncFormatter(lambda v, _: _plain(v) if f"{v:e}"[0] in "25" else "")
    )


def _lined(axes, xs, ys, name):
    wide = 2.6 if name == "streamkit" else 1.5
    axes.plot(
        xs,
        ys,
        color=_PALETTE[name],
        linewidth=wide,
        marker="o",
        markersize=4,
        zorder=3 if name == "streamkit" else 2,
    )


def concurrency(report):
    """What a chunk costs as streams are added."""
    keys = [key for key in CONCURRENCY if key in report["scenarios"]]
    told = {key: _told(report, key, "cpu") for key in keys}
    figure, axes = plt.subplots(figsize=(8.6, 5))
    places, ends = range(len(keys)), []
    for name in DRAWN:
        line = [
            (at, told[key][name][0])
            for at, key in zip(places, keys, strict=True)
            if name in told[key]
        ]
        if line:
            xs, ys = zip(*line, strict=True)
            _lined(axes, xs, ys, name)
            ends.append((ys[-1], xs[-1], name, _PALETTE[name]))
    axes.set_yscale("log")
    _scaled(axes)
    axes.set_xticks(list(places), [key.removeprefix("drip-") for key in keys])
    axes.set_xlabel("open streams")
    axes.set_ylabel("processor time, µs a chunk, logarithmic")
    axes.set_title("What a chunk costs, by concurrency")
    axes.grid(axis="y", which="both")
    axes.margins(x=0.04)
    said, refused = "events at an even pace, one in each wake-up", []
    for key in keys:
        streams = key.removeprefix("drip-")
        refused += [f"{name} at {streams}" for name in _refused(report, key, "cpu", DRAWN)]
    _finished(figure, report, said, refused=refused, right=0.82)
    _labelled(axes, ends)  # behind: it asks where things came to stand
    return figure


def latency(report):
    """How late a delta is."""
    key = [key for key in CONCURRENCY if key in report["scenarios"]][-1]
    fine = _told(report, key, "p99")  # what a table refuses, no plot shows
    late = {n: each for n, each in report["scenarios"][key]["late"].items() if n in fine}
    figure, axes = plt.subplots(figsize=(8.6, 5))
    shares, ends = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999], []
    for name in DRAWN:
        if name in late:
            ys = [late[name][str(share)] / 1000 for share in shares]
            _lined(axes, range(len(shares)), ys, name)
            ends.append((ys[-1], len(shares) - 1, name, _PALETTE[name]))
    axes.set_yscale("log")
    _scaled(axes)
    axes.set_xticks(range(len(shares)), ["median", "p75", "p90", "p95", "p99", "p99.9"])
    axes.set_ylabel("ms from the provider's send, logarithmic")
    streams = key.removeprefix("drip-")
    axes.set_title(f"How late a delta is, at {streams} streams")
    axes.grid(axis="y", which="both")
    axes.margins(x=0.04)
    refused = _refused(report, key, "p99", DRAWN)
    _finished(figure, report, "every event of every round", refused=refused, right=0.82)
    _labelled(axes, ends)
    return figure


PLOTS = {
    "cost": (cost, ("burst",)),
    "concurrency": (concurrency, CONCURRENCY),
    "latency": (latency, CONCURRENCY),
    "memory": (memory, ("memory",)),
}
"""By file: what draws it, and the scenarios of which it needs one that has figures."""


def draw(report, folder):
    """Draw every picture that a run has figures for; give the names of those."""
    drawn = []
    with mpl.rc_context(STYLE):
        for name, (make, needs) in PLOTS.items():
            if not any(report["scenarios"].get(key, {}).get("samples") for key in needs):
                continue
            figure = make(report)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            figure.savefig(folder / f"{name}.png", dpi=160)
            plt.close(figure)
            drawn.append(name)
    return drawn
