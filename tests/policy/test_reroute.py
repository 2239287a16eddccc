"""Whether a failed stream goes to the buffered call."""

import pytest

from streamkit.errors import Rejected, StageError, TruncatedStream
from streamkit.policy import ReroutePolicy

ERRORS = [Rejected("no"), TruncatedStream("cut"), StageError("s", "raised"), KeyError("bug")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_any_exception_reroutes(error):
    """The default asks nothing of the error, be it the provider's, a stage's or a bug."""
    assert ReroutePolicy().when(error)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_never_is_never(error):
    """Who wants streaming's own error gets it, whatever it is."""
    assert not ReroutePolicy.never().when(error)


def test_the_error_decides():
    """A caller's rule is asked with the error itself."""
    policy = ReroutePolicy(when=lambda error: isinstance(error, TruncatedStream))
    assert [False, True, False, False] == [policy.when(error) for error in ERRORS]


def test_a_policy_is_a_value():
    """Two policies with the same rule are equal, and neither can be changed."""
    assert ReroutePolicy() == ReroutePolicy()
    with pytest.raises(AttributeError):
        ReroutePolicy().when = None
