"""An ``await`` that was begun by hand, to see whether it waits."""

from __future__ import annotations

from collections.abc import Generator
from types import coroutine
from typing import Any

__all__ = ["go_on"]


@coroutine
def go_on(awaited: Generator[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:
    """
    Go on with an ``await`` whose first step was taken, as ``await`` itself would.

    Args:
        awaited: the iterator of an awaitable.
        waits_for: what its first step gave: it waits.

    Returns:
        What *awaited* gives; None for the end of an asynchronous iterator,
        which is no exception. Cancellation is thrown into *awaited*, where it
        waits.
    """
    while True:
        try:
            answer = yield waits_for
        except BaseException as error:  # noqa: BLE001 (it is the awaited one's to handle)
            resume: Any = awaited.throw
            value: Any = error
        else:
            resume, value = awaited.send, answer
        try:
            waits_for = resume(value)
        except StopIteration as got:
            return got.value
        except StopAsyncIteration:
            return None
