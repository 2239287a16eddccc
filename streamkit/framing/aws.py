"""The binary framing of AWS: application/vnd.amazon.eventstream (Bedrock)."""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Iterator
from typing import Any, Final

import attrs

from streamkit.errors import MalformedStream, TruncatedStream
from streamkit.framing.frame import Frame
from streamkit.framing.framer import Framer, too_large
from streamkit.framing.jsontext import encode

__all__ = ["PRELUDE", "AwsEventStream", "is_prelude"]

PRELUDE: Final = struct.Struct(">III")
"""Bytes of the message, bytes of its headers, CRC32 of these eight bytes."""
_CRC: Final = struct.Struct(">I")
_LENGTH: Final = struct.Struct(">H")
_OVERHEAD: Final = PRELUDE.size + _CRC.size

# Type of a header's value -> its bytes; None: a length of two bytes comes first.
_BYTES, _STRING = 6, 7
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, _BYTES: None, _STRING: None, 8: 8, 9: 16}


def is_prelude(head: bytes) -> bool:
    """Whether the first twelve bytes are a prelude whose checksum holds."""
    return len(head) >= PRELUDE.size and crc32(head[:8]) == _CRC.unpack_from(head, 8)[0]


@attrs.define(eq=False)
class AwsEventStream(Framer):
    """
    Cut an AWS event stream into its messages.

    The frame's event is the ``:event-type``; for exceptions and errors it is
    ``exception:`` and their type. The data is the payload.

    Source: Amazon Transcribe, "Event stream encoding"; Smithy,
    "Amazon Event Stream Specification".
    """

    max_frame_bytes: int
    """Bytes of one message, headers and checksums included."""
    _held: bytearray = attrs.field(factory=bytearray, init=False)

    def _cut(self, chunk: bytes) -> Iterator[Frame]:
        self._held += chunk
        at = 0
        while size := self._message_size(at):
            message = bytes(self._held[at : at + size])
            at += size
            yield _frame(message)
        del self._held[:at]

    def _message_size(self, at: int) -> int:
        """Bytes of the message at *at*; 0 while it is not all there."""
        if len(self._held) - at < PRELUDE.size:
            return 0
        size, headers, _ = PRELUDE.unpack_from(self._held, at)
        if not is_prelude(bytes(self._held[at : at + PRELUDE.size])):
            raise _malformed("a prelude whose checksum holds", "another checksum")
        if size < headers + _OVERHEAD:
            raise _malformed(f"a message of {headers + _OVERHEAD} bytes or more", f"{size} bytes")
        if size > self.max_frame_bytes:
            raise too_large("a message", self.max_frame_bytes)
        return size if len(self._held) - at >= size else 0

    def _finish(self) -> Iterator[Frame]:
        if self._held:
            raise TruncatedStream(
                f"expected the rest of an AWS event stream message, but the body ended "
                f"{len(self._held)} bytes into it; the connection was cut, ask again"
            )
        return iter(())


def _frame(message: bytes) -> Frame:
    if crc32(message[: -_CRC.size]) != _CRC.unpack_from(message, len(message) - _CRC.size)[0]:
        raise _malformed("a message whose checksum holds", "another checksum")
    _, size, _ = PRELUDE.unpack_from(message)
    try:
        headers = dict(_headers(message[PRELUDE.size : PRELUDE.size + size]))
    except (KeyError, IndexError, ValueError, struct.error):
        raise _malformed("headers of known types", "headers that cannot be read") from None
    return _named(headers, message[PRELUDE.size + size : -_CRC.size])


def _named(headers: dict[str, Any], payload: bytes) -> Frame:
    match headers.get(":message-type"):
        case "exception":
            return Frame(payload, f"exception:{headers.get(':exception-type', 'unknown')}")
        case "error":  # has no payload: what it says is in the headers
            said = encode({"message": headers.get(":error-message", "")})
            return Frame(payload or said, f"exception:{headers.get(':error-code', 'unknown')}")
    return Frame(payload, str(headers.get(":event-type", "message")))


def _headers(block: bytes) -> Iterator[tuple[str, Any]]:
    at = 0
    while at < len(block):
        name, at = _sized(block, at + 1, block[at])
        kind = block[at]
        size, at = _SIZES[kind], at + 1
        if size is None:
            (size,) = _LENGTH.unpack_from(block, at)
            at += _LENGTH.size
        value, at = _sized(block, at, size)
        yield name.decode(), value.decode() if kind == _STRING else value


def _sized(block: bytes, at: int, size: int) -> tuple[bytes, int]:
    value = block[at : at + size]
    if len(value) < size:
        raise IndexError(at)
    return value, at + size


def _malformed(expected: str, came: str) -> MalformedStream:
    return MalformedStream(
        f"expected {expected} in an AWS event stream, got {came}; "
        "something between here and the provider changes the bytes"
    )
