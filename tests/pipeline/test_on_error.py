"""What a stage's exception brings: a reroute, a bypass, or the end."""

import attrs
import pytest

import streamkit
from streamkit import Recipe
from streamkit.events import Rerouted, TextDelta
from streamkit.testing import FaultProvider, Reply, answers

pytestmark = pytest.mark.anyio

BODY = {"model": "demo-1", "messages": []}


class Boom:
    """Shouts, and raises at the second piece of text."""

    def __init__(self):
        self.pieces = 0

    def __call__(self, event):
        if not isinstance(event, TextDelta):
            return (event,)
        self.pieces += 1
        if self.pieces == 2:
            raise ZeroDivisionError
        return (attrs.evolve(event, text=event.text.upper()),)


class TimedBoom(Boom):
    """The same, and raises when it is woken."""

    wake_at = 0.0

    def wake(self, now):
        raise ZeroDivisionError


class AsyncBoom:
    """The same, in its own task."""

    async def __call__(self, source, sink):
        boom = Boom()
        async for event in source:
            for out in boom(event):
                await sink.send(out)


async def asked(stage, on_error):
    """The events of a run with that stage, and how often the provider was asked."""
    async with FaultProvider(
        stream=Reply(*answers.text_stream("a", "b", "c")),
        buffered=Reply(answers.completion("buffered")),
    ) as provider:
        stages = [Recipe.of(stage, on_error=on_error)]
        async with streamkit.Client(base_url=provider.url, stages=stages) as client:
            async with client.stream(BODY) as run:
                return [event async for event in run], len(provider.requests)


@pytest.mark.parametrize("stage", [Boom, AsyncBoom])
@pytest.mark.parametrize("on_error", [None, "reroute"])
async def test_a_stage_that_raises_reroutes_as_a_rule(stage, on_error):
    """One call more; the stage is fresh in it, and here does no harm."""
    events, requests = await asked(stage, on_error)

    assert Rerouted("stage", 2) in events
    assert "BUFFERED" == events[-1].response.text
    assert 2 == requests


@pytest.mark.parametrize(("stage", "text"), [(Boom, "Abc"), (AsyncBoom, "Ac"), (TimedBoom, "abc")])
async def test_a_stage_that_raises_may_be_bypassed(stage, text, caplog):
    """The answer goes on without it, on the same call, and the log says so once."""
    events, requests = await asked(stage, "bypass")

    assert text == events[-1].response.text
    assert 1 == requests
    records = [record.getMessage() for record in caplog.records if record.name == "streamkit"]
    assert [f"a stage raised and is bypassed stage={stage.__name__} error=ZeroDivisionError"] == (
        records
    )


@pytest.mark.parametrize("stage", [Boom, AsyncBoom])
async def test_a_stage_that_raises_may_fail_the_run(stage):
    """Asking again would not help: the stage's error is the run's."""
    events, requests = await asked(stage, "fail")

    error = events[-1].error
    assert ("stage", stage.__name__, True) == (error.code, error.stage, error.final)
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert 1 == requests


def test_what_on_error_may_be_is_told():
    """A word that is none is misuse."""
    with pytest.raises(streamkit.MisuseError, match="bypass"):
        Recipe.of(Boom, on_error="ignore")
    with pytest.raises(streamkit.MisuseError, match="factory"):
        Recipe.of(object(), on_error="bypass")


def test_a_recipe_stays_as_it_is():
    """It may stand in a list of stages."""
    recipe = Recipe.of(Boom, on_error="fail")

    assert recipe is Recipe.of(recipe)
    assert "bypass" == Recipe.of(recipe, on_error="bypass").on_error


async def test_the_accumulator_is_not_bypassed():
    """There would be no answer."""
    async with FaultProvider(stream=Reply(*answers.text_stream("a"))) as provider:
        stages = [Recipe.of(streamkit.Accumulator, on_error="bypass")]
        async with streamkit.Client(base_url=provider.url, stages=stages) as client:
            with pytest.raises(streamkit.MisuseError, match="the answer can do without"):
                await client.complete(BODY)


class Changes:
    """Writes into an event that others hold."""

    def __call__(self, event):
        if isinstance(event, TextDelta):
            event.text = "mine"
        return (event,)


class AsyncChanges:
    """The same, in its own task."""

    async def __call__(self, source, sink):
        async for event in source:
            await sink.send(Changes()(event)[0])


@pytest.mark.parametrize("stage", [Changes, AsyncChanges])
async def test_a_stage_that_changes_an_event_is_told_the_rule(stage):
    """What was seen, and how to mend it."""
    events, _ = await asked(stage, "fail")

    said = str(events[-1].error)
    assert "events are never changed" in said
    assert "attrs.evolve(event, ...)" in said
