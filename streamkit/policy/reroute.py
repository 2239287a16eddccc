"""Whether a failed stream goes to the buffered call."""

from __future__ import annotations

from collections.abc import Callable

import attrs

__all__ = ["ReroutePolicy"]


def _any(_error: Exception) -> bool:
    return True


@attrs.frozen
class ReroutePolicy:
    """
    Whether a failed stream goes to the buffered call.

    The default is the contract: any ``Exception`` of the streaming attempt, a
    bug in a stage included. Cancellation is no exception and never asks.
    """

    when: Callable[[Exception], bool] = _any
    """Asked with the error of the streaming attempt; True makes the buffered call."""

    @classmethod
    def never(cls) -> ReroutePolicy:
        """Give the policy for those who want streaming's own error."""
        return cls(when=lambda _error: False)
