"""The main job over the Responses API: real HTTP, callbacks, a reroute that leaves no trace."""

import json

import pytest

import streamkit
from streamkit import ReroutePolicy
from streamkit.events import Finished, Rerouted, Retracted, TextDelta
from streamkit.testing import Drop, FaultProvider, Reply

from .responses import (
    added,
    body,
    call,
    called,
    completed,
    created,
    delta,
    done,
    event,
    message,
    reasoning,
    said,
    summary_delta,
)

pytestmark = pytest.mark.anyio

REQUEST = {"model": "m-1", "input": "hello"}
NO = Reply(json.dumps({"error": {"message": "no buffered call was expected"}}), status=500)


def sse(*events):
    """The frames of these events, as the API sends them."""
    return [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events]


def whole(*output, **fields):
    """The reply to a buffered call."""
    return Reply(json.dumps(body(*output, **fields)))


class asked:  # noqa: N801 (reads as a phrase: `async with asked(...) as (client, provider)`)
    """A client in front of a provider that is scripted."""

    def __init__(self, *stream, buffered=NO, **options):
        self.provider = FaultProvider(stream=Reply(*stream), buffered=buffered)
        self.options = {"dialect": "openai-responses", **options}

    async def __aenter__(self):
        await self.provider.__aenter__()
        self.client = streamkit.Client(base_url=self.provider.url, **self.options)
        await self.client.__aenter__()
        return self.client, self.provider

    async def __aexit__(self, *exc):
        await self.client.__aexit__(*exc)
        await self.provider.__aexit__(*exc)


class Told:
    """What the callbacks are told, in order."""

    def __init__(self):
        self.said = []

    def callbacks(self):
        """One for each; `on_first_delta` tells nothing."""
        return {
            "on_text": lambda text: self.said.append(("text", text)),
            "on_reasoning": lambda text: self.said.append(("reasoning", text)),
            "on_tool_call": lambda call: self.said.append(("call", call.name)),
            "on_first_delta": lambda: self.said.append(("first", "")),
        }


async def test_each_callback_gets_what_is_its_own():
    """Text the one, reasoning the other, whichever way it came; the first text is told once."""
    output = [reasoning("Sum", content=["raw"]), message("Hello", id_="msg_2")]
    stream = sse(
        created(),
        added(reasoning(content=[])),
        summary_delta("Sum"),
        delta("raw", 0, "rs_1", "reasoning_text"),
        done(output[0]),
        *said("Hel", "lo", index=1, id_="msg_2"),
        completed(),  # its output is empty, as the Codex backend has it
    )
    told = Told()
    async with asked(*stream, api_key="k") as (client, provider):
        response = await client.complete(REQUEST, **told.callbacks())
    assert [
        ("reasoning", "Sum"),
        ("reasoning", "raw"),
        ("first", ""),
        ("text", "Hel"),
        ("text", "lo"),
    ] == told.said
    assert ("Hello", "Sumraw", "completed", "stop") == (
        response.text,
        response.reasoning,
        response.finish_reason,
        response.finish,
    )
    assert output == response.raw["output"]
    (request,) = provider.requests
    assert ("/v1/responses", {**REQUEST, "stream": True}) == (request.path, request.json)
    assert "Bearer k" == dict(request.headers)["authorization"]


async def test_a_function_call_hides_the_text_behind_it():
    """From those who watch; the response has it all the same."""
    output = [message("Let me see.", id_="m0"), call("{}"), message("hidden", id_="m2")]
    stream = sse(
        created(),
        *said("Let me ", "see.", index=0, id_="m0"),
        *called("{}", index=1),
        *said("hidden", index=2, id_="m2"),
        completed(*output),
    )
    told = Told()
    async with asked(*stream) as (client, _):
        response = await client.complete(REQUEST, **told.callbacks())
    assert [("first", ""), ("text", "Let me "), ("text", "see."), ("call", "look")] == told.said
    assert ("Let me see.hidden", "tool_calls") == (response.text, response.finish)
    assert output == response.raw["output"]


async def test_a_cut_stream_is_asked_for_again():
    """The buffered answer goes on where the stream broke off: nobody sees the seam."""
    stream = [*sse(created(), *said("Hel", "lo")[:3]), Drop()]
    told = Told()
    async with asked(*stream, buffered=whole(message("Hello"))) as (client, provider):
        async with client.stream(REQUEST, **told.callbacks()) as run:
            events = [each async for each in run]
        response = await run.response()
    assert ["Hel", "lo"] == [e.text for e in events if isinstance(e, TextDelta)]
    assert [("first", ""), ("text", "Hel"), ("text", "lo")] == told.said
    assert (1, 0) == tuple(
        sum(isinstance(e, kind) for e in events) for kind in (Rerouted, Retracted)
    )
    assert (True, body(message("Hello"))) == (response.rerouted, response.raw)
    assert REQUEST == provider.requests[1].json


async def test_an_error_behind_the_beginning_leaves_no_trace():
    """`response.created` is no content: the answer begins anew, as if nothing had been."""
    error = event("error", error={"code": "server_error", "message": "no luck"})
    stream = sse(created(), added(message()), error)
    async with asked(*stream, buffered=whole(message("Hi"))) as (client, _):
        async with client.stream(REQUEST) as run:
            events = [each async for each in run]
        response = await run.response()
    assert Rerouted("in_band") == events[0]
    assert ["completed"] == [e.reason for e in events if isinstance(e, Finished)]
    assert not [e for e in events if isinstance(e, Retracted)]
    assert "Hi" == response.text


async def test_a_tool_that_acted_is_not_run_again():
    """A call of an MCP server may have changed something; the policy asks before twice."""
    tool = {"id": "mcp_1", "type": "mcp_call", "name": "pay", "arguments": "{}", "output": "ok"}
    stream = [*sse(created(), added(tool), done(tool)), Drop()]
    async with asked(*stream) as (client, provider):
        with pytest.raises(streamkit.TransportError):
            await client.complete(REQUEST)
    assert 1 == len(provider.requests)
    again = ReroutePolicy(after_tools=True)
    async with asked(*stream, buffered=whole(message("Hi")), reroute=again) as (client, _):
        assert "Hi" == (await client.complete(REQUEST)).text


async def test_a_provider_that_ignores_the_flag_has_answered():
    """With one whole body."""
    async with asked(json.dumps(body(message("Hi"), call("{}")))) as (client, provider):
        response = await client.complete(REQUEST)
    assert ("Hi", "buffered", 1) == (response.text, response.evidence, len(provider.requests))
    assert "look" == response.tool_calls[0].name
