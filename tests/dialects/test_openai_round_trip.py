"""A body read and written again is the same body; a stream of it is the same answer."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from streamkit.events import ResponseCompleted
from streamkit.framing import Frame

from .chat import DIALECT, HEAD, chunk, raw_of, reasoning_of, streamed, text_of
from .spoken import answer_of


def body(*choices, **fields):
    """A ``chat.completion`` of these choices."""
    head = {"id": "chatcmpl-r1", "object": "chat.completion", "created": 1700000001, "model": "m-1"}
    return {**head, "choices": [{"index": n, **c} for n, c in enumerate(choices)], **fields}


def choice(message, finish_reason="stop", **fields):
    """A choice with this message."""
    return {"message": {"role": "assistant", **message}, "finish_reason": finish_reason, **fields}


def call(id_, name, arguments, **fields):
    """A tool call of a message."""
    function = {"name": name, "arguments": arguments}
    return {"id": id_, "type": "function", "function": function, **fields}


USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 30,
    "total_tokens": 42,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 8, "rejected_prediction_tokens": None},
}
LOGPROBS = {
    "content": [
        {
            "token": "Good",
            "logprob": -0.25,
            "bytes": [71, 111, 111, 100],
            "top_logprobs": [{"token": "Good", "logprob": -0.25, "bytes": None}],
        },
        {"token": " day", "logprob": -1.5, "bytes": None, "top_logprobs": []},
    ],
    "refusal": None,
}
CITED = {
    "type": "url_citation",
    "url_citation": {"start_index": 0, "end_index": 4, "title": "T", "url": "https://e.example"},
}
DETAILS = [
    {"type": "reasoning.text", "text": "First,", "format": "f", "index": 0, "signature": None},
    {"type": "reasoning.encrypted", "data": "AAEC", "id": "rs_1", "index": 1},
]

BODIES = {
    "text": body(
        choice({"content": "Good day", "refusal": None, "annotations": []}, logprobs=None),
        usage=USAGE,
        service_tier="default",
        system_fingerprint="fp_1",
    ),
    "bare": body(choice({"content": "Good day"})),
    "empty text": body(choice({"content": ""})),
    "null content": body(choice({"content": None})),
    "length": body(choice({"content": "Good d"}, "length")),
    "tools": body(
        choice(
            {
                "content": None,
                "refusal": None,
                "tool_calls": [
                    call("call_a", "weather", '{"city": "Łódź"}'),
                    call("call_b", "time", "{}"),
                ],
            },
            "tool_calls",
            logprobs=None,
        ),
        usage=USAGE,
    ),
    "tools beside empty text": body(
        choice({"content": "", "tool_calls": [call("call_a", "f", "{}")]}, "tool_calls")
    ),
    "tools beside text": body(
        choice({"content": "Let me see.", "tool_calls": [call("call_a", "f", "{}")]}, "tool_calls")
    ),
    "broken arguments": body(
        choice({"content": None, "tool_calls": [call("call_a", "f", '{"a": ')]}, "length")
    ),
    "no arguments": body(
        choice({"content": None, "tool_calls": [call("call_a", "f", "")]}, "tool_calls")
    ),
    "a custom tool": body(
        choice(
            {
                "content": None,
                "tool_calls": [
                    {"id": "call_c", "type": "custom", "custom": {"name": "run", "input": "x = 1"}}
                ],
            },
            "tool_calls",
        )
    ),
    "a function call": body(
        choice(
            {"content": None, "function_call": {"name": "f", "arguments": "{}"}}, "function_call"
        )
    ),
    "no tools": body(choice({"content": "hi", "tool_calls": [], "function_call": None})),
    "null tools": body(choice({"content": "hi", "tool_calls": None, "audio": None})),
    "refusal": body(choice({"content": None, "refusal": "I cannot help with that."})),
    "refusal beside empty text": body(choice({"content": "", "refusal": "No."})),
    "reasoning_content": body(choice({"content": "4", "reasoning_content": "2 and 2"})),
    "reasoning": body(choice({"content": "4", "reasoning": "2 and 2"})),
    "reasoning twice": body(
        choice({"content": "4", "reasoning": "2 and 2", "reasoning_content": "2 and 2"})
    ),
    "two reasonings": body(choice({"content": "4", "reasoning": "b", "reasoning_content": "a"})),
    "null reasoning": body(choice({"content": "4", "reasoning_content": None, "tool_calls": []})),
    "empty reasoning": body(choice({"content": "4", "reasoning_content": "", "reasoning": None})),
    "reasoning details": body(
        choice({"content": "4", "reasoning": "First,", "reasoning_details": DETAILS})
    ),
    "logprobs": body(choice({"content": "Good day", "refusal": None}, logprobs=LOGPROBS)),
    "annotations": body(choice({"content": "Good", "annotations": [CITED, CITED]})),
    "null annotations": body(choice({"content": "Good", "annotations": None})),
    "audio": body(
        choice(
            {
                "content": None,
                "audio": {"id": "au", "data": "AA==", "expires_at": 9, "transcript": "Hello"},
            }
        )
    ),
    "two choices": body(
        choice({"content": "one"}, logprobs=None),
        choice({"content": None, "tool_calls": [call("c", "f", "{}")]}, "tool_calls", seed=7),
    ),
    "unknown fields": body(
        choice(
            {
                "content": "a",
                "tool_calls": [
                    {
                        **call("call_a", "f", '{"a":1}', extra_content={"google": {"sig": "c2ln"}}),
                        "function": {"name": "f", "arguments": '{"a":1}', "strict": True},
                    }
                ],
                "provider_specific_fields": {"deep": [{"er": None}]},
            },
            "tool_calls",
            native_finish_reason="STOP",
            content_filter_results={"hate": {"filtered": False}},
        ),
        provider="somebody",
        prompt_filter_results=[{"prompt_index": 0}],
        timings={"predicted_ms": 1.5},
        citations=["https://e.example"],
        x_groq={"id": "req_1"},
        usage={**USAGE, "cost": 0.25, "queue_time": None},
    ),
}


@pytest.mark.parametrize("sent", BODIES.values(), ids=BODIES)
def test_a_body_comes_back_exactly(sent):
    """Read to events and folded again, not a field is lost, changed or invented."""
    assert sent == raw_of(DIALECT.read_buffered(sent))


@pytest.mark.parametrize("sent", BODIES.values(), ids=BODIES)
def test_a_body_that_comes_back_is_a_chat_completion(sent):
    """The official client's type accepts it, and dumps the same."""
    model = ChatCompletion.model_validate(raw_of(DIALECT.read_buffered(sent)))
    assert sent == {**model.model_dump(mode="json", exclude_unset=True)}


