"""``streamkit faults``, as its user meets it: in a process of its own, until Ctrl-C."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from io import StringIO

import anyio
import httpx
import pytest
from rich.console import Console

from streamkit.cli import faults as module
from streamkit.cli import main
from streamkit.dialects import OpenAIChat
from streamkit.testing.scenario import compiled, scenes

COMMAND = [sys.executable, "-W", "error", "-m", "streamkit.cli", "faults"]
ENVIRONMENT = {**os.environ, "PYTHONIOENCODING": "utf-8", "FORCE_COLOR": "1"}
TEXT = "Hello, wörld. All is well."

APIS = {
    "openai-chat": "/v1/",
    "llama-stack-turn": "/v1/agents/",
    "anthropic-messages": "/v1/messages",
}
"""By dialect: how the path of a request begins."""


class Running:
    """The command, and what it printed so far."""

    def __init__(self, *args):
        self.process = subprocess.Popen(
            [*COMMAND, *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=ENVIRONMENT,
        )
        self.head = [self.process.stdout.readline().rstrip("\n") for _ in range(5)]

    @property
    def base(self):
        """The base URL it printed."""
        return self.head[2].removeprefix("base URL").strip()

    def line(self):
        """The next line it prints."""
        return self.process.stdout.readline().rstrip("\n")

    def stop(self):
        """Press Ctrl-C; give the exit status and what was printed since."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out.strip(), err


@contextmanager
def running(*args):
    """Run the command; end it whatever happens."""
    started = Running(*args)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.communicate()


def post(url, body):
    """Ask for it, with a connection of its own."""
    return httpx.post(url, json=body, timeout=20, trust_env=False)


def done(*args):
    """Run the command where it ends by itself."""
    return subprocess.run(
        [*COMMAND, *args],
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        env=ENVIRONMENT,
        check=False,
    )


def test_it_plays_a_scene_until_ctrl_c():
    """It says where it is, tells each request in a line, and ends well."""
    with running("--scene", "rejects-stream-options") as provider:
        url = f"{provider.base}/chat/completions"
        statuses = [
            post(url, {"stream": True, "stream_options": {}}).status_code,
            post(url, {"stream": True}).status_code,
            post(url, {}).status_code,
        ]
        lines = [provider.line() for _ in statuses]
        assert (0, "", "") == provider.stop()
    assert [400, 200, 200] == statuses
    where = "POST /v1/chat/completions"
    rejected = "rejected, for it has the field stream_options"
    assert [
        f"   1  {where}  stream=true  → stream 1 of 1: {rejected}",
        f"   2  {where}  stream=true  → stream 1 of 1: reject field stream_options",
        f"   3  {where}  buffered  → buffered 1 of 1: nothing goes wrong",
    ] == lines
    assert "scene rejects-stream-options: It rejects a field that it does" in provider.head[0]
    assert re.fullmatch(r"base URL  http://127\.0\.0\.1:\d+/v1", provider.head[2])
    assert "end it    Ctrl-C" == provider.head[4]


def test_a_client_is_cut_off_by_default():
    """What is played where nothing is asked for is a fault."""
    with running() as provider:
        with pytest.raises(httpx.RemoteProtocolError):
            post(f"{provider.base}/chat/completions", {"stream": True})
        assert provider.line().endswith("→ stream 1 of 1: cut in frame 3")
        assert "dialect   openai-chat" == provider.head[1]


APIS = {
    "anthropic-messages": "/v1/messages",
    "gemini": "/v1/models/",
    "llama-stack-turn": "/v1/agents/",
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
}
"""By dialect: how the path of a request begins."""


def test_the_line_it_offers_works(tmp_path):
    """Its URL, header and body are a request that is answered, in each dialect."""
    file = tmp_path / "mine.txt"
    file.write_text('stream\n text "Hü"\n finish stop\n', "utf-8")
    for dialect, path in APIS.items():
        with running(str(file), "--dialect", dialect) as provider:
            curl, quiet, url, _, header, _, body = shlex.split(provider.head[3])[2:]
            reply = post(url, json.loads(body))
            assert provider.line().endswith("stream=true  → stream 1 of 1: nothing goes wrong")
            whole = url.replace(":streamGenerateContent?alt=sse", ":generateContent")
            assert post(whole, {}).status_code == 501
            assert provider.line().endswith("buffered  → 501: no act is written for it")
        assert ("curl", "-N", "content-type: application/json") == (curl, quiet, header)
        assert (200, True, True) == (reply.status_code, "Hü" in reply.text, path in url)
        assert str(file) == provider.head[0]


def test_a_port_may_be_asked_for():
    """One that is taken is told."""
    with running("--scene", "healthy") as provider:
        port = str(httpx.URL(provider.base).port)
        taken = done("--port", port)
        assert 0 == provider.stop()[0]
    assert (1, "") == (taken.returncode, taken.stdout)
    assert taken.stderr.startswith("error: ")
    with running("--scene", "healthy", "--port", port) as provider:
        assert f"http://127.0.0.1:{port}/v1" == provider.base
        body = post(f"{provider.base}/chat/completions", {}).json()
        assert TEXT == body["choices"][0]["message"]["content"]


