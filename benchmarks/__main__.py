"""
Measure streamkit beside its rivals: ``python -m benchmarks``.

The same bytes over loopback HTTP, the provider in another process, every
client in a process and, where needed, a venv of its own, made of pinned
versions and kept; clients built outside the timing, runs interleaved, medians
with their spread. Writes ``report.json``, ``report.md`` and plots.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from . import bench, report
from .figures import FEWEST
from .scenarios import SCENARIOS, quick
from .subjects import SUBJECTS
from .surroundings import BUSY, busy, surroundings
from .targets import judged
from .venvs import CACHE, Venvs

QUICK_RUNS = 3


def options(arguments=None):
    """What was asked for."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=__doc__.strip().splitlines()[0],
        epilog="A whole run takes 30 to 50 minutes on two cores, installations not counted.",
    )
    parser.add_argument("--list", action="store_true", help="show scenarios and clients, and end")
    parser.add_argument(
        "--scenario",
        action="append",
        metavar="KEY",
        default=[],
        help="only scenarios whose key begins so; again for more",
    )
    parser.add_argument(
        "--client",
        action="append",
        metavar="NAME",
        default=[],
        help="only this one, and what it is compared with; again for more",
    )
    parser.add_argument(
        "--runs", type=int, help=f"rounds of each scenario; published are {FEWEST} or more"
    )
    parser.add_argument("--quick", action="store_true", help="small and few: to see that it works")
    parser.add_argument(
        "--out", type=Path, default=Path("benchmark-results"), help="where to write"
    )
    parser.add_argument(
        "--venvs", type=Path, default=CACHE, help="where clients are installed and kept"
    )
    parser.add_argument("--python", default=sys.executable, help="the interpreter they get")
    parser.add_argument(
        "--no-pin", action="store_true", help="let the system move processes between cores"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 where a target is missed, 3 where one is undecided",
    )
    parser.add_argument(
        "--from",
        dest="old",
        type=Path,
        metavar="JSON",
        help="measure nothing: work with an earlier run",
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="with --from: measure those of its scenarios again that leave a target undecided",
    )
    parser.add_argument(
        "--page",
        action="store_true",
        help="write docs/explanation/performance.md of the run, and its plots",
    )
    asked = parser.parse_args(arguments)
    if asked.again and asked.old is None:
        parser.error("expected --from JSON, the run whose scenarios are measured --again; got none")
    return asked


def selected(scenarios, keys, names):
    """The scenarios asked for, with the subjects asked for and their base."""
    chosen = []
    for scenario in scenarios:
        if keys and not any(scenario.key.startswith(key) for key in keys):
            continue
        wanted = tuple(n for n in scenario.names if not names or n in names or n == scenario.base)
        if len(wanted) > 1 or not names:
            chosen.append(replace(scenario, names=wanted))
    return tuple(chosen)


def listing():
    """What there is."""
    lines = ["scenarios:", *(f"  {each.key:14}{each.title}" for each in SCENARIOS)]
    for room, subjects in SUBJECTS.items():
        lines += ["", f"{room}:", *(f"  {name:28}{one.about}" for name, one in subjects.items())]
    return "\n".join(lines)


def repeated(asked):
    """What to type for the same run, on any machine."""
    words = ["python -m benchmarks"]
    words += [f"--scenario {key}" for key in asked.scenario]
    words += [f'--client "{name}"' for name in asked.client]
    words += [f"--runs {asked.runs}"] if asked.runs else []
    words += ["--quick"] if asked.quick else []
    return " ".join(words)


def measure(asked):
    """Make a run; give it as JSON has it."""
    scenarios = selected(
        quick(SCENARIOS) if asked.quick else SCENARIOS, asked.scenario, asked.client
    )
    if not scenarios:
        raise SystemExit("nothing is selected; --list shows what there is")
    runs = asked.runs or (QUICK_RUNS if asked.quick else FEWEST)
    venvs = Venvs(asked.venvs, asked.python, say=_say)
    families = dict.fromkeys(
        SUBJECTS[scenario.room][name].venv for scenario in scenarios for name in scenario.names
    )
    about = surroundings(venvs, families)
    if (load := busy() or 0) > BUSY:
        _say(f"the machine is busy (load average {load}): figures will spread")
    began = time.monotonic()
    results = bench.run(scenarios, venvs, runs=runs, pinned=not asked.no_pin, say=_say)
    return {
        "schema": 1,
        "command": repeated(asked),
        "quick": asked.quick,
        "runs": runs,
        "seconds": round(time.monotonic() - began),
        **about,
        "scenarios": results,
    }


def measure_again(made, asked):
    """
    Measure the scenarios of an earlier run again that leave a target undecided.

    What is compared is measured together, so every ratio is one of a single
    run; a scenario says when and of what commit it is, and so does the page.

    Args:
        made: the earlier run, as JSON has it; it stays as it is.
        asked: how to measure; what is asked for here are those scenarios.

    Returns:
        The run with them in their places.
    """
    undecided = [each.target for each in judged(made["scenarios"]) if each.held is None]
    keys = {key for target in undecided for key in (target.scenario, target.other) if key}
    if not keys:
        _say("every target is decided: nothing is measured again")
        return made
    later = measure(argparse.Namespace(**vars(asked) | {"scenario": sorted(keys), "client": []}))
    told = {"when": later["when"], "commit": later["commit"], "load": later["machine"]["load"]}
    again = {key: {**scenario, "again": told} for key, scenario in later["scenarios"].items()}
    return {**made, "scenarios": made["scenarios"] | again}


def write(made, out):
    """Write a run, its tables and its plots."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(made, indent=1) + "\n", "utf-8")
    (out / "report.md").write_text(report.summary(made), "utf-8")
    try:
        from . import plots
    except ModuleNotFoundError as missing:
        _say(f"no plots: {missing.name} is not installed; pip install '.[bench]'")
    else:
        plots.draw(made, out)


def main(arguments=None):
    """Measure, write, judge; give the exit status."""
    asked = options(arguments)
    if asked.list:
        print(listing())
        return 0
    if asked.old is None:
        made = measure(asked)
        write(made, asked.out)
    else:
        made = json.loads(asked.old.read_text("utf-8"))
        if asked.again:
            made = measure_again(made, asked)
        write(made, asked.out)
    fewest = made["runs"] if made["quick"] else FEWEST
    print(report.verdicts(made["scenarios"], fewest=fewest))
    if asked.page:
        from . import page

        print(f"written: {page.write(made)}")
    held = {verdict.held for verdict in judged(made["scenarios"], fewest=fewest)}
    if not asked.check:
        return 0
    return 1 if False in held else 3 if None in held else 0


def _say(line):
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
