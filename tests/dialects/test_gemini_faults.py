"""The client on gemini: what a provider does wrong never breaks the call."""

import json

import anyio
import pytest

import streamkit
from streamkit.errors import InBandError
from streamkit.events import Rerouted, ResponseCompleted, Retracted
from streamkit.testing import Drop, FaultProvider, Hold, Reply

from .gemini import SIGNED, STOP, USAGE, call, chunk, text, thought

pytestmark = pytest.mark.anyio

REQUEST = {"model": "gemini-x", "contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
KEY = "key-0123456789"
PARTS = [thought("Hm"), text("Hello", **SIGNED), call("f", {"a": 1})]
BODY = chunk(*PARTS, reason="STOP", usage=USAGE)
PIECES = [chunk(thought("Hm")), chunk(text("Hel")), chunk(text("lo"), call("f", {"a": 1})), STOP]
ERROR = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}


def sse(value):
    """One frame."""
    return f"data: {value if isinstance(value, str) else json.dumps(value)}\r\n\r\n"


HEALTHY = [sse(piece) for piece in PIECES]
FAULTS = {
    "a status": Reply(json.dumps(ERROR), status=503),
    "a 404 as an event stream": Reply(
        json.dumps(ERROR), status=404, headers={"content-type": "text/event-stream"}
    ),
    "dropped before a byte": Reply(Drop()),
    "dropped in the text": Reply(*HEALTHY[:2], Drop()),
    "cut in a frame": Reply(*HEALTHY[:2], HEALTHY[2][:40]),
    "a clean end without a reason": Reply(*HEALTHY[:3]),
    "nothing at all": Reply(framing="close"),
    "an error first": Reply(sse(ERROR)),
    "an error in the text": Reply(*HEALTHY[:2], sse(ERROR)),
    "a bare error behind the text": Reply(*HEALTHY[:2], json.dumps(ERROR, indent=1)),
    "garbage": Reply(*HEALTHY[:2], sse("{what")),
    "a page": Reply("<html>login</html>", headers={"content-type": "text/html"}),
    "silence": Reply(*HEALTHY[:2], Hold()),
    "a call cut in its arguments": Reply(
        sse(
            chunk(call("f", partialArgs=[{"jsonPath": "$.a", "numberValue": 1}], willContinue=True))
        ),
    ),
}
LIMITS = streamkit.Limits(idle=0.2)


async def asked(stream, buffered):
    """The response, the events and the requests of one call."""
    async with FaultProvider(stream=stream, buffered=buffered) as provider:
        async with streamkit.Client(
            base_url=provider.url, api_key=KEY, dialect="gemini", limits=LIMITS
        ) as client:
            with anyio.fail_after(10):
                async with client.stream(REQUEST) as run:
                    events = [event async for event in run]
        return events, provider.requests


@pytest.mark.parametrize("reply", FAULTS.values(), ids=FAULTS)
async def test_the_answer_arrives_once_and_whole(reply):
    """The buffered call takes over; what was shown and differs is taken back."""
    events, (first, second) = await asked(reply, Reply(json.dumps(BODY)))
    end = events[-1]
    assert isinstance(end, ResponseCompleted)
    assert ("Hello", "Hm", "buffered", True) == (
        end.response.text,
        end.response.reasoning,
        end.response.evidence,
        end.response.rerouted,
    )
    assert [("f", '{"a":1}')] == [(c.name, c.arguments) for c in end.response.tool_calls]
    assert BODY == end.response.raw
    assert 1 == sum(isinstance(event, Rerouted) for event in events)
    assert "/v1/models/gemini-x:streamGenerateContent" == first.path
    assert "/v1/models/gemini-x:generateContent" == second.path
    assert ("alt=sse", "", KEY) == (first.query, second.query, second.headers["x-goog-api-key"])


@pytest.mark.parametrize(
    "reply",
    [
        Reply(*HEALTHY),
        Reply("[", ",\r\n".join(json.dumps(piece) for piece in PIECES), "]"),
        Reply(*HEALTHY, Drop()),
        Reply(*HEALTHY, sse("{what")),
        Reply(*HEALTHY, sse(ERROR)),
    ],
    ids=[
        "healthy",
        "an array",
        "dropped behind the end",
        "garbage behind it",
        "an error behind it",
    ],
)
async def test_a_whole_answer_is_not_asked_for_again(reply):
    """Its reason pardons what comes behind it."""
    events, requests = await asked(reply, Reply(status=500))
    assert ("Hello", "finish_reason", 1) == (
        events[-1].response.text,
        events[-1].response.evidence,
        len(requests),
    )
    assert not any(isinstance(event, Retracted) for event in events)


async def test_a_blocked_prompt_is_told_as_what_it_is():
    """Quirk 103: both calls say so, and the error is the buffered call's."""
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    events, requests = await asked(Reply(sse(blocked)), Reply(json.dumps(blocked)))
    error = events[-1].error
    assert isinstance(error, InBandError)
    assert ("PROHIBITED_CONTENT", 2) == (error.provider_code, len(requests))
    assert not streamkit.ReroutePolicy.sparing().when(error)


async def test_a_body_in_place_of_a_stream_is_the_answer():
    """A gateway that ignores the method has answered."""
    events, requests = await asked(Reply(json.dumps(BODY)), Reply(status=500))
    assert (BODY, 1) == (events[-1].response.raw, len(requests))
