"""What a provider says in place of an answer reaches the SDK as it was said, and nobody else."""

import json
import logging
import warnings

import pytest

from streamkit import ReroutePolicy
from streamkit.healing import HealingTransport, transport
from streamkit.testing import Drop, FaultProvider, Hold, Reply, answers

from .healed import ASKED, FRAMES, HEL, REFUSED, ROLE, WHOLE, Healed, said

pytestmark = pytest.mark.anyio

UNSAID = "hush-0123456789"  # looks like no key that anybody knows
BUSY = b'{"error": {"message": "busy"}}'


async def test_a_refusal_whose_body_breaks_off_is_one(http):
    """Its status and its headers say enough for the SDK to come back."""
    cut = Reply(BUSY[:9], Drop(), status=429, headers={"retry-after": "3", "x-request-id": "r"})
    async with Healed(http, [cut], buffered=cut) as healed:
        response = await healed.ask()

    assert (429, "3", "r", BUSY[:9]) == (
        response.status_code,
        *map(response.headers.get, ("retry-after", "x-request-id")),
        response.content,
    )


async def test_a_refusal_that_does_not_end_is_left(http):
    """At its bound, by a read that is cancelled: no generator is left to the garbage collector."""
    endless = Reply(*[b"x" * 300_000] * 5, Hold(), status=503)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        async with Healed(http, [endless], buffered=endless) as healed:
            response = await healed.ask()

    assert 503 == response.status_code
    assert 1 << 20 < len(response.content) < 2 << 20
    assert [] == [str(warning.message) for warning in warned]


async def test_a_refusal_may_be_compressed(http):
    """As every answer."""
    zipped = Reply(BUSY, status=503, gzip=True)
    async with Healed(http, [zipped], buffered=zipped) as healed:
        assert json.loads(BUSY) == (await healed.ask()).json()
    async with Healed(http, [zipped], buffered=Reply(WHOLE, gzip=True)) as healed:
        assert ("Hello world", "stop") == said((await healed.ask()).text)
    async with Healed(http, [Reply(*FRAMES, gzip=True)]) as healed:
        assert b"".join(FRAMES) == (await healed.ask()).content


@pytest.mark.parametrize(("statuses", "told"), [((503, 400), 503), ((400, 503), 503)])
async def test_the_refusal_that_may_pass_is_the_one_that_is_told(http, statuses, told):
    """A provider without a buffered call says 400 to that, and was only busy."""
    stream, buffered = (Reply(BUSY, status=status) for status in statuses)
    async with Healed(http, [stream], buffered=buffered) as healed:
        assert told == (await healed.ask()).status_code


async def test_who_is_sent_elsewhere_goes_there_at_once(http):
    """The HTTP client follows; where it went to is healed as well."""
    moved = Reply(status=307, headers={"location": "/v2/chat/completions"})
    async with Healed(http, [moved, Reply(ROLE, HEL, Drop())], buffered=Reply(WHOLE)) as healed:
        response = await healed.ask(follow_redirects=True)
        calls = [(call.path, call.streaming) for call in healed.provider.requests]

    there = "/v2/chat/completions"
    assert [("/v1/chat/completions", True), (there, True), (there, False)] == calls
    assert ("Hello world", "stop") == said(response.text)


async def test_who_does_not_follow_sees_where_it_should_have_gone(http):
    """As without."""
    moved = Reply(status=308, headers={"location": "/v2/chat/completions"})
    async with Healed(http, [moved]) as healed:
        response = await healed.ask()
        assert 1 == len(healed.provider.requests)

    assert (308, "/v2/chat/completions") == (response.status_code, response.headers["location"])


async def test_a_provider_that_only_streams_is_asked_for_a_stream_again(http):
    """``ReroutePolicy(collect=True)`` holds here, too; the second call is the first, again."""
    replies = [Reply(ROLE, HEL, Drop()), Reply(*FRAMES)]
    settings = {"reroute": ReroutePolicy(collect=True), "buffered": REFUSED}
    async with Healed(http, replies, **settings) as healed:
        response = await healed.ask()
        assert [ASKED, ASKED] == [call.json for call in healed.provider.requests]

    assert ("Hello world", "stop") == said(response.text)


async def test_what_one_endpoint_refuses_another_gets(http):
    """Two servers of one machine are two."""
    refusal = Reply(answers.error("unknown field stream_options"), status=400)
    asked = {**ASKED, "stream_options": {"include_usage": True}}
    async with Healed(http, [refusal, Reply(*FRAMES)]) as healed:
        await healed.ask(asked)
        async with FaultProvider(stream=Reply(*FRAMES)) as other:
            await healed.client.post(f"{other.url}/chat/completions", json=asked)
        (request,) = other.requests

    assert asked == request.json


async def test_what_is_remembered_of_endpoints_is_bounded(http, monkeypatch):
    """The one that was not asked for longest is forgotten."""
    monkeypatch.setattr(transport, "_ENDPOINTS", 2)
    healing = HealingTransport()
    async with FaultProvider(stream=Reply(*FRAMES)) as provider:
        async with http.AsyncClient(transport=healing) as client:
            for path in "abac":
                await client.post(f"{provider.url}/{path}/chat/completions", json=ASKED)

    assert ["/v1/a/", "/v1/c/"] == [place.split()[0][-6:] for place in healing._known]


@pytest.mark.parametrize("name", ["authorization", "api-key"])
async def test_no_key_is_quoted(http, name, caplog):
    """Neither where the provider quotes it, nor where the HTTP client does."""
    caplog.set_level(logging.DEBUG, "streamkit")
    echo = Reply(answers.error(f"wrong key: {UNSAID}"), status=401)
    async with Healed(http, [echo], buffered=echo) as healed:
        assert UNSAID in (await healed.ask(headers={name: UNSAID})).text  # its own words
        with pytest.raises(http.LocalProtocolError):
            await healed.ask(headers={name: f"Key {UNSAID}\n"})
        assert 2 == len(healed.provider.requests)

    assert "why streaming failed" in caplog.text
    assert UNSAID not in caplog.text
