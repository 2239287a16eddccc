"""streamkit's own JSON: what is written reads back equal, and tells nobody's secrets."""

import types
import typing
from http import HTTPStatus

import attrs
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from streamkit import errors
from streamkit import events as vocabulary
from streamkit.codec import ASIDES, from_json, to_json
from streamkit.errors import (
    FrameTooLarge,
    InBandError,
    LimitExceeded,
    LogError,
    MalformedStream,
    MisuseError,
    ProducerLost,
    ProviderError,
    Refusal,
    Rejected,
    StageError,
    Stalled,
    StreamkitError,
    TransportError,
    explain,
)
from streamkit.events import (
    Citation,
    ContentEvent,
    Event,
    Finished,
    Heartbeat,
    Metadata,
    ReasoningDelta,
    Rerouted,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    ResponseStarted,
    Retracted,
    Terminal,
    TextDelta,
    ToolCallCompleted,
    ToolResult,
    Unknown,
    UsageReported,
)
from streamkit.framing import decode, encode_ascii
from streamkit.response import Choice, Finish, Response, Timings, ToolCall, Usage

# --- every event there is, found in the vocabulary ------------------------------

KINDS = sorted(
    {
        kind
        for kind in vars(vocabulary).values()
        if isinstance(kind, type) and issubclass(kind, Event)
    }
    - {Event, ContentEvent, Terminal},
    key=lambda kind: kind.__name__,
)
ERROR_KINDS = sorted(
    {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, StreamkitError)
    },
    key=lambda kind: kind.__name__,
)
name_of = lambda kind: kind.__name__  # noqa: E731


def paired(text):
    """Join the lone surrogates that make a pair, as JSON does."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


TEXT = st.text(st.characters(), max_size=20).map(paired)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOAT | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=4,
)
MAYBE = {"status": st.none() | st.integers(), "retry_after": st.none() | FLOAT}
MAYBE["provider_code"] = st.none() | TEXT


def final(error, verdict):
    """Give a stage's error its verdict, as a pipeline does."""
    if verdict:
        error.final = True
    return error


def an_error(kind):
    """Any error of that class."""
    if kind is StageError:
        return st.builds(final, st.builds(kind, TEXT, TEXT), st.booleans())
    if kind is Stalled:
        return st.builds(kind, TEXT, FLOAT)
    return st.builds(kind, TEXT, **(MAYBE if issubclass(kind, ProviderError) else {}))


ERRORS = st.one_of([an_error(kind) for kind in ERROR_KINDS])
LEAVES = {
    str: TEXT,
    int: st.integers(),
    float: FLOAT,
    bool: st.booleans(),
    typing.Any: JSON,
    dict[str, typing.Any]: st.dictionaries(TEXT, JSON, max_size=3),
    Finish: st.sampled_from(typing.get_args(Finish)),
    Exception: ERRORS,
}


def some(hint):
    """Any value of that annotation; one that no test knows is an error."""
    if hint in LEAVES:
        return LEAVES[hint]
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return st.lists(some(inner[0]), max_size=2).map(tuple)
    if origin in (types.UnionType, typing.Union):
        return st.none() | some(inner[0])
    return values(hint)


def values(kind):
    """Any value of that class: of all its fields, of some, or of those it must have."""
    hints = typing.get_type_hints(kind)
    fields = {field.name: some(hints[field.name]) for field in attrs.fields(kind)}
    must = {f.name: fields.pop(f.name) for f in attrs.fields(kind) if f.default is attrs.NOTHING}
    some_ = st.fixed_dictionaries(must, optional=fields)
    return (st.fixed_dictionaries(must | fields) | some_).map(lambda given: kind(**given))


EVENTS = st.one_of([values(kind) for kind in KINDS])


def known(error):
    """All that an error tells, its class included."""
    silent = {"final": False} if isinstance(error, StageError) else {}
    return type(error), error.code, error.message, silent | vars(error)


def facts(event):
    """The event, as what can be compared: exceptions cannot."""
    if isinstance(event, ResponseFailed):
        return ResponseFailed, known(event.error), event.response
    return event


def through_json(event, **how):
    """There and back again, by the bytes of a wire."""
    return from_json(decode(encode_ascii(to_json(event, **how))))


def failed(error, **how):
    """What is told of *error*."""
    return to_json(ResponseFailed(error, Response()), **how)["error"]


