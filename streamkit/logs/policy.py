"""What happens to a subscriber that does not keep up."""

from __future__ import annotations

import attrs

from ..errors import MisuseError

__all__ = ["Block", "Coalesce", "Disconnect", "DropDeltas", "Policy", "as_policy"]

WINDOW = 1024
"""How far a subscriber may lag before its policy acts (events)."""

_count = attrs.field(default=WINDOW, validator=attrs.validators.ge(1))


@attrs.frozen
class Coalesce:
    """Every delta as the provider cut it, until the lag is *window* events; then merged deltas."""

    window: int = _count


@attrs.frozen
class Block:
    """
    Hold the provider up once the lag is *window* events.

    After *patience* seconds of one wait the subscriber goes on as `Coalesce`.
    """

    window: int = _count
    patience: float = attrs.field(default=30.0, validator=attrs.validators.gt(0))


@attrs.frozen
class DropDeltas:
    """Past a lag of *window* events, deltas are dropped; all other events are kept."""

    window: int = _count


@attrs.frozen
class Disconnect:
    """Past a lag of *window* events, the subscription ends with `MisuseError`."""

    window: int = _count


Policy = Coalesce | Block | DropDeltas | Disconnect

_NAMES: dict[str, type[Policy]] = {
    "coalesce": Coalesce,
    "block": Block,
    "drop_deltas": DropDeltas,
    "disconnect": Disconnect,
}


def as_policy(policy: str | Policy) -> Policy:
    """
    Give the policy of that name, with its defaults; a policy stays as it is.

    Raises:
        MisuseError: there is none of that name.
    """
    if isinstance(policy, Coalesce | Block | DropDeltas | Disconnect):
        return policy
    if policy not in _NAMES:
        raise MisuseError(
            f"expected a subscriber policy; got {policy!r}; there are: {', '.join(_NAMES)}"
        )
    return _NAMES[policy]()
