"""Lightspeed's own client, on Node, reads what `LightspeedCurrent` writes."""

import json
import shutil
import subprocess
from pathlib import Path

import anyio
import pytest

from streamkit.errors import InBandError, Rejected
from streamkit.events import (
    Gap,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    Retracted,
    TextDelta,
)
from streamkit.response import Response, Usage
from streamkit.serving.encoders.lightspeed import LightspeedCurrent, LightspeedSeed
from streamkit.testing import FaultProvider, Reply

from ..dialects.test_llama_stack_turn import STREAM
from .test_lightspeed_seed import events_of

pytestmark = [pytest.mark.interop, pytest.mark.anyio, pytest.mark.timeout(300)]

CLIENT = "@redhat-cloud-services/lightspeed-client@0.15.0"
SCRIPT = Path(__file__).with_name("lightspeed_client.cjs")
SSE = {"content-type": "text/event-stream; charset=utf-8"}
COMMENT = b": ping\n\n"
MANY = "Käse \N{CHEESE WEDGE} \u2028\u0085 \x00 data: {}\n\ndata: \ud83e"


@pytest.fixture
def anyio_backend():
    """The client is another process: one event loop is enough."""
    return "asyncio"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Where the client is installed, from npm, in the version that is pinned."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.fail("needs Node and npm: apt-get install nodejs npm")
    directory = tmp_path_factory.mktemp("npm")
    (directory / "package.json").write_text('{"private": true}')
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--no-save", CLIENT],
        cwd=directory, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr[-2000:]
    return directory


def written(events, encoder=None, *, between=b""):
    """The bytes of a stream, frame by frame, as they are served; *between* goes between them."""
    encoder = encoder or LightspeedCurrent(conversation_id="c")
    frames = [*encoder.opening("run-7")]
    for event in events:
        frames += encoder.encode(event)
    return [
        b"id: 1-%d\ndata: %b\n\n%b" % (number, frame.data, between)
        for number, frame in enumerate(frames)
    ]


async def seen(installed, *pieces, **reply):
    """What a page sees that asks with lightspeed's client, and is answered in these pieces."""
    async with FaultProvider(buffered=Reply(*pieces, **{"headers": SSE, **reply})) as server:
        with anyio.fail_after(30):
            command = ["node", str(SCRIPT), str(installed), server.url.removesuffix("/v1")]
            done = await anyio.run_process(command)
    assert [("POST", "/v1/streaming_query")] == [(r.method, r.path) for r in server.requests]
    return json.loads(done.stdout)


def quiet(said):
    """Whether the client had nothing to complain of."""
    return (said["warnings"], said["errors"]) == ([], [])


def completed(*deltas, **fields):
    """The events of an answer."""
    text = "".join(deltas)
    return [*map(TextDelta, deltas), ResponseCompleted(Response(text, **fields))]


async def test_the_client_reads_an_answer(installed):
    """Piece by piece, each with all before it; then its conversation and its counts."""
    pieces = written(completed("Hel", "lo", usage=Usage(12, 34)))
    said = await seen(installed, *pieces)
    assert ["Hel", "Hello"] == said["chunks"]
    assert ("Hello", "c") == (said["result"]["answer"], said["result"]["conversationId"])
    assert {
        "referencedDocuments": [],
        "truncated": None,
        "inputTokens": 12,
        "outputTokens": 34,
        "availableQuotas": {},
        "toolCalls": [],
        "toolResults": [],
    } == said["result"]["additionalAttributes"]
    assert quiet(said)


@pytest.mark.parametrize("size", [1, 7])
async def test_the_client_reads_any_text_however_it_is_cut(installed, size):
    """No character is cut in two, for all of them are ASCII; and none ends a line."""
    body = b"".join(written(completed(MANY, "!")))
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    said = await seen(installed, *pieces)
    assert MANY + "!" == said["result"]["answer"]
    assert quiet(said)


async def test_the_client_reads_over_comments(installed):
    """The heartbeat of a vocabulary that has no word for it."""
    pieces = written(completed("Hel", "lo"), between=COMMENT)
    said = await seen(installed, COMMENT, *pieces)
    assert (["Hel", "Hello"], "Hello") == (said["chunks"], said["result"]["answer"])
    assert quiet(said)


async def test_the_client_reads_tools(installed):
    """Calls and results as they were told, and none of them in the answer."""
    said = await seen(installed, *written(events_of(*STREAM)))
    attributes = said["result"]["additionalAttributes"]
    call = {"id": "call_7", "name": "knowledge_search", "args": {"query": "ansible"}}
    result = {"id": "call_7", "status": "success", "content": "found 5 chunks\n Result 1\n"}
    assert [{"event": "tool_call", "data": {**call, "type": "tool_call"}}] == (
        attributes["toolCalls"]
    )
    assert [{"event": "tool_result", "data": {**result, "type": "tool_result", "round": 1}}] == (
        attributes["toolResults"]
    )
    assert ["", "", "Ansible ", "Ansible is a tool."] == said["chunks"]
    assert "Ansible is a tool." == said["result"]["answer"]
    assert quiet(said)


@pytest.mark.parametrize("taken_back", [Retracted("text"), Gap("1-4")], ids=["retracted", "gap"])
async def test_the_client_forgets_what_is_taken_back(installed, taken_back):
    """The page shows none of it any more, and the answer is the one that counts."""
    said = await seen(installed, *written([TextDelta("Hel"), taken_back, *completed("By", "e")]))
    assert ["Hel", "", "By", "Bye"] == said["chunks"]
    assert ("Bye", "c") == (said["result"]["answer"], said["result"]["conversationId"])
    assert quiet(said)


async def test_the_client_swallows_an_error(installed):
    """It complains to the console, and returns what came as if it were the answer, with no end."""
    failed = ResponseFailed(InBandError("…"), Response("Hel"))
    said = await seen(installed, *written([TextDelta("Hel"), failed]))
    assert "Hel" == said["result"]["answer"]
    assert {"toolCalls": [], "toolResults": []} == said["result"]["additionalAttributes"]
    complaint = "Error: The model could not finish its answer."
    assert [["Lightspeed streaming error:", complaint]] == said["errors"]
    (warning,) = said["warnings"]
    assert ("Failed to parse JSON event:", complaint) == (warning[0], warning[-1])


async def test_the_client_does_not_know_of_interruptions(installed):
    """It returns what came, with no end."""
    said = await seen(installed, *written([TextDelta("Hel"), ResponseCancelled(Response("Hel"))]))
    assert "Hel" == said["result"]["answer"]
    assert {"toolCalls": [], "toolResults": []} == said["result"]["additionalAttributes"]
    assert quiet(said)


async def test_the_client_throws_an_early_failure(installed):
    """With the status, and the sentence for anyone: so a failure is best told before a stream."""
    error = Rejected("key sk-0123456789abcdef", status=429)
    body = json.dumps(LightspeedCurrent().failure(error))
    said = await seen(installed, body, status=429, headers={"content-type": "application/json"})
    assert {
        "name": "LightspeedClientError",
        "message": "The model did not take the request.",
        "status": 429,
    } == said["thrown"]


async def test_the_client_reads_the_seeds_tokens(installed):
    """All of them: it knows of no roles, so what shields say is in its answer."""
    events = events_of(*STREAM)
    said = await seen(installed, *written(events, LightspeedSeed(conversation_id="c")))
    assert "No Violation" + events[-1].response.text == said["result"]["answer"]
    assert "c" == said["result"]["conversationId"]
    assert quiet(said)
