"""What holds of every dialect alike."""

import json

import pytest

from streamkit.dialects import _DIALECTS, get_dialect
from streamkit.events import ResponseFailed, ResponseStarted
from streamkit.response import Response

pytestmark = pytest.mark.parametrize("name", sorted(_DIALECTS))


def test_a_strangers_word_stays_here(name):
    """An SDK's error has the provider's own word for its code, which is told to nobody."""
    error = ValueError("sk-1234")
    error.code = "billing_hard_limit_reached"
    encoder = get_dialect(name).encoder()
    told = [
        f
        for e in (ResponseStarted("a"), ResponseFailed(error, Response()))
        for f in encoder.encode(e)
    ]
    said = b"".join(f.data for f in told).decode() + json.dumps(encoder.failure(error))

    assert told
    assert "billing" not in said
    assert "sk-1234" not in said
