"""A Redis for each test module, emptied for each test."""

import shutil

import pytest

from .server import Server


@pytest.fixture
def anyio_backend():
    """redis-py needs asyncio."""
    return "asyncio"


@pytest.fixture
async def server(tmp_path):
    """A private redis-server of this test's own."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    server = Server(tmp_path)
    await server.start()
    yield server
    server.kill()
