"""What holds of every dialect alike."""

import json

import pytest

from streamkit.dialects import _DIALECTS, get_dialect
from streamkit.errors import InBandError, TruncatedStream
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


@pytest.mark.parametrize(
    "line", ['{"error": {"message": "slow down"}}', 'error: {"message": "slow down"}']
)
def test_an_error_among_the_lines_is_raised(name, line):
    """One that is no part of the framing counts where nothing proves an answer."""
    with pytest.raises(InBandError, match="slow down"):
        get_dialect(name).decoder().eof(line)


def test_what_was_cut_says_what_else_came(name):
    """What was expected, what came beside the frames, and what that means."""
    with pytest.raises(TruncatedStream) as raised:
        get_dialect(name).decoder().eof("busy")
    said = str(raised.value)
    assert said.startswith("expected ")
    assert " before the end of the stream; no " in said
    assert "; the body also held 'busy'; the connection was cut" in said
