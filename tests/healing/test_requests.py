"""Which requests are healed, and that each is sent as it was, wherever it goes."""

import json

import pytest

from streamkit.healing import recognise
from streamkit.testing import Drop, Reply

from .healed import ASKED, FRAMES, HEL, REFUSED, ROLE, Healed, said

pytestmark = pytest.mark.anyio

SENT = json.dumps(ASKED).encode()
GEMINI = {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}


async def pieces(*parts):
    """A body that somebody makes as it is sent, once."""
    for part in parts:
        yield part


@pytest.mark.parametrize("length", ["abc", "", "-1"])
async def test_a_length_that_is_none_matters_to_nobody(http, length):
    """What is in memory has one."""
    async with Healed(http, *FRAMES) as healed:
        url = f"{healed.provider.url}/chat/completions"
        response = await healed.client.post(url, content=SENT, headers={"content-length": length})

    assert b"".join(FRAMES) == response.content


async def test_a_body_that_is_made_as_it_is_sent_is_healed(http):
    """It can be made once, and is sent twice."""
    async with Healed(http, ROLE, HEL, Drop()) as healed:
        url = f"{healed.provider.url}/chat/completions"
        response = await healed.client.post(url, content=pieces(SENT[:9], SENT[9:]))
        assert SENT == healed.provider.requests[0].body

    assert ("Hello world", "stop") == said(response.text)


@pytest.mark.parametrize("made", [bytes, lambda sent: pieces(sent[:9], sent[9:30], sent[30:])])
async def test_a_body_that_is_too_large_passes(http, made, monkeypatch):
    """Whole, and without the rest of it in memory."""
    monkeypatch.setattr(recognise, "_MAX_BYTES", 20)
    async with Healed(http, *FRAMES) as healed:
        url = f"{healed.provider.url}/chat/completions"
        response = await healed.client.post(url, content=made(SENT))
        assert SENT == healed.provider.requests[0].body

    assert b"".join(FRAMES) == response.content
    assert "x-streamkit-run" not in response.headers


@pytest.mark.parametrize("options", ["all", [1], 7, True])
async def test_what_makes_no_call_of_its_api_passes(http, options):
    """The provider says what is wrong with it."""
    async with Healed(http, [REFUSED]) as healed:
        response = await healed.ask(asked := {**ASKED, "stream_options": options})
        (request,) = healed.provider.requests

    assert (503, asked) == (response.status_code, request.json)


@pytest.mark.parametrize(
    "path", ["/chat/completions/", "//chat/completions", "/a%2Fb/chat/completions?x=a%2Fb&y"]
)
async def test_both_calls_go_to_the_same_place(http, path):
    """However its address is written."""
    async with Healed(http, ROLE, HEL, Drop()) as healed:
        response = await healed.client.post(healed.provider.url + path, json=ASKED)
        places = {f"{call.path}?{call.query}".rstrip("?") for call in healed.provider.requests}

    assert ("Hello world", "stop") == said(response.text)
    assert {f"/v1{path}"} == places


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/m",
        "/v1beta/tunedModels/m",
        "/v1/projects/p/locations/l/publishers/google/models/m",
        "/v1/projects/p/locations/l/endpoints/7",
        "/a%2Fb//models/a%20b",
    ],
)
async def test_the_buffered_call_of_gemini_goes_beside_it(http, path):
    """To the same model at the same place, its key with it, encoded as it was."""
    async with Healed(http, Drop(), buffered=Reply(json.dumps(GEMINI))) as healed:
        url = healed.provider.url.removesuffix("/v1") + path
        query = {"alt": "sse", "key": "k/k"}
        response = await healed.client.post(f"{url}:streamGenerateContent", params=query, json={})
        stream, buffered = healed.provider.requests

    assert '"text":"Hi"' in response.text
    assert (f"{path}:streamGenerateContent", "alt=sse&key=k%2Fk") == (stream.path, stream.query)
    assert (f"{path}:generateContent", "key=k%2Fk") == (buffered.path, buffered.query)
