"""``streamkit replay``: recorded bodies in, a line of JSON for each out."""

import json
import subprocess
import sys

import pytest

from streamkit.testing import answers


def replay(*arguments):
    """The command, as it is typed."""
    return subprocess.run(
        [sys.executable, "-m", "streamkit.cli", "replay", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def recordings(tmp_path):
    """Two bodies: one whole, one cut."""
    whole = b"".join(answers.text_stream("Héllo", " world", usage=(3, 2)))
    (tmp_path / "whole.sse").write_bytes(whole)
    (tmp_path / "cut.sse").write_bytes(whole[: whole.index(b" world")])
    return tmp_path


def test_a_whole_recording_is_a_line_of_json(recordings):
    """All the fields, and status 0."""
    file = str(recordings / "whole.sse")
    done = replay("--dialect", "openai-chat", file)

    assert (0, "") == (done.returncode, done.stderr)
    (line,) = done.stdout.splitlines()
    summary = json.loads(line)
    assert [
        *("file", "outcome", "text", "reasoning", "refusal", "tool_calls", "finish_reason"),
        *("usage", "evidence", "error", "events", "raw"),
    ] == list(summary)
    assert (file, "completed", "Héllo world", "stop", "finish_reason", None) == tuple(
        summary[key] for key in ("file", "outcome", "text", "finish_reason", "evidence", "error")
    )
    assert 5 == summary["usage"]["total_tokens"]
    assert "Héllo world" == summary["raw"]["choices"][0]["message"]["content"]


@pytest.mark.parametrize("chunk", ["1", "7", "64"])
def test_where_the_bytes_are_cut_changes_nothing(recordings, chunk):
    """But for the number of events, which is what the reads made of it."""
    files = [str(recordings / name) for name in ("whole.sse", "cut.sse")]
    together = replay("--dialect", "openai-chat", *files)
    apart = replay("--dialect", "openai-chat", "--chunk", chunk, *files)

    assert together.stdout == apart.stdout


def test_a_cut_recording_fails(recordings):
    """With its code, what came of it, and status 1; the others are still replayed."""
    files = [str(recordings / name) for name in ("cut.sse", "whole.sse")]
    done = replay("--dialect", "openai-chat", *files)

    cut, whole = map(json.loads, done.stdout.splitlines())
    assert 1 == done.returncode
    assert ("failed", "truncated", "Héllo") == (cut["outcome"], cut["error"]["code"], cut["text"])
    assert "completed" == whole["outcome"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--dialect", "openai", __file__), "openai-chat"),
        (("--dialect", "openai-chat", "no-such-file"), "no-such-file"),
        (("--dialect", "openai-chat"), "FILE"),
        (("--dialect", "openai-chat", "--chunk", "0", __file__), "chunk"),
        ((__file__,), "--dialect"),
    ],
)
def test_misuse_is_one_error_and_status_two(arguments, says):
    """No traceback, nothing on the standard output."""
    done = replay(*arguments)

    assert (2, "") == (done.returncode, done.stdout)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
