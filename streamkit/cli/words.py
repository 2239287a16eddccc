"""The demo's facts in words, the same for every display."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from ..events import ResponseCompleted, ResponseFailed
from .account import Account
from .backstage import Call
from .verdict import Verdict

__all__ = ["Row", "did", "differences", "opening", "provider", "row", "total", "verdict_line"]


def opening(question: str, scenes: int) -> str:
    """Say what is going to be seen."""
    return (
        f"A provider on this machine's loopback is asked “{question}”, {_count(scenes, 'time')}, "
        "and misbehaves. Each answer must arrive all the same: whole, once, with one truthful "
        "ending."
    )


def provider(call: Call) -> str:
    """Say what the provider was asked, and what it really did."""
    asked = "stream=true" if call.request.streaming else "buffered"
    return f"{asked} → {' · '.join(_acts(call)) or '…'}"


def did(account: Account) -> str:
    """Say what streamkit did, as far as it got."""
    last = account.events[-1] if account.events else None
    if account.reroutes:
        return _rerouted(account)
    if isinstance(last, ResponseCompleted) and last.evidence == "buffered":
        return "took the JSON body for the answer it is"
    if not account.deltas:
        return "waits" if last is None or not last.terminal else "got nothing"
    return f"passed on {_count(account.deltas, 'delta')}, each as it came"


def verdict_line(verdict: Verdict) -> str:
    """Say in one line what came of a scene."""
    seconds = f"{verdict.seconds:.1f} s"
    if not verdict.ok:
        return f"✗ not what must come · {seconds}"
    if isinstance(verdict.outcome, ResponseFailed):
        code, said = verdict.scene.expected.failure or ("", "")
        return f"✓ one truthful failure · {code}: {said} · {seconds}"
    sizes = [_count(len(verdict.response.text), "character")]
    if calls := len(verdict.response.tool_calls):
        sizes.append(_count(calls, "tool call"))
    evidence = f"evidence {verdict.response.evidence}"
    return " · ".join(("✓ whole, once", *sizes, evidence, seconds))


def differences(verdict: Verdict) -> Iterator[tuple[str, str, str]]:
    """Give what is not as expected: its name, what was expected, what came."""
    for check in verdict.differences:
        yield check.what, repr(check.expected), repr(check.got)


@attrs.frozen
class Row:
    """A scene's line in the summary."""

    ok: bool
    title: str
    error: str
    """The streaming error's code; empty where there was none."""
    did: str
    calls: str
    seconds: str


def row(verdict: Verdict) -> Row:
    """Sum up a scene."""
    return Row(
        ok=verdict.ok,
        title=verdict.scene.title,
        error=", ".join(reroute.code for reroute in verdict.account.reroutes),
        did=_in_short(verdict),
        calls=str(len(verdict.calls)),
        seconds=f"{verdict.seconds:.1f} s",
    )


def total(verdicts: Sequence[Verdict]) -> str:
    """Say what came of all of them."""
    good, seconds = sum(v.ok for v in verdicts), sum(v.seconds for v in verdicts)
    if good < len(verdicts):
        return f"✗ {good} of {len(verdicts)} scenes came out as they must · {seconds:.1f} s"
    return (
        f"✓ {good} of {len(verdicts)} · every answer whole, once; every ending truthful · "
        f"{seconds:.1f} s"
    )


def _acts(call: Call) -> Iterator[str]:
    if call.error:
        yield f"HTTP {call.status}"
        yield call.error
    elif call.body:
        yield "one JSON body"
    if call.chunks:
        garbled = f", {call.garbled} garbled" if call.garbled else ""
        yield _count(call.chunks, "chunk") + garbled
    if call.keep_alives:
        yield _count(call.keep_alives, "keep-alive")
    if call.done:
        yield "[DONE]"
    yield from _ending(call)


def _ending(call: Call) -> Iterator[str]:
    if call.left:
        yield "streamkit left"
    elif call.ending == "ended" and call.chunks and not call.done:
        yield "ended without [DONE]"
    elif call.ending == "hung up":
        yield "hung up"
    elif call.ending == "reset":
        yield "reset the connection"


def _rerouted(account: Account) -> str:
    reroute, last = account.reroutes[-1], account.events[-1]
    shown = _count(reroute.after, "character")
    when = f"after {shown}" if reroute.after else "with nothing shown"
    said = f"rerouted ({reroute.code}) {when}"
    if not last.terminal:
        return said
    if isinstance(last, ResponseFailed):
        return f"{said}; that call failed too"
    if account.retracted:
        return f"{said}; retracted them"
    if not reroute.after:
        return f"{said}; the answer came buffered"
    return f"{said}; appended the missing {len(account.text()) - reroute.after}"


def _in_short(verdict: Verdict) -> str:
    account = verdict.account
    if isinstance(verdict.outcome, ResponseFailed):
        return "told the error"
    if not account.reroutes:
        return "as it came" if len(verdict.calls) == 1 else "left it out, streamed"
    if account.retracted:
        return "retracted, anew"
    if after := account.reroutes[-1].after:
        return f"continued, +{len(account.text()) - after}"
    return "asked again"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
