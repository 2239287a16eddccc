"""The harness: what it refuses, what it survives, and that it runs. No clock is asserted on."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import bench, healing, page, report, wire
from benchmarks.figures import figure, ratio
from benchmarks.scenarios import SCENARIOS, Burst, Drip, FanOut, Memory, Reroute, Serve
from benchmarks.subjects import SUBJECTS
from benchmarks.targets import TARGETS, judged
from benchmarks.unavailable import Unavailable
from benchmarks.venvs import PINS, Venvs
from benchmarks.worker import Laps
from streamkit.replay import replay

ROOT = Path(__file__).parents[1]
EVEN = [10.0, 10.1, 10.0, 9.9, 10.0, 10.1, 9.9]
WIDE = [10.0, 20.0, 5.0, 30.0, 10.0, 2.0, 15.0]


# -- the bytes -------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text", "tools", "reasoning"])
@pytest.mark.anyio
async def test_what_is_expected_is_what_is_sent(kind):
    """An answer's bytes say every delta once, in order, and end with evidence."""
    body = b"".join(wire.frames("openai", kind, 40))
    replayed = await replay(body, "openai-chat")

    answer = replayed.response
    told = [answer.reasoning, answer.text, *(call.arguments for call in answer.tool_calls)]
    assert wire.expected(kind, 40) == "".join(told)
    assert all(call.valid for call in answer.tool_calls)
    assert replayed.error is None
    assert len(body) == wire.size("openai", kind, 40)


@pytest.mark.parametrize("per_chunk", [1, 16])
def test_http_chunks_change_nothing(per_chunk):
    """The same bytes, however many events an HTTP chunk has."""
    left, said = wire.body("openai", "text", 40, per_chunk), b""
    while left:
        size, _, left = left.partition(b"\r\n")
        said, left = said + left[: int(size, 16)], left[int(size, 16) + 2 :]

    assert b"".join(wire.frames("openai", "text", 40)) == said


@pytest.mark.parametrize("name", wire.PATHS)
def test_a_stamp_changes_no_length(name):
    """A drip's event is as long as any other, whenever it is sent."""
    before, behind = wire.stamped(name)

    assert wire.STAMP not in before + behind
    assert before.startswith((b"data: ", b"event: "))
    assert behind.endswith(b"\n\n")


# -- figures ---------------------------------------------------------------------


def test_a_figure_is_a_median_and_its_spread():
    """What the machine did once does not move it."""
    found = figure([*EVEN[:-1], 500.0])

    assert (10.0, 7, "") == (round(found.median, 1), found.runs, found.why_not())


@pytest.mark.parametrize(
    ("samples", "why"), [(EVEN[:6], "6 runs of 7"), (WIDE, "spread 100%"), (EVEN, "")]
)
def test_a_figure_that_says_nothing_is_refused(samples, why):
    """Too few runs, or too far apart."""
    assert why == figure(samples).why_not()


def test_a_ratio_is_taken_round_by_round():
    """A machine that slows down slows both: the ratio stands, though neither figure does."""
    base = [value * slow for value, slow in zip(EVEN, (1, 2, 3, 1, 2, 3, 4), strict=True)]
    found = ratio([2 * value for value in base], base)

    assert (2.0, "") == (round(found.median, 3), found.why_not())
    assert figure(base).wide


def test_rounds_that_were_not_made_count_for_nothing():
    """An extra round of one subject has no pair in another's."""
    assert 7 == ratio([*EVEN, None, 10.0], [*EVEN, 10.0]).runs
    assert figure([None, None]) is None


def test_of_a_rounds_turns_the_least_counts():
    """A neighbour of the machine's only adds; what was added to another lap falls out, too."""
    turns = [
        {"cpu": [4e-6, 9e-6], "wall": [5e-6, 9e-6], "peak": 30.0},
        {"cpu": [8e-6, 1e-6], "wall": [8e-6, 2e-6], "peak": 31.0},
    ]
    burst, joined = SCENARIOS[0].joined(turns), SCENARIOS[-1].joined

    assert {"cpu": 5.0, "wall": 7.0, "peak": 31.0} == {k: round(v, 3) for k, v in burst.items()}
    odd = [{**turns[0], "cpu": [4e-6]}, turns[1]]  # fewer laps: the whole turns are compared
    assert 4.0 == round(SCENARIOS[0].joined(odd)["cpu"], 3)
    assert {"cpu": 1, "wall": 2, "peak": 4} == joined(
        [{"cpu": 3, "wall": 2, "peak": 1}, {"cpu": 1, "wall": 5, "peak": 4}]
    )


