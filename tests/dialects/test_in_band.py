"""Errors in the body of an answer."""

import json

import pytest

from streamkit.dialects import OpenAIChat, find_error, read_error
from streamkit.dialects.in_band import echoed_error, may_echo, not_json
from streamkit.errors import EXCERPT, InBandError, MalformedStream
from streamkit.framing import Frame


@pytest.mark.parametrize(
    ("said", "word", "status", "body"),
    [
        (
            "Slow down",
            "rate_limit_exceeded",
            429,
            {"error": {"message": "Slow down", "code": "rate_limit_exceeded", "type": "requests"}},
        ),
        ("Busy", "overloaded", None, {"error": {"message": "Busy", "type": "overloaded"}}),
        ("Busy", "529", 529, {"error": {"message": "Busy", "code": 529}}),
        ("Gone", "GONE", None, {"error": {"detail": "Gone", "status": "GONE"}}),
        ("Busy", "503", 503, {"error": {"message": "Busy", "status": 503}}),
        ("Busy", "e", 503, {"error": {"message": "Busy", "code": "e", "status_code": 503}}),
        ("plain words", None, None, {"error": "plain words"}),
        ("plain words", "quota", None, {"error": "plain words", "type": "quota"}),
        ("plain words", "429", 429, {"error": "plain words", "code": 429}),
        ("inner", "i", None, {"error": {"error": {"message": "inner", "code": "i"}}}),
        ("said", "kind", None, {"error_type": "kind", "error_message": "said"}),
        ("said", None, None, {"error_message": "said"}),
        ("no", "42", None, {"object": "error", "message": "no", "code": 42}),
        ("no", "400", 400, {"object": "error", "message": "no", "code": 400}),
        ("no", None, None, {"type": "error", "message": "no"}),
        ("Busy", "busy", None, {"type": "error", "error": {"type": "busy", "message": "Busy"}}),
        ("Busy", None, None, {"error": {"message": "Busy"}, "choices": []}),
    ],
)  # fmt: skip
def test_each_shape_is_recognised(said, word, status, body):
    """What the provider says, its own word for it, and the status it names. Quirk 66."""
    error = find_error(body)
    assert isinstance(error, InBandError)
    assert (said, word, status) == (str(error), error.provider_code, error.status)


@pytest.mark.parametrize(
    "body",
    [
        None, [], "error", 7, {}, {"error": None}, {"error": ""}, {"error": {}},
        {"choices": []}, {"type": "message"}, {"object": "chat.completion", "message": "hi"},
    ],
)  # fmt: skip
def test_all_else_is_no_error(body):
    """An empty error is none."""
    assert find_error(body) is None


def test_an_error_without_a_message_is_quoted():
    """Whatever it holds is better than nothing."""
    assert "{'error_type': 'quota'}" == str(find_error({"error_type": "quota"}))
    assert "{'reason': 'x'}" == str(find_error({"error": {"reason": "x"}}))


@pytest.mark.parametrize("code", [True, 200, 399, 600, "429"])
def test_only_an_http_error_is_a_status(code):
    """A code that is no number from 400 to 599 is a word."""
    error = find_error({"error": {"message": "m", "code": code}})
    assert (None, str(code)) == (error.status, error.provider_code)


def test_a_long_error_is_shortened_and_its_secrets_are_masked():
    """What a provider says may hold what it was sent."""
    error = find_error({"error": {"message": "key sk-abcdefghijkl is bad" + "!" * 500}})
    assert "key *** is bad!" in str(error)
    assert EXCERPT + 1 == len(str(error))


@pytest.mark.parametrize(
    ("said", "word", "body"),
    [
        ("Slow down", "rate", {"error": {"message": "Slow down", "code": "rate"}}),
        ("Not here", None, {"message": "Not here"}),
        ("Not Found", None, {"detail": "Not Found"}),
        ("{'a': 1}", None, {"a": 1}),
        ("[1]", None, [1]),
        ("no", None, "no"),
    ],
)
def test_an_error_body_is_read(said, word, body):
    """Whatever the shape, a message has what the provider said."""
    text = json.dumps(body)
    assert (said, word) == read_error(text) == read_error(text.encode())


def test_an_error_body_need_not_be_json():
    """Words are words, whatever their bytes."""
    assert ("bad gateway", None) == read_error("bad gateway")
    assert ("bad \ufffd", None) == read_error(b"bad \xff")


def test_a_page_is_no_answer():
    """The error quotes it and says what to check."""
    error = not_json("<html>Sign in</html>")
    assert isinstance(error, MalformedStream)
    assert "<html>Sign in</html>" in str(error)
    assert "base_url" in str(error)


@pytest.mark.parametrize(
    ("data", "says", "word"),
    [
        ('{"type": "overloaded_error", "message": "Busy"}', "Busy", "overloaded_error"),
        ('{"code": "rate_limit", "message": "Slow down"}', "Slow down", "rate_limit"),
        ("Busy", "Busy", None),
        ("{}", "{}", None),
    ],
)
def test_an_error_frame_is_an_error_whatever_it_holds(data, says, word):
    """Named so by the server, it needs no shape of its own."""
    with pytest.raises(InBandError) as raised:
        list(OpenAIChat().decoder().feed(Frame(data, "error")))

    assert (says, word) == (str(raised.value), raised.value.provider_code)


