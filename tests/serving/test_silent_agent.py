"""
The failure that began all this, reproduced under Daphne, and cured.

An agent thinks, or runs a tool, and says nothing for longer than somebody on
the way has patience: the client, a proxy, Daphne itself. The client reconnects,
the service asks the agent anew, and the user reads "Ansible is Ansible is".
"""

import json
from itertools import pairwise

import anyio
import pytest

from streamkit.testing import FaultProvider, Hold, Pause, Reply, Until

from . import daphne as server
from .sse_client import connect

pytestmark = pytest.mark.anyio

IDLE = 0.5
"""How long this client waits for a byte (seconds)."""
SILENCE = 3 * IDLE
BODY = {"agent_id": "a", "session_id": "s", "messages": [{"role": "user", "content": "Ansible?"}]}
both = pytest.mark.parametrize("encoder", ["lightspeed-seed", "streamkit"])


def said(**payload):
    """One frame of an agent's turn."""
    return f"data: {json.dumps({'event': {'payload': payload}})}\n\n"


def words(text):
    """A piece of the answer."""
    delta = {"type": "text", "text": text}
    return said(event_type="step_progress", step_type="inference", step_id="s1", delta=delta)


BEGIN = said(event_type="step_start", step_type="inference", step_id="s1", metadata={})
MESSAGE = {
    "role": "assistant",
    "content": "Ansible is a tool.",
    "stop_reason": "end_of_turn",
    "tool_calls": [],
}
END = said(
    event_type="turn_complete",
    turn={"turn_id": "t1", "session_id": "s", "steps": [], "output_message": MESSAGE},
)


@pytest.fixture(scope="module")
def anyio_backend():
    """Django runs on asyncio alone; the client's loop is not in question here."""
    return "asyncio"


@pytest.fixture(scope="module")
async def url(anyio_backend):
    """Give the URL of a Daphne with both services, the naive one and ours."""
    async with server.daphne(DIALECT="llama-stack-turn") as daphne:
        yield daphne.url


def post(url, provider):
    """Ask the agent."""
    return connect(url, method="POST", json=BODY, headers={"x-provider": provider.url})


def tell(frame):
    """The text a frame adds to the answer."""
    match frame.json:
        case {"type": "text_delta", "text": text}:
            return text
        case {"event": "token", "data": {"role": "inference", "token": token}}:
            return token
    return ""


def kind(frame):
    """What a frame tells, in the words of its format."""
    return frame.json.get("type") or frame.json.get("event")


def is_terminal(frame):
    """Whether a frame says that the answer ended, and how."""
    ends = {"response_completed", "response_failed", "response_cancelled", "end", "error"}
    return kind(frame) in ends


def is_heartbeat(frame):
    """Whether a frame says only that the server is there."""
    return kind(frame) == "heartbeat"


def is_last_but_one(frame):
    """Whether a frame is followed by the terminal one."""
    return kind(frame) in {"finished", "turn_complete"}


@pytest.mark.interop  # it takes long
async def test_the_naive_service_asks_twice(url):
    """Silence looks like death: the client comes back, and its user reads the beginning again."""
    shown = ""
    async with FaultProvider(stream=Reply(BEGIN, words("Ansible is "), Hold())) as provider:
        for _ in range(2):
            async with post(f"{url}/naive", provider) as response:
                response.idle = IDLE
                with pytest.raises(TimeoutError):
                    await response.body()
            for line in response.raw.decode().split("\n\n")[:-1]:
                payload = json.loads(line.removeprefix("data: "))["event"]["payload"]
                shown += payload.get("delta", {}).get("text", "")

    assert "Ansible is Ansible is " == shown
    assert 2 == len(provider.requests)


@both
async def test_streamkit_fills_the_silence(url, encoder):
    """The same client, the same agent: no reconnect, one answer, heartbeats on time."""
    reply = Reply(BEGIN, words("Ansible is "), Pause(SILENCE), words("a tool."), END)
    async with FaultProvider(stream=[reply]) as provider:
        async with post(f"{url}/answers?encoder={encoder}", provider) as response:
            response.idle = IDLE
            frames = await response.all()

    assert "Ansible is a tool." == "".join(map(tell, frames))
    assert [frames[-1]] == [frame for frame in frames if is_terminal(frame)]
    assert 5 <= sum(map(is_heartbeat, frames)) <= (response.parts[-1].at - response.asked) / 0.1
    assert IDLE > max(after.at - before.at for before, after in pairwise(response.parts))
    assert 1 == len(provider.requests)


async def taken(response, enough):
    """The frames a client has when it is cut off: those behind are lost on the way."""
    frames = []
    async for frame in response.frames():
        frames.append(frame)
        if enough(frames):
            break
    return frames


def count(number):
    """Cut off behind so many frames."""
    return lambda frames: len(frames) == number


def behind(says):
    """Cut off behind a frame that says so."""
    return lambda frames: says(frames[-1])


CUTS = [
    count(1),  # before there was any event
    count(9),
    behind(is_heartbeat),
    behind(is_heartbeat),  # a client that stands in a silence, and hears of it again
    count(7),  # here the agent goes on
    behind(is_last_but_one),
    count(None),
]


@both
async def test_a_client_that_was_cut_off_misses_nothing(url, encoder):
    """It says what it has, and gets the rest: nothing lost, nothing doubled, one call upstream."""
    gate = anyio.Event()
    pieces = [f"piece {number} " for number in range(40)]
    reply = Reply(BEGIN, *map(words, pieces[:20]), Until(gate), *map(words, pieces[20:]), END)
    async with FaultProvider(stream=[reply]) as provider:
        async with post(f"{url}/answers?encoder={encoder}", provider) as response:
            rounds = [await taken(response, CUTS[0])]
        target = f"{url}/answers/{response.headers['x-streamkit-run']}?encoder={encoder}"
        for enough in CUTS[1:]:
            if len(rounds) == 4:
                gate.set()
            back = {"x-provider": provider.url, "last-event-id": rounds[-1][-1].id}
            async with connect(target, headers=back) as again:
                rounds.append(await taken(again, enough))

    assert [1, 9, 7] == [len(rounds[index]) for index in (0, 1, 4)]
    assert 1 == len(rounds[6])
    frames = [frame for frames in rounds for frame in frames]
    assert "".join(pieces) == "".join(map(tell, frames))
    assert len(frames) == len({frame.id for frame in frames})
    assert [frames[-1]] == [frame for frame in frames if is_terminal(frame)]
    assert 1 == len(provider.requests)


@pytest.mark.interop  # it takes long
async def test_what_daphne_ends_is_not_lost():
    """Its ``--http-timeout`` counts the whole response, heartbeats or not; the run goes on."""
    gate = anyio.Event()
    reply = Reply(BEGIN, words("Ansible is "), Until(gate), words("a tool."), END)
    async with FaultProvider(stream=[reply]) as provider:
        async with server.daphne("--http-timeout", "1", DIALECT="llama-stack-turn") as daphne:
            async with post(f"{daphne.url}/answers", provider) as response:
                frames = await response.all()
            assert not any(map(is_terminal, frames))
            gate.set()
            target = f"{daphne.url}/answers/{response.headers['x-streamkit-run']}"
            back = {"x-provider": provider.url, "last-event-id": frames[-1].id}
            async with connect(target, headers=back) as again:
                frames += await again.all()

    assert "Ansible is a tool." == "".join(map(tell, frames))
    assert is_terminal(frames[-1])
    assert 1 == len(provider.requests)