def test_a_lap_ends_behind_so_many_pieces():
    """The last one has what is left, and all laps are the whole."""
    kept = []
    with Laps(2, 3) as meter:
        tell = meter.keeping(kept)
        for number in range(9):
            tell(number)

    assert ([*range(9)], 3, 3) == (kept, len(meter.cpu), len(meter.wall))
    assert min(meter.wall) >= 0


# -- targets and tables ----------------------------------------------------------


def results(**costs):
    """A run of the burst: microseconds by client."""
    names = {"raw": "raw httpx", "ours": "streamkit", "helper": "openai helper"}
    samples = {names[key]: {"cpu": values} for key, values in costs.items()}
    scenario = {"title": "Burst", "unit": "µs a chunk", "base": "raw httpx", "seconds": 1.0}
    failed = {"litellm": "cannot install litellm: no such version"}
    return {"burst": {**scenario, "samples": samples, "failed": failed, "late": {}}}


MACHINE = dict.fromkeys(("processor", "cores", "memory_gib", "system", "python"), "") | {
    "load": 0.1
}


def times(factor):
    return [value * factor for value in EVEN]


def words(**costs):
    return {each.target.name: each.word for each in judged(results(**costs))}


def test_a_target_is_held_missed_or_undecided():
    """Nothing that was not measured well is held."""
    found = words(raw=EVEN, ours=times(1.5), helper=times(15))

    assert "held" == found["burst, against raw httpx"]
    assert "MISSED" == found["burst, openai helper against streamkit"]
    assert "undecided" == found["burst, litellm against streamkit"]
    assert "undecided" == words(raw=EVEN, ours=WIDE)["burst, against raw httpx"]


def test_a_wide_spread_decides_where_it_is_on_one_side_of_the_bar():
    """However far apart the rounds are, half of them and more agree."""
    far = [value * 5 for value in WIDE]
    near = [value / 20 for value in WIDE]

    assert "MISSED" == words(raw=EVEN, ours=far)["burst, against raw httpx"]
    assert "held" == words(raw=EVEN, ours=near)["burst, against raw httpx"]
    assert "undecided" == words(raw=EVEN[:6], ours=near[:6])["burst, against raw httpx"]


def test_why_a_target_is_undecided_is_told():
    """A rival that could not be installed is no rival that lost."""
    lines = report.verdicts(results(raw=EVEN, ours=EVEN))

    assert "litellm against streamkit: -, at least 30 (not measured: cannot install" in lines


def test_a_refused_figure_is_in_no_table():
    """Its place says why it is not there."""
    table = report.scenario_table(results(raw=EVEN, ours=WIDE)["burst"])

    assert "| streamkit | refused: spread 100% |  |" in table
    assert "| raw httpx | 10.0 ±1% | x1.00 |" in table
    assert "* litellm: not measured: cannot install litellm: no such version" in table


def test_every_target_names_what_there_is():
    """A target of a scenario or a client that is gone would never be judged."""
    scenarios = {each.key: each for each in SCENARIOS}
    for target in TARGETS:
        assert target.subject in scenarios[target.scenario].names
        assert target.against in scenarios[target.other or target.scenario].names
        assert target.metric in scenarios[target.scenario].metrics


def test_every_subject_has_its_pins():
    """What is measured is pinned, exactly."""
    families = {one.venv for room in SUBJECTS.values() for one in room.values()}
    families |= {*healing.PEERS.values()}
    pins = {path.stem: path.read_text("utf-8").split() for path in PINS.glob("*.txt")}

    assert families == {*pins}
    assert [] == [pin for family in pins.values() for pin in family if "==" not in pin]


def test_what_was_tried_out_is_not_published(tmp_path, monkeypatch):
    """The page is written of a whole run only."""
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")

    for made in ({"quick": True, "runs": 7}, {"quick": False, "runs": 6}):
        with pytest.raises(SystemExit, match="nothing is published"):
            page.write(made)
    assert not (tmp_path / "page.md").exists()


