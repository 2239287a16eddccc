"""streamkit's own events, as a page reads them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.codec import ASIDES, from_json
from streamkit.dialects import Encoder
from streamkit.errors import MisuseError, Rejected, StreamkitError
from streamkit.events import (
    Event,
    Gap,
    Heartbeat,
    Metadata,
    Rerouted,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    ResponseStarted,
    Retracted,
    TextDelta,
    ToolCallDelta,
)
from streamkit.framing import Frame
from streamkit.response import Response, Usage
from streamkit.serving.encoders.streamkit_json import StreamkitJson

ANSWER = Response("Hello", finish_reason="stop", usage=Usage(3, 1), raw={"id": "r"})
ANSWER_JSON = {
    "text": "Hello",
    "finish_reason": "stop",
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
ENDS = [
    ResponseCompleted(ANSWER, "finish_reason"),
    ResponseFailed(Rejected("no"), ANSWER),
    ResponseCancelled(ANSWER),
]
name_of = lambda event: type(event).__name__  # noqa: E731


def read(frames):
    """What ``JSON.parse(message.data)`` gives a page, frame by frame."""
    return [json.loads(frame.data, parse_constant=pytest.fail) for frame in frames]


def told(*events, **settings):
    """What a page reads of *events*."""
    encoder = StreamkitJson(**settings)
    return [value for event in events for value in read(encoder.encode(event))]


def test_a_page_reads_a_run():
    """Its id, then every event as one frame, the terminal last."""
    encoder: Encoder = StreamkitJson()
    frames = [*encoder.opening("run-7")]
    for event in (
        ResponseStarted("r", "m"),
        TextDelta("Hel"),
        Rerouted("stalled"),
        Retracted("text"),
        TextDelta("Hello"),
        ResponseCompleted(ANSWER, "finish_reason"),
    ):
        frames += encoder.encode(event)

    assert [
        {"type": "run", "id": "run-7"},
        {"type": "response_started", "id": "r", "model": "m"},
        {"type": "text_delta", "text": "Hel"},
        {"type": "rerouted", "code": "stalled"},
        {"type": "retracted", "channel": "text"},
        {"type": "text_delta", "text": "Hello"},
        {
            "type": "response_completed",
            "response": ANSWER_JSON,
            "evidence": "finish_reason",
        },
    ] == read(frames)


def test_frames_have_no_name():
    """A page needs one listener, and the browser's own ``error`` stays its own."""
    encoder = StreamkitJson()
    frames = [
        *encoder.opening("r"),
        *encoder.encode(ResponseFailed(Rejected("no"), Response())),
        encoder.heartbeat(),
        encoder.farewell(),
    ]
    assert [("message", False)] * 4 == [(frame.event, frame.whole) for frame in frames]


def test_it_retracts():
    """So it is given retractions and gaps, and tells them."""
    assert frozenset() == StreamkitJson().irrevocable
    assert [
        {"type": "retracted", "channel": "text", "choice": 1},
        {"type": "gap", "after": "1-4"},
    ] == told(Retracted("text", 1), Gap("1-4"))


def test_it_remembers_nothing():
    """Each frame says all it says: who comes back is told what is next, and no more."""
    assert not StreamkitJson().remembers


def test_a_heartbeat_can_be_seen():
    """Pages cannot see comments; and it is the event a cursor mints."""
    assert [{"type": "heartbeat"}] == read([StreamkitJson().heartbeat()])
    assert [{"type": "heartbeat"}] == told(Heartbeat())
    assert Heartbeat() == from_json({"type": "heartbeat"})


def test_a_farewell_asks_to_come_back():
    """The server goes away, the run does not: no terminal is told."""
    assert [{"type": "farewell"}] == read([StreamkitJson().farewell()])


