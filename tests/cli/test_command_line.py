"""The command line as its user meets it: in a process of its own."""

import os
import subprocess
import sys

import pytest

from streamkit.cli import app, demo, main
from streamkit.cli.scenes import SCENES
from streamkit.errors import MisuseError, TransportError


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """What the command sets in its own process's environment, and is not to stay in ours."""
    monkeypatch.setenv("no_proxy", "")


def run(*args, code=None, **environ):
    """Run ``streamkit`` or *code* with *args*; return the finished process."""
    command = ["-m", "streamkit.cli"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *command, *args],
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"} | environ,
    )


def test_the_demo_is_plain_lines_where_nobody_watches():
    """Piped, it prints every scene's title in order, no escape codes, and exits 0."""
    done = run("demo", FORCE_COLOR="1")

    assert (0, "") == (done.returncode, done.stderr)
    assert "\x1b" not in done.stdout
    titles = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert [f"[{n}/12] {scene.title}" for n, scene in enumerate(SCENES, 1)] == titles
    assert done.stdout.splitlines()[-1].startswith("✓ 12 of 12 ")


def test_a_proxy_of_the_environment_has_no_part_in_it():
    """The demo needs no network: what would lead it there is ignored, and so is the encoding."""
    done = run("demo", "--plain", HTTP_PROXY="http://127.0.0.1:9", PYTHONIOENCODING="ascii")
    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("name", ["click", "rich"])
def test_missing_libraries_are_one_clear_line(name):
    """Without click or rich the command says what to install, and exits 2."""
    done = run(
        "demo",
        code=f"import sys; sys.modules[{name!r}] = None\n"
        "from streamkit.cli import main; sys.exit(main())",
    )
    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr == (
        "error: the command line needs click and rich; "
        "install them with: pip install 'streamkit[cli]'\n"
    )


def test_another_missing_module_is_a_bug_and_not_hidden(monkeypatch):
    """Only click and rich are the user's to install."""
    monkeypatch.setitem(sys.modules, "streamkit.cli.app", None)
    with pytest.raises(ModuleNotFoundError, match="streamkit"):
        main([])


def test_streamkit_itself_needs_neither():
    """The package imports where click and rich are not installed, and leaves the cli alone."""
    done = run(
        code="import sys; sys.modules['click'] = sys.modules['rich'] = None\n"
        "import streamkit; sys.exit('streamkit.cli' in sys.modules)",
    )
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["nope"], "No such command 'nope'"),
        (["demo", "--speed", "0"], "0.0 is not in the range x>=0.1"),
        (["demo", "--speed", "nan"], "expected a number of 0.1 or more; got nan"),
        (["demo", "--speed", "fast"], "'fast' is not a valid float"),
        (["demo", "scene"], "unexpected extra argument"),
    ],
)
def test_misuse_exits_2_and_says_what_was_wrong(args, said, capsys):
    """What cannot be understood is told in words, without a traceback."""
    assert 2 == main(args)
    told = capsys.readouterr()
    assert said in told.err
    assert "Traceback" not in told.err
    assert "" == told.out


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"], ["demo", "--help"]])
def test_help_is_help(args, capsys):
    """Asked for help, or nothing, it helps and exits 0."""
    assert 0 == main(args)
    assert "demo" in capsys.readouterr().out


@pytest.mark.parametrize("name", app.COMMANDS)
def test_what_a_command_is_for_is_said_twice_alike(name):
    """In the list of commands, and where it is asked for help itself."""
    assert app.COMMANDS[name] == app.commands.get_command(None, name).get_short_help_str(200)


def test_help_imports_no_command():
    """Nor what commands need: it is there at once."""
    code = "import sys; from streamkit.cli import main; main(); print('\\n', *sys.modules)"
    imported = {*run(code=code).stdout.split()}

    assert {"click"} == {"anyio", "click", "httpx", "rich"} & imported


def test_the_version_is_one_line(capsys):
    """``--version`` names the program and the version."""
    assert 0 == main(["--version"])
    assert "streamkit" == capsys.readouterr().out.split()[0]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MisuseError("expected this;\ngot that"), 2),
        (TransportError("expected this;\ngot that"), 1),
        (OSError("expected this;\ngot that"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_of_the_tree_is_one_line(error, status, monkeypatch, capsys):
    """Errors say what they say in one line; misuse exits 2, the rest 1."""

    def fails(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(demo, "run_demo", fails)
    assert status == main(["demo"])
    assert ("", "error: expected this; got that\n") == capsys.readouterr()


def test_ctrl_c_is_quiet(monkeypatch, capsys):
    """Interrupted, it exits 130, as a shell expects, and says nothing."""

    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run_demo", interrupted)
    assert 130 == main(["demo"])
    monkeypatch.setattr(app, "run", interrupted)
    assert 130 == main(["demo"])
    assert ("", "") == tuple(text.strip() for text in capsys.readouterr())


@pytest.mark.parametrize(("good", "status"), [(True, 0), (False, 1)])
def test_the_exit_status_is_the_verdict(good, status, monkeypatch):
    """A scene that did not come out as it must makes the command fail."""
    monkeypatch.setattr(demo, "run_demo", lambda _display, **_options: good)
    assert status == main(["demo", "--plain"])


@pytest.mark.parametrize(
    ("args", "pace"), [(["--plain"], 0), (["--speed", "2"], 0.5), (["--speed", "inf"], 0)]
)
def test_speed_divides_the_pauses(args, pace, monkeypatch):
    """Twice the speed is half of every pause; plain lines have nobody to pause for."""
    paces = []
    monkeypatch.setattr(demo, "run_demo", lambda _display, pace: paces.append(pace))
    main(["demo", *args])
    assert [pace] == paces
