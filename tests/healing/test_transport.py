"""What comes through a healing transport: untouched, as it came, healed, or honestly failed."""

import json

import anyio
import pytest

from streamkit import Limits, MisuseError, ReroutePolicy
from streamkit.healing import HealingTransport
from streamkit.testing import Drop, FaultProvider, Hold, Reply, Reset, Until, answers

from ..serving.servers import until
from .healed import ASKED, FRAMES, HEL, LO, REFUSED, REST, ROLE, WHOLE, Healed, errors, said

pytestmark = pytest.mark.anyio


# -- untouched ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [{**ASKED, "stream": False}, {"model": "m"}, [1], "text", {**ASKED, "stream": "true"}],
    ids=["stream-false", "no-stream", "a-list", "a-text", "stream-a-word"],
)
async def test_what_is_no_streaming_call_passes(http, asked):
    """Byte for byte, both ways."""
    async with Healed(http, buffered=Reply('{"any":  "thing"}', headers={"x-a": "b"})) as healed:
        response = await healed.ask(asked)
        (request,) = healed.provider.requests

    assert ('{"any":  "thing"}', "b") == (response.text, response.headers["x-a"])
    assert json.dumps(asked, separators=(",", ":")) == request.body.decode().replace(": ", ":")
    assert "x-streamkit-run" not in response.headers


@pytest.mark.parametrize("path", ["/embeddings", "/chat/completions/1/messages", "/files"])
async def test_other_paths_pass(http, path):
    """Whatever their bodies look like."""
    async with Healed(http, *FRAMES) as healed:
        response = await healed.client.post(healed.provider.url + path, json=ASKED)

    assert b"".join(FRAMES) == response.content
    assert "x-streamkit-run" not in response.headers


async def test_a_get_passes(http):
    """Nothing of it is read."""
    async with Healed(http, buffered=Reply('{"data": []}')) as healed:
        response = await healed.client.get(f"{healed.provider.url}/chat/completions")

    assert {"data": []} == response.json()


# -- healthy ------------------------------------------------------------------------


async def test_a_healthy_stream_comes_as_it_is(http):
    """The same bytes, the request the same, and one call."""
    async with Healed(http, *FRAMES) as healed:
        response = await healed.ask(headers={"x-mine": "1"}, params={"api-version": "7"})
        (request,) = healed.provider.requests

    assert b"".join(FRAMES) == response.content
    assert ASKED == request.json
    assert ("1", "api-version=7") == (request.headers["x-mine"], request.query)
    assert "text/event-stream" in response.headers["content-type"]
    assert "false" == response.headers["x-streamkit-rerouted"]


async def test_what_the_provider_says_beside_the_answer_comes_through(http):
    """Request ids, cookies, what is left of a quota; not what was about its bytes."""
    said_so = {"x-request-id": "r", "set-cookie": "a=b", "x-ratelimit-remaining": "3"}
    async with Healed(http, [Reply(*FRAMES, headers=said_so, gzip=True)]) as healed:
        response = await healed.ask()

    assert said_so == {name: response.headers[name] for name in said_so}
    assert "b" == response.cookies["a"]
    assert not {"content-encoding", "transfer-encoding"} & response.headers.keys()


async def test_each_frame_comes_when_it_comes(http):
    """Nothing waits for what follows it."""
    more = anyio.Event()
    async with Healed(http, ROLE, HEL, Until(more), LO, *REST) as healed:
        async with healed.stream() as response:
            parts = response.aiter_bytes()
            with anyio.fail_after(5):
                first = await anext(parts)
                while HEL not in first:
                    first += await anext(parts)
            assert ROLE + HEL == first
            more.set()
            rest = b"".join([part async for part in parts])

    assert LO + b"".join(REST) == rest


async def test_fields_that_nobody_knows_come_through(http):
    """A frame that is well formed is not read for what it may hold."""
    strange = FRAMES[1].replace(b'"delta"', b'"x_later":{"a":[1]},"delta"')
    async with Healed(http, ROLE, strange, *FRAMES[2:]) as healed:
        response = await healed.ask()

    assert strange in response.content


async def test_it_is_one_provider_connection_after_the_other(http):
    """A healthy answer gives its connection back to the pool."""
    async with Healed(http, *FRAMES) as healed:
        for _ in range(3):
            await healed.ask()
        assert 1 == healed.provider.accepted


