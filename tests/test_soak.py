"""The soak, for a short while."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def soaked(*options):
    """Run the soak as its page says. Gives its exit code and what it printed, by the line."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert "" == done.stderr
    return done.returncode, done.stdout.splitlines()


@pytest.mark.interop  # it takes long
def test_a_short_soak_is_as_scripted_and_leaves_nothing():
    """Every run ends as its script says, and the last line gives the verdict."""
    code, lines = soaked("--runs", "200", "--concurrency", "20", "--seconds", "40")

    assert (0, "verdict: memory is flat; 0 runs hung or ended otherwise than scripted") == (
        code,
        lines[-1],
    )
    assert 5 == len([line for line in lines if re.match(r" +\d+ runs +\d+ s +own", line)])


@pytest.mark.interop  # it takes long
def test_a_soak_stops_when_its_time_is_up():
    """It says how many runs there were, and judges those."""
    _, lines = soaked("--runs", "1000000", "--seconds", "1")

    summary = next(line for line in lines if "the time was up" in line)
    assert re.match(r"[\d,]+ runs of 1,000,000: the time was up; ", summary)