def test_the_page_says_what_the_run_beside_it_says():
    """Nobody types a figure: it is the run's, or it is not there."""
    kept = page.FOLDER / "report.json"
    if not kept.exists():
        pytest.skip("no whole run is published yet")
    pictures = [path.stem for path in page.FOLDER.glob("*.svg")]

    assert page.page(json.loads(kept.read_text("utf-8")), pictures) == page.PAGE.read_text("utf-8")


def test_a_whole_run_fills_the_page():
    """Every place is filled, and what was not measured says so."""
    made = {
        "machine": {"processor": "p", "cores": 2, "memory_gib": 1, "system": "s", "python": "c"}
        | {"load": 0.1},
        "packages": {"streamkit": {"anyio": "4.16.0"}},
        "command": "python -m benchmarks",
        "commit": "c",
        "when": "w",
        "runs": 7,
        "seconds": 600,
        "scenarios": results(raw=EVEN, ours=times(1.5)),
    }
    text = page.page(made, ["cost"])

    assert "| streamkit | 15.0 ±1% | x1.50 |" in text
    assert "![What a chunk costs" in text
    assert "Not measured in this run." in text
    assert "$" not in text
    assert "streamkit: anyio 4.16.0" in text


def test_the_page_has_a_place_for_every_scenario():
    """No scenario is measured and not told."""
    text = page.TEMPLATE.read_text("utf-8")

    assert [] == [s.key for s in SCENARIOS if f"$table_{s.key.replace('-', '_')}\n" not in text]


# -- runs ------------------------------------------------------------------------


class Here:
    """Venvs that are none: what this interpreter has. A rival is never there."""

    def python(self, family):
        if family != "streamkit":
            raise Unavailable(f"cannot install {family}: not here")
        return sys.executable


CLIENTS = ("raw httpx", "httpx-sse + json", "streamkit", "streamkit apart")
SMALL = {
    "burst": Burst("burst", "Burst", (*CLIENTS, "litellm"), script="text-50-1"),
    "tools": Burst("tools", "Tools", CLIENTS, script="tools-40-1"),
    "reasoning": Burst("reasoning", "Reasoning", CLIENTS, script="reasoning-40-1"),
    "drip": Drip("drip-100", "Drip", CLIENTS, streams=5, rate=500, events=25),
    "memory": Memory("memory", "Memory", CLIENTS[:3], streams=3, rate=500),
    "fan-out": FanOut(
        "fan-out-10", "Fan-out", ("a queue each", "streamkit"), watchers=3, events=20
    ),
    "reroute": Reroute("reroute", "Reroute", ("by hand", "streamkit"), times=2),
}


@pytest.mark.interop  # it takes long
@pytest.mark.parametrize("key", SMALL)
def test_a_scenario_runs(key, monkeypatch):
    """Every subject is measured in a process of its own, and says what it was sent."""
    monkeypatch.setattr("benchmarks.scenarios.LONG_ENOUGH", 0.001)
    scenario = SMALL[key]
    found = bench.run([scenario], Here(), runs=1, pinned=False, say=print)[scenario.key]

    rivals = {"litellm": "cannot install litellm: not here"} if "litellm" in scenario.names else {}
    assert rivals == found["failed"]
    assert {*scenario.names} - {*rivals} == {*found["samples"]}
    for metrics in found["samples"].values():
        assert {*scenario.metrics} == {*metrics}
        assert {1} == {len(values) for values in metrics.values()}


@pytest.mark.interop  # it takes long
def test_an_answer_is_served_on():
    """With Starlette's own response and with streamkit's."""
    pytest.importorskip("sse_starlette")
    scenario = Serve("serve", "Serve", tuple(SUBJECTS["serve"]), events=20)

    assert {} == bench.run([scenario], Here(), runs=1, pinned=False)["serve"]["failed"]


@pytest.mark.interop  # it takes long
def test_a_client_that_cannot_start_stops_nobody():
    """Why is told, and the others are measured."""
    names = ("raw httpx", "streamkit, Anthropic's API", "raw httpx-aiohttp")
    scenario = Burst("burst", "Burst", names, script="text-20-1")
    broken = Here()
    found = bench.run([scenario], broken, runs=1, pinned=False)["burst"]

    assert "raw httpx" in found["samples"]
    assert {*names} == {*found["samples"], *found["failed"]}


