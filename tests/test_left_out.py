"""A suite that runs without Redis, Node and Chromium says what it left out."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MARKED = "tests/test_supervise_older_sdk.py"
"""One test, and it is marked."""
PLAIN = "tests/test_surface.py"
NEEDS = "(Redis, Node, Chromium, uvloop, long ones)"
LINE = f"left out: 1 test marked interop {NEEDS}; run with -m interop"


def summary(*arguments):
    """The lines of a run of pytest's that say what was left out; nothing in it may fail."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode in {0, 5}, done.stdout + done.stderr  # 5: nothing was selected
    return [line for line in done.stdout.splitlines() if "left out" in line]


@pytest.mark.interop  # it takes long
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_what_is_left_out_is_said_in_one_line(workers):
    """Once, with the count, whoever collected it."""
    assert [LINE] == summary(MARKED, PLAIN, *workers)


@pytest.mark.interop  # it takes long
@pytest.mark.parametrize("asked", [("-m", "interop", MARKED), (PLAIN,)])
def test_nothing_is_said_where_nothing_is_left_out(asked):
    """Neither where the mark is asked for, nor where no test has it."""
    assert [] == summary("--collect-only", *asked)
