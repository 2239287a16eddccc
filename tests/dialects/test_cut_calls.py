"""A tool call that was cut in its arguments: never complete, whatever else was seen."""

import anyio
import pytest

import streamkit
from streamkit.dialects import get_dialect
from streamkit.errors import TruncatedStream
from streamkit.events import ResponseCompleted, ToolCallCompleted
from streamkit.stages import Accumulator
from streamkit.testing import FaultProvider, Reply, answers

from .chat import DONE, chunk, frame, usage_chunk

CHAT = get_dialect("openai-chat")


def call(arguments, **fields):
    """A piece of a tool call."""
    function = {"name": "f", "arguments": arguments}
    return chunk({"tool_calls": [{"index": 0, "id": "c", "function": function, **fields}]})


def completed(*values):
    """The calls that may be acted upon, and the response."""
    decoder, fold = CHAT.decoder(), Accumulator()
    fold.bind(CHAT)
    events = [event for value in values for event in decoder.feed(frame(value))]
    if not any(event.terminal for event in events):
        events += decoder.eof()
    told = [out for event in events for out in fold(event)]
    calls = [event.tool_call.arguments for event in told if isinstance(event, ToolCallCompleted)]
    assert isinstance(told[-1], ResponseCompleted)
    return calls, told[-1].response


@pytest.mark.parametrize(
    ("arguments", "ends"),
    [
        ('{"a"', [DONE]),
        ('{"a"', [usage_chunk()]),
        ('{"a"', [usage_chunk(), DONE]),
        ('{"a"', [chunk({}, "tool_calls"), DONE]),
        ('{"a": "b', [chunk({}, "stop"), DONE]),
        ("", [DONE]),
        ("{broken", [DONE]),
        ('{"a"', []),
    ],
)
def test_no_evidence_makes_a_cut_call_whole(arguments, ends):
    """A gateway that adds a finish reason to a stream it lost tells nothing about the arguments."""
    with pytest.raises(TruncatedStream, match="broke off"):
        completed(call(arguments), *ends)


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_a_model_that_was_cut_off_gave_an_answer_but_no_call(reason):
    """Its end is a finish reason; nobody may act on the call."""
    calls, response = completed(call('{"a"'), chunk({}, reason))

    assert ([], reason) == (calls, response.finish_reason)
    assert ['{"a"'] == [each.arguments for each in response.tool_calls]
    assert not response.tool_calls[0].valid


@pytest.mark.parametrize("arguments", ['{"a": 1}', "", "not json", '{"a": 1}}'])
def test_what_is_whole_or_the_models_own_mistake_is_delivered_as_sent(arguments):
    """A call without arguments takes none; one that is no JSON is for the caller to refuse."""
    calls, response = completed(call(arguments), chunk({}, "tool_calls"))

    assert [arguments] == calls
    assert "tool_calls" == response.finish_reason


def test_a_custom_tools_input_is_any_text():
    """It has no syntax to break off from."""
    custom = {"name": "f", "input": "{some"}
    piece = {"index": 0, "id": "c", "type": "custom", "custom": custom}
    calls, _ = completed(chunk({"tool_calls": [piece]}), DONE)

    assert ["{some"] == calls


@pytest.mark.anyio
async def test_a_cut_call_is_rerouted_and_called_once():
    """The buffered call has it whole; the caller never learns of the half."""
    cut = Reply(*answers.tool_stream("f", '{"a"', finish_reason="stop"))
    whole = Reply(answers.completion(None, tool_calls=[answers.tool_call("f", '{"a": 1}')]))
    called = []
    async with (
        FaultProvider(stream=cut, buffered=whole) as provider,
        streamkit.Client(base_url=provider.url) as client,
    ):
        with anyio.fail_after(5):
            response = await client.complete(
                {"model": "m", "messages": []},
                on_tool_call=lambda call: called.append(call.arguments),
            )

    assert (['{"a": 1}'], True) == (called, response.rerouted)