def test_the_type_of_an_error_object_is_its_word():
    """Where it says more than that it is an error."""
    found = find_error({"object": "error", "message": "no", "type": "BadRequestError"})

    assert ("no", "BadRequestError") == (str(found), found.provider_code)
    assert find_error({"type": "error", "message": "no"}).provider_code is None


@pytest.mark.parametrize(
    ("status", "wait", "body"),
    [
        (529, None, {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}),
        (429, None, {"error": {"status": "RESOURCE_EXHAUSTED", "message": "Slow"}}),
        (429, None, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Slow"}}]),
        (500, None, {"type": "response.failed", "response": {"error": {"code": "server_error"}}}),
        (None, None, {"type": "response.failed", "response": {"status": "failed"}}),
        (None, None, {"success": False, "errors": [{"code": 7003, "message": "No route"}]}),
        (401, None, {"detail": {"error": {"message": "No", "code": "invalid_api_key"}}}),
        (429, None, {"code": 429, "message": "Slow", "request_id": "r"}),
        (None, None, {"code": "InvalidParameter", "message": "No", "request_id": "r"}),
        (503, 2.5, {"error": {"message": "Busy", "code": 503, "retry_after": 2.5}}),
        (None, 1.5, {"error": {"message": "Busy", "retry_after_ms": 1500}}),
        (429, 7.0, {"error": {"code": 429, "metadata": {"headers": {"Retry-After": "7"}}}}),
        (429, 12.0, {"error": {"code": 429, "details": [{"@type": "x"}, {"retryDelay": "12s"}]}}),
        (None, None, {"error": {"message": "Busy", "retry_after": "soon"}}),
    ],
)  # fmt: skip
def test_status_and_wait_are_kept_wherever_they_stand(status, wait, body):
    """A word that means a status is read as one; seconds, milliseconds, headers, durations."""
    error = find_error(body)

    assert isinstance(error, InBandError)
    assert (status, wait) == (error.status, error.retry_after)


@pytest.mark.parametrize(
    "body",
    [
        [],
        [[]],
        {"code": 0, "message": "ok"},
        {"code": 200, "message": "ok"},
        {"code": "x", "message": "hi", "choices": []},
        {"message": {"role": "assistant"}, "code": 1},
        {"success": True, "errors": [{"code": 1}]},
        {"success": False, "errors": []},
        {"detail": "x"},
        {"type": "response.completed", "response": {"error": None}},
    ],
)
def test_what_only_looks_like_an_error_is_none(body):
    """A good code, an answer beside it, or nothing said."""
    assert find_error(body) is None


ECHO = 'event:error\n:HTTP_STATUS/429\ndata:{"error_code":"Throttling","message":"Slow down"}'


def echoes(*pieces, reason):
    """The texts of a stream whose content comes in these pieces, or its error."""
    decoder, told = OpenAIChat().decoder(), []
    deltas = [{"delta": {"content": piece}} for piece in pieces]
    for choice in (*deltas, {"delta": {}, "finish_reason": reason}):
        frame = Frame(json.dumps({"id": "1", "choices": [{"index": 0, **choice}]}))
        told += [event.text for event in decoder.feed(frame) if hasattr(event, "text")]
    return told


@pytest.mark.parametrize("cut", [1, 5, 13, 40, len(ECHO)])
def test_an_error_passed_on_as_text_is_an_error(cut):
    """However it was cut, nothing of it is shown, and its status is kept."""
    with pytest.raises(InBandError) as caught:
        echoes(ECHO[:cut], ECHO[cut:], reason="error_finish")

    assert 429 == caught.value.status
    assert "Slow down" in str(caught.value)


@pytest.mark.parametrize("end", ["[DONE]", None])
def test_an_error_passed_on_as_text_without_a_finish_is_one_too(end):
    """A stream that ends there has no better end."""
    decoder = OpenAIChat().decoder()
    chunk = {"id": "1", "choices": [{"index": 0, "delta": {"content": ECHO}}]}
    assert ["ResponseStarted"] == [type(e).__name__ for e in decoder.feed(Frame(json.dumps(chunk)))]
    if end is None:
        with pytest.raises(InBandError):
            decoder.eof()
    else:
        assert ECHO == next(e.text for e in decoder.feed(Frame(end)) if hasattr(e, "text"))


@pytest.mark.parametrize(
    "pieces",
    [("event", "ually"), ("e", "v", "e", "x"), ("data", ":", " is"), (ECHO,), ("  ", "event: e")],
)
def test_text_that_only_begins_like_one_is_text(pieces):
    """Told in the pieces it came in, none lost, none late by more than it must."""
    assert list(pieces) == echoes(*pieces, reason="stop")


def test_an_echo_that_is_no_json_is_quoted():
    """Whatever it says is better than nothing."""
    assert "Slow" == str(echoed_error("event: error\ndata: Slow"))
    assert ":HTTP_STATUS/503" == str(echoed_error(":HTTP_STATUS/503"))
    assert 503 == echoed_error(":HTTP_STATUS/503").status
    assert None is echoed_error("eventually")
    assert not may_echo("event:error" + "x" * 9000)
