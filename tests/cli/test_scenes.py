"""Every scene comes out as it must; one that does not is told apart."""

import attrs
import pytest

from streamkit.cli.demo import BODY, run_demo, run_scene
from streamkit.cli.plain import Plain
from streamkit.cli.scenes import SCENES
from streamkit.cli.words import provider, row
from streamkit.limits import Limits
from streamkit.testing import Drop, HalfClose, Hold, Reply, Reset, answers

SCENE = {scene.title: scene for scene in SCENES}
HEALTHY, DROPS = SCENE["A healthy stream"], SCENE["The connection drops"]
DIFFERENT, FAILS = SCENE["A different second answer"], SCENE["Nothing helps"]

every_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.title)


def different(verdict):
    """Return the names of what was not as expected."""
    return {check.what for check in verdict.differences}


def expecting(scene, **changes):
    """Return *scene* with another expectation."""
    return attrs.evolve(scene, expected=attrs.evolve(scene.expected, **changes))


@every_scene
@pytest.mark.anyio
async def test_a_scene_comes_out_as_it_must(scene):
    """What is delivered, answered and asked is what the scene says, on every event loop."""
    verdict = await run_scene(scene, pace=0)

    assert () == verdict.differences
    assert scene.expected.text == verdict.account.text() == verdict.response.text


def test_the_scenes_are_told_apart_by_their_titles():
    """Twelve scenes, twelve titles, each in one line of the summary."""
    assert 12 == len(SCENES) == len(SCENE)
    assert 26 >= max(map(len, SCENE))


@pytest.mark.anyio
async def test_another_text_is_a_difference_where_it_is_delivered_and_in_the_response():
    """A text that is not the expected one is told, with what was expected and what came."""
    verdict = await run_scene(expecting(HEALTHY, text="something else"), pace=0)

    assert not verdict.ok
    assert {"the text delivered", "response.text"} == different(verdict)
    assert [("something else", HEALTHY.expected.text)] * 2 == [
        (check.expected, check.got) for check in verdict.differences
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("scene", "what"),
    [
        (expecting(HEALTHY, rerouted="transport"), "the provider's calls"),
        (expecting(HEALTHY, evidence="usage"), "response.evidence"),
        (expecting(HEALTHY, reasoning="hm"), "the reasoning delivered"),
        (expecting(HEALTHY, failure=("stalled", "silent")), "the outcome"),
        (expecting(DROPS, rerouted="malformed"), "the reroutes"),
        (expecting(DROPS, retracted=("text",)), "the channels retracted"),
        (expecting(SCENE["A tool call"], tool_calls=()), "the tool calls delivered"),
        (expecting(FAILS, failure=("rejected", "Quota exceeded")), "the error"),
    ],
)
async def test_a_wrong_expectation_is_a_difference(scene, what):
    """Whatever a scene expects is looked at."""
    assert what in different(await run_scene(scene, pace=0))


@pytest.mark.anyio
async def test_a_stream_that_says_all_twice_is_a_difference():
    """An answer delivered twice is not the answer."""
    text = HEALTHY.expected.text
    twice = attrs.evolve(HEALTHY, stream=Reply(*answers.text_stream(text, text)))
    assert {"the text delivered", "response.text"} == different(await run_scene(twice, pace=0))


@pytest.mark.anyio
async def test_a_provider_that_says_nothing_for_ever_is_judged_too():
    """A scene's own limits end it; what came by then is what is judged."""
    silent = attrs.evolve(
        HEALTHY,
        stream=Reply(Hold()),
        buffered=Reply(before=[Hold()]),
        limits=Limits(total=0.2),
    )
    verdict = await run_scene(silent, pace=0)

    assert "the outcome" in different(verdict)
    assert "ResponseFailed" == type(verdict.outcome).__name__


@pytest.mark.anyio
async def test_the_account_is_told_as_it_grows():
    """Each update shows what came so far; what was retracted is kept, and marked."""
    texts = []
    verdict = await run_scene(
        DIFFERENT, pace=0, update=lambda account, _calls: texts.append(account.text())
    )

    assert texts[-1] == DIFFERENT.expected.text
    assert "Streams break because the network is made of hope and copper, and " in texts
    assert [True, False] == [passage.retracted for passage in verdict.account.passages]


@pytest.mark.anyio
async def test_the_provider_is_seen_to_do_what_the_scene_says():
    """What the provider did is noted from the wire, not from the script."""
    drops, stalls = [
        (await run_scene(scene, pace=0)).calls
        for scene in (DROPS, SCENE["Silence behind keep-alives"])
    ]

    assert ["hung up", "ended"] == [call.ending for call in drops]
    assert (True, 0) == (drops[0].request.streaming, drops[0].keep_alives)
    assert BODY == drops[1].request.json
    assert 0 < stalls[0].keep_alives
    assert (True, False) == (stalls[0].left, stalls[0].done)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("step", "said"),
    [(Drop(), "hung up"), (Reset(), "reset the connection"), (HalfClose(), "streamkit left")],
    ids=lambda value: type(value).__name__,
)
async def test_each_way_to_leave_has_its_words(step, said):
    """However the provider leaves, the answer goes on, and what it did is named."""
    scene = attrs.evolve(DROPS, stream=Reply(*DROPS.stream.steps[:-1], step))
    verdict = await run_scene(scene, pace=0)

    assert () == verdict.differences
    assert f"stream=true → 14 chunks · {said}" == provider(verdict.calls[0])


def test_the_demo_says_whether_all_came_out_well():
    """One scene that does not come out as it must is enough; the others are run all the same."""
    lines = []
    wrong = expecting(HEALTHY, text="something else")

    assert run_demo(Plain(lines.append), [HEALTHY, FAILS], pace=0)
    assert not run_demo(Plain(lines.append), [wrong, FAILS], pace=0)
    assert "      expected 'something else'" in lines
    assert lines[-1].startswith("✗ 1 of 2 ")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("scene", "summary"),
    [
        (HEALTHY, ("", "as it came", "1")),
        (DROPS, ("transport", "continued, +80", "2")),
        (DIFFERENT, ("transport", "retracted, anew", "2")),
        (SCENE["stream_options is unknown"], ("", "left it out, streamed", "2")),
        (FAILS, ("rejected", "told the error", "2")),
    ],
    ids=lambda value: getattr(value, "title", ""),
)
async def test_a_scene_is_summed_up_in_a_line(scene, summary):
    """The streaming error's code, what streamkit did, and how many calls it took."""
    line = row(await run_scene(scene, pace=0))
    assert (True, scene.title, *summary) == (line.ok, line.title, line.error, line.did, line.calls)
