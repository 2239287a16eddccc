"""Where and with what a run was made."""

import datetime
import os
import platform
import subprocess
from pathlib import Path

from .processes import ROOT

__all__ = ["BUSY", "busy", "surroundings"]

BUSY = 0.5
"""The load average above which a machine does something else, too."""


def surroundings(venvs, families):
    """The machine, the commit, and every version, as JSON has them."""
    return {
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gib": _memory(),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "load": busy(),
        },
        "commit": _commit(),
        "packages": {family: _packages(venvs, family) for family in families},
    }


def busy():
    """What the machine does beside, as a load average; None where nobody knows."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _processor():
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _memory():
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError):
        return None


def _commit():
    def git(*words):
        ran = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return ran.stdout.strip()

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        return f"{commit}, changed" if git("status", "--porcelain") else commit
    except OSError:
        return "unknown"


def _packages(venvs, family):
    """Every version of a family's venv; empty where it could not be made."""
    listing = (
        "from importlib.metadata import distributions as d\nfor p in d(): print(p.name, p.version)"
    )
    try:
        python = venvs.python(family)
    except Exception:  # noqa: BLE001 (why is told where its clients are missing)
        return {}
    ran = subprocess.run([python, "-c", listing], capture_output=True, text=True, check=False)
    return dict(sorted(line.split() for line in ran.stdout.splitlines()))
