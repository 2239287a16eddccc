"""The openai SDK of the second generation, on httpx: the same tests, in a venv of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OLDER = "openai==2.54.0"


def run(*command):
    """What a command printed; it must succeed."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert 0 == done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.interop
@pytest.mark.timeout(300)
def test_the_sdk_on_httpx_is_supervised_too(tmp_path):
    """Two generations of the SDK cannot share a venv; one supervision serves both."""
    python = tmp_path / "bin" / "python"
    run(sys.executable, "-m", "venv", tmp_path)
    run(
        python, "-m", "pip", "install", "-q", "--disable-pip-version-check",
        f"{ROOT}[testing]", OLDER, "pytest", "pytest-timeout", "trio", "uvloop",
    )  # fmt: skip
    version = run(python, "-c", "import openai, httpx; print(openai.__version__)")
    told = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_supervise.py")

    assert OLDER == f"openai=={version.strip()}"
    assert " passed" in told
    assert "failed" not in told
