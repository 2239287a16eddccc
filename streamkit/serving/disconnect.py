"""What becomes of a run when the last client that was served with it goes away."""

from __future__ import annotations

from math import inf
from typing import Final

import attrs

from ..errors import MisuseError

__all__ = ["OnDisconnect", "as_on_disconnect", "cancel", "detach", "grace"]


@attrs.frozen
class OnDisconnect:
    """How long a run outlives its last client."""

    linger: float
    """Seconds: 0 cancels it at once, `math.inf` lets it run to its end."""


cancel: Final = OnDisconnect(0.0)
"""Stop paying: the provider's connection is closed at once."""

detach: Final = OnDisconnect(inf)
"""Let it run to its end, whoever watches."""


def grace(seconds: float) -> OnDisconnect:
    """
    Give the client *seconds* to come back; then cancel.

    Raises:
        MisuseError: *seconds* is no number above 0.
    """
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not 0 < seconds < inf:
        raise MisuseError(
            f"expected grace in seconds, a number above 0; got {seconds!r}; see cancel and detach"
        )
    return OnDisconnect(float(seconds))


_NAMES: Final = {"cancel": cancel, "detach": detach}


def as_on_disconnect(value: object) -> OnDisconnect:
    """
    Read what users write: ``cancel``, ``grace(seconds)``, ``detach``, two of them also as names.

    Raises:
        MisuseError: it is none of them.
    """
    if isinstance(value, OnDisconnect):
        return value
    if isinstance(value, str) and value in _NAMES:
        return _NAMES[value]
    raise MisuseError(
        f"expected on_disconnect to be cancel, grace(seconds) or detach; got {value!r}"
    )
