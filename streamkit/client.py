"""The client: the rooms below, wired for one provider."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Self, Unpack
from urllib.parse import urlsplit

from .dialects import Dialect, get_dialect
from .errors import MisuseError, excerpt
from .limits import Limits
from .pipeline import Clock, Pipeline, Recipe, SystemClock
from .policy import ReroutePolicy
from .response import Response
from .stages import (
    Accumulator,
    Buffered,
    ChunkParser,
    Collected,
    Endpoint,
    EventFanout,
    Suppressor,
    Transport,
)
from .stages.http import open_http
from .supervisor import CallbackOptions, Run, Supervisor

__all__ = ["Client", "arranged", "secret_values"]

_SECRET_NAME: Final = re.compile(r"auth|cookie|key|password|secret|signature|token", re.IGNORECASE)
_PASSWORD: Final = re.compile(r"//[^/@:]*:([^/@]+)@")


class Client:
    """
    Ask one provider for answers, each delta as it comes, each answer whole.

    ::

        async with streamkit.Client(base_url="https://api.example.com/v1", api_key=key) as client:
            async with client.stream({"model": "m", "messages": [...]}) as run:
                async for text in run.text():
                    print(text, end="")

    It owns the one task group its runs live in: enter and leave it in one
    task. Leaving cancels the runs that are left.

    Args:
        base_url: the provider's API; None where *http* has one.
        api_key: sent the dialect's way, and never quoted in a message.
        dialect: the provider's API, by name (see `streamkit.dialects`).
        http: an ``httpx.AsyncClient``, or anything of its shape (httpx2); it
            is never closed here. None opens streamkit's own for as long as this is
            open (HTTP/1.1, the environment's proxies and certificates), with a
            connection for each call: how many there are at once is up to the caller.
        headers: sent with every call.
        params: the query of every call.
        stages: factories or registered names; `Accumulator` and `Suppressor`
            among them fix their places, left out they come last.
        limits: every clock and every bound.
        reroute: whether a failed stream goes to the buffered call.
        clock: what time it is; for tests.
        fuse: off, every stage has a task of its own; for tests.

    Raises:
        MisuseError: an argument is not what it must be.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        dialect: str | Dialect = "openai-chat",
        http: Any = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        stages: Sequence[Any] | None = None,
        limits: Limits | None = None,
        reroute: ReroutePolicy | None = None,
        clock: Clock | None = None,
        fuse: bool = True,
    ) -> None:
        self._dialect = get_dialect(dialect)
        self._own_http = http is None
        self._http = http
        self._stages = arranged(stages or ())
        self._endpoint = _endpoint(
            self._dialect, http, base_url=base_url, api_key=api_key, headers=headers, params=params
        )
        self._limits = limits if limits is not None else Limits()
        self._reroute = reroute if reroute is not None else ReroutePolicy()
        self._clock = clock if clock is not None else SystemClock()
        self._fuse = fuse
        self._pipeline: Pipeline | None = None
        self._wire(http)  # tells of a stage that is none here, not at the first request

    async def __aenter__(self) -> Self:
        if self._pipeline is not None:
            raise MisuseError("expected a client to be entered once at a time; it is open already")
        if self._own_http:
            self._http = open_http()
        pipeline = self._wire(self._http)
        await pipeline.__aenter__()
        self._pipeline = pipeline
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self._open().__aexit__(*exc)
        except MisuseError:  # not its task: it stays open
            raise
        except BaseException:
            await self._close()
            raise
        await self._close()

    async def _close(self) -> None:
        self._pipeline = None
        if self._own_http:
            await self._http.aclose()

    def stream(
        self, body: Mapping[str, Any], **callbacks: Unpack[CallbackOptions]
    ) -> AbstractAsyncContextManager[Run]:
        """
        Run *body* for as long as the ``async with`` around it::

            async with client.stream(body, on_reasoning=show) as run:
                async for event in run: ...

        Leaving it early cancels the run, and waits until the provider's
        connection is closed.

        Args:
            body: the provider's own request JSON, without stream flags.
            callbacks: see `streamkit.supervisor.Callbacks`; plain or async.

        Returns:
            An async context manager that gives a `Run`.

        Raises:
            MisuseError: the client is not open, or *body* is no JSON object.
        """
        run: AbstractAsyncContextManager[Run] = self._open().stream(body, **callbacks)
        return run

    def start(
        self,
        body: Mapping[str, Any],
        run_id: str | None = None,
        log: Callable[[str], Any] | None = None,
        **callbacks: Unpack[CallbackOptions],
    ) -> Run:
        """
        Run *body* until it ends, whoever watches; leaving the client cancels it.

        Args:
            body: the provider's own request JSON, without stream flags.
            run_id: the run's id; None makes one of 128 random bits.
            log: makes the run's log from its id; None keeps it in memory.
            callbacks: see `streamkit.supervisor.Callbacks`.
        """
        run: Run = self._open().start(body, run_id, log, **callbacks)
        return run

    async def complete(
        self, body: Mapping[str, Any], **callbacks: Unpack[CallbackOptions]
    ) -> Response:
        """
        Run *body* and wait for the answer, telling *callbacks* on the way.

        Returns:
            The whole answer.

        Raises:
            StreamkitError: the run failed, as in `Run.response`.
        """
        async with self.stream(body, **callbacks) as run:
            return await run.response()

    def _open(self) -> Pipeline:
        if self._pipeline is None:
            raise MisuseError(
                "expected the client to be open; it is not; write "
                "`async with streamkit.Client(...) as client:` around its use"
            )
        return self._pipeline

    def _wire(self, http: Any) -> Pipeline:
        return Pipeline(
            [
                Transport(http, endpoint=self._endpoint),
                ChunkParser(self._dialect),
                *self._stages,
                EventFanout(),
            ],
            supervisor=Supervisor(
                (Collected if self._reroute.collect else Buffered)(http, endpoint=self._endpoint),
                limits=self._limits,
                reroute=self._reroute,
                clock=self._clock,
            ),
            fuse=self._fuse,
        )


