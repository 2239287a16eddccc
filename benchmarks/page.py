"""``docs/explanation/performance.md``, written from a run: nobody types a figure."""

import json
import string
from pathlib import Path

from . import report
from .figures import FEWEST
from .processes import ROOT
from .scenarios import SCENARIOS
from .subjects import SUBJECTS

__all__ = ["FOLDER", "PAGE", "page", "write"]

PAGE = ROOT / "docs" / "explanation" / "performance.md"
FOLDER = PAGE.with_suffix("")
"""Where the run and its plots are kept, beside the page."""
TEMPLATE = Path(__file__).parent / "performance.md.in"
PICTURES = {
    "cost": "What a chunk costs each client: one event in each HTTP chunk, everything at once.",
    "concurrency": "What a chunk costs as streams are added, each chunk in a wake-up of its own.",
    "latency": "How late a delta is, from the provider's send to the reader's hand.",
    "memory": "What an open stream weighs.",
}


def page(made, pictures=tuple(PICTURES)):
    """
    The page's text.

    Args:
        made: a run, as JSON has it.
        pictures: which plots there are.
    """
    results = made["scenarios"]
    sections = {
        f"table_{scenario.key.replace('-', '_')}": report.scenario_table(results[scenario.key])
        if scenario.key in results
        else "Not measured in this run."
        for scenario in SCENARIOS
    }
    images = {
        f"plot_{name}": f"![{about}](performance/{name}.svg)" if name in pictures else ""
        for name, about in PICTURES.items()
    }
    clients = "\n".join(f"| {name} | {one.about} |" for name, one in SUBJECTS["clients"].items())
    return string.Template(TEMPLATE.read_text("utf-8")).substitute(
        sections,
        **images,
        clients=f"| client | how it is driven |\n|---|---|\n{clients}",
        machine=report.machine(made),
        versions=report.versions(made),
        verdicts=report.verdicts(results),
        command=made["command"],
        runs=made["runs"],
        fewest=FEWEST,
        minutes=round(made["seconds"] / 60),
    )


def write(made):
    """
    Write the page, the run beside it, and its plots.

    Raises:
        SystemExit: the run was only tried out: its figures are not to be published.
    """
    if made["quick"] or made["runs"] < FEWEST:
        raise SystemExit(
            f"expected a whole run of {FEWEST} rounds or more; got one to try things out; "
            "nothing is published"
        )
    from . import plots

    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "report.json").write_text(json.dumps(made, indent=1) + "\n", "utf-8")
    drawn = plots.draw(made, FOLDER)
    PAGE.write_text(page(made, drawn), "utf-8")
    return PAGE.relative_to(ROOT)
