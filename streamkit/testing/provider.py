"""The server: it listens on loopback, records what it is asked, and plays the script."""

from __future__ import annotations

from types import TracebackType
from typing import Self, cast

import anyio
import attrs
from anyio.abc import SocketAttribute, SocketListener, SocketStream, TaskGroup

from ..dialects import Dialect
from ..errors import MisuseError, excerpt
from . import answers
from .connection import Connection
from .recorded import Recorded
from .reply import Reply
from .scenario import Scenario, compiled
from .script import Chooser, choose

__all__ = ["FaultProvider"]

_UNSCRIPTED = Reply(answers.error("no reply is scripted for this request"), status=501)
_BUG = Reply(answers.error("the fault provider's script raised; its end says what"), status=500)


@attrs.define(eq=False, kw_only=True)
class FaultProvider:
    """
    A real HTTP/1.1 server on loopback that misbehaves on cue.

    It runs in the event loop of whoever enters it, on asyncio and on trio.
    Leaving closes every connection at once. What a client does wrong is never
    raised; the first bug in a script is, by leaving (`failures` has them all).

    Args:
        stream: what a request for a stream gets (see `Recorded.streaming`).
        buffered: what every other request gets.
        accept_delay: how late each connection is accepted (seconds).
        port: to listen on; 0 takes a free one.

    A request that nothing is scripted for gets status 501.
    """

    _stream: Chooser = attrs.field(default=choose(_UNSCRIPTED), converter=choose)
    _buffered: Chooser = attrs.field(default=choose(_UNSCRIPTED), converter=choose)
    _accept_delay: float = 0.0
    _wanted_port: int = attrs.field(default=0, alias="port")
    requests: list[Recorded] = attrs.field(init=False, factory=list)
    """What was asked, in order of arrival."""
    failures: list[Exception] = attrs.field(init=False, factory=list)
    """What scripts and steps raised."""
    accepted: int = attrs.field(init=False, default=0)
    """Connections accepted so far (count)."""
    connections: int = attrs.field(init=False, default=0)
    """Connections open now (count)."""
    _arrival: anyio.Event = attrs.field(init=False, factory=anyio.Event)
    _port: int | None = attrs.field(init=False, default=None)
    _tasks: TaskGroup = attrs.field(init=False)

    @classmethod
    def scripted(
        cls,
        script: str | Scenario,
        dialect: str | Dialect = "openai-chat",
        *,
        port: int = 0,
    ) -> Self:
        """
        Make a provider that plays a scenario (see `streamkit.testing.scenario`).

        Args:
            script: the scenario, or its text.
            dialect: the API it is told in.
            port: to listen on; 0 takes a free one.

        Raises:
            MisuseError: the text cannot be read, the dialect is not known, or
                something is to happen at a place that is not there.
        """
        return cls(**compiled(script, dialect), port=port)

    @property
    def url(self) -> str:
        """The base URL for a client, such as ``http://127.0.0.1:PORT/v1``."""
        if self._port is None:
            raise MisuseError("a FaultProvider has a url once it is entered with `async with`")
        return f"http://127.0.0.1:{self._port}/v1"

    async def arrival(self, index: int = 0) -> Recorded:
        """Wait until request number *index* (from 0) has arrived; the caller sets the timeout."""
        while len(self.requests) <= index:
            await self._arrival.wait()
        return self.requests[index]

    async def __aenter__(self) -> Self:
        listeners = await anyio.create_tcp_listener(
            local_host="127.0.0.1", local_port=self._wanted_port
        )
        listener = cast("SocketListener", listeners.listeners[0])  # one address, one listener
        self._port = listener.extra(SocketAttribute.local_port)
        self._tasks = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(self._accept, listener)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._tasks.cancel_scope.shield = True  # leave whole, also when cancelled
        self._tasks.cancel_scope.cancel()
        # Without the caller's exception, which a group would otherwise wrap.
        await self._tasks.__aexit__(None, None, None)
        if self.failures and (exc is None or isinstance(exc, Exception)):
            raise self.failures[0]

    async def _accept(self, listener: SocketListener) -> None:
        async with listener:
            raw = listener.extra(SocketAttribute.raw_socket)
            while True:
                await anyio.wait_readable(raw)
                if self._accept_delay:
                    await anyio.sleep(self._accept_delay)
                # Cancelled between accepting and returning it, a socket would be lost.
                with anyio.move_on_after(1, shield=True):
                    self._tasks.start_soon(self._serve, await listener.accept())

    async def _serve(self, stream: SocketStream) -> None:
        self.accepted += 1
        self.connections += 1
        try:
            await Connection(stream, self._answer, self.failures.append).serve()
        finally:
            self.connections -= 1

    def _answer(self, recorded: Recorded) -> Reply:
        self.requests.append(recorded)
        self._arrival.set()
        self._arrival = anyio.Event()
        choice = self._stream if recorded.streaming else self._buffered
        try:
            return _checked(choice(recorded))
        except Exception as bug:  # noqa: BLE001 -- raised when the provider ends
            self.failures.append(bug)
            return _BUG


def _checked(reply: object) -> Reply:
    if not isinstance(reply, Reply):
        raise MisuseError(f"a script's function returns a Reply, not {excerpt(reply)}")
    return reply
