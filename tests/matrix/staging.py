"""What the two ends of a case are given."""

from typing import Any

import anyio
import attrs

from streamkit.testing import Reply

from .consumers import BODY

__all__ = ["Gate", "Staged"]


@attrs.frozen
class Staged:
    """The provider's replies, the client's settings, and what is asked for."""

    stream: Reply | list[Reply]
    buffered: Reply
    options: dict[str, Any]
    """Of the client."""
    request: dict[str, Any] = BODY
    base: str = "/v1"
    """The base URL's path."""


@attrs.define(eq=False)
class Gate:
    """Wait for the consumer to leave: it is told, and the provider says no more."""

    reached: anyio.Event

    async def __call__(self, _wire: Any) -> None:
        """Tell, and wait for ever."""
        self.reached.set()
        await anyio.sleep_forever()  # the client's leaving cancels it
