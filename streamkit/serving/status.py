"""An early failure as an HTTP status: a stream that has not begun can still be refused."""

from __future__ import annotations

import math
from typing import Final

from ..errors import ProviderError, about_us

__all__ = ["retry_after", "status_of"]

_BY_CODE: Final = {"stalled": 504, "stage": 500, "misuse": 500, "error": 500}
_GATEWAY: Final = 502
"""The answer of a server that got no good one from the server behind it (RFC 9110, 15.6.3)."""


def status_of(error: Exception) -> int:
    """
    Give the HTTP status that tells a client of *error*.

    The provider's own status where it says something about the request or the
    load (400, 413, 429, 503 ...); 502 where it is about our credentials, or
    there was none; 504 where a clock ran out, 500 where the fault is here.
    """
    status = getattr(error, "status", None)
    if isinstance(status, int) and 400 <= status < 600:  # noqa: PLR2004
        return _GATEWAY if about_us(status) else status
    return _BY_CODE.get(getattr(error, "code", "error"), _GATEWAY)


def retry_after(error: Exception) -> str | None:
    """Give the value of ``Retry-After`` in whole seconds, where the provider said so."""
    seconds = error.retry_after if isinstance(error, ProviderError) else None
    return None if seconds is None else str(max(0, math.ceil(seconds)))
