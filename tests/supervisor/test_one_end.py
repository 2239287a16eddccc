"""One end in every run, the truthful one, whichever way it comes."""

import anyio
import attrs
import pytest

import streamkit
from streamkit import Limits, ReroutePolicy
from streamkit.events import (
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    Terminal,
    TextDelta,
)
from streamkit.response import Usage
from streamkit.testing import Drop, FaultProvider, Hold, KeepAlive, Pause, Reply, answers

pytestmark = pytest.mark.anyio

BODY = {"model": "demo-1", "messages": []}
HELLO = answers.text_stream("Hel", "lo")
NO = Reply(answers.error("no"), status=500)
WHOLE = Reply(answers.completion("Hello"))
LATE = Reply(answers.completion("Hello"), before=[Hold()])
SOON = 5.0
"""How long anything may take here (seconds)."""


class Bug(streamkit.Suppressor):
    """A stage of streamkit's own, with a bug."""

    def batch(self, events):
        """Raise at the first text."""
        if any(isinstance(event, TextDelta) for event in events):
            raise ZeroDivisionError("a bug of ours")
        return super().batch(events)


class Group:
    """A stage that has tasks of its own, two of which fail."""

    async def __call__(self, source, sink):
        """Raise a group, the provider's error behind a lesser one."""
        async for event in source:
            await sink.send(event)
            if isinstance(event, TextDelta):
                lesser = ValueError("lesser")
                raise ExceptionGroup("tasks", [lesser, streamkit.TransportError("upstream")])


@attrs.frozen
class Way:
    """A way to end."""

    stream: Reply
    buffered: Reply
    kind: type[Terminal]
    cause: str = ""
    """The error's code, or its clock."""
    limits: dict = attrs.field(factory=dict)
    stages: tuple = ()
    callbacks: dict = attrs.field(factory=dict)
    text: str = "Hello"


async def hang(outcome):
    """A hook that never comes back."""
    await anyio.sleep_forever()


def fail(*args):
    """A hook with a bug."""
    raise KeyError("a bug")


CUT = Reply(*HELLO[:2], Drop())
SILENT = Reply(before=[Hold()])
PINGING = Reply(*HELLO[:2], KeepAlive(0.01))
WAYS = {
    "healthy": Way(Reply(*HELLO), NO, ResponseCompleted),
    "cut, and rerouted": Way(CUT, WHOLE, ResponseCompleted),
    "cut, and the buffered call fails": Way(CUT, NO, ResponseFailed, "rejected", text="Hel"),
    "rejected twice": Way(NO, NO, ResponseFailed, "rejected", text=""),
    "a bug in a stage of ours": Way(
        Reply(*HELLO), WHOLE, ResponseFailed, "stage", stages=(Bug,), text=""
    ),
    "a group out of a stage": Way(
        Reply(*HELLO), NO, ResponseFailed, "rejected", stages=(Group,), text="Hel"
    ),
    "first_byte": Way(SILENT, NO, ResponseFailed, "rejected", {"first_byte": 0.05}, text=""),
    "first_content": Way(
        Reply(KeepAlive(0.01)), WHOLE, ResponseCompleted, limits={"first_content": 0.1}
    ),
    "idle, pings or not": Way(PINGING, WHOLE, ResponseCompleted, limits={"idle": 0.1}),
    "drain": Way(Reply(*HELLO[:-1], Hold()), NO, ResponseCompleted, limits={"drain": 0.05}),
    "total": Way(PINGING, WHOLE, ResponseFailed, "total", {"total": 0.1}, text="Hel"),
    "total, in the buffered call": Way(
        CUT, LATE, ResponseFailed, "total", {"total": 0.15}, text="Hel"
    ),
    "buffered_total": Way(
        CUT, LATE, ResponseFailed, "buffered_total", {"buffered_total": 0.05}, text="Hel"
    ),
    "on_result hangs": Way(
        Reply(*HELLO),
        NO,
        ResponseCompleted,
        limits={"finalise": 0.05},
        callbacks={"on_result": hang},
    ),
    "on_result raises": Way(Reply(*HELLO), NO, ResponseCompleted, callbacks={"on_result": fail}),
    "a callback raises": Way(Reply(*HELLO), NO, ResponseCompleted, callbacks={"on_text": fail}),
}


