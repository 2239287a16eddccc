"""The dialect that is checked: what it writes, what it reads, and how a broken rule is told."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from ...dialects import Dialect
from ...errors import excerpt
from ...events import CHANNELS, Event, ResponseFailed
from ...framing import Frame
from ...response import Response
from ..conformance import ConformanceError
from ..specimens import accumulated, answer_of, data_of, response_of

__all__ = ["Subject"]


@attrs.frozen
class Subject:
    """A dialect, held to its rules."""

    dialect: Dialect
    unsaid: frozenset[str]
    """The neutral words for ends that its API has no word for."""

    # -- what it writes and reads

    def written(self, script: Sequence[Event], spoken: Dialect) -> list[Frame]:
        """Give the frames of *script*, an answer of the API *spoken*."""
        return self.encoded(accumulated(script, spoken))

    def encoded(self, told: list[Event]) -> list[Frame]:
        """Give the frames of what a watcher is told, and see that they are in order."""
        encoder = self.dialect.encoder()
        before = copy.deepcopy(told)
        frames = [*encoder.opening("run-1")]
        for event in told:
            frames += encoder.encode(event)
        if [e for e in told if not isinstance(e, ResponseFailed)] != [
            e for e in before if not isinstance(e, ResponseFailed)
        ]:
            raise self.broke(
                "no event is changed",
                f"expected {excerpt(before)} to stay as they are; got {excerpt(told)}",
                "copy the fields that are written to",
            )
        if odd := encoder.irrevocable - set(CHANNELS):
            raise self.broke(
                "what cannot be taken back is a channel",
                f"expected some of {CHANNELS}; got {sorted(odd)}",
                "see events.CHANNELS",
            )
        for frame in frames:
            data = data_of(frame)
            if not data or not data.isascii() or b"\n" in data or b"\r" in data:
                raise self.broke(
                    "a frame is one line of ASCII, and never empty",
                    f"expected such data; got {excerpt(repr(frame.data))}",
                    "write it with framing.encode_ascii",
                )
        return frames

    def read(self, frames: Sequence[Frame], *, ends: bool = True) -> list[Event]:
        """Give the events of *frames*, their end included."""
        decoder = self.dialect.decoder()
        events: list[Event] = []
        for frame in frames:
            events += decoder.feed(frame)
            if events and events[-1].terminal:
                return events
        return [*events, *decoder.eof()] if ends else events

    def response(self, events: Sequence[Event]) -> Response:
        """Give the response of an answer of the API itself."""
        return response_of(events, self.dialect)

    def raw(self, events: Sequence[Event]) -> dict[str, Any]:
        """Give its non-streaming JSON."""
        return self.dialect.response(answer_of(events))

    # -- what is wrong with it

    def broke(self, rule: str, saw: str, mend: str) -> ConformanceError:
        """Give the error that tells a broken rule."""
        return ConformanceError(self.dialect.name, rule, saw, mend, kind="dialect")

    def same(self, rule: str, found: str, mend: str, where: str = "") -> None:
        """Raise what was found, if anything was."""
        if found:
            raise self.broke(rule, where + found, mend)

    def raises(
        self,
        kind: type[Exception],
        rule: str,
        mend: str,
        cases: Mapping[str, Callable[[], Any]],
    ) -> None:
        """See that each of *cases* raises *kind*."""
        for what, case in cases.items():
            try:
                got: object = case()
            except kind:
                continue
            except Exception as error:  # noqa: BLE001 (whatever it raises is told)
                got = error
            raise self.broke(
                rule, f"expected {kind.__name__} of {what}; got {excerpt(repr(got))}", mend
            )
