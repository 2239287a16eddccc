"""The two HTTP clients whose transports are healed: httpx and httpx2, one shape."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

__all__ = ["module_of", "stream_class"]

_STREAMS: dict[ModuleType, type] = {}


def module_of(request: Any) -> Any:
    """Give the module whose request this is: httpx, or httpx2."""
    return sys.modules[type(request).__module__.partition(".")[0]]


def stream_class(module: Any) -> Any:
    """Give the class of response bodies that *module*'s client takes: it insists on its own."""
    if module not in _STREAMS:

        class HealedBody(module.AsyncByteStream):  # type: ignore[misc]
            """What a healed answer says, in the bytes of its API."""

            def __init__(self, healing: Any) -> None:
                self._healing = healing

            def __aiter__(self) -> Any:
                return self

            async def __anext__(self) -> bytes:
                data: bytes | None = await self._healing.read()
                if data is None:
                    raise StopAsyncIteration
                return data

            async def aclose(self) -> None:
                """Let go of the answer; see `Healing.aclose`."""
                await self._healing.aclose()

        _STREAMS[module] = HealedBody
    return _STREAMS[module]
