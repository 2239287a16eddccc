"""The HTTP clients whose transports are healed."""

import httpx
import httpx2
import pytest


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def http(request):
    """The HTTP client's module."""
    return request.param
