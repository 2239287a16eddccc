"""What users write in a list of stages, and what is made of it."""

from functools import partial

import attrs
import pytest

from streamkit.errors import MisuseError, StageError
from streamkit.pipeline import Recipe
from streamkit.pipeline.recipe import is_async
from streamkit.stages import Accumulator, Suppressor

from .lines import Hold, Pass, PassAsync


def plain(event):
    return (event,)


async def tasked(source, sink):
    async for event in source:
        await sink.send(event)


@attrs.define(eq=False)
class Counting:
    size: int = 1
    seen: list = attrs.field(factory=list, init=False)

    def __call__(self, event):
        self.seen.append(event)
        return (event,)


@attrs.frozen
class Inert:
    """Has settings, and does nothing."""

    size: int = 1


def made_plain():
    return plain


NAMED = [
    (Pass, "Pass", Pass),
    (partial(Hold, size=5), "Hold", Hold),
    (lambda: Hold(size=5), "Hold", Hold),
    (lambda: plain, "plain", type(plain)),
    (made_plain, "made_plain", type(plain)),
    (Hold(size=5), "Hold", Hold),
    ("streamkit.stages:Suppressor", "streamkit.stages:Suppressor", Suppressor),
]


@pytest.mark.parametrize(("entry", "name", "kind"), NAMED)
def test_a_recipe_makes_a_stage_and_names_it(entry, name, kind):
    """Classes, factories, attrs instances and names all make fresh stages with telling names."""
    recipe = Recipe.of(entry)
    (first_name, first), (_, second) = recipe.fresh(), recipe.fresh()

    assert (name, kind) == (first_name, type(first))
    assert (first is not second) or first is plain


def test_an_attrs_instance_is_a_recipe():
    """Its settings are copied into each fresh stage, its state is not."""
    given = Counting(size=7)
    given("event")
    _, made = Recipe.of(given).fresh()

    assert (7, []) == (made.size, made.seen)
    assert ["event"] == given.seen


class PlainInstance:
    def __call__(self, event):
        return (event,)


class Needy:
    def __init__(self, size):
        self.size = size


@pytest.mark.parametrize("entry", [PlainInstance(), plain, tasked, Needy, 5, None, Inert()])
def test_what_cannot_make_a_stage_is_refused_at_once(entry):
    """A stage in place of its factory, or nothing callable: the error says how to mend it."""
    with pytest.raises(MisuseError) as raised:
        Recipe.of(entry)

    assert "expected a stage factory" in str(raised.value)
    assert "pass what makes it: `lambda: ...`" in str(raised.value)


def test_a_factory_must_give_something_callable():
    """A factory whose product is no stage is refused when it makes it."""
    with pytest.raises(MisuseError, match=r"stage 'dict' to be made callable; the factory gave {}"):
        Recipe.of(dict).fresh()


def test_a_factory_that_raises_is_a_stage_error():
    """What a factory raises is a `StageError` with the stage's name, and the cause."""

    def failing():
        raise TypeError("no")

    with pytest.raises(StageError) as raised:
        Recipe.of(failing).fresh()
    assert "stage 'failing' could not be made: TypeError: no" == str(raised.value)
    assert TypeError is type(raised.value.__cause__)


def test_a_misuse_inside_a_factory_stays_one():
    """A factory's own `MisuseError` is not wrapped."""

    def refusing():
        raise MisuseError("not like that")

    with pytest.raises(MisuseError, match=r"^not like that$"):
        Recipe.of(refusing).fresh()


def test_a_builtin_without_a_signature_is_given_a_try():
    """Where Python cannot tell what a callable takes, the call itself tells."""
    assert "iter" == Recipe.of(iter).name


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (PassAsync(), True),
        (tasked, True),
        (partial(tasked), True),
        (Pass(), False),
        (plain, False),
        (Accumulator(), False),
    ],
)
def test_an_async_stage_is_known_by_its_call(stage, expected):
    """A coroutine function, or an object whose call is one, gets a task of its own."""
    assert expected == is_async(stage)