def shown(events):
    """The text a watcher has in the end."""
    text = ""
    for event in events:
        if isinstance(event, TextDelta):
            text += event.text
        elif isinstance(event, streamkit.events.Retracted):
            text = ""
    return text


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_there_is_one_end_and_it_tells_what_happened(way):
    """The terminal is one, and last; it names the clock or the fault; what was shown is kept."""
    async with FaultProvider(stream=way.stream, buffered=way.buffered) as provider:
        limits = Limits(**{"finalise": 0.5, **way.limits})
        async with streamkit.Client(
            base_url=provider.url, limits=limits, stages=way.stages
        ) as client:
            with anyio.fail_after(SOON):
                async with client.stream(BODY, **way.callbacks) as run:
                    events = [event async for event in run]

    terminals = [event for event in events if event.terminal]
    assert [events[-1]] == terminals
    assert way.kind is type(events[-1])
    if way.kind is ResponseFailed:
        error = events[-1].error
        assert way.cause == getattr(error, "clock", error.code)
    assert way.text in (shown(events), events[-1].response.text)


async def test_a_group_names_its_most_upstream_cause():
    """Which of the tasks raised first is chance; what went wrong first is not."""
    async with FaultProvider(stream=Reply(*HELLO)) as provider:
        async with streamkit.Client(
            base_url=provider.url, stages=[Group], reroute=ReroutePolicy.never()
        ) as client:
            with pytest.raises(streamkit.StageError, match="TransportError: upstream") as caught:
                await client.complete(BODY)

    assert isinstance(caught.value.__cause__, streamkit.TransportError)


async def test_cancelling_the_run_keeps_what_came():
    """`response` gives the partial answer, and says that it was cancelled."""
    async with FaultProvider(stream=Reply(*HELLO[:2], Hold())) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            with anyio.fail_after(SOON):
                run = client.start(BODY)
                events = []
                async for event in run:
                    events.append(event)
                    if isinstance(event, TextDelta):
                        await run.cancel()
                response = await run.response()

    assert [ResponseCancelled] == [type(event) for event in events if event.terminal]
    assert ("Hel", "cancelled") == (response.text, response.finish)


async def test_a_caller_that_is_cancelled_ends_the_run_and_is_cancelled():
    """Its cancellation is its own, and no failure: nothing is rerouted."""
    outcomes = []
    async with FaultProvider(stream=Reply(*HELLO[:2], Hold()), buffered=WHOLE) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            with anyio.move_on_after(SOON) as scope:
                async with client.stream(BODY, on_result=outcomes.append) as run:
                    async for event in run:
                        if isinstance(event, TextDelta):
                            scope.cancel()
        requests = len(provider.requests)

    assert scope.cancelled_caught
    assert ([ResponseCancelled], 1) == ([type(outcome) for outcome in outcomes], requests)


async def test_a_client_that_is_closed_ends_its_runs():
    """Each with its end, told to those who still watch."""
    async with FaultProvider(stream=Reply(*HELLO[:2], Hold())) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            run = client.start(BODY)
            async for event in run:
                if isinstance(event, TextDelta):
                    break
        with anyio.fail_after(SOON):
            rest = [event async for event in run]

    assert [ResponseCancelled] == [type(event) for event in rest]


async def test_silent_thinking_is_allowed_where_pings_count():
    """With ``liveness`` a ping puts the idle clock off, and one that stops does not."""
    thinks = Reply(*HELLO[:2], KeepAlive(0.02, times=10), *HELLO[2:])
    hangs = Reply(*HELLO[:2], KeepAlive(0.02, times=3), Hold())
    limits = Limits(idle=0.1, liveness=0.1)
    for reply, expected in ((thinks, False), (hangs, True)):
        async with FaultProvider(stream=reply, buffered=WHOLE) as provider:
            async with streamkit.Client(base_url=provider.url, limits=limits) as client:
                with anyio.fail_after(SOON):
                    response = await client.complete(BODY)
        assert ("Hello", expected) == (response.text, response.rerouted)


async def test_timings_tell_of_the_silences():
    """The median is a short one, the longest is among the hundredth."""
    pieces = [step for piece in answers.text_stream(*"abcdef") for step in (piece, Pause(0.01))]
    reply = Reply(*pieces[:6], Pause(0.2), *pieces[6:])
    async with FaultProvider(stream=reply) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            timings = (await client.complete(BODY)).timings

    assert 0 < timings.gap_median < 0.15 < timings.gap_p99 < timings.total


async def test_what_a_dead_attempt_cost_is_told_beside():
    """It was paid for, and is no part of this answer's usage."""
    usage = answers.usage_chunk(3, 4)
    reply = Reply(*HELLO[:2], usage.replace(b'"choices":[]', b'"choices":[{"index":0}]'), Drop())
    whole = Reply(answers.completion("Hello", usage=(1, 2)))
    async with FaultProvider(stream=reply, buffered=whole) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            response = await client.complete(BODY)

    assert response.rerouted
    assert Usage(1, 2, 3) == response.usage
    assert (Usage(3, 4, 7),) == response.wasted
