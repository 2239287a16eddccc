"""Which reply a request gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from ..errors import MisuseError, excerpt
from .recorded import Recorded
from .reply import Reply

__all__ = ["Chooser", "Script", "choose"]

Chooser: TypeAlias = Callable[[Recorded], Reply]
Script: TypeAlias = Reply | Sequence[Reply] | Chooser
"""One reply for ever; several, in order, the last repeated; or a plain function that decides."""


def choose(script: Script) -> Chooser:
    """
    Return the function that *script* is, or stands for.

    Raises:
        MisuseError: *script* is none of these: no reply in it, or something else.
    """
    if isinstance(script, Sequence):
        return _in_order(script)
    return script if callable(script) else _in_order([script])


def _in_order(replies: Sequence[Reply]) -> Chooser:
    left = list(replies)
    if not left or not all(isinstance(reply, Reply) for reply in left):
        raise MisuseError(f"a script is a Reply, a list of them or a function, not {excerpt(left)}")

    def next_reply(_: Recorded) -> Reply:
        return left.pop(0) if len(left) > 1 else left[0]

    return next_reply
