"""Errors in the body of an answer: recognised, and turned into ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..errors import InBandError, MalformedStream, ProviderError, excerpt
from ..framing import decode

__all__ = ["ERROR_FINISHES", "find_error", "read_error"]

ERROR_FINISHES: Final = frozenset({"error", "error_finish", "network_error"})
"""Finish reasons that say the provider failed (docs/reference/quirks.md, 66)."""


def find_error(value: Any) -> InBandError | None:
    """
    Find the provider's error in a decoded body or frame.

    Known shapes: ``{"error": {...}}``, ``{"error": "text"}``, nested ones,
    ``{"error_type", "error_message"}``, ``{"object": "error", "message"}``,
    ``{"type": "error", ...}``.

    Returns:
        The error, not raised; None where *value* holds none.
    """
    if not isinstance(value, Mapping):
        return None
    error = value.get("error")
    if error:
        return _from(error, value)
    if value.get("error_message") or value.get("error_type"):
        return _build(value.get("error_message"), value.get("error_type"), value)
    if "error" in (value.get("object"), value.get("type")):
        kind = value.get("type")
        return _build(value.get("message"), value.get("code") or (kind != "error" and kind), value)
    return None


def read_error(body: str | bytes) -> tuple[str, str | None]:
    """
    Read an error body, of JSON or not, for a message.

    Returns:
        What the provider says (unshortened), and its own word for the error.
    """
    try:
        value = decode(body)
    except ValueError:
        return (body.decode("utf-8", "replace") if isinstance(body, bytes) else body), None
    error = find_error(value)
    if error is not None:
        return str(error.args[0]), error.provider_code
    if isinstance(value, Mapping):
        return str(value.get("message") or value.get("detail") or value), None
    return str(value), None


def not_json(body: str | bytes) -> ProviderError:
    """Give the error for a whole body that is not JSON: HTML, a login page, plain words."""
    return MalformedStream(
        f"expected a stream or a JSON answer; got {excerpt(body)!r}; "
        "check that base_url is the API and not a web page or a proxy's error"
    )


def _from(error: Any, around: Mapping[str, Any]) -> InBandError:
    if isinstance(error, Mapping):
        inner = error.get("error")
        if isinstance(inner, Mapping):
            return _from(inner, around)
        word = error.get("code") or error.get("type") or error.get("status")
        return _build(error.get("message") or error.get("detail"), word, error)
    return _build(error, around.get("code") or around.get("type"), around)


def _build(message: Any, word: Any, source: Mapping[str, Any]) -> InBandError:
    status = next(
        (v for k in ("status", "status_code", "code") if _is_status(v := source.get(k))), None
    )
    said = excerpt(message or dict(source))
    return InBandError(said, status=status, provider_code=str(word) if word else None)


def _is_status(value: Any) -> bool:
    return isinstance(value, int) and 400 <= value < 600  # noqa: PLR2004 (HTTP's error range)
