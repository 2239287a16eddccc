"""The answers are what OpenAI's own types take."""

import json

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from streamkit.testing import answers

DONE = b"data: [DONE]\n\n"


def read(frames):
    """Return the frames' chunks, validated; the done marker must come last, if at all."""
    body = [frame for frame in frames if frame != DONE]
    assert tuple(body) == frames[: len(body)]
    return [ChatCompletionChunk.model_validate(fields(frame), strict=True) for frame in body]


def fields(frame):
    """Return one frame's JSON; the frame is one data line and a blank one."""
    assert (frame[:6], frame[-2:], 2) == (b"data: ", b"\n\n", frame.count(b"\n"))
    return json.loads(frame[6:])


def content(chunks):
    """Return the pieces of text, of the chunks that have a piece."""
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    return [delta.content for delta in deltas if delta.content]


def test_a_text_stream_is_role_pieces_finish_and_done_marker():
    """The frames come in the provider's order, one for each piece."""
    frames = answers.text_stream("Hel", "lo ü")
    chunks = read(frames)

    assert DONE == frames[-1]
    assert "assistant" == chunks[0].choices[0].delta.role
    assert ["Hel", "lo ü"] == content(chunks)
    assert [None, None, None, "stop"] == [chunk.choices[0].finish_reason for chunk in chunks]


def test_usage_and_done_marker_are_optional():
    """The usage chunk has no choices and stands before the done marker; either can be left out."""
    frames = answers.text_stream("a", finish_reason="length", usage=(3, 4), done=False)
    last = read(frames)[-1]

    assert DONE not in frames
    assert ([], (3, 4, 7)) == (
        last.choices,
        (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens),
    )
    assert answers.usage_chunk(3, 4) == frames[-1]
    assert answers.done() == answers.text_stream()[-1]


def test_a_tool_stream_opens_the_call_before_its_arguments():
    """Id and name come whole in a frame of their own; the arguments join to what was asked."""
    frames = answers.tool_stream("add", '{"a":', " 1}", id="c9", before=["so "], after=["done"])
    chunks = read(frames)
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]

    assert ("c9", "function", "add") == (calls[0].id, calls[0].type, calls[0].function.name)
    assert '{"a": 1}' == "".join(call.function.arguments for call in calls)
    assert ["so ", "done"] == content(chunks)
    assert "tool_calls" == chunks[-1].choices[0].finish_reason
    assert [None, "so ", None, None, None, "done", None] == [
        chunk.choices[0].delta.content or None for chunk in chunks
    ]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_a_reasoning_stream_thinks_first(field):
    """The reasoning has its own field, before the text."""
    chunks = read(answers.reasoning_stream(["hm", "m"], ["ok"], field=field))
    extras = [chunk.choices[0].delta.model_extra.get(field) for chunk in chunks]

    assert [None, "hm", "m", None, None] == extras
    assert ["ok"] == content(chunks)


def test_a_chunk_takes_any_field():
    """What is asked for replaces what is usual, on the choice and on the chunk."""
    frame = answers.chunk({"content": "a"}, index=2, id="x", model="m", created=1, seed=7)

    assert {
        "id": "x",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 2, "delta": {"content": "a"}, "finish_reason": None}],
        "seed": 7,
    } == fields(frame)


def test_a_completion_is_a_chat_completion():
    """Text, reasoning, finish reason and usage are where OpenAI's type has them."""
    body = answers.completion("hi", reasoning="hm", usage=(1, 2), seed=7)
    answer = ChatCompletion.model_validate_json(body, strict=True)
    (choice,) = answer.choices

    assert ("hi", "stop") == (choice.message.content, choice.finish_reason)
    assert "hm" == choice.message.model_extra["reasoning_content"]
    assert (3, 7) == (answer.usage.total_tokens, answer.model_extra["seed"])


def test_a_completion_with_tool_calls_ends_in_them():
    """Tool calls stand in the message, without text, and are the finish reason."""
    calls = [answers.tool_call("add", "{}"), answers.tool_call("sub", "{}", id="call_2")]
    body = answers.completion(tool_calls=calls, usage=None)
    (choice,) = ChatCompletion.model_validate_json(body, strict=True).choices

    assert (None, "tool_calls") == (choice.message.content, choice.finish_reason)
    assert ["call_1", "call_2"] == [call.id for call in choice.message.tool_calls]
    assert "usage" not in json.loads(body)


def test_an_error_is_the_envelope():
    """The error envelope has all four fields, null where nothing is known."""
    assert {
        "error": {"message": "no", "type": "invalid_request_error", "param": "stream", "code": None}
    } == json.loads(answers.error("no", param="stream"))


def test_answers_are_compact():
    """No byte is spent on spaces, and text is UTF-8, so that it can be cut within a character."""
    assert b": " not in answers.completion("ü").replace(b"data: ", b"")
    assert "ü".encode() in answers.text_stream("ü")[1]
