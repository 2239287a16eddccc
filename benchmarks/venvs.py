"""A venv for each family of clients, made once of pinned versions, and kept."""

import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from .unavailable import Unavailable

__all__ = ["CACHE", "Venvs"]

PINS = Path(__file__).parent / "pins"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamkit-benchmarks"
PATIENCE = 600
"""What an installation may take (seconds)."""


class Venvs:
    """
    The venvs, in one folder.

    Args:
        folder: where they are kept.
        python: the interpreter they are made with.
        say: told what is made.
    """

    def __init__(self, folder=CACHE, python=sys.executable, say=print):
        self.folder, self._base, self._say = Path(folder), python, say
        self.python = cache(self._python)

    def _python(self, family):
        """
        The interpreter of a family's venv, made where it is not there yet.

        Raises:
            Unavailable: it cannot be made.
        """
        pins = (PINS / f"{family}.txt").read_text("utf-8")
        mark = hashlib.sha256(f"{self._base}\n{sys.version}\n{pins}".encode()).hexdigest()[:12]
        venv = self.folder / f"{family}-{mark}"
        python, done = venv / "bin" / "python", venv / "installed"
        if not done.exists():
            self._say(f"installing {family} into {venv}")
            shutil.rmtree(venv, ignore_errors=True)
            self._run([self._base, "-m", "venv", str(venv)], family)
            pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            self._run([*pip, "-r", str(PINS / f"{family}.txt")], family)
            done.touch()
        return str(python)

    def _run(self, command, family):
        try:
            ran = subprocess.run(
                command, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"cannot install {family}: {error}") from error
        if ran.returncode:
            lines = ran.stderr.strip().splitlines() or ["no reason given"]
            errors = [line for line in lines if line.startswith("ERROR")]
            raise Unavailable(f"cannot install {family}: {(errors or lines)[-1]}")
