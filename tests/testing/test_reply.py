"""Replies and scripts are checked when they are written, not when they are played."""

import importlib
import sys

import attrs
import pytest

from streamkit.errors import MisuseError
from streamkit.testing import Drop, FaultProvider, Hold, KeepAlive, NeverEnd, Pause, Reply
from streamkit.testing.script import choose


def test_replies_are_values():
    """Two replies that say the same are equal, hash alike and cannot be changed."""
    pair = [Reply("a", Pause(1), headers={"x": "y"}) for _ in range(2)]

    assert pair[0] == pair[1]
    assert 1 == len(set(pair))
    assert Reply("a", Drop()) != Reply("a", Hold())
    assert Hold() != NeverEnd()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        pair[0].status = 500


def test_text_is_utf_8():
    """A str step is its UTF-8 bytes; the length counts bytes."""
    assert Reply("ü".encode()) == Reply("ü")
    assert 3 == Reply("ü", Pause(1), b"x").length


def test_the_head_merges_names_in_any_case():
    """Given headers replace the defaults; a value of None removes one."""
    given = {"Content-Type": "text/html", "X-A": "1"}

    assert [("content-type", "t")] == Reply("abc").head("t")
    assert [("content-type", "t"), ("content-length", "3")] == Reply("abc", framing="length").head(
        "t"
    )
    assert [("content-type", "text/html"), ("x-a", "1")] == Reply(headers=given).head("t")
    assert [] == Reply(headers={"content-type": None}).head("t")


@pytest.mark.parametrize(
    ("args", "options", "says"),
    [
        ([1], {}, "a step is bytes, str or an async callable, not 1"),
        ([], {"before": [None]}, "a step is bytes, str or an async callable, not None"),
        ([], {"status": 199}, "200 to 999, not 199"),
        ([], {"status": 1000}, "200 to 999, not 1000"),
        ([], {"framing": "gzip"}, "not 'gzip'"),
        ([], {"before": [b"x"]}, "no bytes can be sent before"),
        ([], {"before": [KeepAlive(1)]}, "no bytes can be sent before"),
        ([KeepAlive(1)], {"framing": "length"}, "KeepAlive has no place"),
    ],
)
def test_a_reply_that_cannot_be_played_is_refused(args, options, says):
    """What no connection could play is a misuse that says what was expected and what came."""
    with pytest.raises(MisuseError, match=says):
        Reply(*args, **options)


@pytest.mark.parametrize("script", [[], [b"x"], "text"])
def test_a_script_that_is_none_is_refused(script):
    """An empty list, or one of other things than replies, is a misuse."""
    with pytest.raises(MisuseError, match="a script is a Reply, a list of them or a function"):
        choose(script)


def test_a_list_of_replies_is_not_consumed():
    """A provider keeps its own copy: the list can be used again."""
    script = [Reply("1"), Reply("2")]
    for _ in range(2):
        chooser = choose(script)
        assert [Reply("1"), Reply("2"), Reply("2")] == [chooser(None) for _ in range(3)]


def test_what_is_no_script_is_refused():
    """A script of another type is refused when the provider is made."""
    with pytest.raises(MisuseError, match=r"not \[7\]"):
        FaultProvider(stream=7)


def test_without_h11_the_message_says_what_to_install(monkeypatch):
    """Where h11 is missing, importing says which extra brings it."""
    monkeypatch.setitem(sys.modules, "h11", None)
    monkeypatch.delitem(sys.modules, "streamkit.testing.connection")

    with pytest.raises(ImportError, match=r"pip install 'streamkit\[testing\]'"):
        importlib.import_module("streamkit.testing.connection")