def reached(strategy, condition):
    """Whether examples of *strategy* fulfil *condition*; they need not be the smallest."""
    quick = settings(max_examples=2_000, phases=[Phase.generate], database=None)
    return condition(find(strategy, condition, settings=quick))


@pytest.mark.interop  # it takes long
@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_the_strategy_reaches_every_event(kind):
    """No event of the vocabulary is left out of the properties below."""
    assert reached(EVENTS, lambda event: type(event) is kind)


@pytest.mark.interop  # it takes long
@pytest.mark.parametrize("kind", ERROR_KINDS, ids=name_of)
def test_the_strategy_reaches_every_error(kind):
    """Nor is an error of the tree."""
    assert reached(ERRORS, lambda error: type(error) is kind)


@pytest.mark.interop  # it takes long
@pytest.mark.parametrize(
    "condition",
    [
        lambda answer: answer.raw and answer.usage and answer.timings.total,
        lambda answer: any(choice.tool_calls and choice.finish for choice in answer.choices),
        lambda answer: answer == Response(),
    ],
    ids=["full", "deep", "empty"],
)
def test_the_strategy_reaches_answers_of_all_kinds(condition):
    """With everything an answer can hold, at any depth, and with nothing."""
    assert reached(values(Response), condition)


# --- both ways --------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
@given(data=st.data())
def test_what_is_written_reads_back_equal(kind, data):
    """Through real bytes, every event is the same event: every field, every error's word."""
    event = data.draw(values(kind))
    assert facts(event) == facts(through_json(event))


@given(EVENTS)
def test_what_is_told_to_anyone_differs_in_the_error_alone(event):
    """The same event; of an error the same class and code, and our sentence for it."""
    again = through_json(event, public=True)
    if isinstance(event, ResponseFailed):
        assert type(event.error) is type(again.error)
        assert explain(event.error.code) == again.error.message
        event = attrs.evolve(event, error=again.error)
    assert facts(event) == facts(again)


@given(EVENTS)
def test_writing_is_blind_to_the_detour(event):
    """What was read is written as it was: a log can be told on, any number of times."""
    assert to_json(event) == to_json(through_json(event))


def test_surrogates_that_make_a_pair_are_their_character():
    """The one text that JSON does not keep apart; it means the same."""
    assert TextDelta("\U0001f600") == through_json(TextDelta("\ud83d\ude00"))
    assert TextDelta("\ude00\ud83d") == through_json(TextDelta("\ude00\ud83d"))


CALL = ToolCall("c", "f", "{}", valid=True)
SHAPES = [
    (TextDelta("Hel"), {"type": "text_delta", "text": "Hel"}),
    (TextDelta("Hel", 2), {"type": "text_delta", "text": "Hel", "choice": 2}),
    (TextDelta(""), {"type": "text_delta", "text": ""}),
    (ReasoningDelta("r", field="x"), {"type": "reasoning_delta", "text": "r", "field": "x"}),
    (ResponseStarted(), {"type": "response_started"}),
    (Heartbeat(), {"type": "heartbeat"}),
    (Rerouted("stalled"), {"type": "rerouted", "code": "stalled"}),
    (Retracted("text"), {"type": "retracted", "channel": "text"}),
    (Finished(0, "stop"), {"type": "finished", "choice": 0, "reason": "stop"}),
    (Metadata(None, {}), {"type": "metadata", "choice": None, "extra": {}}),
    (Unknown(None), {"type": "unknown", "data": None}),
    (ToolResult(0, [1]), {"type": "tool_result", "call": 0, "content": [1]}),
    (Citation({"url": "u"}), {"type": "citation", "citation": {"url": "u"}}),
    (
        ToolCallCompleted(1, CALL),
        {
            "type": "tool_call_completed",
            "call": 1,
            "tool_call": {"id": "c", "name": "f", "arguments": "{}", "valid": True},
        },
    ),
    (UsageReported(Usage(1)), {"type": "usage_reported", "usage": {"input_tokens": 1}}),
    (UsageReported(Usage()), {"type": "usage_reported"}),
    (ResponseCompleted(), {"type": "response_completed"}),
    (ResponseCompleted(Response()), {"type": "response_completed", "response": {}}),
    (ResponseCancelled(Response()), {"type": "response_cancelled"}),
    (
        ResponseCancelled(
            Response(
                "Hel",
                tool_calls=(CALL,),
                finish="cancelled",
                usage=Usage(),
                timings=Timings(total=1.5),
                raw={"id": "r"},
                choices=(Choice(0, "Hel"), Choice(1)),
            )
        ),
        {
            "type": "response_cancelled",
            "response": {
                "text": "Hel",
                "tool_calls": [{"id": "c", "name": "f", "arguments": "{}", "valid": True}],
                "finish": "cancelled",
                "usage": {},
                "timings": {"total": 1.5},
                "raw": {"id": "r"},
                "choices": [{"index": 0, "text": "Hel"}, {"index": 1}],
            },
        },
    ),
    (
        ResponseFailed(TransportError("gone"), Response("Hel")),
        {
            "type": "response_failed",
            "error": {"code": "transport", "message": "gone"},
            "response": {"text": "Hel"},
        },
    ),
]


