"""Stages by name: an import path, or an entry point."""

import sys
from importlib import metadata
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from streamkit.dialects import Gemini, OpenAIChat, get_dialect
from streamkit.errors import MisuseError
from streamkit.plugins import DIALECTS, STAGES, load_dialect, load_stage
from streamkit.stages import Accumulator, Suppressor


@pytest.fixture
def registered(monkeypatch):
    """Register two stages, one of which cannot be loaded, and dialects, one of which is none."""
    points = EntryPoints(
        [
            EntryPoint("hide", "streamkit.stages:Suppressor", STAGES),
            EntryPoint("gone", "streamkit.nowhere:Stage", STAGES),
            EntryPoint("house-chat", "streamkit.dialects:OpenAIChat", DIALECTS),
            EntryPoint("made-chat", "streamkit.dialects:OpenAIChat.name.upper", DIALECTS),
            EntryPoint("gemini", "streamkit.dialects:OpenAIChat", DIALECTS),
        ]
    )
    monkeypatch.setattr(metadata, "entry_points", lambda group: points.select(group=group))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("streamkit.stages:Accumulator", Accumulator),
        ("streamkit.stages:Suppressor.batch", Suppressor.batch),
    ],
)
def test_a_path_is_imported(name, found):
    """``package.module:factory`` is imported; the factory may stand within a class."""
    assert found is load_stage(name)


def test_a_registered_name_is_loaded(registered):
    """A name is looked up among the entry points of the group ``streamkit.stages``."""
    assert Suppressor is load_stage("hide")


def test_a_registered_stage_that_cannot_be_loaded_is_misuse(registered):
    """An entry point into nowhere says so, with the cause."""
    with pytest.raises(MisuseError, match="expected stage 'gone' to be importable") as raised:
        load_stage("gone")
    assert ModuleNotFoundError is type(raised.value.__cause__)


def test_an_unknown_name_says_what_there_is(registered):
    """The error lists what is registered, and the other way to write it."""
    with pytest.raises(MisuseError) as raised:
        load_stage("hid")
    assert (
        "expected a registered stage or 'package.module:factory'; got 'hid'; "
        "registered here: gone, hide"
    ) == str(raised.value)


def test_where_nothing_is_registered_it_says_so(monkeypatch):
    """A list of nothing is said in a word."""
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(MisuseError, match=r"registered here: none$"):
        load_stage("anything")


@pytest.mark.parametrize("name", ["smooth", "think_tags"])
def test_the_stages_of_the_house_that_need_no_settings_have_names(name):
    """They are registered as anybody's are."""
    assert callable(load_stage(name))


@pytest.mark.parametrize(
    "name",
    [
        "streamkit.nowhere:Stage",
        "streamkit.stages:Nothing",
        "streamkit.stages:",
        ":Stage",
        ".stages:Suppressor",
        "faulty_stage_module:Stage",
    ],
)
def test_what_cannot_be_imported_is_misuse(name, tmp_path, monkeypatch):
    """No such module, no such name, a relative path, a module that raises: each is told."""
    (tmp_path / "faulty_stage_module.py").write_text("1 / 0")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    with pytest.raises(MisuseError, match="to be importable; got: "):
        load_stage(name)


def test_a_registered_dialect_is_found_by_its_name(registered):
    """Or by its path; it is made, where it is not made already."""
    assert OpenAIChat is load_dialect("house-chat")
    for name in ("house-chat", "streamkit.dialects:OpenAIChat"):
        assert isinstance(get_dialect(name), OpenAIChat)


def test_a_dialect_may_be_registered_as_it_is(tmp_path, monkeypatch):
    """An instance is taken for the dialect; one that is given stays as it is."""
    module = "from streamkit.dialects import OpenAIChat\nMINE = OpenAIChat()\n"
    (tmp_path / "made_dialect_module.py").write_text(module)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    mine = get_dialect("made_dialect_module:MINE")
    assert mine is get_dialect(mine)
    assert mine is get_dialect("made_dialect_module:MINE")


def test_the_names_of_the_house_are_its_own(registered):
    """No package takes one over."""
    assert isinstance(get_dialect("gemini"), Gemini)


def test_an_unknown_dialect_says_what_there_is(registered):
    """Those that are registered, and those of the house."""
    with pytest.raises(MisuseError) as raised:
        get_dialect("chat")
    assert (
        "expected a registered dialect or 'package.module:factory'; got 'chat'; registered here: "
        "gemini, house-chat, made-chat; built in: anthropic-messages, gemini, llama-stack-turn, "
        "openai-chat, openai-responses"
    ) == str(raised.value)


def test_what_is_no_dialect_is_misuse(registered):
    """It is said what came instead."""
    with pytest.raises(MisuseError, match="expected 'made-chat' to be a dialect") as raised:
        get_dialect("made-chat")
    assert "got 'OPENAI-CHAT'" in str(raised.value)
