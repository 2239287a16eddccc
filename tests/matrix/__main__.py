"""Run the matrix and print it: ``python -m tests.matrix [--write] [FAULT...]``."""

import argparse
import gc
import logging
import sys
import warnings
from functools import partial
from time import perf_counter

import anyio

from .cases import CELLS, cases_of
from .dialects import dialect_cases
from .oracle import ORACLE
from .running import SOON, Finding, run_all
from .table import PAGE, page, show
from .wires import WIRES


def main() -> int:
    """Give the exit code: 0 where every case came out as the oracle says."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="run these alone, not all")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}, and run nothing")
    parser.add_argument("--backend", default="asyncio", choices=("asyncio", "trio"))
    asked = parser.parse_args()
    if unknown := set(asked.faults) - set(ORACLE):
        parser.error(f"expected faults of: {', '.join(ORACLE)}; got {', '.join(unknown)}")
    if asked.write:
        PAGE.write_text(page(SOON), "utf-8")
        return 0
    warnings.simplefilter("error")
    logging.getLogger("streamkit").addHandler(logging.NullHandler())
    began = perf_counter()
    findings = anyio.run(partial(_run, asked.faults or list(ORACLE)), backend=asked.backend)
    return min(1, show(findings, perf_counter() - began))


async def _run(faults: list[str]) -> list[Finding]:
    gc.collect()
    gc.freeze()  # what is older than the matrix is none of its business
    findings: list[Finding] = []
    unraisable: list[str] = []
    sys.unraisablehook = lambda said: unraisable.append(f"{said.exc_value!r} in {said.object!r}")
    for fault, point in CELLS:
        if fault in faults:
            findings += await run_all(cases_of(fault, point), unraisable)
    for dialect in WIRES:
        chosen = [case for case in dialect_cases(dialect) if case.fault in faults]
        findings += await run_all(chosen, unraisable)
    return findings


if __name__ == "__main__":
    sys.exit(main())
