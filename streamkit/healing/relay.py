"""How the calls of one healed request go through the transport below."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import anyio
import attrs

from ..dialects import Dialect, HttpCall
from ..errors import Rejected
from ..framing import encode
from ..policy import is_transient
from ..stages import Collected, Transport
from ..stages.body import leave
from .face import module_of
from .recognise import Recognised

__all__ = ["Relay", "RelayedCollected", "RelayedStream"]

_OURS: Final = frozenset({"accept", "accept-encoding", "content-length", "transfer-encoding"})
"""Headers that belong to one request's body and to how it is read."""
_REFUSAL_BYTES: Final = 1024 * 1024
"""How much of a refusal's body is kept, to be handed on (bytes)."""
_REFUSAL_SECONDS: Final = 10.0
"""How long it may take to come (seconds)."""


@attrs.define(eq=False)
class Relay:
    """
    Send calls as the request that is healed was sent, through the transport below.

    It has the shape that `Endpoint` asks of an HTTP client, and keeps what
    the provider answered.
    """

    inner: Any
    original: Any
    """The request, as the SDK made it."""
    seen: Recognised
    answered: Any = attrs.field(default=None, init=False)
    """The newest answer of a good status."""
    refused: tuple[int, Any, bytes] | None = attrs.field(default=None, init=False)
    """Status, headers and body of the answer of any other that counts: see `_keep`."""
    raised: Exception | None = attrs.field(default=None, init=False)
    """What the transport below raised last."""

    def build_request(
        self, method: str, path: str, *, content: bytes, headers: dict[str, str], **_: Any
    ) -> Any:
        """Make the request of a call: the original one, byte for byte, where nothing differs."""
        original, streaming = self.original, self.seen.dialect.streaming(self.seen.request)
        url = original.url
        if path != streaming.path:
            url = url.copy_with(path=self.seen.base + path)
        if headers["accept"] == "application/json":
            for name in streaming.params:
                url = url.copy_remove_param(name)
        kept = [(k, v) for k, v in original.headers.raw if k.decode().lower() not in _OURS]
        kept += [(name.encode(), headers[name].encode()) for name in ("accept", "accept-encoding")]
        same = content == encode(self.seen.body)
        return module_of(original).Request(
            method,
            url,
            headers=kept,
            content=original.content if same else content,
            extensions=original.extensions,
        )

    async def send(self, request: Any, **_: Any) -> Any:
        """Send it; what the provider answers, or the transport raises, is kept."""
        try:
            response = await self.inner.handle_async_request(request)
        except Exception as error:
            self.raised = error
            raise
        response.request = request
        if response.is_success:
            self.answered = response
            return response
        return self.own(await self._whole(response))

    def own(self, refused: tuple[int, Any, bytes]) -> Any:
        """Give the provider's own refusal, whole."""
        status, headers, body = refused
        module = module_of(self.original)
        return module.Response(
            status, headers=headers, stream=module.ByteStream(body), request=self.original
        )

    @property
    def moved(self) -> bool:
        """Whether the provider said where else to ask: the HTTP client follows, or does not."""
        return self.refused is not None and bool(self.own(self.refused).has_redirect_location)

    async def _whole(self, response: Any) -> tuple[int, Any, bytes]:
        """Read a refusal, as far as it comes: its status says enough to go on with."""
        read = bytearray()
        body = aiter(response.stream)
        try:
            with anyio.move_on_after(_REFUSAL_SECONDS), suppress(Exception):
                async for chunk in body:
                    read += chunk
                    if len(read) > _REFUSAL_BYTES:
                        break
        finally:
            await leave(response, (body,), 0.0, _REFUSAL_SECONDS)
        refused = (response.status_code, response.headers, bytes(read))
        self._keep(refused)
        return refused

    def _keep(self, refused: tuple[int, Any, bytes]) -> None:
        """
        Keep the newest refusal, unless it alone says that asking again is of no use.

        A provider that has no buffered call refuses it for good: an SDK that
        was only to come back later must hear that.
        """
        if self.refused is None or _may_pass(refused) or not _may_pass(self.refused):
            self.refused = refused


def _may_pass(refused: tuple[int, Any, bytes]) -> bool:
    return is_transient(Rejected("", status=refused[0]))


def _as_sent(source: Any, dialect: Dialect, request: dict[str, Any]) -> HttpCall:
    """Give the call with the original body: nothing is added."""
    return HttpCall(dialect.streaming(request).path, dict(source.http.seen.body))


@attrs.define(eq=False)
class RelayedStream(Transport):
    """The streaming call, as the SDK made it."""

    def call(self, dialect: Dialect, request: dict[str, Any], /) -> HttpCall:
        """Give the original body."""
        return _as_sent(self, dialect, request)


@attrs.define(eq=False)
class RelayedCollected(Collected):
    """The same once more, told at its end: for providers that only stream."""

    def call(self, dialect: Dialect, request: dict[str, Any], /) -> HttpCall:
        """Give the original body."""
        return _as_sent(self, dialect, request)
