"""What these tests leave open is a warning, and warnings are errors."""

import gc

import pytest


@pytest.fixture(scope="module", autouse=True)
def _frozen():
    """Set aside what was imported, so that collecting what a test left takes no time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