@pytest.mark.parametrize(("event", "shape"), SHAPES, ids=lambda each: type(each).__name__)
def test_an_event_is_a_flat_object(event, shape):
    """Its class in snake case, and the fields that are not their default."""
    assert shape == to_json(event)
    assert facts(event) == facts(from_json(shape))


def test_a_field_goes_out_as_it_stands_in_the_class():
    """The type first, the fields in the order of the class: logs can be read and compared."""
    assert ["type", "text", "choice"] == list(to_json(TextDelta("a", 1)))


def test_the_providers_json_is_not_copied():
    """Writing an event costs nothing for what only passes through."""
    extra = {"deep": [1]}
    assert extra is to_json(ResponseStarted(extra=extra))["extra"]


def test_nothing_is_shared_between_two_answers_read():
    """Each has a ``raw`` of its own, also where none was told."""
    one, other = (from_json({"type": "response_cancelled"}) for _ in range(2))
    assert {} == one.response.raw
    assert one.response.raw is not other.response.raw


def test_asides_are_no_events():
    """What a stream says beside its events has types that no event has."""
    for aside in ASIDES:
        with pytest.raises(MalformedStream, match="expected the type of an event"):
            from_json({"type": aside})


class Loud(str):
    """A string, and more than one."""

    __slots__ = ()


class Slow(float):
    """A number of somebody's library."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("plain", "event"),
    [
        ({"type": "text_delta", "text": "a"}, TextDelta(Loud("a"))),
        (
            {"type": "text_delta", "text": "a", "choice": 429},
            TextDelta("a", HTTPStatus.TOO_MANY_REQUESTS),
        ),
        (
            {"type": "response_cancelled", "response": {"timings": {"total": 0.5}}},
            ResponseCancelled(Response(timings=Timings(total=Slow(0.5)))),
        ),
        (
            {
                "type": "response_failed",
                "error": {"code": "rejected", "message": "m", "status": 429},
            },
            ResponseFailed(Rejected("m", status=HTTPStatus.TOO_MANY_REQUESTS), Response()),
        ),
    ],
    ids=["string", "integer", "number", "status"],
)
def test_what_is_more_than_a_plain_value_goes_out_plain(plain, event):
    """Strings and numbers of somebody's own class, which no JSON writer need know."""
    told = to_json(event)
    assert plain == decode(encode_ascii(told))
    assert facts(event) == facts(from_json(told))


def test_what_is_no_json_is_no_concern_of_the_codec():
    """It passes as it is, and whoever writes the bytes says so."""
    thing = object()
    assert thing is to_json(ToolResult(0, thing))["content"]


class Own(Event):
    """An event of somebody's own."""


@pytest.mark.parametrize("event", [Event(), ContentEvent(), Terminal(), Own(), None, {}], ids=repr)
def test_only_the_vocabulary_can_be_told(event):
    """Its roots, events of one's own and what is no event are misuse, with the way out."""
    with pytest.raises(MisuseError, match=r"expected an event of streamkit\.events; got "):
        to_json(event)


