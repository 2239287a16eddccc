"""The silences of one run, in bounded memory."""

from __future__ import annotations

import math
from array import array
from typing import Final

import attrs

__all__ = ["Gaps"]

KEPT: Final = 4096
"""How many are kept at most; then every second one, from then on (a count)."""


@attrs.define(eq=False)
class Gaps:
    """
    How long a provider was silent between reads that brought something (seconds).

    A sample: once `KEPT` are there every second one is dropped, and only every
    second that comes is kept, and so on. Each kept one stands for as many.
    """

    _kept: array[float] = attrs.field(factory=lambda: array("d"), init=False)
    _passed: int = attrs.field(default=0, init=False)
    """How many came since the last that was kept (a count)."""
    _between: int = attrs.field(default=0, init=False)
    """How many are passed over between two that are kept (a count)."""

    def add(self, seconds: float) -> None:
        """Take one more."""
        if self._between and self._is_passed():
            return
        kept = self._kept
        kept.append(seconds)
        if len(kept) >= KEPT:
            self._kept = kept[1::2]
            self._between = 2 * self._between + 1

    def _is_passed(self) -> bool:
        """Whether the one that comes now is not kept."""
        self._passed = (self._passed + 1) % (self._between + 1)
        return self._passed != 0

    def quantile(self, share: float) -> float | None:
        """
        Give the smallest that *share* of them do not exceed.

        Args:
            share: from 0 to 1; 0.5 is the median.

        Returns:
            Seconds; None where there was none.
        """
        if not self._kept:
            return None
        return sorted(self._kept)[max(0, math.ceil(share * len(self._kept)) - 1)]
