"""One provider's endpoint: how a call becomes a request, and a response a body."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import anyio
import attrs

from ..dialects import HttpCall, read_error
from ..errors import MisuseError, ProviderError, Rejected, excerpt
from ..framing import Ended, encode, read_frames
from ..pipeline import Emit, Over, Taps
from .foreign import map_foreign

__all__ = ["Endpoint"]

_REJECTION_BYTES = 64 * 1024
"""How much of a rejection's body is read (bytes)."""
_LINGER = 0.05
"""Seconds to let a body end by itself behind its answer, so that the connection lives on."""
_OFF = None
"""The socket's own read and write timeouts: off, since the clock that fires can explain itself."""


@attrs.frozen
class Endpoint:
    """Where one provider's calls go, and what goes with each."""

    base_url: str = ""
    """What a call's path is joined to; empty leaves it to the HTTP client's own base URL."""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    params: Mapping[str, str] = attrs.field(factory=dict)
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)
    """Values that no message may quote."""

    async def fetch(
        self, http: Any, call: HttpCall, emit: Emit, taps: Taps, *, accept: str
    ) -> Ended:
        """
        Send *call* and emit the frames of each read of its body.

        Returns:
            How the body ended. On every way out the response is closed: an
            unfinished body is left by a cancelled read first, so that no
            generator of the HTTP client is left to the garbage collector.

        Raises:
            Rejected: the status is no success.
            TransportError, Stalled: mapped from the HTTP client's exceptions.
            MisuseError: the request cannot be built.
        """
        request = self._build(http, call, taps, accept)
        try:
            response = await http.send(request, stream=True)
        except Exception as error:
            raise map_foreign(error, taps.connect, self.secrets) from error
        body = _body(response)
        linger = 0.0
        try:
            if not response.is_success:
                raise await self._rejection(response, body)
            return await read_frames(
                body,
                emit,
                content_type=response.headers.get("content-type", ""),
                max_frame_bytes=taps.max_frame_bytes,
                max_response_bytes=taps.max_response_bytes,
                on_bytes=taps.on_bytes,
            )
        except Over:
            linger = _LINGER
            raise
        except Exception as error:
            mapped = map_foreign(error, taps.connect, self.secrets)
            if mapped is error:
                raise
            raise mapped from error
        finally:
            await _leave(response, body, linger, taps.close)

    def _build(self, http: Any, call: HttpCall, taps: Taps, accept: str) -> Any:
        base = self.base_url.rstrip("/")
        timeout = (taps.connect, _OFF, _OFF, taps.connect)  # connect, read, write, pool
        headers = {
            "accept": accept,
            "accept-encoding": "identity",  # compression buffers tokens (peers.md B.1, 19)
            "content-type": "application/json",
            **{name.lower(): value for name, value in call.headers.items()},
            **{name.lower(): value for name, value in self.headers.items()},
        }
        try:
            return http.build_request(
                "POST",
                f"{base}/{call.path}" if base else call.path,
                content=encode(call.body),
                headers=headers,
                params={**call.params, **self.params} or None,
                timeout=timeout,
            )
        except Exception as error:
            raise MisuseError(
                f"expected a request that can be sent to {excerpt(base, *self.secrets)!r}; "
                f"got {type(error).__name__}: {excerpt(error, *self.secrets)}; "
                "check base_url, headers and that the body is JSON"
            ) from error

    async def _rejection(self, response: Any, body: AsyncIterator[bytes]) -> ProviderError:
        read = bytearray()
        try:
            async for chunk in body:
                read += chunk
                if len(read) >= _REJECTION_BYTES:
                    break
        except Exception as error:  # noqa: BLE001 (the status says enough)
            read += f" (and the body broke off: {type(error).__name__})".encode()
        said, word = read_error(bytes(read))
        return Rejected(
            f"the provider answered HTTP {response.status_code}: {excerpt(said, *self.secrets)}",
            status=response.status_code,
            retry_after=_retry_after(response.headers.get("retry-after")),
            provider_code=word,
        )


def _body(response: Any) -> AsyncIterator[bytes]:
    """Iterate the body as it comes off the wire; decode it where the provider compressed it."""
    encoding = response.headers.get("content-encoding", "identity").lower()
    plain = encoding in ("", "identity")
    return response.aiter_raw() if plain else response.aiter_bytes()  # type: ignore[no-any-return]


async def _leave(response: Any, body: AsyncIterator[bytes], linger: float, seconds: float) -> None:
    """
    Leave a body, wherever it is, and close its response.

    A body read to its end gives its connection back to the pool. Another is
    left by a cancelled read, which takes what has come already, and closes it.

    It waits *linger* seconds for the body to end by itself first, and takes
    at most *seconds* in all.
    """
    with anyio.move_on_after(seconds, shield=True):
        with contextlib.suppress(Exception):  # it is being thrown away
            with anyio.move_on_after(linger):
                async for _ in body:
                    pass
        await response.aclose()


def _retry_after(value: str | None) -> float | None:
    """Read the delay form of ``Retry-After`` (RFC 9110, 10.2.3); dates are left alone."""
    try:
        return None if value is None else max(0.0, float(value))
    except ValueError:
        return None
