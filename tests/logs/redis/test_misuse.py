"""What a `RedisLog` says where it is used wrongly; no Redis is needed to say it."""

import subprocess
import sys

import anyio
import pytest

from streamkit.errors import MisuseError
from streamkit.logs import RedisLog

NOWHERE = "redis://127.0.0.1:9/0"


@pytest.mark.parametrize("url", ["", "http://127.0.0.1", "redis://127.0.0.1:port", "127.0.0.1", 7])
def test_a_url_of_another_shape(url):
    """Nothing of the URL is quoted: it may hold a password."""
    with pytest.raises(MisuseError, match="expected the URL of a Redis") as raised:
        RedisLog.from_url(url)
    assert "rediss://" in str(raised.value)


@pytest.mark.parametrize("name", ["lease", "keep", "finalise"])
@pytest.mark.parametrize("seconds", [0, -1, "5", True, None])
def test_seconds_are_above_zero(name, seconds):
    """A lease of nothing would end every run."""
    with pytest.raises(MisuseError, match=f"expected {name} in seconds"):
        RedisLog.from_url(NOWHERE, **{name: seconds})


def test_another_event_loop():
    """redis-py needs asyncio; that is said, not found out."""

    async def main():
        with pytest.raises(MisuseError, match="expected asyncio"):
            async with RedisLog.from_url(NOWHERE):
                pass

    anyio.run(main, backend="trio")


def test_before_it_is_open_it_gives_no_log():
    """Nothing would ever be written."""
    log = RedisLog.from_url(NOWHERE)
    assert "closed" == log.state
    with pytest.raises(MisuseError, match="expected the log to be open"):
        log("run")


def test_it_is_opened_once():
    """One application has one."""

    async def main():
        async with RedisLog.from_url(NOWHERE, finalise=0.1) as log:
            with pytest.raises(MisuseError, match="opened once"):
                await log.__aenter__()

    anyio.run(main)


def test_without_redis_py_the_extra_is_named():
    """And everything else works."""
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "import streamkit.logs\n"
        "try: streamkit.logs.RedisLog\n"
        "except streamkit.MisuseError as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "pip install 'streamkit[redis]'" in said.stdout


def test_what_is_not_there_is_an_attribute_error():
    """As in any module."""
    import streamkit.logs

    with pytest.raises(AttributeError, match="Redes"):
        streamkit.logs.Redes  # noqa: B018