def test_what_is_no_event_is_a_known_aside():
    """A client that reads events by `from_json` can tell these apart beforehand."""
    encoder = StreamkitJson()
    asides = read([*encoder.opening("r"), encoder.farewell()])
    assert set(ASIDES) == {value["type"] for value in asides}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            Rejected("secret", status=429, retry_after=2.0, provider_code="secret"),
            {
                "code": "rejected",
                "message": "The model did not take the request.",
                "status": 429,
                "retry_after": 2.0,
            },
        ),
        (ValueError("secret"), {"code": "error", "message": "The answer could not be had."}),
        (MisuseError("secret"), {"code": "misuse", "message": "The request could not be sent."}),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_error_is_told_as_to_anyone(error, said):
    """In the stream and as the body of a status alike; both can be read as the terminal."""
    body = StreamkitJson().failure(error)
    assert {"type": "response_failed", "error": said} == body
    assert [body] == told(ResponseFailed(error, Response()))
    assert isinstance(from_json(body).error, StreamkitError)


@pytest.mark.parametrize("end", ENDS, ids=name_of)
@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        ({}, ANSWER_JSON),
        ({"raw": True}, {**ANSWER_JSON, "raw": {"id": "r"}}),
        ({"response": False}, None),
        ({"response": False, "raw": True}, None),
    ],
    ids=repr,
)
def test_settings_say_what_an_end_carries(end, settings, answer):
    """The answer, or none; with the provider's own JSON, or without. It is read either way."""
    (value,) = told(end, **settings)
    assert answer == value.get("response")
    assert type(end) is type(from_json(value))


@pytest.mark.parametrize("settings", [{}, {"raw": True}, {"response": False}], ids=repr)
def test_an_end_may_have_no_answer(settings):
    """A completed attempt that no accumulator saw is told without one."""
    assert [{"type": "response_completed", "evidence": "usage"}] == told(
        ResponseCompleted(None, "usage"), **settings
    )


def test_an_end_is_left_as_it_is():
    """What one watcher's format leaves out, the next one's finds."""
    told(*ENDS)
    assert {"id": "r"} == ANSWER.raw


@pytest.mark.parametrize(
    "text",
    ["\ud83d", "\ude00 \ud83d", "a\u2028b\u2029c\u0085d", "é", "😀", "\r\n\n", "\0", "\x7f"],
    ids=ascii,
)
def test_any_text_is_one_line_of_ascii(text):
    """No reader between here and the page takes part of it for the end of a line."""
    encoder = StreamkitJson(raw=True)
    frames = [*encoder.encode(TextDelta(text))]
    frames += encoder.encode(ResponseCancelled(Response(text, raw={text: [text]})))
    for frame in frames:
        assert frame.data.isascii()
        assert [frame.data] == frame.data.decode().encode().splitlines()
    delta, end = read(frames)
    assert text == delta["text"]
    assert {text: [text]} == end["response"]["raw"]


@given(st.text(st.characters()), st.integers())
def test_no_text_and_no_number_is_too_strange(text, number):
    """Lone surrogates and integers of any size travel in whatever carries them."""
    events = [
        ToolCallDelta(0, text, extra={"n": number}),
        Metadata(0, {text: number}),
    ]
    encoder = StreamkitJson()
    for event in events:
        (frame,) = encoder.encode(event)
        assert 1 == len(frame.data.splitlines())
        assert json.loads(json.dumps(event.extra)) == read([frame])[0]["extra"]


def test_big_integers_keep_every_digit():
    """Beyond 64 bits too."""
    assert [{"type": "metadata", "choice": None, "extra": {"n": 10**40}}] == told(
        Metadata(None, {"n": 10**40})
    )


def test_a_stranger_is_misuse():
    """What is no event of the vocabulary is never told half."""
    with pytest.raises(MisuseError, match="got Event"):
        StreamkitJson().encode(Event())


def test_every_stream_has_frames_of_its_own():
    """A frame can be changed; none is shared."""
    encoder = StreamkitJson()
    assert Frame(b'{"type":"heartbeat"}') == encoder.heartbeat()
    assert encoder.heartbeat() is not encoder.heartbeat()
