"""One request that is healed: a run of its own, in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any, Final

import anyio
import attrs

from ..errors import Rejected, TransportError
from ..events import ResponseCancelled, ResponseFailed
from ..framing import encode_ascii
from ..limits import Limits
from ..logger import log
from ..pipeline import Pipeline
from ..response import Response
from ..serving.status import retry_after, status_of
from ..supervisor import Run
from .face import module_of, stream_class
from .outlet import Outlet
from .relay import Relay

__all__ = ["Healing"]

_NOT_HANDED_ON: Final = frozenset(
    {b"content-length", b"content-encoding", b"transfer-encoding", b"content-type", b"connection"}
)
"""Headers of the provider's answer that are about the bytes it was in."""

_TASKS: Final[set[asyncio.Task[None]]] = set()
"""The event loop holds its tasks weakly."""


def _spawn(work: Callable[[], Awaitable[None]]) -> None:
    """
    Run *work* beside whoever asks: an SDK's stream outlives the call that gave it.

    It ends by itself, or with the event loop. Context variables are the caller's.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        import trio  # noqa: PLC0415 (whoever runs on it has it)

        trio.lowlevel.spawn_system_task(work, context=copy_context())
    else:
        task: asyncio.Task[None] = loop.create_task(work())  # type: ignore[arg-type]
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)


@attrs.define(eq=False)
class Healing:
    """One request that is healed, from the first call to the last byte."""

    relay: Relay
    outlet: Outlet
    pipeline: Pipeline
    limits: Limits
    live: set[Healing]
    """All that are under way, this one among them until it is over."""
    run: Run | None = attrs.field(default=None, init=False)
    over: anyio.Event = attrs.field(factory=anyio.Event, init=False)
    _stopped: bool = attrs.field(default=False, init=False)

    async def begin(self) -> None:
        """Begin, and wait until it is known how the answer begins."""
        self.live.add(self)
        _spawn(self._work)
        try:
            await self.outlet.ready.wait()
        except BaseException:
            await self.aclose()
            raise

    async def read(self) -> bytes | None:
        """Give the next bytes; None at the end."""
        data = await self.outlet.read()
        if data is None and self.outlet.broken:
            raise self._broken("the answer broke off below")
        return data

    def stop(self) -> None:
        """Have it end soon, without waiting for that; a call that was not made yet is not made."""
        self._stopped = True
        if self.run is not None:
            self.run.stop()

    async def aclose(self) -> None:
        """Let go; before its end the run is cancelled, and the provider's connection closed."""
        self.stop()
        with anyio.move_on_after(self.limits.finalise, shield=True):
            await self.over.wait()

    def answer(self) -> Any:
        """Give the response: a stream, or what the provider said instead of one."""
        if isinstance(self.outlet.early, ResponseCancelled):
            raise self._broken("the transport was closed before the answer began")
        if self.outlet.early is not None:
            return self._refusal(self.outlet.early.error)
        module = module_of(self.relay.original)
        return module.Response(
            200,
            headers=self._headers(),
            stream=stream_class(module)(self),
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def _work(self) -> None:
        try:
            async with self.pipeline:
                self.run = self.pipeline.start(
                    self.relay.seen.request, run_id=self.outlet.run_id, log=lambda _: self.outlet
                )
                if self._stopped:  # by who left before this task had its turn
                    self.run.stop()
                await self.run.done.wait()
        except Exception as error:  # noqa: BLE001 (there is nobody to raise it to)
            log.error("a request could not be healed", error=repr(error))
        finally:
            self.outlet.give_up(ResponseFailed(TransportError("it was given up"), Response()))
            self.live.discard(self)
            self.over.set()

    def _broken(self, said: str) -> Any:
        """Give the HTTP client's own exception for a connection that ended early."""
        original = self.relay.original
        return module_of(original).ReadError(said, request=original)

    def _refusal(self, error: Exception) -> Any:
        """
        Give what the provider, or the transport below, said in place of an answer.

        Raises:
            Exception: what the transport below raised, as the SDK knows it.
        """
        relay = self.relay
        if relay.refused is not None and (isinstance(error, Rejected) or relay.raised is None):
            return relay.own(relay.refused)
        if relay.raised is not None:
            raise relay.raised
        wait = retry_after(error)
        return module_of(relay.original).Response(
            status_of(error),
            headers={
                "content-type": "application/json",
                **self._known(),
                **({} if wait is None else {"retry-after": wait}),
            },
            content=encode_ascii(self.outlet.encoder.failure(error)),
            request=relay.original,
        )

    def _headers(self) -> list[tuple[bytes, bytes]]:
        answered = self.relay.answered.headers.raw if self.relay.answered is not None else ()
        kept = [(k, v) for k, v in answered if k.lower() not in _NOT_HANDED_ON]
        known = [(k.encode(), v.encode()) for k, v in self._known().items()]
        return [*kept, (b"content-type", b"text/event-stream; charset=utf-8"), *known]

    def _known(self) -> dict[str, str]:
        """Say what is known of the way so far."""
        return {
            "x-streamkit-run": self.outlet.run_id,
            "x-streamkit-rerouted": "true" if self.outlet.rerouted else "false",
        }
