"""What comes after a failed attempt: the same call without a field, again, buffered, or the end."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Literal

import attrs

from ..errors import (
    InBandError,
    MisuseError,
    ProviderError,
    Rejected,
    StageError,
    Stalled,
    TransportError,
    TruncatedStream,
    about_us,
)

__all__ = ["Next", "Plan", "ReroutePolicy", "is_hopeless", "is_transient"]

_TRANSIENT: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 524, 529})
_HOPELESS: Final = re.compile(
    r"content[_ ]?(filter|policy|management)|responsible.?ai|safety|moderation|blocked"
    r"|context[_ ]?(length|window)|maximum context|too many tokens|prompt is too long"
    r"|invalid[_ ]api[_ ]key|authentication|permission|insufficient[_ ]quota|billing",
    re.IGNORECASE,
)
"""How providers say that the same request will fare no better."""
_MAX_BACKOFF: Final = 8.0
"""The longest wait that is ours to choose (seconds)."""


def is_hopeless(error: Exception) -> bool:
    """Whether asking again cannot help: credentials, content policy, context overflow, misuse."""
    if isinstance(error, MisuseError):
        return True
    if not isinstance(error, ProviderError):
        return False
    said = f"{error.provider_code or ''} {error}"
    refused = isinstance(error, Rejected | InBandError) and _HOPELESS.search(said) is not None
    return about_us(error.status) or refused


def is_transient(error: Exception) -> bool:
    """Whether the same call may fare better in a moment."""
    if isinstance(error, Stalled):
        return error.clock not in ("total", "buffered_total")
    if isinstance(error, Rejected | InBandError):
        return (error.status in _TRANSIENT or error.status is None) and not is_hopeless(error)
    return isinstance(error, TransportError | TruncatedStream)


def _two_or_more(_policy: object, _field: object, value: int | None) -> None:
    if value is not None and (not isinstance(value, int) or value < 2):  # noqa: PLR2004
        raise MisuseError(
            f"expected trip_after to be a count of 2 or more, or None; got {value!r}; one error "
            "never disables streaming"
        )


def _any(_error: Exception) -> bool:
    return True


@attrs.frozen
class ReroutePolicy:
    """
    What comes after a streaming attempt that failed.

    The default is the contract: any ``Exception``, a bug in a stage included,
    goes to one buffered call. Cancellation is no exception and never asks.
    All attempts share ``Limits.total``.
    """

    when: Callable[[Exception], bool] = _any
    """Asked with the error of the streaming attempt; True makes the buffered call."""
    retries: int = attrs.field(default=0, validator=attrs.validators.ge(0), kw_only=True)
    """How often a transient failure is streamed again before the buffered call (a count)."""
    backoff: float = attrs.field(default=0.5, validator=attrs.validators.gt(0), kw_only=True)
    """Seconds the first retry waits at most, doubled for each; ``Retry-After`` goes before."""
    ladder: tuple[str, ...] = attrs.field(
        default=("stream_options",), converter=tuple, kw_only=True
    )
    """Fields left out, for this client's life, once a 400 or 422 names one; ``()`` leaves none."""
    after_tools: bool = attrs.field(default=False, kw_only=True)
    """Whether to ask again after a tool ran at the provider: it would run again."""
    collect: bool = attrs.field(default=False, kw_only=True)
    """
    Whether the buffered call streams, too, and is told at its end: for providers that only
    stream, and for answers too long for a call that waits.
    """
    trip_after: int | None = attrs.field(default=5, validator=_two_or_more, kw_only=True)
    """
    After so many streams in a row that failed where the buffered call did not, the buffered
    call comes first (a count, 2 or more, for one error never disables streaming). None: never.
    """
    recover: float = attrs.field(default=60.0, validator=attrs.validators.gt(0), kw_only=True)
    """Seconds after which one stream is tried again."""

    @classmethod
    def never(cls) -> ReroutePolicy:
        """Give the policy for those who want streaming's own error."""
        return cls(when=lambda _error: False, ladder=(), trip_after=None)

    @classmethod
    def sparing(cls, **settings: Any) -> ReroutePolicy:
        """Give the policy that asks no second time where that cannot help (see `is_hopeless`)."""
        return cls(when=lambda error: not is_hopeless(error), **settings)


Kind = Literal["again", "buffered", "fail"]


@attrs.frozen
class Next:
    """What comes next."""

    kind: Kind
    without: str | None = None
    """The field the same call is made without, from now on."""
    delay: float = 0.0
    """Seconds to wait before it."""


_FAIL: Final = Next("fail")


@attrs.define(eq=False)
class Plan:
    """
    The attempts of one run: what was tried, and what comes next. Pure.

    Streaming comes first; the ladder and the retries stream again; the
    buffered call is made once at most, and is the last.
    """

    policy: ReroutePolicy
    can_buffer: bool
    """Whether there is a buffered source."""
    _retried: int = attrs.field(default=0, init=False)
    _dropped: frozenset[str] = attrs.field(default=frozenset(), init=False)

    def after(
        self,
        error: Exception,
        *,
        buffered: bool,
        tools_ran: bool,
        fields: frozenset[str],
        left: float,
        chance: float,
    ) -> Next:
        """
        Say what comes after an attempt that raised *error*.

        Args:
            error: what it raised.
            buffered: whether it was the buffered call.
            tools_ran: whether a tool ran at the provider.
            fields: of the call's body.
            left: seconds until the time of all attempts is up.
            chance: from 0 to 1: where between none and all of the backoff the wait lies.

        Raises:
            Exception: what ``policy.when`` raised.
        """
        if buffered or _is_final(error) or (tools_ran and not self.policy.after_tools):
            return _FAIL
        if (field := self._rung(error, fields)) is not None:
            self._dropped |= {field}
            return Next("again", without=field)
        wait = self._wait(error, chance)
        if self._retried < self.policy.retries and is_transient(error) and wait < left:
            self._retried += 1
            return Next("again", delay=wait)
        return Next("buffered") if self.can_buffer and self.policy.when(error) else _FAIL

    def _rung(self, error: Exception, fields: frozenset[str]) -> str | None:
        """Find the field that the provider does not want."""
        if not isinstance(error, Rejected) or error.status not in (400, 422):
            return None
        said = f"{error.provider_code or ''} {error}"
        untried = (f for f in self.policy.ladder if f in fields and f not in self._dropped)
        return next((field for field in untried if field in said), None)

    def _wait(self, error: Exception, chance: float) -> float:
        asked = error.retry_after if isinstance(error, ProviderError) else None
        if asked is not None:
            return asked
        return chance * min(_MAX_BACKOFF, self.policy.backoff * 2.0**self._retried)


def _is_final(error: Exception) -> bool:
    """Whether no second call can help: misuse, the time of all attempts is up, a stage says so."""
    if isinstance(error, StageError):
        return error.final
    if isinstance(error, MisuseError):  # a request that cannot be built: nothing was sent
        return True
    return isinstance(error, Stalled) and error.clock == "total"