@pytest.mark.anyio
async def test_each_request_is_told_as_it_comes():
    """Before it is answered, on every event loop."""
    lines = []
    board = module.Board("t", OpenAIChat(), lambda line: lines.append(line.plain))
    script = compiled("stream\n reject field a\nstream\n status 503\n gzip\n", "openai-chat")
    async with anyio.create_task_group() as tasks, httpx.AsyncClient(trust_env=False) as http:
        tasks.start_soon(module._play, script, 0, board)
        with anyio.fail_after(20):
            while len(lines) < 5:
                await anyio.lowlevel.checkpoint()
        url = f"{lines[2].split()[-1]}/x"
        for body in ({"stream": True, "a": 1}, {"stream": True}, {"stream": True}, {}):
            await http.post(url, json=body)
        tasks.cancel_scope.cancel()
    assert [
        "   1  POST /v1/x  stream=true  → stream 1 of 2: rejected, for it has the field a",
        "   2  POST /v1/x  stream=true  → stream 1 of 2: reject field a",
        "   3  POST /v1/x  stream=true  → stream 2 of 2: status 503 · gzip",
        "   4  POST /v1/x  buffered  → 501: no act is written for it",
    ] == lines[5:]


def test_ctrl_c_is_how_it_ends(monkeypatch, tmp_path, capsys):
    """With exit status 0: there is no other way."""

    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.anyio, "run", interrupted)
    (tmp_path / "mine.txt").write_text('stream\n text "a"\n', "utf-8")
    assert [0, 0] == [main(["faults"]), main(["faults", str(tmp_path / "mine.txt")])]
    assert ("\n\n", "") == capsys.readouterr()


def test_the_scenes_are_listed(capsys):
    """Each in a line, with what it is about."""
    assert 0 == main(["faults", "--list"])
    lines = capsys.readouterr().out.splitlines()
    assert list(scenes()) == [line.split()[0] for line in lines]
    assert "healthy                 It streams the answer, as it should." in lines


def test_a_scene_is_shown(capsys):
    """As it is written: to read, to copy, to change."""
    assert 0 == main(["faults", "--show", "gzip"])
    assert scenes()["gzip"] == capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--scene", "gzp"], "got 'gzp'; did you mean 'gzip'?"),
        (["--show", "nope"], "expected the name of a scene; got 'nope'"),
        (["--dialect", "nope"], "got 'nope'; registered here"),
        (["--port", "70000"], "70000 is not in the range"),
        (["nowhere.txt"], "'nowhere.txt' does not exist"),
        (["FILE", "--scene", "cut"], "expected a file or a scene; got both"),
        (["FILE"], "mine.txt: line 2: expected a line"),
        (["LATIN"], "latin.txt to be UTF-8"),
        (["FAR"], "far.txt: stream 1: expected a frame from 1 to 0; got 7"),
    ],
)
def test_misuse_exits_2_and_says_what_was_wrong(args, says, tmp_path, capsys):
    """In words, without a traceback."""
    (tmp_path / "mine.txt").write_text("stream\n    txet\n", "utf-8")
    (tmp_path / "far.txt").write_text("stream\n    cut in frame 7\n", "utf-8")
    (tmp_path / "latin.txt").write_bytes(b'stream\n    text "\xfc"\n')
    files = {name: str(tmp_path / name) for name in ("mine.txt", "far.txt", "latin.txt")}
    short = {"FILE": files["mine.txt"], "FAR": files["far.txt"], "LATIN": files["latin.txt"]}
    assert 2 == main(["faults", *(short.get(arg, arg) for arg in args)])
    told = capsys.readouterr()
    assert says in told.err.replace("\n", " ")
    assert ("", False) == (told.out, "Traceback" in told.err)


def test_a_terminal_has_colours(monkeypatch):
    """And a line is never broken, so that it can be copied."""
    out = StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(out, "isatty", lambda: True, raising=False)
    console = Console(file=out, force_terminal=True, width=20, highlight=False)
    monkeypatch.setattr(module.rich.console, "Console", lambda **_: console)
    module.Board.of("a title", OpenAIChat()).open("http://127.0.0.1:9/v1")
    said = out.getvalue()
    assert "\x1b[36mhttp://127.0.0.1:9/v1\x1b[0m" in said
    assert 5 == said.count("\n")


def test_a_dialect_without_an_example_is_asked_the_usual_way():
    """Until somebody writes one."""

    class Other(OpenAIChat):
        name = "other"

    lines = []
    module.Board("t", Other(), lambda line: lines.append(line.plain)).open("http://h/v1")
    assert "http://h/v1/chat/completions" in lines[3]
