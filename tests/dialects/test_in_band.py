"""Errors in the body of an answer."""

import json

import pytest

from streamkit.dialects import OpenAIChat, find_error, read_error
from streamkit.dialects.in_band import not_json
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
