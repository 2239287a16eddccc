"""On one event loop: redis-py needs asyncio."""

import pytest


@pytest.fixture
def anyio_backend():
    """The event loop."""
    return "asyncio"
