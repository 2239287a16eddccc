"""Plant a defect in a copy of the project, and see who notices."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import attrs

from .defect import Defect, Misplanted
from .finding import Finding

__all__ = ["Harness"]

_ROOT = Path(__file__).resolve().parents[2]
_WITNESS = Path(__file__).with_name("witness.py")
_PARTS = ("streamkit", "tests", "pyproject.toml")
"""What of the project is copied."""
_TEST_SECONDS = 20
"""Seconds that one test may take: what hangs has failed."""
_CLEAN, _FAILED = 0, 1
"""The exit codes of pytest that are an answer."""


@attrs.frozen(kw_only=True)
class Harness:
    """Try defects, each in a copy and in a process of its own; the project is never touched."""

    root: Path = _ROOT
    patience: float = 90.0
    """Seconds for all tests of one defect."""

    def try_out(self, defect: Defect) -> Finding:
        """Plant *defect*, run its tests, and say what became of it."""
        began = time.monotonic()
        caught_by = problem = None
        try:
            caught_by = self.first_failure(defect.tests, defect)
        except Misplanted as error:
            problem = str(error)
        seconds = time.monotonic() - began
        return Finding(defect=defect, seconds=seconds, caught_by=caught_by, problem=problem)

    def first_failure(self, tests: Iterable[str], defect: Defect | None = None) -> str | None:
        """
        Run *tests* on a copy, with *defect* in it if there is one.

        Returns:
            The node id of the first test that failed; None where none did.

        Raises:
            Misplanted: nothing was tried: the defect could not be planted, or
                the tests could not be run, or they tested another package.
        """
        with tempfile.TemporaryDirectory(prefix="streamkit-defect-") as name:
            home = Path(name).resolve()
            self._copy(home)
            if defect is not None:
                target = home / defect.file
                target.write_text(defect.plant(target.read_text("utf-8")), "utf-8")
            return self._run(home, tests)

    def _copy(self, home: Path) -> None:
        """Copy without bytecode, which might outlive the text it was made of."""
        for part in _PARTS:
            source = self.root / part
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, home / part, ignore=ignored)
            elif source.exists():
                shutil.copy(source, home / part)
        shutil.copy(_WITNESS, home)

    def _run(self, home: Path, tests: Iterable[str]) -> str | None:
        command = [sys.executable, "-m", "pytest", "-x", "-q", f"--timeout={_TEST_SECONDS}"]
        command += ["-p", "no:cacheprovider", "-p", "witness", *tests]
        try:
            done = subprocess.run(
                command,
                cwd=home,
                env=_environment(home),
                capture_output=True,
                text=True,
                timeout=self.patience,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Misplanted(f"its tests took longer than {self.patience:g} s") from None
        return _judged(home, done)


def _environment(home: Path) -> dict[str, str]:
    """Give the environment, without what an outer run of pytest's left there."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV"))}
    return {**kept, "PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


def _judged(home: Path, done: subprocess.CompletedProcess[str]) -> str | None:
    """Read what the witness wrote; an answer counts only where the copy was tested."""
    imported, failed = home / "imported.txt", home / "failed.txt"
    said = (done.stdout + done.stderr)[-2000:]
    if not imported.exists():
        raise Misplanted(f"pytest did not begin (exit {done.returncode}):\n{said}")
    package = Path(imported.read_text("utf-8")).resolve()
    if not package.is_relative_to(home):
        raise Misplanted(
            f"the tests did not import the copy, but {package.parent.name!r} elsewhere"
        )
    if done.returncode not in (_CLEAN, _FAILED):
        raise Misplanted(f"its tests could not be run (exit {done.returncode}):\n{said}")
    if failed.exists():
        return failed.read_text("utf-8")
    if done.returncode == _FAILED:
        raise Misplanted(f"no test failed, and pytest did:\n{said}")
    return None
