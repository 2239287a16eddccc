"""Whose cancellation it is."""

from __future__ import annotations

import sys
from math import inf

import anyio

__all__ = ["is_foreign"]


def is_foreign() -> bool:
    """
    Whether the cancellation just caught was asked of no scope around this task.

    On asyncio, awaiting a task or future that somebody else cancelled raises
    the same exception as being cancelled oneself. Left alone it would pass
    for the end of this task, and a task group then cancels all others in it.
    """
    if anyio.current_effective_deadline() == -inf:
        return False
    # The one question that anyio cannot answer: was the task itself cancelled,
    # as an event loop does that shuts down? On trio every cancellation has a scope.
    asyncio = sys.modules.get("asyncio")
    try:
        task = asyncio.current_task() if asyncio is not None else None
    except RuntimeError:  # no loop of asyncio's is running
        task = None
    return task is not None and not task.cancelling()
