"""Supervision of calls that somebody else's SDK makes."""

import gc
import json

import anyio
import openai
import pytest

import streamkit
from streamkit import Limits
from streamkit.events import Rerouted, Retracted, TextDelta
from streamkit.testing import Drop, FaultProvider, Hold, KeepAlive, Reply, answers

from .leftovers import LEFT_BY_SDKS

pytestmark = [pytest.mark.anyio, LEFT_BY_SDKS]

REQUEST = {"model": "demo-1", "messages": [{"role": "user", "content": "hello"}]}


class sdk_of:  # noqa: N801
    """The real openai client in front of a provider that is scripted."""

    def __init__(self, provider):
        self.client = openai.AsyncOpenAI(base_url=provider.url, api_key="none", max_retries=0)

    async def __aenter__(self):
        return self.client

    async def __aexit__(self, *exc):
        await self.client.close()


def supervised(sdk, **options):
    """A stream of the SDK, and its buffered call."""
    return streamkit.supervise(
        stream=lambda: sdk.chat.completions.create(**REQUEST, stream=True),
        buffered=lambda: sdk.chat.completions.create(**REQUEST),
        **options,
    )


def texts(events):
    """The pieces of text, as they were delivered."""
    return [event.text for event in events if isinstance(event, TextDelta)]


async def test_a_healthy_stream_of_the_sdk_is_passed_on():
    """Its chunks are events, and the answer is the SDK's."""
    reply = Reply(*answers.text_stream("Hel", "lo", usage=(3, 2)))
    async with FaultProvider(stream=reply) as provider, sdk_of(provider) as sdk:
        async with supervised(sdk) as run:
            events = [event async for event in run]
            response = await run.response()

    assert ["Hel", "lo"] == texts(events)
    assert ("Hello", "stop", "finish_reason", 5) == (
        response.text,
        response.finish_reason,
        response.evidence,
        response.usage.total_tokens,
    )


async def test_a_dying_stream_is_answered_by_the_buffered_call():
    """Nothing is shown twice, and the SDK is asked twice."""
    reply = Reply(*answers.text_stream("Hel", "lo, ")[:3], Drop())
    body = answers.completion("Hello, world", usage=(3, 4))
    async with FaultProvider(stream=reply, buffered=Reply(body)) as provider:
        async with sdk_of(provider) as sdk, supervised(sdk) as run:
            events = [event async for event in run]
        assert [True, False] == [request.streaming for request in provider.requests]

    assert "Hello, world" == "".join(texts(events)) == events[-1].response.text
    assert not any(isinstance(event, Retracted) for event in events)
    assert Rerouted("transport", 2) in events
    assert json.loads(body) == events[-1].response.raw


async def test_a_cut_that_the_sdk_takes_for_an_end_is_a_failure():
    """The SDK accepts it; there is no evidence, so it is asked again."""
    reply = Reply(*answers.text_stream("Hel", "lo")[:2])
    buffered = Reply(answers.completion("Hello"))
    async with FaultProvider(stream=reply, buffered=buffered) as provider:
        async with sdk_of(provider) as sdk, supervised(sdk) as run:
            response = await run.response()

    assert ("Hello", True) == (response.text, response.rerouted)


async def test_errors_of_the_sdk_are_mapped_and_kept():
    """Both fail: the buffered error counts, with its status and the SDK's own beside it."""
    stream = Reply(b'data: {"error": {"message": "busy", "code": 503}}\n\n')
    buffered = Reply(answers.error("Rate limit exceeded"), status=429)
    async with FaultProvider(stream=stream, buffered=buffered) as provider:
        async with sdk_of(provider) as sdk, supervised(sdk) as run:
            with pytest.raises(streamkit.Rejected, match="Rate limit exceeded") as caught:
                await run.response()

    assert 429 == caught.value.status
    assert isinstance(caught.value.original, openai.RateLimitError)
    assert "in_band" == caught.value.__cause__.code
    assert isinstance(caught.value.__cause__.original, openai.APIError)


@pytest.mark.parametrize("rest", [Hold(), KeepAlive(0.01)], ids=["silent", "pinging"])
async def test_the_sdks_stream_is_closed_on_every_way_out(rest):
    """Leaving, cancelling, stalling: the provider sees it at once."""
    reply = Reply(answers.chunk({"content": "Hel"}), rest)
    buffered = Reply(answers.completion("Hello"))
    async with FaultProvider(stream=reply, buffered=buffered) as provider, sdk_of(provider) as sdk:
        async with supervised(sdk) as run:
            async for event in run:
                if isinstance(event, TextDelta):
                    break
        async with supervised(sdk) as run:
            async for event in run:
                if isinstance(event, TextDelta):
                    await run.cancel()
        async with supervised(sdk, limits=Limits(idle=0.05)) as run:
            assert "Hello" == (await run.response()).text
        with pytest.raises(ZeroDivisionError):
            async with supervised(sdk) as run:
                async for event in run:
                    if isinstance(event, TextDelta):
                        raise ZeroDivisionError
        for request in provider.requests:
            if request.streaming:
                with anyio.fail_after(0.1):
                    await request.disconnected.wait()
        assert 5 == len(provider.requests)
    gc.collect()


CHUNKS = [json.loads(frame[6:]) for frame in answers.text_stream("a", "b", done=False)]


async def listed(chunks):
    """A stream of what is listed."""
    for chunk in chunks:
        yield chunk


async def later(value):
    """An async function's value."""
    return value


@pytest.mark.parametrize(
    "make",
    [
        lambda: listed(CHUNKS),
        lambda: later(listed(CHUNKS)),
        lambda: listed([json.dumps(chunk) for chunk in CHUNKS]),
        lambda: listed(answers.text_stream("a", "b")),
        lambda: later(json.loads(answers.completion("ab"))),
        lambda: later(answers.completion("ab")),
    ],
    ids=["dicts", "awaited", "texts", "bytes", "an answer", "a body"],
)
async def test_a_stream_may_give_dicts_texts_or_bytes(make):
    """And an SDK that does not stream after all has answered."""
    async with streamkit.supervise(stream=make) as run:
        assert "ab" == (await run.response()).text


async def test_callbacks_and_stages_are_those_of_a_client():
    """The same supervision, the same surface."""

    def shout(event):
        return (TextDelta(event.text.upper()),) if isinstance(event, TextDelta) else (event,)

    told = []
    async with streamkit.supervise(
        stream=lambda: listed(CHUNKS), stages=[lambda: shout], on_text=told.append
    ) as run:
        assert "AB" == (await run.response()).text

    assert ["A", "B"] == told


async def test_without_a_buffered_call_the_streams_error_is_the_runs():
    """There is nothing to reroute to."""
    async with streamkit.supervise(stream=lambda: listed(CHUNKS[:2])) as run:
        with pytest.raises(streamkit.TruncatedStream):
            await run.response()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"stream": listed([])}, "async function"),
        ({"stream": later, "buffered": 1}, "buffered"),
        ({"stream": later, "dialect": "no"}, "openai-chat"),
    ],
)
async def test_misuse_is_told_at_once(arguments, says):
    """What is passed wrong is no call that fails later."""
    with pytest.raises(streamkit.MisuseError, match=says):
        streamkit.supervise(**arguments)


async def test_what_is_neither_a_stream_nor_an_answer_is_misuse():
    """The error says what came."""
    async with streamkit.supervise(stream=lambda: later(object())) as run:
        with pytest.raises(streamkit.MisuseError, match="SDK"):
            await run.response()
