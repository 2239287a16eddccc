"""One provider's endpoint: how a call becomes a request, and a response a body."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any

import anyio
import attrs

from ..dialects import HttpCall, read_error
from ..errors import MisuseError, ProviderError, Rejected, StreamkitError, excerpt
from ..framing import Ended, encode, read_frames
from ..pipeline import Emit, Over, Taps
from .body import leave, open_body
from .foreign import map_foreign

__all__ = ["Endpoint", "HttpSource", "read_retry_after"]

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

    def fetch(
        self, http: Any, call: HttpCall, emit: Emit, taps: Taps, *, accept: str
    ) -> Coroutine[Any, Any, Ended]:
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
        # What the request was built from is let go before the answer is waited for.
        return self._read(http, self._build(http, call, taps, accept), emit, taps)

    async def _read(self, http: Any, request: Any, emit: Emit, taps: Taps) -> Ended:
        try:
            response = await http.send(request, stream=True)
        except StreamkitError:
            raise
        except Exception as error:  # noqa: BLE001 (mapped, whatever it is)
            raise map_foreign(error, taps.connect, self.secrets) from self._cause(error)
        bodies = body, *_ = open_body(response)
        linger = 0.0
        try:
            if not response.is_success:
                raise await self._rejection(response, body, taps.close)
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
        except StreamkitError:
            raise
        except Exception as error:  # noqa: BLE001 (mapped, whatever it is)
            raise map_foreign(error, taps.connect, self.secrets) from self._cause(error)
        finally:
            await leave(response, bodies, linger, taps.close)

    def _build(self, http: Any, call: HttpCall, taps: Taps, accept: str) -> Any:
        base = self.base_url.rstrip("/")
        timeout = (taps.connect, _OFF, _OFF, taps.connect)  # connect, read, write, pool
        headers = {
            "accept": accept,
            "accept-encoding": "identity",  # compression buffers tokens (quirk 19)
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
        except Exception as error:  # noqa: BLE001 (whatever it is, nothing was sent)
            misuse = MisuseError(
                f"expected a request that can be sent to {excerpt(base, *self.secrets)!r}; "
                f"got {type(error).__name__}: {excerpt(error, *self.secrets)}; "
                "check base_url, headers and that the body is JSON"
            )
            raise misuse from self._cause(error)

    def _cause(self, error: Exception) -> Exception | None:
        """Give *error* as a cause, unless a traceback would print a secret with it."""
        said = f"{error!r} {error}"
        return None if any(secret.strip() in said for secret in self.secrets) else error

    async def _rejection(
        self, response: Any, body: AsyncIterator[bytes], seconds: float
    ) -> ProviderError:
        read = bytearray()
        try:
            with anyio.move_on_after(seconds):  # the status says enough to go on with
                async for chunk in body:
                    read += chunk
                    if len(read) >= _REJECTION_BYTES:
                        break
        except Exception as error:  # noqa: BLE001
            read += f" (and the body broke off: {type(error).__name__})".encode()
        for secret in self.secrets:  # before anyone cuts it in two
            read = read.replace(secret.encode(), b"***")
        said, word = read_error(bytes(read))
        return Rejected(
            f"the provider answered HTTP {response.status_code}: {excerpt(said, *self.secrets)}",
            status=response.status_code,
            retry_after=read_retry_after(response.headers.get("retry-after")),
            provider_code=word,
        )


def read_retry_after(value: str | None) -> float | None:
    """Read the delay form of ``Retry-After`` (RFC 9110, 10.2.3); dates are left alone."""
    try:
        seconds = float(value or "nan")
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


@attrs.define(eq=False)
class HttpSource:
    """What the sources over HTTP have in common: who sends, and where to."""

    http: Any
    """An ``httpx.AsyncClient`` or anything of its shape; never closed here."""
    endpoint: Endpoint = attrs.field(factory=Endpoint, kw_only=True)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The endpoint's."""
        return self.endpoint.secrets
