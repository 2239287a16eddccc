"""The demo on a terminal of fixed size."""

import io

import attrs
import pytest
from rich.console import Console

from streamkit.cli.demo import run_demo
from streamkit.cli.live import Live
from streamkit.cli.scenes import SCENES

ENDINGS = [
    scene
    for scene in SCENES
    if scene.title
    in ("The connection drops", "A different second answer", "A tool call", "Nothing helps")
]
FAILS = SCENES[-1]


def screen(width, **options):
    """Return a console on a terminal that is not there."""
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, height=40, _environ={}, **options
    )


def last_pictures(console):
    """Return what stays on the screen: of lines that were redrawn, the last ones."""
    return console.file.getvalue().rsplit("\x1b[2K", 1)[-1]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    """Prose, facts and summary are wrapped by us, never by the terminal."""
    console = screen(width, no_color=True, legacy_windows=False)
    assert run_demo(Live(console), ENDINGS, pace=0)

    text = Console(file=io.StringIO(), width=width)
    lines = console.file.getvalue().replace("\r", "\n").split("\n")
    assert width >= max(text.measure(plain(line)).maximum for line in lines)


def test_what_was_retracted_is_struck_through_and_the_cursor_comes_back():
    """Retracted text stays readable, struck; the terminal is left as it was found."""
    console = screen(80, color_system="standard")
    assert run_demo(Live(console), ENDINGS, pace=0)

    out = console.file.getvalue()
    assert "\x1b[2;9mStreams break because" in out
    assert out.rindex("\x1b[?25h") > out.rindex("\x1b[?25l")
    assert "get_weather" in out
    assert "4 of 4 · every answer whole, once; every ending truthful" in last_pictures(console)


def test_an_interrupted_scene_leaves_the_terminal_as_it_was():
    """Whatever ends the demo, the cursor is shown again."""
    console = screen(80)

    def interrupted():
        with Live(console) as display:
            display.open("Why?", 1)
            display.begin(SCENES[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert console.file.getvalue().rstrip("\n").endswith("\x1b[?25h")


def test_what_was_not_expected_is_shown_beside_what_came():
    """A scene that came out wrong says so, in full."""
    console = screen(80)
    scene = attrs.evolve(FAILS, expected=attrs.evolve(FAILS.expected, text="an answer"))
    assert not run_demo(Live(console), [scene], pace=0)

    shown = plain(console.file.getvalue())
    for words in ("✗ not what must come", "the text delivered", "expected 'an answer'", "✗ 0 of 1"):
        assert words in shown


def plain(line):
    """Return *line* without its escape codes."""
    from rich.text import Text

    return Text.from_ansi(line).plain
