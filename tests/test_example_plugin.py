"""The example plugin is installed into a venv of its own, and found by its name."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from streamkit.plugins import load_stage
from streamkit.testing import check_stage

ROOT = Path(__file__).parent.parent
PLUGIN = ROOT / "docs" / "examples" / "streamkit-shout"

ASK = """
import anyio
import streamkit
from streamkit.testing import FaultProvider, Reply, answers


async def ask():
    reply = Reply(*answers.text_stream("not so ", "loud"))
    async with FaultProvider(stream=reply) as provider:
        async with streamkit.Client(base_url=provider.url, stages=["shout"]) as client:
            print((await client.complete({"model": "demo-1", "messages": []})).text)


try:
    anyio.run(ask)
except streamkit.MisuseError as error:
    print(type(error).__name__, error)
"""


def run(*command):
    """Run a program of the test's, away from the checkout and from the environment's settings."""
    ours = {key: value for key, value in os.environ.items() if key[:3] not in ("PYT", "PIP")}
    ours |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        [*map(str, command)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=Path(command[0]).parent,
        env=ours,
    )
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    return done.stdout.strip()


@pytest.fixture(name="python")
def python_of_a_fresh_venv(tmp_path):
    """The interpreter of a new venv that sees what is installed here, and this checkout."""
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    (packages,) = venv.glob("[Ll]ib/**/site-packages")
    seen = [str(ROOT), *{sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}]
    (packages / "here.pth").write_text("\n".join(seen), "utf-8")
    (python,) = [*venv.glob("bin/python"), *venv.glob("Scripts/python.exe")]
    return python


@pytest.mark.interop  # it takes long
def test_a_plugin_is_found_by_name_once_it_is_installed(python, tmp_path):
    """Before, the name is unknown, and the error says so; then the stage takes part."""
    before = run(python, "-c", ASK)
    assert before.startswith("MisuseError expected a registered stage or 'package.module:factory'")
    assert "got 'shout'" in before

    shutil.copytree(PLUGIN, tmp_path / "plugin")
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--quiet")
    run(sys.executable, "-m", "pip", "--python", python, "install", *offline, tmp_path / "plugin")
    assert "NOT SO LOUD" == run(python, "-c", ASK)


def test_the_example_keeps_the_rules_of_a_stage():
    """The plugin that others copy from passes the kit."""
    spec = importlib.util.spec_from_file_location(
        "streamkit_shout", PLUGIN / "streamkit_shout" / "__init__.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    check_stage(module.Shout, texts=["straße, ΣΑΣ. İıﬁ"], hold=0)


def test_what_streamkit_registers_itself_can_be_made():
    """Each stage of its own entry points is there, and needs no arguments."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    registered = project["entry-points"]["streamkit.stages"]

    assert {"smooth", "think_tags"} == set(registered)
    for target in registered.values():
        check_stage(load_stage(target))
