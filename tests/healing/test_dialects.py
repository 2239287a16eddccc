"""Every dialect is healed: each core fault, before content and in the midst of it."""

import anyio
import httpx
import pytest

from streamkit.dialects import get_dialect
from streamkit.errors import StreamkitError
from streamkit.events import TextDelta
from streamkit.framing import read_frames
from streamkit.healing import HealingTransport
from streamkit.testing import FaultProvider

pytestmark = pytest.mark.anyio

MESSAGES = [{"role": "user", "content": "?"}]
ASKED = {
    "anthropic-messages": {"model": "m", "max_tokens": 9, "messages": MESSAGES},
    "gemini": {"model": "m", "contents": [{"parts": [{"text": "?"}]}]},
    "llama-stack-turn": {"agent_id": "a", "session_id": "s", "messages": MESSAGES},
    "openai-chat": {"model": "m", "messages": MESSAGES},
    "openai-responses": {"model": "m", "input": "?"},
}
SAYS = """
stream
    text "Hel" "lo" " world"
    finish stop
    {fault}
buffered
    text "Hello world"
    finish stop
"""
FAULTS = {
    "healthy": "",
    "cut at once": "cut after 0 bytes",
    "cut behind content": "cut behind frame {place}",
    "reset behind content": "reset behind frame {place}",
    "cut in a frame": "cut in frame {place}",
    "garbage": 'garbage "data: {{broken\\n\\n" behind frame {place}',
    "refused": None,
    "an error in band": None,
}
INSTEAD = {"refused": 'status 500 "no streams"', "an error in band": 'text "Hel"\n    error "busy"'}
"""What the provider says in place of the answer."""
PLACES = {"anthropic-messages": 4, "openai-responses": 6, "llama-stack-turn": 4}
"""The number of the frame with the second piece of text; elsewhere 2."""


async def events_of(dialect, body):
    """What a clean client of the API reads."""
    decoder, events = dialect.decoder(), []

    async def parts():
        yield body

    async def take(frames):
        for frame in frames:
            events.extend(decoder.feed(frame))

    ended = await read_frames(
        parts(),
        take,
        content_type="text/event-stream",
        max_frame_bytes=1 << 20,
        max_response_bytes=1 << 24,
        on_bytes=lambda: None,
    )
    if not events or not events[-1].terminal:
        events.extend(decoder.eof(ended.residue))
    return events


async def asked(name, scene):
    """A response through a healing transport, as an SDK of the API would ask for it."""
    dialect = get_dialect(name)
    call = dialect.streaming(ASKED[name])
    async with FaultProvider.scripted(scene, dialect=name) as provider:
        async with httpx.AsyncClient(transport=HealingTransport(), timeout=10) as client:
            response = await client.post(
                f"{provider.url}/{call.path}",
                json=call.body,
                params=dict(call.params),
                headers=dict(call.headers),
            )
        with anyio.fail_after(5):
            while provider.connections:  # noqa: ASYNC110
                await anyio.sleep(0.001)
    return response, provider.requests


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ASKED)
async def test_a_fault_is_healed(name, fault):
    """A clean reader of the API reads the whole answer, once, with its end."""
    line = (FAULTS[fault] or "").format(place=PLACES.get(name, 2))
    scene = SAYS.format(fault=line)
    if fault in INSTEAD:
        _, end = scene.split("buffered")
        scene = f"stream\n    {INSTEAD[fault]}\nbuffered{end}"
    response, requests = await asked(name, scene)

    assert (200, "text/event-stream") == (
        response.status_code,
        response.headers["content-type"].partition(";")[0],
    )
    events = await events_of(get_dialect(name), response.content)
    assert "Hello world" == "".join(e.text for e in events if isinstance(e, TextDelta))
    assert events[-1].terminal
    assert (1 if fault == "healthy" else 2) == len(requests)


@pytest.mark.parametrize("name", ASKED)
async def test_what_cannot_be_healed_is_no_answer(name):
    """The stream is cut and the buffered call refused: nobody takes what there is for whole."""
    scene = """
    stream
        text "Hel" "lo" " world"
        finish stop
        cut behind frame {place}
    buffered
        status 500 "busy"
    """
    response, _ = await asked(name, scene.format(place=PLACES.get(name, 2)))

    assert 200 == response.status_code
    with pytest.raises(StreamkitError):
        await events_of(get_dialect(name), response.content)
