"""
A pytest plugin that sees what is tested, and what fails first.

It is copied beside the project under trial, and writes files there; it
imports nothing of the project but the package itself.
"""

from pathlib import Path

import streamkit

IMPORTED = Path("imported.txt")
"""Where the package that is tested stands."""
FAILED = Path("failed.txt")
"""The node id of the first test that failed; no such file where none did."""


def pytest_sessionstart():
    """Say which package was imported."""
    IMPORTED.write_text(str(streamkit.__file__), encoding="utf-8")


def pytest_runtest_logreport(report):
    """Say which test failed first. A file that cannot be collected is no test that failed."""
    if report.failed and not FAILED.exists():
        FAILED.write_text(report.nodeid, encoding="utf-8")
