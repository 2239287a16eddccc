"""An ``await`` that was begun by hand, to see whether it waits."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import attrs

__all__ = ["GoOn"]


@attrs.define(eq=False)
class GoOn:
    """
    Go on with an ``await`` whose first step was taken, as ``await`` itself would.

    Awaited, it gives what the one it goes on with gives, or its exception;
    cancellation is thrown into that one, where it waits. The end of an
    asynchronous iterator, which is no exception, is None.
    """

    awaited: Generator[Any, Any, Any]
    """The iterator of an awaitable."""
    waits_for: Any
    """What its first step gave: it waits."""

    def __await__(self) -> Generator[Any, Any, Any]:
        waits_for = self.waits_for
        while True:
            try:
                answer = yield waits_for
            except BaseException as error:  # noqa: BLE001 (it is the awaited one's to handle)
                resume: Any = self.awaited.throw
                value: Any = error
            else:
                resume, value = self.awaited.send, answer
            try:
                waits_for = resume(value)
            except StopIteration as got:
                return got.value
            except StopAsyncIteration:
                return None
