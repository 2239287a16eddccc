"""Asynchronous tests run on asyncio and trio, in CI on uvloop too; what is left out is said."""

import gc
import shutil
from importlib.util import find_spec
from pathlib import Path

import certifi
import pytest

if find_spec("hypothesis"):  # an older SDK's venv, where some tests run, has only what they need
    from hypothesis import settings

    # No deadline: how long an example takes says how busy the machine is.
    settings.register_profile("house", deadline=None, max_examples=30)
    settings.register_profile("thorough", deadline=None, max_examples=100)  # CI, behind the linters
    settings.load_profile("house")

LEFT_OUT = pytest.StashKey[int]()
"""How many tests were left out because of their mark (a count)."""
BACKENDS = [
    pytest.param(("asyncio", {"debug": False}), id="asyncio"),
    # A loop more is a third more time: CI runs it behind the linters.
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop", marks=pytest.mark.interop),
    pytest.param(("trio", {}), id="trio"),
]


@pytest.fixture(params=BACKENDS)
def anyio_backend(request):
    """The event loop a test runs on."""
    return request.param


@pytest.fixture(autouse=True, scope="session")
def _one_authority(tmp_path_factory):
    """Have one authority trusted, not all of the world's: reading those takes a client 60 ms."""
    first, end, _ = Path(certifi.where()).read_bytes().partition(b"-----END CERTIFICATE-----\n")
    path = tmp_path_factory.mktemp("tls") / "authority.pem"
    path.write_bytes(first + end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(path))
        yield


@pytest.fixture(autouse=True, scope="module")
def _frozen():
    """Keep the collector to what a module's tests make: who calls it looks at nothing older."""
    gc.collect()
    gc.freeze()


@pytest.fixture
async def redis(tmp_path):
    """A private redis-server of this test's own."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    from .redis_server import Server

    server = Server(tmp_path)
    await server.start()
    yield server
    server.kill()


def pytest_deselected(items):
    """Count the tests that need more than Python; under xdist this is a worker's part."""
    if all(item.get_closest_marker("interop") for item in items):
        items[0].config.stash[LEFT_OUT] = len(items)


def pytest_sessionfinish(session):
    """Have a worker of xdist's tell whoever sums up; each of them collected all."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Hear what a worker left out; one that crashed tells nothing."""
    count = getattr(node, "workeroutput", {}).get("left_out", 0)
    node.config.stash[LEFT_OUT] = max(count, node.config.stash.get(LEFT_OUT, 0))


def pytest_terminal_summary(terminalreporter, config):
    """Say in one line what did not run, and how to run it."""
    if count := config.stash.get(LEFT_OUT, 0):
        tests = f"{count} test{'s' if count > 1 else ''} marked interop"
        terminalreporter.write_line(
            f"left out: {tests} (Redis, Node, Chromium, uvloop, long ones); run with -m interop"
        )
