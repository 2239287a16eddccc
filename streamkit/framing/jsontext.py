"""
JSON text to values and back: msgspec first, the standard library second.

Divergences from RFC 8259, all of them towards reading what providers send:

1. ``NaN``, ``Infinity`` and lone surrogates are read.
2. Control characters inside strings are read.
3. Bytes that are not UTF-8 are read as U+FFFD; one leading U+FEFF is skipped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from streamkit.errors import MalformedStream, TruncatedStream, excerpt
from streamkit.framing.frame import Frame

__all__ = ["DONE", "decode", "decode_strictly", "encode", "encode_ascii", "payloads"]

DONE: Final = "[DONE]"
"""The done marker of the chat APIs: the one text that is no JSON and no fault either."""

_decode = msgspec.json.Decoder().decode
_decode_leniently = json.JSONDecoder(strict=False).decode
_encode = msgspec.json.Encoder().encode


decode_strictly = _decode
"""`decode` without the second try, for those who have `payloads` (ValueError, RecursionError)."""


def decode(data: str | bytes) -> Any:
    """
    Read one JSON text.

    Args:
        data: the text, or its UTF-8 bytes; blanks around it are allowed.

    Raises:
        ValueError: neither msgspec nor the standard library can read it.
    """
    try:
        return _decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return _second_try(data)


def _second_try(data: str | bytes) -> Any:
    text = data if isinstance(data, str) else data.decode("utf-8-sig", "replace")
    try:
        return _decode_leniently(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def encode(value: Any) -> bytes:
    """
    Write *value* as one compact JSON text.

    Raises:
        TypeError: *value* is not JSON (or contains itself).
    """
    try:
        return _encode(value)
    except (ValueError, OverflowError, RecursionError):
        # Lone surrogates have no UTF-8, integers beyond 64 bits no msgspec.
        return _escaped(value)


def encode_ascii(value: Any) -> bytes:
    """
    Write *value* as one compact JSON text of ASCII alone, in one line.

    No decoder between here and the client can then cut a character in two, or
    take one for the end of a line (U+2028, U+0085).

    Raises:
        TypeError: *value* is not JSON (or contains itself).
    """
    text = encode(value)
    return text if text.isascii() else _escaped(value)


def _escaped(value: Any) -> bytes:
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):
        text = _escape_finite(value)
    return text.encode("ascii")


def _escape_finite(value: Any) -> str:
    """Write what is no number as null, as msgspec does: JSON has no word for it (RFC 8259, 6)."""
    try:
        return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise TypeError(f"this value cannot be written as JSON: {error}") from None


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def payloads(frame: Frame) -> Sequence[Any]:
    """
    Read the JSON values of one frame; the caller counts the frames that have none.

    Returns:
        One value, as a rule. None for empty data, for ``null`` and for a
        comment sent as data (``data: : keep-alive``). Several where a server
        left out the blank line between its JSON lines. The done marker is
        the string `DONE`.

    Raises:
        TruncatedStream: only the end of the body completed the frame, and its
            data is not JSON.
        MalformedStream: the data is not JSON.
    """
    try:
        value = _decode(frame.data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return _hard_cases(frame)
    return () if value is None else (value,)


def _hard_cases(frame: Frame) -> Sequence[Any]:
    data = frame.data
    text = data if isinstance(data, str) else data.decode("utf-8-sig", "replace")
    for texts in ((text,), text.split("\n")):
        try:
            values = [_value(text) for text in texts]
        except ValueError:
            continue
        return tuple(value for value in values if value is not None)
    raise _unreadable(frame, text)


def _value(text: str) -> Any:
    """Read one text by the rules of `payloads`; None where it says nothing."""
    text = text.strip()
    if not text or text.startswith(":"):
        return None
    return DONE if text == DONE else decode(text)


def _unreadable(frame: Frame, text: str) -> MalformedStream | TruncatedStream:
    if frame.cut:
        return TruncatedStream(
            f"expected the rest of a JSON text, but the body ended after {excerpt(text)!r}; "
            "the connection was cut, ask again"
        )
    what = "one JSON body" if frame.whole else f"JSON in the frame {frame.event!r}"
    return MalformedStream(
        f"expected {what}, got {excerpt(text)!r}; "
        "check that the URL leads to the provider's API and not to a page or a proxy"
    )