# -- healed -------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Drop(), Reset()], ids=["dropped", "reset"])
@pytest.mark.parametrize("frames", [0, 1, 2, 3])
async def test_a_cut_stream_is_made_whole(http, fault, frames):
    """The buffered call tells the tail, behind what was told; the client sees one answer."""
    async with Healed(http, *FRAMES[:frames], fault) as healed:
        response = await healed.ask()
        stream, buffered = healed.provider.requests

    assert ("Hello world", "stop") == said(response.text)
    assert response.text.endswith("data: [DONE]\n\n")
    assert (True, None) == (stream.json["stream"], buffered.json.get("stream"))
    assert 200 == response.status_code


@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_a_refused_stream_is_answered(http, status):
    """The provider does not stream: it answers all the same."""
    refusal = Reply('{"error": {"message": "no streams"}}', status=status)
    async with Healed(http, [refusal]) as healed:
        response = await healed.ask()

    assert ("Hello world", "stop") == said(response.text)
    assert "true" == response.headers["x-streamkit-rerouted"]


async def test_a_body_that_is_no_stream_becomes_one(http):
    """A provider that ignores the flag has answered; there is no second call."""
    async with Healed(http, [Reply(WHOLE, headers={"content-type": "application/json"})]) as healed:
        response = await healed.ask()
        assert 1 == len(healed.provider.requests)

    assert ("Hello world", "stop") == said(response.text)


async def test_nobody_gets_usage_that_was_not_asked_for(http):
    """A chunk of usage has no choices, and clients look at the first."""
    counted = Reply(answers.completion("Hello world", usage=(1, 2)))
    for options, there in (({}, False), ({"stream_options": {"include_usage": True}}, True)):
        async with Healed(http, ROLE, HEL, Drop(), buffered=counted) as healed:
            response = await healed.ask({**ASKED, **options})
        assert there == ('"choices":[]' in response.text)
        assert ("Hello world", "stop") == said(response.text)


async def test_what_an_endpoint_refuses_is_remembered(http):
    """``stream_options`` is left out of the next request from the start."""
    refusal = Reply('{"error": {"message": "unknown field stream_options"}}', status=400)
    asked = {**ASKED, "stream_options": {"include_usage": True}}
    async with Healed(http, [refusal, Reply(*FRAMES), Reply(*FRAMES)]) as healed:
        for _ in range(2):
            assert ("Hello world", "stop") == said((await healed.ask(asked)).text)
        first, again, third = healed.provider.requests

    assert [True, False, False] == ["stream_options" in r.json for r in (first, again, third)]


@pytest.mark.parametrize("status", [400, 503])
async def test_a_second_stream_comes_as_it_is(http, status):
    """Where the first told nothing: without a field that was refused, or again in a moment."""
    refusal = Reply('{"error": {"message": "no stream_options"}}', status=status)
    strange = FRAMES[1].replace(b'"delta"', b'"x_later":{"a":[1]},"delta"')
    asked = {**ASKED, "stream_options": {"include_usage": True}}
    policy = ReroutePolicy(retries=1, backoff=0.01)
    replies = [refusal, Reply(ROLE, strange, *FRAMES[2:])]
    async with Healed(http, replies, reroute=policy) as healed:
        response = await healed.ask(asked)

    assert b"".join([ROLE, strange, *FRAMES[2:]]) == response.content
    assert "false" == response.headers["x-streamkit-rerouted"]


# -- failed -------------------------------------------------------------------------


async def test_an_early_failure_is_the_providers_own(http):
    """Status, headers and body; neither call had anything to show."""
    async with Healed(http, [REFUSED], buffered=REFUSED) as healed:
        response = await healed.ask()

    assert (503, "7") == (response.status_code, response.headers["retry-after"])
    assert {"error": {"message": "busy"}} == response.json()
    assert "x-streamkit-run" not in response.headers


async def test_a_connection_that_cannot_be_made_is_the_clients_own_error(http):
    """The SDK knows what to make of it."""
    async with FaultProvider() as gone:
        url = gone.url
    async with http.AsyncClient(transport=HealingTransport()) as client:
        with pytest.raises(http.ConnectError):
            await client.post(f"{url}/chat/completions", json=ASKED)


async def test_a_failure_behind_content_is_told_in_band(http):
    """Neither call gave the whole answer: the stream ends in the API's own error, and no done."""
    async with Healed(http, ROLE, HEL, Drop(), buffered=REFUSED) as healed:
        response = await healed.ask()

    assert 1 == len(errors(response.text))
    assert "[DONE]" not in response.text
    assert ("Hel", None) == said(response.text)


