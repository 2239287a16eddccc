"""Every asynchronous test runs on asyncio, on uvloop and on trio."""

import pytest

BACKENDS = [
    pytest.param(("asyncio", {"debug": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    pytest.param(("trio", {}), id="trio"),
]


@pytest.fixture(params=BACKENDS)
def anyio_backend(request):
    """The event loop a test runs on."""
    return request.param
