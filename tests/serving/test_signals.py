"""A server that is told to end: its streams end first, and cleanly."""

import os
import re
import signal
import sys
import threading
from contextlib import asynccontextmanager
from subprocess import DEVNULL, PIPE, STDOUT

import anyio
import h11
import pytest

from streamkit.serving.signals import Chain
from streamkit.testing import FaultProvider, Hold, Reply, answers

from ..conftest import BACKENDS
from .sse_client import connect

pytestmark = pytest.mark.anyio
BODY = {"model": "m", "messages": []}
HELLO = answers.text_stream("Hel", "lo")
PATIENCE = 20.0
"""How long a server may take to start, or to end (seconds)."""


@asynccontextmanager
async def uvicorn(*options, **environment):
    """A uvicorn of its own process; gives it and its URL."""
    command = [sys.executable, "-m", "uvicorn", "--port", "0", "--no-access-log", *options]
    process = await anyio.open_process(
        [*command, "tests.serving.draining_app:application"],
        env={**os.environ, **environment},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
    )
    async with process:
        try:
            with anyio.fail_after(PATIENCE):
                said = ""
                while not (found := re.search(r"running on (http://[0-9.:]+)", said)):
                    said += (await process.stdout.receive()).decode()
            yield process, found[1]
        finally:
            if process.returncode is None:
                process.kill()


@pytest.mark.parametrize("anyio_backend", BACKENDS[:1], indirect=True)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_a_uvicorn_that_is_told_to_end_ends(loop):
    """The open stream gets its farewell and a clean end of its body, and the server goes."""
    async with (
        FaultProvider(stream=Reply(*HELLO[:2], Hold())) as provider,
        uvicorn("--loop", loop, PROVIDER=provider.url, DRAINS="yes") as (process, url),
        connect(f"{url}/", method="POST", json=BODY) as response,
    ):
        async for frame in response.frames():
            if frame.json["type"] == "text_delta":
                process.send_signal(signal.SIGTERM)
        with anyio.fail_after(3.0):
            await process.wait()

    assert ("farewell", 1500) == (frame.json["type"], frame.retry)


@pytest.mark.parametrize("anyio_backend", BACKENDS[:1], indirect=True)
async def test_without_it_the_server_waits_for_its_streams():
    """What is not asked for is not done: nothing of the server's is touched."""
    async with (
        FaultProvider(stream=Reply(*HELLO[:2], Hold())) as provider,
        uvicorn("--timeout-graceful-shutdown", "1", PROVIDER=provider.url) as (process, url),
        connect(f"{url}/", method="POST", json=BODY) as response,
    ):
        types = []
        with pytest.raises(h11.RemoteProtocolError):
            async for frame in response.frames():
                types.append(frame.json["type"])
                if types[-1] == "text_delta":
                    process.send_signal(signal.SIGTERM)

    assert "farewell" not in types


@pytest.fixture
def handled():
    """What a handler that stood there before was called with."""
    calls, before = [], signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda number, frame: calls.append(number))
    yield calls
    signal.signal(signal.SIGTERM, before)


async def test_who_handled_a_signal_before_handles_it_still(handled):
    """Ours is heard in the event loop, theirs at once; twice installed is once."""
    heard = anyio.Event()
    chain, mine = Chain(heard.set), signal.getsignal(signal.SIGTERM)
    chain.install()
    chain.install()
    signal.raise_signal(signal.SIGTERM)
    with anyio.fail_after(5):
        await heard.wait()
    chain.undo()

    assert [signal.SIGTERM] == handled
    assert mine is signal.getsignal(signal.SIGTERM)


async def test_a_handler_that_came_later_stays(handled):
    """Undoing takes away nothing of anybody else's."""
    chain = Chain(lambda: None)
    chain.install()
    later = lambda number, frame: None  # noqa: E731
    signal.signal(signal.SIGTERM, later)
    chain.undo()

    assert later is signal.getsignal(signal.SIGTERM)


def test_a_signal_behind_the_end_of_the_loop_is_handed_on(handled):
    """Of two chains the first may be undone first, and its handler be left: it does no harm."""

    async def install():
        first, second = Chain(lambda: None), Chain(lambda: None)
        first.install()
        second.install()
        first.undo()
        second.undo()

    anyio.run(install)
    signal.raise_signal(signal.SIGTERM)

    assert [signal.SIGTERM] == handled


async def test_outside_the_main_thread_nothing_is_installed(handled):
    """Python allows it there to nobody."""
    before = signal.getsignal(signal.SIGTERM)
    chain = Chain(lambda: None)
    thread = threading.Thread(target=chain.install)
    thread.start()
    await anyio.to_thread.run_sync(thread.join)

    assert before is signal.getsignal(signal.SIGTERM)


async def test_what_is_ignored_stays_ignored():
    """A signal that the process does not hear ends only the streams."""
    before, heard = signal.signal(signal.SIGTERM, signal.SIG_IGN), anyio.Event()
    chain = Chain(heard.set)
    try:
        chain.install()
        signal.raise_signal(signal.SIGTERM)
        with anyio.fail_after(5):
            await heard.wait()
    finally:
        chain.undo()
        signal.signal(signal.SIGTERM, before)


DEFAULT = """
import anyio, signal
from streamkit.serving.signals import Chain

async def main():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Chain(lambda: None).install()
    signal.raise_signal(signal.SIGTERM)
    await anyio.sleep(5)

anyio.run(main)
"""


async def test_where_nobody_handled_it_the_process_ends_as_ever():
    """The default is the default."""
    done = await anyio.run_process([sys.executable, "-c", DEFAULT], check=False)

    assert -signal.SIGTERM == done.returncode
