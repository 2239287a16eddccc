"""Callbacks: a subscriber that calls functions."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypedDict, get_args

import attrs

from ..errors import MisuseError
from ..events import (
    Event,
    ReasoningDelta,
    Retracted,
    Terminal,
    TextDelta,
    ToolCallCompleted,
    is_text,
)
from ..logger import log
from ..response import ToolCall

__all__ = ["Callback", "CallbackOptions", "Callbacks", "Dispatcher"]

Callback = Callable[..., Awaitable[object] | object]
OnError = Literal["detach", "ignore", "fail"]


class CallbackOptions(TypedDict, total=False):
    """The keywords of `Callbacks`, for those who pass them on."""

    on_text: Callable[[str], Awaitable[object] | object] | None
    on_reasoning: Callable[[str], Awaitable[object] | object] | None
    on_tool_call: Callable[[ToolCall], Awaitable[object] | object] | None
    on_first_delta: Callable[[], Awaitable[object] | object] | None
    on_retract: Callable[[Retracted], Awaitable[object] | object] | None
    on_event: Callable[[Event], Awaitable[object] | object] | None
    on_result: Callable[[Terminal], Awaitable[object] | object] | None
    seam: str
    on_error: OnError


@attrs.frozen(kw_only=True)
class Callbacks:
    """What a caller wants to be told, each plain or async. The same for every way to run."""

    on_text: Callable[[str], Awaitable[object] | object] | None = None
    """Called with each piece of text."""
    on_reasoning: Callable[[str], Awaitable[object] | object] | None = None
    """Called with each piece of reasoning."""
    on_tool_call: Callable[[ToolCall], Awaitable[object] | object] | None = None
    """Called with each whole tool call, after the whole answer's evidence."""
    on_first_delta: Callable[[], Awaitable[object] | object] | None = None
    """Called once, before the first text, reroutes included."""
    on_retract: Callable[[Retracted], Awaitable[object] | object] | None = None
    """Called when what was shown must be forgotten. Without it, text gets a seam."""
    on_event: Callable[[Event], Awaitable[object] | object] | None = None
    """Called with every event."""
    on_result: Callable[[Terminal], Awaitable[object] | object] | None = None
    """Called with the outcome before anybody else learns of it; at most ``Limits.finalise``."""
    seam: str = "\n\n"
    """What stands between text that cannot be taken back and the text that replaces it."""
    on_error: OnError = "detach"
    """What a callback that raises brings: no more calls, nothing, or the run's end."""

    def __attrs_post_init__(self) -> None:
        for name in _FUNCTIONS:
            value = getattr(self, name)
            if value is not None and not callable(value):
                raise MisuseError(
                    f"expected {name} to be a function, plain or async; got {value!r}"
                )
        if self.on_error not in get_args(OnError):
            raise MisuseError(
                f"expected on_error to be one of {get_args(OnError)}; got {self.on_error!r}"
            )

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Callbacks:
        """
        Read keyword arguments.

        Raises:
            MisuseError: one is not known, or is no function.
        """
        if not given:
            return _NONE
        known = {field.name for field in attrs.fields(cls)}
        if strange := sorted(given.keys() - known):
            raise MisuseError(
                f"expected callbacks of {', '.join(sorted(known))}; got {', '.join(strange)}"
            )
        return cls(**given)

    @property
    def subscribe(self) -> bool:
        """Whether any of them watches the run."""
        return self is not _NONE and any(getattr(self, name) is not None for name in _WATCHING)


_FUNCTIONS = {field.name for field in attrs.fields(Callbacks)} - {"seam", "on_error"}
_WATCHING = _FUNCTIONS - {"on_result"}
_NONE = Callbacks()


@attrs.define(eq=False)
class Dispatcher:
    """One run's events, told to its callbacks."""

    callbacks: Callbacks
    calls: int = 0
    """Callbacks called so far (a count): how a wait tells a slow one from a hung one."""
    _texted: bool = False
    _shown: set[str] = attrs.field(factory=set)
    """Channels in which a callback was told something."""
    _torn: set[str] = attrs.field(factory=set)
    """Channels where what was told can no longer be taken back."""

    async def tell(self, event: Event) -> None:
        """Call the callbacks that *event* concerns."""
        told = self.callbacks
        await self._call(told.on_event, event)
        if isinstance(event, TextDelta) and is_text(event):
            if not self._texted:
                self._texted = True
                await self._call(told.on_first_delta)
            await self._piece("text", told.on_text, event.text)
        elif isinstance(event, ReasoningDelta):
            await self._piece("reasoning", told.on_reasoning, event.text)
        elif isinstance(event, ToolCallCompleted):
            await self._call(told.on_tool_call, event.tool_call)
        elif isinstance(event, Retracted):
            await self._retract(event)

    async def _piece(self, channel: str, callback: Callback | None, text: str) -> None:
        if callback is None:
            return
        if channel in self._torn:
            self._torn.discard(channel)
            await self._call(callback, self.callbacks.seam)
        self._shown.add(channel)
        await self._call(callback, text)

    async def _retract(self, event: Retracted) -> None:
        if self.callbacks.on_retract is not None:
            await self._call(self.callbacks.on_retract, event)
        elif event.channel in self._shown:
            self._torn.add(event.channel)

    async def _call(self, callback: Callback | None, *args: object) -> None:
        if callback is None:
            return
        try:
            result = callback(*args)
            if inspect.isawaitable(result):
                await result
        except Exception as error:
            if self.callbacks.on_error != "ignore":
                raise
            log.warning("a callback raised and was ignored", error=type(error).__name__)
        self.calls += 1
