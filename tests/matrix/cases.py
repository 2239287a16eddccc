"""The cases: which kinds, consumers and second answers each fault at each point is tried with."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

import anyio
import attrs

from streamkit.testing import Reply, answers

from .answers import ANSWERS, SECONDS, Answer, Truth
from .clock import SilenceClock
from .consumers import CONSUMERS
from .faults import FAULTS, Played
from .oracle import ORACLE, Expected
from .points import Point
from .staging import Gate, Staged

__all__ = ["CELLS", "Case", "End", "cases", "cases_of", "pairs"]

CELLS: Final = tuple((fault, point) for fault, row in ORACLE.items() for point in row)
"""Every fault at every point that the oracle knows."""


@attrs.frozen
class End:
    """How a case must end."""

    outcome: str
    """completed, failed or cancelled."""
    code: str | None
    """The code of the error it fails with."""
    cause: str | None
    """The code of what streaming failed with."""
    requests: str
    evidence: str | None
    shown: Truth
    """What was delivered, retractions applied."""
    response: Truth
    reasons: dict[int, str]
    """The finish reason of each choice that has one."""
    retracted: tuple[tuple[str, int], ...] = ()
    """What was taken back, by channel and choice, sorted."""


@attrs.frozen
class Case:
    """One run: a fault at a point of a kind of answer, and who watches it."""

    fault: str
    point: Point
    kind: str
    consumer: str
    second: str

    @property
    def name(self) -> str:
        """All of it, to be read."""
        where = f"{self.fault}, {self.point.value}"
        return f"{where}: {self.kind}, {self.consumer}, second {self.second}"

    @property
    def answer(self) -> Answer:
        """What would be streamed if nothing went wrong."""
        return ANSWERS[self.kind]

    @property
    def backup(self) -> Answer | None:
        """What the buffered call says; None where it fails."""
        second = SECONDS[self.second]
        return second and second[self.kind]

    @property
    def played(self) -> Played:
        """What is streamed."""
        return FAULTS[self.fault].play(self.answer, self.point)

    @property
    def expected(self) -> Expected:
        """What the oracle says."""
        return ORACLE[self.fault][self.point]

    @property
    def leaves(self) -> str:
        """Where the consumer leaves: at the point, in the second call, or not at all."""
        where = CONSUMERS[self.consumer].leaves
        if where == "second" and self.expected.outcome == "rerouted":
            return "second"
        done = self.point is Point.DONE  # the run is over there
        return "point" if where == "point" and not done else ""

    @property
    def end(self) -> End:
        """How it must end."""
        expected = self.expected
        if self.leaves == "point":
            return self._partial("cancelled", None, None, "S")
        if self.leaves == "second":
            return self._partial("cancelled", None, expected.code, "Sb")
        if expected.outcome == "failed":
            return self._partial("failed", expected.code, None, expected.requests)
        if expected.outcome == "streamed":
            return self._streamed()
        if self.backup is None:
            return self._partial("failed", "rejected", expected.code, expected.requests)
        before = self.answer.shown(self.played.until.pieces)
        whole = self._whole(self.backup, expected.code)
        return attrs.evolve(whole, retracted=_retracted(before, self.backup.truth))

    def staged(self, reached: anyio.Event, clock: SilenceClock) -> Staged:
        """Give what its two ends are given."""
        limits = FAULTS[self.fault].limits
        options = {} if limits is None else {"limits": limits, "clock": clock}
        return Staged(self._stream(reached, clock), self._buffered(reached), options)

    def _stream(self, reached: anyio.Event, clock: SilenceClock) -> Reply | list[Reply]:
        gate = (Gate(reached),) if self.leaves == "point" else ()
        fault, played = FAULTS[self.fault], self.played
        first = (played if fault.limits is None else played.slowed(clock)).reply(*gate)
        if not fault.then:
            return first
        return [first, FAULTS[fault.then].play(self.answer, self.point).reply()]

    def _buffered(self, reached: anyio.Event) -> Reply:
        if self.leaves == "second":
            return Reply(before=[Gate(reached)])
        if self.backup is None:
            return Reply(answers.error("busy"), status=503)
        return Reply(self.backup.whole)

    def _partial(self, outcome: str, code: str | None, cause: str | None, requests: str) -> End:
        until, answer = self.played.until, self.answer
        shown, response = answer.shown(until.pieces), answer.partial(until.pieces)
        reasons = dict(answer.reasons) if until.finished else {}
        return End(outcome, code, cause, requests, None, shown, response, reasons)

    def _whole(self, answer: Answer, cause: str | None) -> End:
        told = (self.expected.requests, self.expected.evidence)
        reasons = dict(answer.reasons)
        return End("completed", None, cause, *told, answer.truth, answer.truth, reasons)

    def _streamed(self) -> End:
        answer, gives = self.answer, FAULTS[self.fault].gives
        if gives == "whole":
            return self._whole(answer, None)
        if gives == "point":
            partial = self._partial("completed", None, None, self.expected.requests)
            return attrs.evolve(partial, evidence=self.expected.evidence)
        pieces = (*answer.pieces, *(answer.pieces[-1:] if gives == "twice" else ()))
        return attrs.evolve(self._whole(answer, None), shown=Answer(pieces, {}).shown())


def _retracted(before: Truth, after: Truth) -> tuple[tuple[str, int], ...]:
    """Give what cannot stay: all calls, and words that the winning answer does not begin with."""
    words = {"text": (before.text, after.text), "reasoning": (before.reasoning, after.reasoning)}
    torn = [
        (channel, choice)
        for channel, (shown, told) in words.items()
        for choice, text in shown.items()
        if not told.get(choice, "").startswith(text)
    ]
    return tuple(sorted([*torn, *(("tool_calls", choice) for choice in before.calls)]))


def cases_of(fault: str, point: Point) -> list[Case]:
    """
    Give the cases of one cell.

    Every consumer, kind and second answer has one; where the call is rerouted,
    so has every kind with every second answer.
    """
    number = CELLS.index((fault, point))
    kinds, seconds = FAULTS[fault].kinds, tuple(SECONDS)
    rerouted = ORACLE[fault][point].outcome == "rerouted"
    leavers = [name for name, consumer in CONSUMERS.items() if consumer.leaves == "point"]
    others = [name for name in CONSUMERS if name not in leavers]
    rounds = max(len(others), len(kinds) * len(seconds) if rerouted else 0)
    chosen = [(others[(n + number) % len(others)], n) for n in range(rounds)]
    chosen += [(leaver, n + number) for n, leaver in enumerate(leavers)]
    return [
        Case(
            fault,
            point,
            kinds[n % len(kinds)],
            consumer,
            seconds[(n + n // len(kinds)) % len(seconds)],
        )
        for consumer, n in chosen
    ]


def cases() -> list[Case]:
    """Give all cases, in the order of the oracle."""
    return [case for cell in CELLS for case in cases_of(*cell)]


def pairs(case: Case) -> Iterator[tuple[Any, ...]]:
    """Give every pair of two factors' values that *case* tries; a cell is one factor."""
    factors = {
        "cell": (case.fault, case.point),
        "kind": case.kind,
        "consumer": case.consumer,
        "second": case.second,
    }
    yield from combinations(factors.items(), 2)