# --- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StreamkitError("m"), {"code": "error", "message": "m"}),
        (MisuseError("m"), {"code": "misuse", "message": "m"}),
        (StageError("s", "raised"), {"code": "stage", "message": "stage 's' raised", "stage": "s"}),
        (
            final(StageError("s", "raised"), True),
            {"code": "stage", "message": "stage 's' raised", "stage": "s", "final": True},
        ),
        (LimitExceeded("m"), {"code": "limit", "message": "m"}),
        (FrameTooLarge("m"), {"code": "limit", "type": "frame_too_large", "message": "m"}),
        (
            Rejected("m", status=429, retry_after=2.5, provider_code="slow"),
            {
                "code": "rejected",
                "message": "m",
                "status": 429,
                "retry_after": 2.5,
                "provider_code": "slow",
            },
        ),
        (
            Stalled("idle", 5.0),
            {
                "code": "stalled",
                "message": str(Stalled("idle", 5.0)),
                "clock": "idle",
                "seconds": 5.0,
            },
        ),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_error_is_its_code_and_what_it_knows(error, told):
    """The code names the class; a type does where several share one."""
    assert told == failed(error)
    assert known(error) == known(through_json(ResponseFailed(error, Response())).error)


@pytest.mark.parametrize(
    "kind", [kind for kind in ERROR_KINDS if "code" in vars(kind)], ids=name_of
)
def test_a_code_names_one_class(kind):
    """No two classes declare the same, so a code alone is read as the class that does."""
    read = from_json({"type": "response_failed", "error": {"code": kind.code, "message": "m"}})
    assert (kind, "m") == (type(read.error), str(read.error))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            Rejected("key sk-1", status=429, retry_after=2.0, provider_code="org-7"),
            {
                "code": "rejected",
                "message": "The model did not take the request.",
                "status": 429,
                "retry_after": 2.0,
            },
        ),
        (
            Stalled("idle", 5.0),
            {"code": "stalled", "message": "The model did not answer in time."},
        ),
        (
            StageError("acme.redact:Names", "raised KeyError"),
            {"code": "stage", "message": "The answer could not be processed."},
        ),
        (
            FrameTooLarge("m"),
            {
                "code": "limit",
                "type": "frame_too_large",
                "message": "The answer was too large.",
            },
        ),
    ],
    ids=lambda each: type(each).__name__,
)
def test_anyone_is_told_what_is_safe(error, told):
    """A sentence of ours, the status and the wait; no name of the service's parts, no quote."""
    assert told == failed(error, public=True)


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        ValueError("postgres://u:hunter2@db"),
        OSError(5, "hunter2"),
        Exception(),
        KeyError("hunter2"),
    ],
    ids=repr,
)
def test_of_a_foreign_exception_nothing_is_told(error, public):
    """Not its message, not its class, to nobody."""
    assert {"code": "error", "message": "The answer could not be had."} == failed(
        error, public=public
    )
    read = through_json(ResponseFailed(error, Response("Hel")), public=public)
    assert (StreamkitError, Response("Hel")) == (type(read.error), read.response)


SECRET = "hunter2hunter2"  # noqa: S105
LEAKY = [StageError(SECRET, SECRET), Stalled(SECRET, 1.0), Refusal(SECRET, status=403)]
LEAKY += [
    kind(SECRET, provider_code=SECRET)
    for kind in ERROR_KINDS
    if issubclass(kind, ProviderError) and kind is not Stalled
]
LEAKY += [
    kind(SECRET) for kind in (StreamkitError, MisuseError, LogError, ProducerLost, ValueError)
]


def test_every_error_was_asked_for_the_secret():
    """The list of the next test leaves no class out."""
    assert {*ERROR_KINDS, ValueError} == {type(error) for error in LEAKY}


@pytest.mark.parametrize("error", LEAKY, ids=lambda error: type(error).__name__)
def test_no_error_tells_anyone_a_secret(error):
    """Wherever it stands: in the message, a detail, the cause, or what an SDK raised."""
    error.original = error.__cause__ = ValueError(SECRET)
    error.add_note(SECRET)
    assert SECRET.encode() not in encode_ascii(failed(error, public=True))


@pytest.mark.parametrize("error", LEAKY, ids=lambda error: type(error).__name__)
def test_what_an_sdk_raised_stays_behind(error):
    """Between our own machines too: only what is streamkit's travels."""
    error.original = error.__cause__ = ValueError("raised inside")
    told = encode_ascii(failed(error))
    assert b"raised inside" not in told
    assert isinstance(error, StreamkitError) == (SECRET.encode() in told)


