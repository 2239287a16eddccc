"""Show the table of planted defects: ``python -m tests.defects [NAME...]``."""

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .defect import Defect, Misplanted
from .finding import Finding
from .harness import Harness
from .planted import PLANTED

_AT_ONCE = 2
"""How many are tried at a time (a count)."""
_WIDTH = 200
"""Columns where no terminal says how many there are (a count)."""


def main(
    names: Sequence[str] = (),
    *,
    defects: Sequence[Defect] = PLANTED,
    harness: Harness | None = None,
) -> int:
    """
    Try the defects named, or all, and print what became of them.

    Returns:
        The exit code: 0 where every defect was caught, and every test named
        passes without one.
    """
    chosen = [defect for defect in defects if not names or defect.name in names]
    if not chosen:
        sys.stderr.write(f"expected a name of {', '.join(d.name for d in defects)}\n")
        return 2
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    began = time.monotonic()
    findings, sound = _tried(chosen, harness or Harness())
    console.print(_table(findings))
    caught = sum(finding.caught for finding in findings)
    seconds = time.monotonic() - began
    console.print(
        f"{caught} of {len(findings)} caught in {seconds:.0f} s; without a defect {sound}"
    )
    return 0 if caught == len(findings) and sound == _SOUND else 1


_SOUND = "all their tests pass"


def _tried(defects: Sequence[Defect], harness: Harness) -> tuple[list[Finding], str]:
    """Try them, two at a time, and the tests of all on an untouched copy."""
    tests = sorted({test for defect in defects for test in defect.tests})
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        sound = pool.submit(_soundness, tests, harness)
        findings = list(pool.map(harness.try_out, defects))
        return findings, sound.result()


def _soundness(tests: Sequence[str], harness: Harness) -> str:
    """Say whether *tests* pass where nothing is broken: else none of them proves anything."""
    try:
        failed = harness.first_failure(tests)
    except Misplanted as problem:
        return str(problem)
    return _SOUND if failed is None else f"{failed} FAILS, too: it proves nothing"


def _table(findings: Sequence[Finding]) -> Table:
    table = Table("defect", "what is broken", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("caught by", overflow="fold")
    table.add_column("s", justify="right")
    for finding in findings:
        name, says = finding.defect.name, finding.defect.says
        verdict = escape(finding.verdict)
        shown = verdict if finding.caught else f"[bold red]{verdict}[/]"
        table.add_row(name, escape(says), shown, f"{finding.seconds:.1f}")
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
