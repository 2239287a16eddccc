"""Every clock and every bound of a run, in one value."""

from __future__ import annotations

from typing import Any

import attrs

from .errors import MisuseError

__all__ = ["Limits"]


def _positive(_limits: Limits, field: attrs.Attribute[Any], value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not value > 0:
        raise MisuseError(f"expected Limits.{field.name} to be a number above 0; got {value!r}")


@attrs.frozen(kw_only=True)
class Limits:
    """
    Every clock (seconds) and every bound (bytes, counts) of a run.

    The clocks *first_byte*, *first_content* and *idle* run only while the
    transport waits for a read, so a slow consumer never looks like a slow
    provider. A clock set to ``float("inf")`` never runs out.
    """

    connect: float = attrs.field(default=10.0, validator=_positive)
    """Seconds to get a connection, a place in the client's pool included."""
    first_byte: float = attrs.field(default=120.0, validator=_positive)
    """Seconds from the request to the first byte of the body."""
    first_content: float = attrs.field(default=180.0, validator=_positive)
    """Seconds from the request to the first delta; keep-alives do not count."""
    idle: float = attrs.field(default=120.0, validator=_positive)
    """Seconds between deltas; keep-alives do not count."""
    liveness: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(_positive)
    )
    """
    Seconds for which any byte, a keep-alive too, puts *first_content* and *idle* off: for
    models that think in silence. None: only deltas do.
    """
    drain: float = attrs.field(default=2.0, validator=_positive)
    """Seconds to wait for usage and the done marker once the answer has its finish reason."""
    total: float = attrs.field(default=900.0, validator=_positive)
    """Seconds for the whole run, all attempts together."""
    buffered_total: float = attrs.field(default=600.0, validator=_positive)
    """Seconds for the buffered attempt, within *total*."""
    finalise: float = attrs.field(default=5.0, validator=_positive)
    """Seconds for ``on_result``, for a connection to close, and for each callback after the end."""
    send_timeout: float = attrs.field(default=30.0, validator=_positive)
    """Seconds for one write to a client that is served."""
    max_frame_bytes: int = attrs.field(default=16 * 1024 * 1024, validator=_positive)
    """Bytes of one frame: since the last blank line (SSE), of one line (NDJSON), of one value."""
    max_response_bytes: int = attrs.field(default=256 * 1024 * 1024, validator=_positive)
    """Bytes of one answer's body, decoded."""
    hold_events: int = attrs.field(default=1024, validator=_positive)
    """Events held back before the first visible one."""
