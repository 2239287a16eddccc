"""
Errors in the body of an answer: recognised, and turned into ours.

One normaliser for every dialect, for frames of a stream with a good status and
for error bodies alike. What providers call a thing is read into the status it
means, where they named none, so that policies need no list of words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from ..errors import InBandError, MalformedStream, ProviderError, excerpt
from ..framing import decode

__all__ = [
    "ECHOES",
    "ERROR_FINISHES",
    "echoed_error",
    "find_error",
    "may_echo",
    "read_error",
    "residual_error",
]

ERROR_FINISHES: Final = frozenset({"error", "error_finish", "network_error"})
"""Finish reasons that say the provider failed (docs/reference/quirks.md, 66)."""

ECHOES: Final = ("event:error", "event: error", ":HTTP_STATUS/", 'data:{"error', 'data: {"error')
"""How SSE begins that a gateway passes on as an answer's text (DashScope)."""

_ECHO: Final = 8192
"""How much text may be such an echo (characters)."""

_STATUSES: Final[dict[str, int]] = {
    # Anthropic, errors
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
    # OpenAI, error codes
    "invalid_api_key": 401,
    "model_not_found": 404,
    "context_length_exceeded": 400,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "server_error": 500,
    "server_overloaded": 503,
    # google.rpc.Code
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""The status a provider's word means, where it names none."""

_BARE: Final = frozenset(
    {"code", "message", "request_id", "requestId", "status", "status_code", "trace_id", "success"}
)
"""The fields of an error that says of itself no more than its code and its message."""


def find_error(value: Any) -> InBandError | None:
    """
    Find the provider's error in a decoded body or frame.

    Known shapes: ``{"error": {...}}``, ``{"error": "text"}``, nested ones, in
    ``detail``, in a list, in the ``response`` of a ``response.failed``;
    ``{"error_type", "error_message"}``; ``{"object": "error", "message"}``;
    ``{"type": "error", ...}``; ``{"errors": [...], "success": false}``;
    ``{"code", "message"}`` and nothing of an answer.

    Returns:
        The error, not raised; None where *value* holds none.
    """
    if isinstance(value, list):
        found = (find_error(item) for item in value[:1])
        return next((error for error in found if error is not None), None)
    if not isinstance(value, Mapping):
        return None
    if error := value.get("error"):
        return _from(error, value)
    if value.get("error_message") or value.get("error_type"):
        return _build(value.get("error_message"), value.get("error_type"), value)
    if "error" in (value.get("object"), value.get("type")):
        kind = value.get("type")
        return _build(value.get("message"), value.get("code") or (kind != "error" and kind), value)
    return _within(value) or _bare(value)


def _within(value: Mapping[str, Any]) -> InBandError | None:
    """Find an error in what stands around one."""
    if value.get("type") == "response.failed":
        response = value.get("response")
        error = response.get("error") if isinstance(response, Mapping) else None
        return _from(error or "the response failed", value)
    errors = value.get("errors")
    if value.get("success") is False and isinstance(errors, list) and errors:
        return _from(errors[0], value)
    detail = value.get("detail")
    return find_error(detail) if isinstance(detail, Mapping) else None


def _bare(value: Mapping[str, Any]) -> InBandError | None:
    said = isinstance(value.get("message"), str) and value.get("code") not in (None, 0, 200, "")
    return _from(dict(value), value) if said and value.keys() <= _BARE else None


def may_echo(text: str) -> bool:
    """Whether *text*, the beginning of an answer, may be SSE that was passed on as text."""
    begins = text.lstrip()
    if not begins or len(begins) > _ECHO:
        return False
    return any(begins.startswith(echo[: len(begins)]) for echo in ECHOES)


def echoed_error(text: str) -> InBandError | None:
    """
    Read the error in SSE that was passed on as an answer's text.

    Returns:
        None where *text* begins in no such way. The data need not be JSON.
    """
    if not text.lstrip().startswith(ECHOES):
        return None
    named = re.search(r":HTTP_STATUS/(\d{3})", text)
    data = re.search(r"data:\s*(.*)", text, re.DOTALL)
    said = data[1].strip() if data else text.strip()
    try:
        error = find_error(decode(said)) or InBandError(excerpt(said))
    except ValueError:
        error = InBandError(excerpt(said))
    if error.status is None and named is not None:
        error.status = int(named[1])
    return error


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


def residual_error(residue: str) -> InBandError | None:
    """Find an error among the lines of a body that were no part of its framing."""
    text = residue.strip()
    for candidate in (text, text.partition("error:")[2].strip()):
        try:
            value = decode(candidate)
        except ValueError:
            continue
        error = find_error(value) or (find_error({"error": value}) if candidate != text else None)
        if error is not None:
            return error
    return None


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
    named = (v for k in ("status", "status_code", "code") if _is_status(v := source.get(k)))
    words = (source.get(k) for k in ("type", "code", "status"))
    meant = (_STATUSES[w] for w in (word, *words) if isinstance(w, str) and w in _STATUSES)
    return InBandError(
        excerpt(message or dict(source)),
        status=next(chain(named, meant), None),
        retry_after=next(_waits(source), None),
        provider_code=str(word) if word else None,
    )


def _waits(source: Mapping[str, Any]) -> Iterator[float]:
    """Find the seconds a provider asks to wait, wherever it says so."""
    metadata = source.get("metadata")
    headers = metadata.get("headers") if isinstance(metadata, Mapping) else None
    said = {k.lower(): v for k, v in headers.items()} if isinstance(headers, Mapping) else {}
    details = source.get("details")
    infos = details if isinstance(details, list) else []
    delays = [info.get("retryDelay") for info in infos if isinstance(info, Mapping)]
    for value, unit in (
        (source.get("retry_after"), 1.0),
        (source.get("retry_after_ms"), 0.001),
        (said.get("retry-after"), 1.0),
        *((delay, 1.0) for delay in delays),
    ):
        seconds = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{0,9})?)s?\s*", str(value))
        if seconds is not None:
            yield float(seconds[1]) * unit


def _is_status(value: Any) -> bool:
    return isinstance(value, int) and 400 <= value < 600  # noqa: PLR2004 (HTTP's error range)
