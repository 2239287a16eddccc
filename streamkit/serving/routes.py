"""The runs of an application as HTTP routes: ask, watch, stop."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs

from ..errors import MisuseError, Refusal
from ..framing import decode
from .asgi import Receive, Send, Servable, respond
from .plain import Plain
from .runs import Runs

__all__ = ["Ask", "Routes"]

Ask = Callable[[Any, Any], Mapping[str, Any] | Awaitable[Mapping[str, Any]]]


@attrs.define(eq=False)
class Routes:
    """
    Mount it in any ASGI application::

        POST   /                 ask: starts a run, or joins the one of the same
                                 ``Idempotency-Key`` or ``?run_id=``, and watches it
        GET    /{run_id}         watch, or come back (``Last-Event-ID``, ``?last_event_id=``)
        DELETE /{run_id}         stop; ``POST /{run_id}/cancel`` is the same, for a beacon

    Args:
        runs: the application's runs.
        ask: ``(scope, posted) -> request``, plain or async: makes the
            provider's request of the JSON that a client posted. Clients do not
            write requests themselves: they would choose the model, and the
            bill. Whoever may not ask gets a `Refusal`. None takes no POST.
        max_bytes: how large a posted body may be (bytes).
    """

    runs: Runs
    ask: Ask | None = None
    max_bytes: int = 1024 * 1024

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            raise MisuseError(f"expected an HTTP request; got a scope of type {scope['type']!r}")
        try:
            answer = await self._answer(scope, receive)
        except Refusal as refusal:
            answer = Plain.refuse(refusal)
        await respond(answer, scope, receive, send)

    async def _answer(self, scope: Any, receive: Receive) -> Servable:
        path = scope["path"].removeprefix(scope.get("root_path", "")).strip("/")
        run_id, _, verb = path.partition("/")
        match scope["method"], bool(run_id), verb:
            case "POST", False, "" if self.ask is not None:
                return await self._ask(self.ask, scope, receive)
            case (("GET" | "HEAD"), True, ""):
                return await self.runs.watch(run_id, scope=scope)
            case ("DELETE", True, "") | ("POST", True, "cancel"):
                return await self._cancel(run_id, scope)
            case _:
                raise Refusal(
                    "expected POST /, GET /{run_id} or DELETE /{run_id}; got none of these",
                    status=404,
                )

    async def _ask(self, ask: Ask, scope: Any, receive: Receive) -> Servable:
        try:
            posted = decode(await self._body(receive))
        except ValueError:
            raise Refusal("expected a JSON body; got something else", status=400) from None
        made = ask(scope, posted)
        body = await made if inspect.isawaitable(made) else made
        return await self.runs.watch(await self.runs.start(body, scope=scope))

    async def _cancel(self, run_id: str, scope: Any) -> Servable:
        if await self.runs.get(run_id) is None:
            raise Refusal("expected the id of a run; there is none of that id", status=404)
        return Plain(200, {"cancelled": await self.runs.cancel(run_id, scope=scope)})

    async def _body(self, receive: Receive) -> bytes:
        """Read what was posted; its size is bounded, its time by the server's own timeout."""
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refusal("expected the whole body; the client went away", status=400)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message.get("more_body", False)
            if size > self.max_bytes:
                raise Refusal(
                    f"expected a body of at most {self.max_bytes} bytes; got more", status=413
                )
        return b"".join(parts)
