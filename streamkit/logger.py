"""Where streamkit says what it did: the standard logger ``streamkit``, through structlog."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

__all__ = ["log"]


def _to_standard(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> tuple[tuple[str], dict[str, Any]]:
    """Render for people in the message, and keep the fields for machines in ``extra``."""
    said = str(event.pop("event"))
    words = " ".join(f"{key}={value}" for key, value in event.items())
    return (f"{said} {words}".rstrip(),), {"extra": {"streamkit": dict(event)}}


# Bound to the standard logger by hand: structlog's own default prints to
# standard output, and an application that configured nothing must stay silent.
_standard = logging.getLogger("streamkit")
_standard.addHandler(logging.NullHandler())

log: Final[Any] = structlog.wrap_logger(
    _standard,
    processors=[structlog.stdlib.filter_by_level, _to_standard],
    wrapper_class=structlog.stdlib.BoundLogger,
    context_class=dict,
)
