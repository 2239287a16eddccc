"""The documentation runs, and prints what it says it prints."""

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import anyio
import pytest

from streamkit import events
from streamkit.codec import ASIDES
from streamkit.testing import FaultProvider, Reply, answers

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.glob("docs/**/*.md")
    if "```python" in path.read_text("utf-8") and "examples" not in path.parts
)


def fences(page, kind):
    """The blocks of one kind on a page."""
    text = (ROOT / page).read_text("utf-8")
    return [block for language, block in FENCE.findall(text) if language == kind]


def lines(text):
    """Lines, without blanks at their ends."""
    return [line.rstrip() for line in text.strip().splitlines()]


REDIS = "docs/how-to/scale-out.md"


def runs_as_it_says(page, **environment):
    """Run the Python of a page, in order, and see that it prints the text blocks, in order."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(fences(page, "python"))],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
        env={**os.environ, **environment},
    )

    assert "" == done.stderr
    assert lines("".join(fences(page, "text"))) == lines(done.stdout)


@pytest.mark.parametrize("page", [page for page in PAGES if page != REDIS])
def test_a_page_runs_and_prints_what_it_says(page):
    """The documentation is not about another version."""
    runs_as_it_says(page)


@pytest.mark.interop
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_page_about_redis_runs(redis):
    """Against a real one."""
    await anyio.to_thread.run_sync(partial(runs_as_it_says, REDIS, REDIS_URL=redis.url))


@pytest.mark.anyio
async def test_the_readme_example_runs(capsys):
    """The README's example, pointed at a provider that answers."""
    example, *imports = fences("README.md", "python")
    names = {}
    for block in imports:
        exec(block, {})  # noqa: S102
    async with FaultProvider(stream=Reply(*answers.text_stream("Ray", "leigh"))) as provider:
        exec(example.replace("https://api.example.com/v1", provider.url), names)  # noqa: S102
        await names["main"]()

    assert "Rayleighstop None rerouted: False" == capsys.readouterr().out.strip()


def test_every_link_of_the_readme_leads_somewhere():
    """No page is promised that is not there."""
    links = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text("utf-8"))

    assert [] == [link for link in links if not (ROOT / link).exists()]


def test_every_type_that_a_stream_can_say_is_on_the_page():
    """A page's author need not read our code."""
    page = (ROOT / "docs/reference/frames.md").read_text("utf-8")
    rows = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    roots = {"content_event", "event", "terminal"}
    classes = [name for name in events.__all__ if name[0].isupper() and name != "CHANNELS"]
    types = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in classes} - roots

    assert types | ASIDES == rows
