"""Signals that end a server: heard first, and then handed on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Final

import attrs
from anyio.lowlevel import current_token

__all__ = ["Chain"]

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@attrs.define(eq=False)
class Chain:
    """
    Call *told* in the event loop when the server is told to end; then who handled it before.

    Servers wait for open streams before they tell an application to shut
    down, so nothing else can end the streams in time. Installed with the
    first stream, not at import: some servers set their handlers late.
    """

    told: Callable[[], None]
    _before: dict[int, Any] = attrs.field(factory=dict, init=False)

    def install(self) -> None:
        """Stand before the handlers of now, once; nothing outside the main thread."""
        if self._before or threading.current_thread() is not threading.main_thread():
            return
        native: Any = current_token().native_token
        # asyncio's word, and trio's: to be called from a signal handler.
        soon = getattr(native, "call_soon_threadsafe", None) or native.run_sync_soon
        for number in _SIGNALS:
            before = signal.getsignal(number)
            self._before[number] = before
            signal.signal(number, self._handler(soon, before))

    def undo(self) -> None:
        """Put the handlers back that stood there before, where ours still do."""
        for number, before in self._before.items():
            if getattr(signal.getsignal(number), "chain", None) is self and before is not None:
                signal.signal(number, before)
        self._before.clear()

    def _handler(self, soon: Callable[[Callable[[], None]], Any], before: Any) -> Any:
        def handle(number: int, frame: FrameType | None) -> None:
            with suppress(RuntimeError):  # the event loop is closed: nobody streams
                soon(self.told)
            if callable(before):
                before(number, frame)
            elif before == signal.SIG_DFL:
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)

        handle.chain = self  # type: ignore[attr-defined]
        return handle