@pytest.mark.parametrize("sent", BODIES.values(), ids=BODIES)
def test_a_whole_frame_is_a_buffered_body(sent):
    """Whether a provider ignored the flag, or was asked for a body, the events are the same."""
    frame = Frame(json.dumps(sent), whole=True)
    assert list(DIALECT.read_buffered(sent)) == list(DIALECT.decoder().feed(frame))


def test_a_body_ends_with_its_proof():
    """A buffered answer is complete because it is there."""
    for sent in BODIES.values():
        events = DIALECT.read_buffered(sent)
        assert ResponseCompleted(evidence="buffered") == events[-1]
        assert 1 == sum(event.terminal for event in events)


def pieces(draw, text):
    """Cut *text* anywhere, into pieces that are not empty."""
    places = draw(st.lists(st.integers(0, len(text)), max_size=5))
    return [text[a:b] for a, b in pairwise(sorted({0, len(text), *places}))]


arguments = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=3)


@st.composite
def answers(draw):
    """One body, and the chunks of a stream of it, cut anywhere."""
    text, reasoning = draw(st.text(max_size=12)), draw(st.text(max_size=6))
    calls = [
        call(f"call_{n}", "lookup", json.dumps(draw(arguments)))
        for n in range(draw(st.integers(0, 2)))
    ]
    reason = draw(st.sampled_from(["stop", "length", "tool_calls"]))
    usage = draw(st.none() | st.just(USAGE))

    message = {"content": text or (None if calls else "")}
    message |= {"reasoning_content": reasoning} if reasoning else {}
    message |= {"tool_calls": calls} if calls else {}
    sent = body(choice(message, reason), **({"usage": usage} if usage else {}))

    deltas = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in pieces(draw, reasoning)]
    deltas += [{"content": piece} for piece in pieces(draw, text)]
    for n, one in enumerate(calls):
        begin = {**one, "index": n, "function": {"name": "lookup", "arguments": ""}}
        deltas.append({"tool_calls": [begin]})
        for piece in pieces(draw, one["function"]["arguments"]):
            deltas.append({"tool_calls": [{"index": n, "function": {"arguments": piece}}]})
    head = {k: sent[k] for k in HEAD} | {"object": HEAD["object"]}
    chunks = [chunk(delta, head=head) for delta in deltas]
    chunks.append(chunk({}, reason, head=head))
    if usage:
        chunks.append(chunk(choices=[], head=head, usage=usage))
    return sent, chunks


@given(answers(), st.booleans())
def test_a_stream_adds_up_to_the_body(answer, done):
    """However the answer was cut into chunks, it is the buffered one, field by field."""
    sent, chunks = answer
    raw = raw_of(streamed(*chunks, *(["[DONE]"] if done else [])))
    assert sent == raw
    ChatCompletion.model_validate(raw)


@given(answers(), answers())
def test_the_decoder_is_blind_to_the_cuts(one, other):
    """Words joined are the words sent, whatever the pieces were."""
    for sent, chunks in (one, other):
        events, message = streamed(*chunks), sent["choices"][0]["message"]
        assert (message["content"] or "") == text_of(events)
        assert message.get("reasoning_content", "") == reasoning_of(events)
        assert [c["function"]["arguments"] for c in message.get("tool_calls", [])] == [
            c.tool_call().arguments for c in answer_of(events).choices[0].calls
        ]