async def test_an_early_failure_that_is_no_refusal_is_a_status(http):
    """A stream that says nothing, and a body that nobody can read."""
    async with Healed(http, [Reply(*FRAMES[:1])], buffered=Reply("<html>")) as healed:
        response = await healed.ask()

    assert 502 == response.status_code
    assert "error" in response.json()


async def test_another_answer_is_never_spliced(http):
    """By default it is an error; a seam is the other way, and says what is new."""
    other = Reply(answers.completion("Goodbye"))
    async with Healed(http, ROLE, HEL, Drop(), buffered=other) as healed:
        response = await healed.ask()
    assert 1 == len(errors(response.text))
    assert "Goodbye" not in response.text
    async with Healed(http, ROLE, HEL, Drop(), buffered=other, on_retract="seam") as healed:
        response = await healed.ask()
    assert ("Hel\n\nGoodbye", "stop") == said(response.text)


async def test_a_call_that_was_told_is_never_told_again(http):
    """Its arguments were cut: the second answer's call might be made twice."""
    cut = answers.tool_stream("f", '{"a":', "1}")
    whole = answers.completion("", tool_calls=[answers.tool_call("f", '{"a":1}')])
    async with Healed(http, *cut[:3], Drop(), buffered=Reply(whole)) as healed:
        response = await healed.ask()

    assert 1 == len(errors(response.text))
    assert 1 == response.text.count('"name":"f"')


async def test_a_call_that_only_began_is_healed(http):
    """Nothing of it was told yet."""
    cut = answers.tool_stream("f", '{"a":', "1}")
    whole = answers.completion("", tool_calls=[answers.tool_call("f", '{"a":1}')])
    async with Healed(http, *cut[:2], Drop(), buffered=Reply(whole)) as healed:
        response = await healed.ask()

    assert [] == errors(response.text)
    assert '{\\"a\\":1}' in response.text


# -- bounds, and leaving ---------------------------------------------------------------


async def test_leaving_early_closes_the_providers_connection(http):
    """Nobody pays for what nobody reads."""
    async with Healed(http, ROLE, HEL, Hold()) as healed:
        async with healed.stream() as response:
            parts = response.aiter_bytes()
            assert ROLE in await anext(parts)
            with anyio.CancelScope() as scope:  # httpx leaves generators open that are not read on
                scope.cancel()
                await anext(parts)
        await until(lambda: healed.provider.connections == 0)


async def test_a_request_that_is_cancelled_is_let_go(http):
    """While the provider thinks."""
    async with Healed(http, [Reply(before=[Hold()])]) as healed:
        with anyio.move_on_after(0.1):
            await healed.ask()
        await until(lambda: healed.provider.connections == 0)
        assert 1 == len(healed.provider.requests)


async def test_who_reads_slowly_holds_the_provider_up(http):
    """What waits to be read is bounded, however long the answer."""
    long = [ROLE, *[HEL.replace(b"Hel", b"x" * 10_000)] * 2_000, *REST[-2:]]
    async with Healed(http, *long) as healed:
        async with healed.stream() as response:
            parts = response.aiter_bytes()
            size = len(await anext(parts))
            await anyio.sleep(0.3)
            size += sum([len(part) async for part in parts])

    assert sum(map(len, long)) == size


async def test_a_silent_provider_is_left(http):
    """The clocks of `Limits` hold here, too."""
    limits = Limits(idle=0.1, first_content=0.1)
    async with Healed(http, ROLE, HEL, Hold(), limits=limits) as healed:
        assert ("Hello world", "stop") == said((await healed.ask()).text)


async def test_a_policy_may_say_no(http):
    """The provider's refusal then is the answer to the first call."""
    async with Healed(http, [REFUSED], reroute=ReroutePolicy.never()) as healed:
        assert 503 == (await healed.ask()).status_code
        assert 1 == len(healed.provider.requests)


async def test_a_stage_changes_what_it_changes(http):
    """Frames whose events were changed are written anew; what they say is the stage's."""
    tags = answers.text_stream("<think>why</think>", "Hello")
    async with Healed(http, *tags, stages=["think_tags"]) as healed:
        response = await healed.ask()

    assert ("Hello", "stop") == said(response.text)
    assert "why" in response.text
    assert "<think>" not in response.text


def test_what_it_is_told_is_checked_at_once():
    """Not at the first request."""
    with pytest.raises(MisuseError, match="on_retract"):
        HealingTransport(on_retract="maybe")
    with pytest.raises(MisuseError, match="stages"):
        HealingTransport(stages="think_tags")