def test_an_error_of_ones_own_is_read_as_streamkits():
    """A class derived from ours travels as the nearest of ours, with what that knows."""

    class Busy(Rejected):
        code = "busy"

    class Bare(ProviderError):
        def __init__(self):
            StreamkitError.__init__(self, "m")

    read = through_json(ResponseFailed(Busy("m", status=503), Response())).error
    assert (Rejected, "m", 503) == (type(read), str(read), read.status)
    assert {"code": "provider", "message": "m"} == failed(Bare())


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (LimitExceeded, {"code": "limit", "type": "line_too_large"}),
        (InBandError, {"code": "in_band", "whatever": [1]}),
        (StreamkitError, {"code": "quota"}),
        (FrameTooLarge, {"code": "size", "type": "frame_too_large"}),
    ],
)
def test_errors_of_a_newer_version_are_read(kind, told):
    """As the nearest this version knows: that a run failed is never lost over how."""
    read = from_json({"type": "response_failed", "error": {"message": "m", **told}})
    assert (kind, "m") == (type(read.error), str(read.error))


def test_a_detail_that_was_not_told_is_its_default():
    """An error read has every attribute of its class."""
    stalled, stage = (
        from_json({"type": "response_failed", "error": {"code": code, "message": "m"}}).error
        for code in ("stalled", "stage")
    )
    assert ("", 0.0, None) == (stalled.clock, stalled.seconds, stalled.retry_after)
    assert ("", False) == (stage.stage, stage.final)


# --- what came from elsewhere -------------------------------------------------------


def grown(value):
    """The same JSON of a newer version: a field more in every object of ours."""
    if isinstance(value, list):
        return [grown(each) for each in value]
    if not isinstance(value, dict):
        return value
    theirs = {"extra", "raw", "content", "citation", "data"}
    told = {name: part if name in theirs else grown(part) for name, part in value.items()}
    return {**told, "brand_new": {"x": 1}}


@given(EVENTS)
def test_what_a_newer_version_adds_is_left_alone(event):
    """Fields this version does not know change nothing, at any depth."""
    assert facts(event) == facts(from_json(grown(to_json(event))))


def test_a_finish_of_a_newer_version_is_other():
    """The neutral word for a word that is not known."""
    told = {"type": "response_cancelled", "response": {"finish": "out_of_budget"}}
    assert "other" == from_json(told).response.finish


def test_whole_numbers_are_seconds_too():
    """JavaScript writes 1.0 as 1."""
    told = {"type": "response_cancelled", "response": {"timings": {"total": 1}}}
    assert 1.0 == from_json(told).response.timings.total


