"""To be told when an ``await`` waits."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

__all__ = ["telling"]

_T = TypeVar("_T")


@coroutine
def telling(
    awaited: Coroutine[Any, Any, _T], before_waiting: Callable[[], None]
) -> Generator[Any, Any, _T]:
    """
    Await *awaited*, and call *before_waiting* each time that it waits, right before.

    Args:
        awaited: goes on as if it were awaited itself: what it waits for is
            waited for, and cancellation is thrown into it, where it waits.
        before_waiting: does not raise.

    Returns:
        What *awaited* gives.
    """
    resume: Callable[[Any], Any] = awaited.send
    value: Any = None
    while True:
        try:
            waits_for = resume(value)
        except StopIteration as got:
            result: _T = got.value
            return result
        before_waiting()
        try:
            value = yield waits_for
        except BaseException as error:  # noqa: BLE001 (it is the awaited one's to handle)
            resume, value = awaited.throw, error
        else:
            resume = awaited.send
