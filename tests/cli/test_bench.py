"""``streamkit bench``, tried out: what it compares and what it says, never how fast that was."""

import json
import re
import sys

import pytest

from streamkit.cli import bench as module
from streamkit.cli import main
from streamkit.testing import gauge
from streamkit.testing.speaker import speaking

PIPELINE = """
import streamkit

def mine(url):
    return streamkit.Client(base_url=url, stages=["think_tags"])

def nothing(url):
    return url
"""


@pytest.fixture(autouse=True)
def _path(monkeypatch, tmp_path):
    """The command adds the current directory to where modules are found; here it goes again."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)


def rows(text):
    """The names in the first column, and how many figures stand behind them."""
    return [(line[:34].strip(), len(line[34:].split())) for line in text.splitlines()[1:]]


def bench(capsys, *arguments):
    """Run the command; give its status, and what it printed."""
    status = main(["bench", *arguments])
    return status, *capsys.readouterr()


def small(*arguments):
    return "--deltas", "20", "--rounds", "2", *arguments


@pytest.mark.parametrize("backend", ["asyncio", "uvloop", "trio"])
def test_streamkit_is_compared_with_raw_httpx(capsys, backend):
    """A figure each, its spread, and how many times the floor's it is."""
    status, out, err = bench(capsys, *small("--backend", backend))

    assert (0, "") == (status, err)
    assert out.startswith(f"20 deltas a round, 2 rounds, {backend} ")
    table = [line for line in rows(out) if not line[0].startswith("!")]
    assert ["raw httpx", "streamkit"] == [name for name, _ in table]


def test_each_stage_is_a_line(capsys):
    """What it adds is what its line has more than the one before."""
    status, out, _ = bench(capsys, *small("--stage", "think_tags", "--stage", "think_tags"))

    names = [name for name, _ in rows(out) if not name.startswith("!")]
    assert 0 == status
    assert ["raw httpx", "streamkit", "+ think_tags", "+ think_tags (2)"] == names
    assert re.search(r"\+ think_tags .* [+-]\d+\.\d\d$", out, re.MULTILINE)


def test_a_pipeline_of_ones_own_is_compared(capsys, tmp_path):
    """From a module in the current directory."""
    (tmp_path / "own_bench_pipeline.py").write_text(PIPELINE, "utf-8")
    status, out, err = bench(capsys, *small("--pipeline", "own_bench_pipeline:mine"))

    assert (0, "") == (status, err)
    assert "own_bench_pipeline:mine" in out


@pytest.mark.parametrize(("dialect", "steps"), [("openai-chat", 0), ("llama-stack-turn", 2)])
def test_every_round_is_told_as_json(capsys, dialect, steps):
    """A line, with what each round was."""
    status, out, _ = bench(capsys, *small("--json", "--dialect", dialect))

    told = json.loads(out)
    assert 0 == status
    assert {"raw httpx": 2, "streamkit": 2} == {name: len(r) for name, r in told.items()}
    for reading in told["streamkit"]:
        assert {"deltas", "cpu", "wall", "first", "gaps"} == {*reading}
        assert 20 + steps == reading["deltas"]
        assert 19 + steps == len(reading["gaps"])


def test_an_endpoint_is_asked_as_often_as_is_said(capsys):
    """Before it is asked: calls may cost money."""
    with speaking(gauge.frames("openai-chat", 10)) as root:
        status, out, err = bench(capsys, "--url", f"{root}/v1", "--model", "m", "--rounds", "2")

    assert (0, "") == (status, err)
    assert out.startswith(f"asking {root}/v1 4 times\n")
    assert re.search(r"^streamkit +\d+\.\d ms +\d+\.\d ms +\d+\.\d ms +\d+$", out, re.MULTILINE)


def test_a_request_of_ones_own_is_sent(capsys, tmp_path):
    """And the key, from the environment."""
    file = tmp_path / "request.json"
    file.write_text('{"model": "m", "messages": []}', "utf-8")
    with speaking(gauge.frames("openai-chat", 10)) as root:
        status, out, _ = bench(
            capsys, "--url", root, "--request", str(file), "--rounds", "1", "--json"
        )

    assert 0 == status
    assert 10 == json.loads(out)["streamkit"][0]["deltas"]


def test_the_key_comes_from_the_environment(monkeypatch):
    """And is in no `repr`."""
    monkeypatch.setenv("BENCH_TEST_KEY", "s3cret")
    asked = module.Asked({}, "openai-chat", module._key("BENCH_TEST_KEY"), 1, "asyncio")

    assert "s3cret" == asked.key
    assert "s3cret" not in repr(asked)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--url", "http://127.0.0.1:9"], "expected --model or --request for an endpoint"),
        (["--stage", "nope"], "expected a registered stage"),
        (["--dialect", "nope"], "expected a registered dialect"),
        (["--pipeline", "nope"], "expected pipeline 'nope' to be package.module:factory"),
        (["--key-env", "NOT_SET_ANYWHERE"], "environment variable NOT_SET_ANYWHERE; it is not set"),
        (["--request", "list.json"], "to be a JSON object; got list"),
        (["--request", "broken.json"], "to be a request's JSON"),
        (["--pipeline", "own_bench_nothing:nothing"], "expected a client or a pipeline"),
    ],
)
def test_misuse_is_one_line(capsys, tmp_path, arguments, said):
    """And status 2."""
    (tmp_path / "list.json").write_text("[]", "utf-8")
    (tmp_path / "broken.json").write_text("{", "utf-8")
    (tmp_path / "own_bench_nothing.py").write_text(PIPELINE, "utf-8")
    status, out, err = bench(capsys, *arguments)

    assert 2 == status
    assert said in err
    assert (1, "") == (len(err.splitlines()), out)


def test_rounds_that_lie_apart_are_marked(capsys):
    """A figure that says little is shown as such."""
    apart = [gauge.Reading(count=1, cpu=cpu) for cpu in (1.0, 2.0, 4.0)]
    module._burst({"raw httpx": apart}, 1, "said")

    out = capsys.readouterr().out
    assert " !" in out
    assert "try a quieter machine" in out.splitlines()[-1]
