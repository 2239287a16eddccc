"""The names of subscriber policies, and their bounds."""

import pytest

from streamkit.errors import MisuseError
from streamkit.logs import Block, Coalesce, Disconnect, DropDeltas
from streamkit.logs.policy import as_policy


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("coalesce", Coalesce(1024)),
        ("block", Block(1024, 30)),
        ("drop_deltas", DropDeltas(1024)),
        ("disconnect", Disconnect(1024)),
    ],
)
def test_a_name_is_the_policy_with_its_defaults(name, policy):
    """Each name stands for one policy, with a window of 1,024 events."""
    assert policy == as_policy(name)


@pytest.mark.parametrize("policy", [Coalesce(7), Block(7, 0.5), DropDeltas(7), Disconnect(7)])
def test_a_policy_stays_as_it_is(policy):
    """One who needs other bounds gives the policy itself."""
    assert policy is as_policy(policy)


def test_an_unknown_name_says_which_there_are():
    """The error lists what could have been meant."""
    with pytest.raises(MisuseError, match=r"'drop'.*coalesce, block, drop_deltas, disconnect"):
        as_policy("drop")


@pytest.mark.parametrize("policy", [Coalesce, Block, DropDeltas, Disconnect])
def test_a_window_has_room_for_one(policy):
    """A window of nothing is refused when the policy is made."""
    with pytest.raises(ValueError, match="window"):
        policy(window=0)


def test_patience_is_some_time():
    """A blocking reader without patience is no blocking reader."""
    with pytest.raises(ValueError, match="patience"):
        Block(patience=0)
