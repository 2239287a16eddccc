"""What users import: whole, documented, light, and silent."""

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import streamkit

OPTIONAL = ("click", "rich", "trio", "openai", "h11", "uvloop", "httpx2")


def modules():
    """Name every module of the package that needs no extra."""
    found = pkgutil.walk_packages(streamkit.__path__, "streamkit.")
    return ["streamkit", *sorted(found.name for found in found if "__main__" not in found.name)]


def python(script, *arguments):
    """Run *script* in a process of its own; give what it printed."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("name", modules())
def test_all_is_sorted_and_true(name):
    """Every module says what is public, in order, once, and each name is there."""
    module = importlib.import_module(name)
    public = getattr(module, "__all__", None)
    if public is None:
        assert name.split(".")[-1].startswith("_"), "a public module has __all__"
        return

    assert len(public) == len(set(public))
    assert [] == [each for each in public if not hasattr(module, each)]


def test_the_facade_is_complete():
    """``streamkit.__all__`` is sorted and holds every public name of the façade but its rooms."""
    names = {
        name
        for name in dir(streamkit)
        if not name.startswith("_") and not inspect.ismodule(getattr(streamkit, name))
    }
    assert sorted(streamkit.__all__) == streamkit.__all__
    assert names | {"events"} == set(streamkit.__all__)


@pytest.mark.parametrize("package", ["streamkit", "streamkit.dialects", "streamkit.stages"])
def test_what_is_read_later_is_what_type_checkers_read(package):
    """A lazy package gives each name of its imports for type checkers, from there, and no other."""
    module = importlib.import_module(package)
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(checked.test).endswith("TYPE_CHECKING")
    imports = [node for node in checked.body if isinstance(node, ast.ImportFrom)]
    homes = {alias.name: node.module for node in imports for alias in node.names if node.module}
    script = f"""
import {package} as package, sys
before = {{*vars(package)}}
for name in package.__all__:
    if name not in before:
        getattr(package, name)
        print(name)
"""
    lazy = python(script).stdout.split()

    assert {*lazy} == {*homes} | ({"events"} if package == "streamkit" else set())
    for name, home in homes.items():
        assert getattr(module, name) is getattr(importlib.import_module(f"{package}.{home}"), name)
        assert name in dir(module)
        assert importlib.util.find_spec(f"{package}.{name}") is None, "it would take its place"
    with pytest.raises(AttributeError, match="has no attribute 'nonesuch'"):
        _ = module.nonesuch


def test_importing_streamkit_reads_no_room():
    """A program pays for what it names: one dialect, and no stage that it has not."""
    script = """
import sys, streamkit

def rooms():
    return {name.partition(".")[2] for name in sys.modules if name.startswith("streamkit.")}

assert rooms() == {"lazily"}, rooms()
streamkit.Client(base_url="http://provider.invalid", dialect="openai-chat")
assert "dialects.openai_chat" in rooms(), rooms()
assert not rooms() & {"dialects.anthropic_messages", "stages.smooth", "supervised"}, rooms()
assert streamkit.events.TextDelta and streamkit.logs.MemoryLog
from streamkit import *
assert Client is streamkit.Client and supervise is streamkit.supervise
"""
    done = python(script)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_every_error_and_event_is_reachable():
    """The whole error tree is on the façade, the whole vocabulary in ``streamkit.events``."""
    from streamkit import errors, events

    tree = {name for name in errors.__all__ if isinstance(getattr(errors, name), type)}
    assert tree <= set(streamkit.__all__)
    vocabulary = {
        name
        for name, value in vars(events).items()
        if isinstance(value, type) and issubclass(value, events.Event)
    }
    assert vocabulary <= set(events.__all__)


def public_things():
    """Every public class and function, and every public method of such a class."""
    for name in modules():
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            thing = getattr(module, public)
            if getattr(thing, "__module__", None) != name:
                continue
            if inspect.isclass(thing) or inspect.isfunction(thing):
                yield f"{name}.{public}", thing
            for member, value in vars(thing).items() if inspect.isclass(thing) else ():
                if not member.startswith("_") and (
                    inspect.isfunction(value) or isinstance(value, property)
                ):
                    yield f"{name}.{public}.{member}", value


def test_everything_public_is_documented():
    """Each public class, function, method and property says what it is for."""
    things = dict(public_things())

    assert 100 < len(things)
    assert [] == [name for name, thing in things.items() if not (thing.__doc__ or "").strip()]


def test_importing_streamkit_needs_no_extra():
    """Without click, rich, trio, openai, httpx2 or uvloop, streamkit imports all the same."""
    script = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"click", "rich", "trio", "openai", "uvloop", "httpx2"}:
            raise ImportError(name)

sys.meta_path.insert(0, Missing())
import streamkit
rooms = {name for name in sys.modules if name.startswith("streamkit.")}
assert not rooms & {"streamkit.testing", "streamkit.cli"}, rooms
"""
    done = python(script)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_importing_streamkit_imports_no_extra():
    """Of what is optional nothing is imported that httpx does not import by itself."""
    script = """
import sys
optional = set(sys.argv[1:])
import httpx
before = optional & set(sys.modules)
import streamkit
print(*sorted((optional & set(sys.modules)) - before))
"""
    done = python(script, *OPTIONAL)
    assert (0, "", "") == (done.returncode, done.stdout.strip(), done.stderr)


REROUTE = """
import logging, sys
import anyio
import streamkit
from streamkit.testing import FaultProvider, Reply, answers

if sys.argv[1:] == ["configured"]:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s:%(name)s:%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)

async def main():
    stream = Reply(answers.error("do not quote me"), status=400)
    async with (
        FaultProvider(stream=stream, buffered=Reply(answers.completion("abc"))) as provider,
        streamkit.Client(base_url=provider.url) as client,
    ):
        response = await client.complete({"model": "m", "messages": []})
    assert (response.text, response.rerouted) == ("abc", True), response

anyio.run(main)
"""


def test_an_application_that_configured_nothing_prints_nothing():
    """A rerouted run leaves standard output and standard error empty."""
    done = python(REROUTE)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_a_reroute_is_one_record_with_a_code():
    """With logging on, a reroute is one INFO record: the error's code, never its message."""
    done = python(REROUTE, "configured")
    lines = done.stderr.splitlines()

    assert (0, "", 1) == (done.returncode, done.stdout, len(lines))
    assert lines[0].startswith("INFO:streamkit:streaming failed; rerouted to the buffered call")
    assert "code=rejected" in lines[0]
    assert "do not quote me" not in lines[0]