class Deadly(Burst):
    """A burst in which one client's process dies."""

    def once(self, bench, name):
        if name == "httpx-sse + json":
            os.kill(bench.workers[name].pid, signal.SIGKILL)
        return super().once(bench, name)


@pytest.mark.interop  # it takes long
def test_a_client_that_dies_stops_nobody(monkeypatch):
    """Its row says so; the others have theirs."""
    monkeypatch.setattr("benchmarks.scenarios.LONG_ENOUGH", 0.001)
    scenario = Deadly("burst", "Burst", CLIENTS[:3], script="text-20-1")
    found = bench.run([scenario], Here(), runs=2, pinned=False)["burst"]

    assert {"httpx-sse + json": "burst: its process ended: without a word"} == found["failed"]
    assert {"raw httpx", "streamkit"} == {*found["samples"]}


@pytest.mark.interop  # it takes long
def test_a_client_that_loses_a_delta_has_no_figure(monkeypatch):
    """It is told, instead of being called fast."""
    monkeypatch.setattr("benchmarks.scenarios.LONG_ENOUGH", 0.001)
    scenario = Burst("burst", "Burst", ("raw httpx", "httpx-sse + json"), script="text-20-0")
    found = bench.run([scenario], Here(), runs=1, pinned=False)["burst"]

    assert {} == found["samples"]


def test_a_venv_that_cannot_be_made_says_why(tmp_path):
    """Once, in a line."""
    venvs = Venvs(tmp_path, python=str(tmp_path / "no-python"), say=print)

    with pytest.raises(Unavailable, match="cannot install openai: "):
        venvs.python("openai")


def test_scenarios_and_clients_can_be_chosen():
    """What they are compared with comes along."""
    chosen = command.selected(SCENARIOS, ["burst", "memory"], ["streamkit"])

    assert ["burst", "burst-16", "memory"] == [scenario.key for scenario in chosen]
    assert {("raw httpx", "streamkit")} == {scenario.names for scenario in chosen}


def test_what_is_undecided_is_measured_again(monkeypatch):
    """Only that, and the page says when and of what commit it is."""
    asked = command.options(["--from", "earlier.json", "--again"])
    made = {"scenarios": results(raw=EVEN, ours=WIDE), "machine": MACHINE, "commit": "a", "when": 1}
    later = {"machine": MACHINE, "commit": "b", "when": 2}
    fresh = results(raw=EVEN, ours=EVEN)
    keys = []

    def measure(asked):
        keys.extend(asked.scenario)
        return later | {"scenarios": fresh}

    monkeypatch.setattr(command, "measure", measure)
    again = command.measure_again(made, asked)

    assert (["burst"], []) == (keys, asked.scenario)
    assert fresh["burst"]["samples"] == again["scenarios"]["burst"]["samples"]
    assert "undecided: Burst; load average before: 0.1; commit b; 2" in report.machine(again)
    assert "undecided" not in report.machine(made)


def test_what_is_measured_again_was_measured_before(capsys):
    """Without an earlier run there is nothing to measure again."""
    with pytest.raises(SystemExit):
        command.options(["--again"])
    assert "expected --from JSON" in capsys.readouterr().err


def test_a_decided_run_is_not_measured_again(monkeypatch):
    """A target that was missed stays missed."""
    asked = command.options(["--from", "earlier.json", "--again"])
    monkeypatch.setattr(command, "measure", lambda _: pytest.fail("measured again"))
    missed = {key: one | {"failed": {}} for key, one in results(raw=EVEN, ours=times(2)).items()}
    monkeypatch.setattr(
        command, "judged", lambda found: judged(found)[:1]
    )  # the others lack a rival
    made = {"scenarios": missed}

    assert made is command.measure_again(made, asked)


def test_the_listing_names_everything(capsys):
    """`--list` measures nothing."""
    assert 0 == command.main(["--list"])
    told = capsys.readouterr().out
    assert [] == [s.key for s in SCENARIOS if f"  {s.key}" not in told]


# -- the gate --------------------------------------------------------------------


def test_the_hot_path_is_as_short_as_it_was():
    """Instructions are counted, not seconds: a busy machine fails nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gate"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )

    assert "" == done.stderr
    assert [] == re.findall(r"^MISSED.*$", done.stdout, re.MULTILINE)
    assert 5 == len(re.findall(r"^held ", done.stdout, re.MULTILINE))
