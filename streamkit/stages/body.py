"""The body of a response: how it is read, and how it is left unfinished."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import anyio
import attrs

__all__ = ["leave", "open_body"]

_LAST_READS: Final = 1024
"""Chunks that are taken behind an answer, so that the connection lives on (a count)."""


def open_body(response: Any) -> tuple[AsyncIterator[bytes], ...]:
    """
    Iterate the body, decoded where the provider compressed it.

    Returns:
        The body, and behind it what it reads from in turn, if anything: all of
        them are for `leave`.
    """
    if response.headers.get("content-encoding", "identity").lower() in ("", "identity"):
        # The stream itself: `aiter_raw` around it would cut chunks to a size
        # that nobody asked for, at a twentieth of what a chunk costs in all.
        return (aiter(response.stream),)
    raw = response.aiter_raw()
    response.aiter_raw = lambda *_: _Kept(raw)
    return response.aiter_bytes(), raw


@attrs.frozen
class _Kept:
    """
    The bytes off the wire, for what decodes them.

    Where that fails, it would close them (httpx2), or leave them to the
    garbage collector (httpx); kept, they can be left by a cancelled read.
    """

    raw: AsyncIterator[bytes]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.raw

    async def aclose(self) -> None:
        """Leave it open."""


async def leave(
    response: Any, bodies: Iterable[AsyncIterator[bytes]], linger: float, seconds: float
) -> None:
    """
    Leave a body, wherever it is, and close its response.

    A body read to its end gives its connection back to the pool. Another is
    left by a cancelled read, which takes what has come already, and closes it.

    It waits *linger* seconds for the body to end by itself first, and takes
    at most *seconds* in all.
    """
    if getattr(response, "is_closed", False) and all(map(_is_over, bodies)):
        return
    with anyio.move_on_after(seconds, shield=True):
        for body in bodies:
            if not _is_over(body):
                await _read_out(body, linger)
        with contextlib.suppress(Exception):
            await response.aclose()


def _is_over(body: AsyncIterator[bytes]) -> bool:
    """Whether *body* is a generator that came to its end (as `inspect.getasyncgenstate` asks)."""
    return getattr(body, "ag_frame", body) is None


async def _read_out(body: AsyncIterator[bytes], linger: float) -> None:
    with contextlib.suppress(Exception):  # it is being thrown away
        with anyio.move_on_after(linger):
            for _ in range(_LAST_READS):  # one that never waits would never end
                await anext(body)