def arranged(stages: Sequence[Any]) -> list[Any]:
    """
    Put the accumulator and the suppressor last where they have no place.

    Raises:
        MisuseError: *stages* is no list.
    """
    if isinstance(stages, str) or not isinstance(stages, Sequence):
        raise MisuseError(f"expected stages to be a list of factories or names; got {stages!r}")
    rest = [kind for kind in (Accumulator, Suppressor) if not any(_is(s, kind) for s in stages)]
    return [*stages, *rest]


def _is(entry: Any, kind: type) -> bool:
    made = entry.make if isinstance(entry, Recipe) else entry
    return isinstance(made, kind) or (isinstance(made, type) and issubclass(made, kind))


def _endpoint(
    dialect: Dialect,
    http: Any,
    *,
    base_url: str | None,
    api_key: str | None,
    headers: Mapping[str, str] | None,
    params: Mapping[str, str] | None,
) -> Endpoint:
    if base_url is None and not str(getattr(http, "base_url", "") or ""):
        raise MisuseError(
            "expected base_url, the provider's API, such as 'https://api.example.com/v1'; got "
            "none, and http has none either"
        )
    if base_url is not None and not str(base_url).startswith(("http://", "https://")):
        raise MisuseError(
            "expected base_url to begin with http:// or https://; got "
            f"{excerpt(base_url, _password(base_url))!r}"
        )
    authorization = dialect.authorization(api_key) if api_key else {}
    named = {**(headers or {}), **(params or {})}
    return Endpoint(
        base_url=str(base_url or ""),
        headers={**authorization, **(headers or {})},
        params=dict(params or {}),
        secrets=(*filter(None, (api_key, _password(base_url))), *secret_values(named)),
    )


def secret_values(named: Mapping[str, str]) -> Iterator[str]:
    """Give the values of headers and parameters whose names say that they are secret."""
    for name, value in named.items():
        if _SECRET_NAME.search(name) and value:
            said = str(value).strip()
            yield from filter(None, (said, said.rpartition(" ")[2]))  # behind the scheme's word


def _password(base_url: str | None) -> str | None:
    try:
        return urlsplit(base_url or "").password
    except ValueError:
        # It will be refused, and quoted: what stands in a password's place is not.
        told = _PASSWORD.search(base_url or "")
        return told and told[1]
