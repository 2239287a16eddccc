"""The transport that heals: below an SDK's HTTP client, above the one that sends."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, Self

import anyio
import attrs

from ..client import arranged, secret_values
from ..limits import Limits
from ..pipeline import Pipeline
from ..policy import Breaker, Irrevocable, OnRetract, ReroutePolicy
from ..stages import Buffered, ChunkParser, Endpoint, EventFanout, Suppressor
from ..stages.http import pool_limits
from ..supervisor import Supervisor
from .face import module_of
from .healing import Healing
from .outlet import Outlet
from .recognise import Recognised, recognise
from .relay import Relay, RelayedCollected, RelayedStream
from .shape import is_clean
from .traced import Traced

__all__ = ["HealingTransport"]

_ENDPOINTS: Final = 1024
"""How many endpoints are remembered (a count)."""


@attrs.define(eq=False)
class HealingTransport:
    """
    A transport for ``httpx.AsyncClient`` and ``httpx2.AsyncClient`` that makes streams whole::

        http = httpx2.AsyncClient(transport=HealingTransport())
        sdk = openai.AsyncOpenAI(http_client=http)

    A streaming request of an API that streamkit knows (the end of its path
    and its body tell) is run through the supervisor and the stages; what
    comes back is a clean stream of the same API. Frames of a healthy stream
    go on as they came, when they came. Everything else passes untouched.

    An answer that fails before its first visible event, and cannot be had
    otherwise, is the provider's own refusal. Behind that, the format's own
    error ends a stream that could not be made whole.

    Args:
        inner: the transport that sends; None makes the client's own kind, without a ceiling
            of its own (`streamkit.stages.http.pool_limits`).
        limits: see `streamkit.Limits`. The SDK's own timeouts hold for each call, too.
        reroute: see `streamkit.ReroutePolicy`.
        stages: as for `streamkit.Client`; none by default, so that nothing is changed.
        on_retract: what is told where the answer turns out to be another than
            the one that was streamed, which no such format can take back:
            ``fail``, the format's own error, or ``seam``, *seam* and the new text.
        seam: see *on_retract*.
    """

    inner: Any = None
    limits: Limits = attrs.field(factory=Limits, kw_only=True)
    reroute: ReroutePolicy = attrs.field(factory=ReroutePolicy, kw_only=True)
    stages: Sequence[Any] = attrs.field(default=(), kw_only=True)
    on_retract: OnRetract = attrs.field(default="fail", kw_only=True)
    seam: str = attrs.field(default="\n\n", kw_only=True)
    _known: dict[str, tuple[Breaker, set[str]]] = attrs.field(factory=dict, init=False)
    """What was learned of each endpoint: whether its streaming works, and what it refuses."""

    _live: set[Healing] = attrs.field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        Irrevocable(frozenset(), self.on_retract, self.seam)  # tells of a word that is none
        arranged(self.stages)

    async def handle_async_request(self, request: Any) -> Any:
        """Send one request; see httpx, `AsyncBaseTransport`."""
        if self.inner is None:
            library = module_of(request)
            self.inner = library.AsyncHTTPTransport(limits=pool_limits(library))
        seen = await recognise(request)
        if seen is None:
            return await self.inner.handle_async_request(request)
        healing = self._healing(request, seen)
        await healing.begin()
        return healing.answer()

    async def aclose(self) -> None:
        """End what is being healed, and close the transport below."""
        try:
            await self._end()
        finally:
            if self.inner is not None:
                await self.inner.aclose()

    async def __aenter__(self) -> Self:
        if self.inner is not None:
            await self.inner.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        try:
            await self._end()
        finally:
            if self.inner is not None:
                await self.inner.__aexit__(*exc)

    async def _end(self) -> None:
        """Have the runs end first: one that lost its connection would ask again."""
        live = list(self._live)
        for healing in live:
            healing.stop()
        with anyio.move_on_after(self.limits.finalise, shield=True):
            for healing in live:
                await healing.over.wait()

    def _healing(self, request: Any, seen: Recognised) -> Healing:
        relay = Relay(self.inner, request, seen)
        encoder = seen.dialect.encoder()
        outlet = Outlet(
            secrets.token_hex(16),
            encoder,
            Irrevocable(encoder.irrevocable, self.on_retract, self.seam),
            partial(is_clean, seen.dialect.name),
            seen.unasked,
        )
        return Healing(relay, outlet, self._pipeline(relay, seen), self.limits, self._live)

    def _pipeline(self, relay: Relay, seen: Recognised) -> Pipeline:
        policy = self.reroute
        told = {**relay.original.headers, **relay.original.url.params}
        endpoint = Endpoint(secrets=tuple(secret_values(told)))
        supervisor = Supervisor(
            (RelayedCollected if policy.collect else Buffered)(relay, endpoint=endpoint),
            limits=self.limits,
            reroute=attrs.evolve(policy, when=lambda e: not relay.moved and policy.when(e)),
        )
        supervisor.breaker, supervisor.dropped = self._learned(relay.original.url, seen)
        stages = [*self.stages, Suppressor(mode="off")]
        return Pipeline(
            [
                RelayedStream(relay, endpoint=endpoint),
                ChunkParser(Traced(seen.dialect)),
                *arranged(stages),
                EventFanout(),
            ],
            supervisor=supervisor,
        )

    def _learned(self, url: Any, seen: Recognised) -> tuple[Breaker, set[str]]:
        """Give what is known of the endpoint behind *url*; what was asked last is kept longest."""
        place = f"{url.scheme}://{url.netloc.decode('ascii')}{seen.base} {seen.dialect.name}"
        learned = self._known.pop(place, None)
        if learned is None:
            learned = Breaker(self.reroute.trip_after, self.reroute.recover), set()
        self._known[place] = learned
        if len(self._known) > _ENDPOINTS:
            del self._known[next(iter(self._known))]
        return learned
