"""The core faults in each dialect: the same of all of them, as the oracle says."""

import itertools
import json
from typing import Any, Final

import anyio
import attrs

from streamkit.testing import Drop, Hold, Reply, Reset, answers

from .answers import Truth
from .cases import End
from .clock import Silence, SilenceClock
from .consumers import CONSUMERS
from .faults import SHORT
from .oracle import CORE, Expected
from .staging import Staged
from .wires import ANOTHER, ANSWER, SPOTS, WIRES, Wire

__all__ = ["SECONDS", "DialectCase", "dialect_cases"]

SECONDS: Final = {"same": ANSWER, "different": ANOTHER, "fails": None}
"""What the buffered call says; None where it fails with 503."""
_WATCHERS: Final = tuple(name for name, consumer in CONSUMERS.items() if not consumer.leaves)
_JSON: Final = {"content-type": "application/json"}
"""Of a body that is no stream."""
_OOPS: Final = b"data: {oops]\n\n"


@attrs.frozen
class DialectCase:
    """One run: a fault at a spot of a dialect's answer, and who watches it."""

    dialect: str
    fault: str
    spot: str
    consumer: str
    second: str

    leaves = ""
    """Nobody does here."""

    @property
    def name(self) -> str:
        """All of it, to be read."""
        what = f"{self.dialect}, {self.fault}, {self.spot}"
        return f"{what}: {self.consumer}, second {self.second}"

    @property
    def wire(self) -> Wire:
        """How its dialect tells the answer."""
        return WIRES[self.dialect]

    @property
    def expected(self) -> Expected:
        """What the oracle says."""
        return CORE[self.fault][self.spot]

    @property
    def end(self) -> End:
        """How it must end."""
        expected, second = self.expected, SECONDS[self.second]
        told = expected.requests, expected.evidence
        if expected.outcome == "streamed":
            return self._whole(ANSWER, None, *told)
        before = self._before()
        if second is None:
            failed = "failed", "rejected", expected.code, "Sb", None
            ended = self.fault == "an error object" and self.wire.broken
            return End(*failed, before, before, {0: ended} if ended else {})
        return attrs.evolve(
            self._whole(second, expected.code, *told), retracted=self._retracted(before, second)
        )

    def staged(self, _reached: anyio.Event, clock: SilenceClock) -> Staged:
        """Give what its two ends are given."""
        second, wire = SECONDS[self.second], self.wire
        silent = {"limits": SHORT, "clock": clock} if self.fault == "silent" else {}
        return Staged(
            _reply(self.fault, self.spot, wire, clock),
            Reply(answers.error("busy"), status=503) if second is None else _body(wire, second),
            {"dialect": self.dialect, **silent},
            {"model": "m-1", **wire.asks},
            wire.base,
        )

    def _before(self) -> Truth:
        """Give what is shown before the fault."""
        said = SPOTS[self.spot]
        return attrs.evolve(said, calls={}) if self.wire.calls_late else said

    def _retracted(self, before: Truth, second: Truth) -> tuple[tuple[str, int], ...]:
        """Give what of it cannot stay."""
        back = [("tool_calls", 0)] if SPOTS[self.spot].calls else []
        if before.text and not second.text[0].startswith(before.text[0]):
            back.append(("text", 0))
        return tuple(sorted(back))

    def _whole(self, truth: Truth, cause: str | None, requests: str, evidence: str | None) -> End:
        reason = self.wire.called if truth.calls else self.wire.ended
        return End("completed", None, cause, requests, evidence, truth, truth, {0: reason})


def _body(wire: Wire, truth: Truth) -> Reply:
    return Reply(json.dumps(wire.whole(truth)), headers=_JSON)


def _reply(fault: str, spot: str, wire: Wire, clock: SilenceClock) -> Reply:
    """Give what a streaming call gets."""
    if fault == "a JSON body":
        return _body(wire, ANSWER)
    if fault == "status 500":
        return Reply(answers.error("oops"), status=500)
    if fault == "none":
        return Reply(*wire.frames)
    number = wire.spots[list(SPOTS).index(spot)]
    before, rest = wire.frames[:number], wire.frames[number:]
    half = rest[0][: len(rest[0]) // 2]
    struck: dict[str, tuple[Any, ...]] = {
        "dropped": (half, Drop()),
        "reset": (Reset(),),
        "ends cleanly": (),
        "half a frame, then the end": (half,),
        "a garbage frame": (_OOPS, *rest),
        "an error object": (wire.error, *rest),
        "silent": (Silence(clock, Hold()),),
    }
    return Reply(*before, *struck[fault])


def dialect_cases(dialect: str) -> list[DialectCase]:
    """Give the cases of a dialect: each fault at each spot, with every second answer."""
    number, watchers = itertools.count(), len(_WATCHERS)
    return [
        DialectCase(dialect, fault, spot, _WATCHERS[next(number) % watchers], second)
        for fault, row in CORE.items()
        for spot in row
        for second in SECONDS
    ]
