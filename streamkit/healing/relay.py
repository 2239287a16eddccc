"""How the calls of one healed request go through the transport below."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import anyio
import attrs

from ..dialects import Dialect, HttpCall
from ..framing import encode
from ..stages import Buffered, Transport
from .face import module_of
from .recognise import Recognised

__all__ = ["Relay", "RelayedBuffered", "RelayedStream"]

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
    """Status, headers and body of the newest answer of any other."""
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

    async def _whole(self, response: Any) -> tuple[int, Any, bytes]:
        read = bytearray()
        try:
            with anyio.move_on_after(_REFUSAL_SECONDS):
                async for chunk in response.stream:
                    read += chunk
                    if len(read) > _REFUSAL_BYTES:
                        break
        finally:
            with anyio.move_on_after(_REFUSAL_SECONDS, shield=True):
                await response.stream.aclose()
        self.refused = (response.status_code, response.headers, bytes(read))
        return self.refused


@attrs.define(eq=False)
class RelayedStream(Transport):
    """The streaming call, as the SDK made it: nothing is added."""

    def call(self, dialect: Dialect, request: dict[str, Any], /) -> HttpCall:
        """Give the original body."""
        body = dict(self.http.seen.body)
        return HttpCall(dialect.streaming(request).path, body)


@attrs.define(eq=False)
class RelayedBuffered(Buffered):
    """The buffered call of the same request."""

    buffered: ClassVar[bool] = True
