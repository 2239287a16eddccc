"""One run, served to one client as server-sent events."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, Final, Self

import attrs

from ..errors import MisuseError, ProviderError
from ..events import Heartbeat, ResponseFailed, is_visible
from ..framing import encode_ascii
from ..limits import Limits
from ..policy import Irrevocable, OnRetract
from .asgi import respond
from .disconnect import OnDisconnect, as_on_disconnect, cancel
from .encoders import fresh_encoder
from .feed import Feed
from .scribe import Scribe
from .status import retry_after, status_of

__all__ = ["HEADERS", "EventStream"]

HEADERS: Final[Mapping[str, str]] = {
    "content-type": "text/event-stream; charset=utf-8",
    # no-transform also keeps a CDN from compressing, which would hold frames back.
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}
"""No ``Connection``: HTTP/2 forbids it, and over HTTP/1.1 it says nothing new."""

_GOING: Final = "expected the server to stay; it is going away; ask again"

_BATCH: Final = 64 * 1024
"""After how much a send goes out, though more is ready (bytes)."""


def _seconds(_stream: object, field: attrs.Attribute[Any], value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and (not number or not value > 0):
        raise MisuseError(f"expected {field.name} in seconds, a number above 0; got {value!r}")


@attrs.define(eq=False)
class EventStream:
    """
    One run for one client, as server-sent events.

    It is an ASGI application (``await stream(scope, receive, send)``), and an
    async iterable of bytes for frameworks that want a body. As an application
    it watches for the client's going, sends with a timeout, and says the
    status late: once the first frame with content, or the first heartbeat, is
    there, so an early failure is a real HTTP status. As a body, `open` does
    the last; without it a failure is told in band.

    ::

        app = EventStream(client.start(body), on_disconnect=grace(30))

    Args:
        run: what is served; see `streamkit.Client.start`.
        encoder: the format: ``streamkit``, ``openai-chat``, ``openai-responses``,
            ``anthropic-messages``, ``gemini``, ``lightspeed``, ``lightspeed-seed``, a
            registered name, or what makes an encoder.
        after: the id of the last frame the client has (``Last-Event-ID``).
        heartbeat: seconds without a byte after which one is sent; None sends none.
        on_disconnect: what becomes of the run when its last client goes away:
            `cancel`, `grace` or `detach`.
        send_timeout: seconds for one write; a client that takes longer is gone.
        retry: seconds after which a browser comes back; None leaves it to the browser.
        on_retract: what is told where the format cannot take back: ``fail``, its
            own error; or ``seam``, *seam* before the text that replaces.
        seam: see *on_retract*.
        headers: added to `HEADERS`, names in lower case.

    Raises:
        MisuseError: an argument is not what it must be.
    """

    run: Any
    encoder: Any = attrs.field(default="streamkit", converter=fresh_encoder)
    after: str | None = attrs.field(default=None, kw_only=True)
    heartbeat: float | None = attrs.field(default=15.0, validator=_seconds, kw_only=True)
    on_disconnect: OnDisconnect = attrs.field(
        default=cancel, converter=as_on_disconnect, kw_only=True
    )
    send_timeout: float = attrs.field(
        default=Limits().send_timeout, validator=_seconds, kw_only=True
    )
    retry: float | None = attrs.field(default=None, validator=_seconds, kw_only=True)
    on_retract: OnRetract = attrs.field(default="fail", kw_only=True)
    seam: str = attrs.field(default="\n\n", kw_only=True)
    headers: dict[str, str] = attrs.field(factory=dict, kw_only=True)
    status: int = attrs.field(default=200, init=False)
    """The HTTP status; known once it is open."""
    _feed: Feed = attrs.field(init=False)
    _served: bool = attrs.field(default=False, init=False)
    _written: bytes = attrs.field(default=b"", init=False)
    """Written, and not yet given."""

    def __attrs_post_init__(self) -> None:
        self.headers = {**HEADERS, "x-streamkit-run": self.run.id, **self.headers}
        channels = self.encoder.irrevocable
        view = Irrevocable(channels, self.on_retract, self.seam) if channels else None
        scribe = Scribe(self.encoder, view, retry=self.retry)
        self._feed = Feed(self.run, scribe, self.heartbeat)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """
        Serve it as an ASGI application, to the end or until the client goes away.

        Raises:
            MisuseError: it was served before, or *scope* is of no HTTP request.
        """
        if self._served:
            raise MisuseError(
                "expected a stream to be served once; it was served before; make one for each "
                "request"
            )
        self._served = True
        await respond(self, scope, receive, send)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            await self._attach()
            while not self._written and not self._feed.over:
                await self._read()
        except BaseException:
            self.leave()
            raise
        given, self._written = self._written, b""
        if not given:
            self._feed.leave(inf)
            raise StopAsyncIteration
        self._feed.gave()
        return given

    async def open(self) -> Self:
        """
        Wait until the status is known: a frame with content, a failure, or the first heartbeat.

        Then `status` and `headers` are what the response must say, and
        iterating gives the body. 204 is for a client that has it all.
        """
        try:
            if await self._attach():
                await self._commit()
        except BaseException:
            self.leave()
            raise
        return self

    def leave(self) -> None:
        """Let go before the end: the client is gone. `on_disconnect` says what the run does."""
        self._written = b""
        self._feed.leave(self.on_disconnect.linger)

    async def aclose(self) -> None:
        """Let go; before the end it is `leave`."""
        self.leave()

    def retire(self, retry: float) -> None:
        """
        End it with the next bytes: the server is going away.

        Args:
            retry: seconds after which the client is to come back.
        """
        self._feed.retire(retry)

    async def left(self) -> None:
        """Wait until it is let go; at once where it never watched."""
        await self._feed.gone()

    async def _attach(self) -> bool:
        """Watch the run. Gives False where it does already."""
        if self._feed.attached:
            return False
        self._written = await self._feed.attach(self.after)
        return True

    async def _commit(self) -> None:
        """Read up to what decides the status."""
        feed = self._feed
        while not feed.over:
            event, written = await feed.next()
            if feed.retiring is not None and self.encoder.farewell() is None:
                self._refuse(ProviderError(_GOING, status=503, retry_after=feed.retiring))
            elif event is None:
                self.status, self._written = 204, b""
                del self.headers["content-type"]
            elif isinstance(event, ResponseFailed):
                self._refuse(event.error)
            else:
                self._written += written
                if written and (is_visible(event) or isinstance(event, Heartbeat)):
                    return

    def _refuse(self, error: Exception) -> None:
        """Say an early failure as what it is: a status, and one JSON body."""
        self._feed.leave(inf)
        self.status = status_of(error)
        self.headers["content-type"] = "application/json"
        if (seconds := retry_after(error)) is not None:
            self.headers["retry-after"] = seconds
        self._written = encode_ascii(self.encoder.failure(error))

    async def _read(self) -> None:
        """Wait for the next event, and take along what is ready behind it."""
        feed, parts, size = self._feed, [], 0
        while not feed.over:
            _, written = await feed.next()
            parts.append(written)
            size += len(written)
            if not feed.ready or size > _BATCH:
                break
        self._written = b"".join(parts)
