"""The response around its items, as far as it came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs

from ...errors import InBandError, ProviderError
from ...events import AwaitingInput, Event, Finished, Metadata, ResponseStarted, UsageReported
from ..in_band import find_error
from .names import KNOWN, STATUSES
from .response import usage_of

__all__ = ["AWAITING", "Envelope", "usage_in"]

AWAITING: Final = "awaiting"
"""What says, beside the finish reason, which items wait for the caller."""


@attrs.define(eq=False)
class Envelope:
    """Fields of the response and how it ended; each is told once, and again where it changed."""

    started: bool = attrs.field(default=False, init=False)
    failed: bool = attrs.field(default=False, init=False)
    reason: str | None = attrs.field(default=None, init=False)
    _known: dict[str, Any] = attrs.field(factory=dict, init=False)
    """Fields of the response, as last told."""
    _odd: dict[str, Any] = attrs.field(factory=dict, init=False)
    """Fields beside those of the API, as last told."""

    def resume(self) -> Event:
        """Begin a stream that was resumed: nothing is known of the response yet."""
        self.started = True
        return ResponseStarted()

    def learn(self, response: dict[str, Any]) -> Iterator[Event]:
        """Tell the fields of the response that are new."""
        known = self._known
        news = {k: v for k, v in response.items() if k not in known or known[k] != v}
        news.pop("output", None)
        if news.get("usage") is not None:
            del news["usage"]
        known |= news
        if not self.started:
            self.started = True
            id_, model = (str(news.pop(key, None) or "") for key in ("id", "model"))
            yield ResponseStarted(id_, model, news or None)
        elif news:
            yield Metadata(None, news)

    def beside(self, value: dict[str, Any]) -> Iterator[Event]:
        """Tell the fields of an event that nobody knows, where they are new."""
        if not value.keys() <= KNOWN:
            odd = {k: v for k, v in value.items() if k not in KNOWN and self._odd.get(k) != v}
            self._odd |= odd
            if odd:
                yield Metadata(0, odd)

    def end(self, response: dict[str, Any], meant: str, waiting: Sequence[str]) -> Iterator[Event]:
        """
        Tell what it cost and how it ended.

        Args:
            response: the whole of it.
            meant: its status where it says none.
            waiting: the ids of the items that wait for the caller.

        Raises:
            ProviderError: it failed.
        """
        yield from usage_in(response)
        status = response.get("status")
        status = status if isinstance(status, str) and status in STATUSES else meant
        if status == "failed":
            error = find_error({"type": "response.failed", "response": response})
            yield from self.fail(error or InBandError("the response failed"))
        details = response.get("incomplete_details")
        why = details.get("reason") if isinstance(details, dict) else None
        self.reason = f"{status}:{why}" if status == "incomplete" and why else str(status)
        yield Finished(0, self.reason, {AWAITING: waiting} if waiting else None)
        if waiting:
            yield AwaitingInput({AWAITING: waiting})

    def fail(self, error: ProviderError) -> Iterator[Event]:
        """
        Tell the status of an answer that an error ends, and raise it.

        Raises:
            ProviderError: always: *error*.
        """
        self.failed = True
        if self.started:
            yield Finished(0, "failed")
        raise error


def usage_in(response: dict[str, Any]) -> Iterator[Event]:
    """Report the usage of a response that has any; often it is null until the end."""
    usage = response.get("usage")
    if isinstance(usage, dict) and usage:
        yield UsageReported(usage_of(usage), usage)