FAILED = {"type": "response_failed"}


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        ("an object with a type; got 'None'", None),
        ("an object with a type; got '[]'", []),
        ("an object with a type; got 'text_delta'", "text_delta"),
        ("an object with a type; got \"{'text': 'a'}\"", {"text": "a"}),
        ("an object with a type; got \"{'type': 1}\"", {"type": 1}),
        ("an object with a type; got \"{'type': []}\"", {"type": []}),
        ("the type of an event; got 'text'", {"type": "text"}),
        ("the type of an event; got 'TextDelta'", {"type": "TextDelta"}),
        ("the type of an event; got 'event'", {"type": "event"}),
        ("the type of an event; got 'terminal'", {"type": "terminal"}),
        ("text_delta.text to be a string; got 'nothing'", {"type": "text_delta"}),
        ("text_delta.text to be a string; got '5'", {"type": "text_delta", "text": 5}),
        ("text_delta.text to be a string; got 'None'", {"type": "text_delta", "text": None}),
        (
            "text_delta.choice to be an integer; got 'True'",
            {"type": "text_delta", "text": "", "choice": True},
        ),
        (
            "text_delta.choice to be an integer; got '1.0'",
            {"type": "text_delta", "text": "", "choice": 1.0},
        ),
        ("unknown.data to be there; got 'nothing'", {"type": "unknown"}),
        (
            "metadata.choice to be an integer; got 'nothing'",
            {"type": "metadata", "extra": {}},
        ),
        (
            "metadata.extra to be an object; got '[]'",
            {"type": "metadata", "choice": 0, "extra": []},
        ),
        (
            "metadata.message to be true or false; got '1'",
            {"type": "metadata", "choice": 0, "extra": {}, "message": 1},
        ),
        ("usage_reported.usage to be an object; got 'a'", {"type": "usage_reported", "usage": "a"}),
        (
            "tool_call_completed.tool_call.id to be a string; got 'nothing'",
            {"type": "tool_call_completed", "call": 0},
        ),
        (
            "response_completed.response.tool_calls to be a list; got '{}'",
            {"type": "response_completed", "response": {"tool_calls": {}}},
        ),
        (
            "response_completed.response.choices[1].index to be an integer; got 'nothing'",
            {"type": "response_completed", "response": {"choices": [{"index": 0}, {}]}},
        ),
        (
            "response_completed.response.timings.total to be a number; got 'soon'",
            {"type": "response_completed", "response": {"timings": {"total": "soon"}}},
        ),
        (
            "response_completed.response.finish to be a string; got '1'",
            {"type": "response_completed", "response": {"finish": 1}},
        ),
        ("response_failed.error to be an object; got 'nothing'", FAILED),
        ("response_failed.error.code to be a string; got 'nothing'", FAILED | {"error": {}}),
        (
            "response_failed.error.message to be a string; got 'nothing'",
            FAILED | {"error": {"code": "limit"}},
        ),
        (
            "response_failed.error.type to be a string; got '[]'",
            FAILED | {"error": {"code": "limit", "message": "m", "type": []}},
        ),
        (
            "response_failed.error.status to be an integer; got 'bad'",
            FAILED | {"error": {"code": "rejected", "message": "m", "status": "bad"}},
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_cannot_be_read_says_what_and_where(expected, value):
    """What was expected at which place, what came, and what to do."""
    with pytest.raises(MalformedStream) as caught:
        from_json(value)
    assert str(caught.value).startswith(f"expected {expected}; check that it was written by ")


def nested(depth):
    """Lists in lists."""
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("kind", "value"), [("list", nested(100_000)), ("int", 10**10_000)], ids=["deep", "long"]
)
def test_what_cannot_even_be_quoted_is_malformed(kind, value):
    """However deep, however large."""
    with pytest.raises(MalformedStream, match=f"got a {kind} that cannot be quoted"):
        from_json({"type": "text_delta", "text": value})


def test_a_quote_tells_no_secret():
    """It is short, and what looks like a key is masked."""
    with pytest.raises(MalformedStream) as caught:
        from_json({"authorization": "Bearer abcdef123456", "more": "x" * 1_000})
    assert "abcdef123456" not in str(caught.value)
    assert 500 > len(str(caught.value))


@st.composite
def spoilt(draw):
    """The JSON of an event, one place of it replaced by anything, or taken out."""
    told = decode(encode_ascii(to_json(draw(EVENTS))))
    place = told
    while True:
        name = draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))
        )
        inner = place[name]
        if not (isinstance(inner, dict | list) and inner) or draw(st.booleans()):
            break
        place = inner
    if draw(st.booleans()):
        del place[name]
    else:
        place[name] = draw(JSON)
    return told


@given(spoilt() | JSON)
def test_anything_is_read_or_malformed(value):
    """Whatever comes, there is an event, which can be told on, or the one error."""
    try:
        event = from_json(value)
    except MalformedStream:
        return
    assert facts(event) == facts(through_json(event))


def test_what_a_provider_says_of_our_key_is_no_clients_business():
    """A status about credentials or the bill would tell a page that *it* was refused."""
    refused = ResponseFailed(Rejected("m", status=401), Response())

    assert 401 == to_json(refused)["error"]["status"]
    assert "status" not in to_json(refused, public=True)["error"]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (ResponseStarted("r", "m", {"instructions": SECRET, "tools": [SECRET]}), None),
        (ResponseStarted("r", "m", {"instructions": SECRET, "tier": "flex"}), {"tier": "flex"}),
        (Metadata(None, {"instructions": SECRET, "a": 1}), {"a": 1}),
        (Metadata(None, {"metadata": {"user": SECRET}}), {}),
    ],
)
def test_what_was_asked_is_not_told_to_anyone(event, told):
    """Some APIs repeat the system prompt in their answer; another process may read it all."""
    said = to_json(event, public=True)
    assert told == said.get("extra")
    assert SECRET not in str(said)
    assert event == from_json(to_json(event))
    from_json(said)
