"""The kit finds what breaks a rule of a dialect, says which one, and finds nothing else."""

import json

import attrs
import pytest

from streamkit.dialects import _DIALECTS, HttpCall, OpenAIChat
from streamkit.errors import MisuseError, TruncatedStream
from streamkit.events import (
    Finished,
    Metadata,
    ReasoningDelta,
    ResponseCompleted,
    ResponseFailed,
    ResponseStarted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    Unknown,
    UsageReported,
)
from streamkit.framing import Frame
from streamkit.response import Choice, Response, ToolCall, Usage
from streamkit.testing import ConformanceError, check_dialect
from streamkit.testing.specimens import leaves, unlike

from ..dialects.features import BODIES

CHATS = {
    name: body
    for name, body in BODIES["openai-chat"].items()
    if name != "two reasonings"  # told behind the text, the second would be read as reasoning
}
OF_THE_HOUSE = {
    "anthropic-messages": ["content_filter"],
    "gemini": ["refusal"],
    "llama-stack-turn": ["refusal", "content_filter", "tool_calls"],
    "openai-chat": [],
    "openai-responses": [],
}
"""The ends that each has no word for."""


@pytest.mark.parametrize("name", sorted(_DIALECTS))
def test_the_dialects_of_the_house_keep_the_rules(name):
    """Each of them, with bodies that have every field there is."""
    bodies = CHATS if name == "openai-chat" else BODIES[name]
    assert None is check_dialect(name, bodies=bodies.values(), unsaid=OF_THE_HOUSE[name])


@pytest.mark.anyio
async def test_it_runs_a_loop_of_its_own():
    """So it is called in a plain function."""
    with pytest.raises(MisuseError, match="expected check_dialect in a plain function"):
        check_dialect("openai-chat")


# -- those that break a rule


class Around:
    """A decoder or an encoder around the real one."""

    def __init__(self, real):
        self.real = real

    def __getattr__(self, name):
        return getattr(self.real, name)


def reading(**methods):
    """A dialect whose decoder has these methods, each given the real decoder first."""
    return _with("decoder", methods)


def writing(**methods):
    """One whose encoder has them."""
    return _with("encoder", methods)


def _with(which, methods):
    made = {
        name: (
            property(lambda self, method=method: method(self.real))
            if name in ("evidence", "irrevocable", "said")
            else lambda self, *given, method=method: method(self.real, *given)
        )
        for name, method in methods.items()
    }
    kind = type("Odd", (Around,), made)
    make = getattr(OpenAIChat, which)
    return type("Dialect", (OpenAIChat,), {which: lambda self: kind(make(self))})()


def asking(**methods):
    """A dialect with these methods of its own."""
    return type("Dialect", (OpenAIChat,), methods)()


REAL = OpenAIChat()


def mutating(_self, request):
    request["stream"] = True
    return REAL.streaming(request)


def rooted(_self, request):
    return attrs.evolve(REAL.streaming(request), path="/chat/completions")


def unwritable(_self, request):
    return HttpCall("chat", {**request, "odd": object()})


SHARED = REAL.decoder()


def feed_all(real, frame, change):
    return [out for event in real.feed(frame) for out in change(event)]


def loses(kind):
    """A decoder that loses events of one kind."""
    return reading(
        feed=lambda real, frame: feed_all(
            real, frame, lambda event: () if isinstance(event, kind) else (event,)
        )
    )


def never_truncated(real, residue=""):
    try:
        return real.eof(residue)
    except TruncatedStream:
        return (ResponseCompleted(evidence="finish_reason"),)


def no_unknown(real, frame):
    return [event for event in real.feed(frame) if not isinstance(event, Unknown)]


def raises_at_unknown(real, frame):
    for event in real.feed(frame):
        if isinstance(event, Unknown):
            raise KeyError("no handler")
        yield event


def mangled(real, frame):
    return feed_all(
        real,
        frame,
        lambda event: (
            (attrs.evolve(event, text=event.text.strip()),)
            if isinstance(event, TextDelta)
            else (event,)
        ),
    )


def started_twice(real, frame):
    return feed_all(
        real,
        frame,
        lambda event: (event, ResponseStarted("x")) if isinstance(event, TextDelta) else (event,),
    )


def completes_calls(real, frame):
    made = ToolCallCompleted(0, ToolCall("c", "f", "{}", valid=True))
    return feed_all(
        real, frame, lambda event: (made, event) if isinstance(event, ToolCallDelta) else (event,)
    )


def repairs(real, frame):
    def mended(event):
        if isinstance(event, ToolCallDelta) and event.arguments.endswith(", "):
            return (attrs.evolve(event, arguments=event.arguments[:-2] + "}"),)
        return (event,)

    return feed_all(real, frame, mended)


def reads_pages(real, frame):
    data = frame.data if isinstance(frame.data, str) else frame.data.decode()
    return [TextDelta(data)] if data.startswith("<") else real.feed(frame)


def told_last(real, event):
    """Text behind the finish reason."""
    if isinstance(event, ResponseCompleted):
        frames = [*real.encode(event)]
        return [*frames[:-1], *real.encode(TextDelta("late")), frames[-1]]
    return real.encode(event)


def tells_finish_first(real, event):
    frames = [*real.encode(event)]
    if isinstance(event, ResponseStarted):
        choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
        frames.append(Frame(json.dumps({"id": "x", "choices": [choice]})))
    return frames


def tells_errors(real, event):
    if isinstance(event, ResponseFailed):
        return [Frame(json.dumps({"error": {"message": str(event.error)}}))]
    return real.encode(event)


def ends_well(real, event):
    return real.encode(ResponseCompleted() if isinstance(event, ResponseFailed) else event)


def pretty(real, event):
    return [
        attrs.evolve(frame, data=frame.data.replace(b",", b",\n"))
        if isinstance(frame.data, bytes)
        else frame
        for frame in real.encode(event)
    ]


def empty(real, event):
    return [*real.encode(event), Frame("")] if isinstance(event, TextDelta) else real.encode(event)


def changes(real, event):
    if isinstance(event, ResponseStarted) and event.extra is not None:
        event.extra["odd"] = 1
    return real.encode(event)


def without_usage(_self, answer):
    return {key: value for key, value in REAL.response(answer).items() if key != "usage"}


def thoughtless(_self, body):
    return [event for event in REAL.read_buffered(body) if not isinstance(event, ReasoningDelta)]


def taking_apart(_self, body):
    events = REAL.read_buffered(body)
    body.pop("id", None)
    return events


def without_proof(_self, body):
    return [*REAL.read_buffered(body)[:-1], ResponseCompleted()]


def no_end(_self, body):
    return REAL.read_buffered(body)[:-1]


def believing(_self, body):
    return REAL.read_buffered(body) if isinstance(body, dict) else [ResponseCompleted("buffered")]


def one_choice(_self, body):
    return REAL.read_buffered({**body, "choices": body["choices"][:1]})


def forgetting(_self, body):
    return [event for event in REAL.read_buffered(body) if not isinstance(event, Metadata)]


def hasty(real, frame):
    return [*real.feed(frame)][:-1] if frame.whole else real.feed(frame)


def believes_cut_frames(real, frame):
    return () if frame.cut else real.feed(frame)


def reads_bytes_alone(real, frame):
    return real.feed(frame) if isinstance(frame.data, bytes) else ()


def closes_calls():
    """A decoder that closes the arguments that were open when the model was cut off."""
    begun = set()

    def feed(real, frame):
        def closed(event):
            if isinstance(event, ToolCallDelta):
                begun.add(real)
            if isinstance(event, Finished) and event.reason == "length" and real in begun:
                return (ToolCallDelta(0, '"day": 1}'), event)
            return (event,)

        return feed_all(real, frame, closed)

    return reading(feed=feed)


def impatient(real):
    return real.evidence or ("usage" if real.said else None)


FAULTS = {
    "a request is changed": (asking(streaming=mutating), "a request stays as it is"),
    "a path has a slash": (asking(buffered=rooted), "a call has a path relative"),
    "a body is no JSON": (asking(streaming=unwritable), "a call has a path relative"),
    "no call": (asking(streaming=lambda _self, _request: None), "a call has a path relative"),
    "one call for both": (
        asking(buffered=lambda _self, request: REAL.streaming(request)),
        "a stream is asked for in another way",
    ),
    "the key is left out": (
        asking(authorization=lambda _self, _key: {"x": "y"}),
        "the key is sent in a header",
    ),
    "one decoder for all": (
        asking(decoder=lambda _self: SHARED),
        "decoders and encoders are fresh",
    ),
    "evidence from the start": (
        reading(evidence=lambda _real: "usage"),
        "decoders and encoders are fresh",
    ),
    "text is lost": (loses(TextDelta), "what is written of any answer is read back"),
    "arguments are lost": (loses(ToolCallDelta), "what is written of any answer is read back"),
    "reasoning of bodies is lost": (
        asking(read_buffered=thoughtless),
        "a buffered answer gives the same as the stream of it",
    ),
    "usage is no field": (
        asking(response=without_usage),
        "a buffered answer gives the same as the stream of it",
    ),
    "a choice of bodies is lost": (
        asking(read_buffered=one_choice),
        "a buffered answer gives the same as the stream of it",
    ),
    "metadata of bodies is lost": (
        asking(read_buffered=forgetting),
        "a buffered answer gives the same as the stream of it",
    ),
    "a whole frame is read in another way": (
        reading(feed=hasty),
        "a buffered answer that came in place of a stream is read as one",
    ),
    "a frame that is cut is nothing": (
        reading(feed=believes_cut_frames),
        "a stream that is cut before its evidence is truncated",
    ),
    "framing's frames are not read": (
        reading(feed=reads_bytes_alone),
        "where the bytes are cut does not matter",
    ),
    "calls are closed": (closes_calls(), "a call that broke off is nobody's to make"),
    "text is trimmed": (reading(feed=mangled), "what is written of any answer is read back"),
    "it starts twice": (reading(feed=started_twice), "ResponseStarted comes once, and first"),
    "it completes calls": (
        reading(feed=completes_calls),
        "ToolCallCompleted is the accumulator's to give",
    ),
    "arguments are repaired": (reading(feed=repairs), "what is written of any answer"),
    "nothing is truncated": (
        reading(eof=never_truncated),
        "a stream that is cut before its evidence is truncated",
    ),
    "evidence comes early": (reading(evidence=impatient), "evidence is what eof goes by"),
    "ends are told first": (writing(encode=tells_finish_first), "evidence is of the whole answer"),
    "what is unknown is dropped": (reading(feed=no_unknown), "a frame that is not known is kept"),
    "what is unknown raises": (
        reading(feed=raises_at_unknown),
        "what it wrote itself it reads, and raises nothing",
    ),
    "a heartbeat says something": (
        writing(heartbeat=lambda _real: Frame('{"choices":[{"delta":{"content":"x"}}]}')),
        "a heartbeat says nothing",
    ),
    "a page is an answer": (reading(feed=reads_pages), "what cannot be read is malformed"),
    "words are an answer": (
        asking(read_buffered=believing),
        "what cannot be read is malformed",
    ),
    "a body is taken apart": (
        asking(read_buffered=taking_apart),
        "a buffered answer is not changed",
    ),
    "a body proves nothing": (asking(read_buffered=without_proof), "the end says what proves it"),
    "a body has no end": (asking(read_buffered=no_end), "an answer ends in ResponseCompleted"),
    "a failure is an end": (
        writing(encode=ends_well),
        "a failed or cancelled run is read as no answer",
    ),
    "a failure tells all": (
        writing(encode=tells_errors),
        "what the provider said of an error stays here",
    ),
    "a failure is no error": (
        writing(failure=lambda _real, _error: {"sorry": 1}),
        "an error is read as the provider's word",
    ),
    "frames have lines": (writing(encode=pretty), "a frame is one line of ASCII"),
    "frames are empty": (writing(encode=empty), "a frame is one line of ASCII"),
    "events are changed": (writing(encode=changes), "no event is changed"),
    "it cannot take back anything": (
        writing(irrevocable=lambda _real: frozenset({"everything"})),
        "what cannot be taken back is a channel",
    ),
}


@pytest.mark.parametrize(("dialect", "rule"), FAULTS.values(), ids=FAULTS)
def test_what_breaks_a_rule_is_found(dialect, rule):
    """The error says which rule, what was expected, what came, and what to do."""
    with pytest.raises(ConformanceError) as caught:
        check_dialect(dialect)
    error = caught.value
    assert error.rule.startswith(rule)
    assert str(error).startswith(f"dialect 'openai-chat' broke the rule that {rule}")
    assert "expected" in error.saw or "Error" in error.saw
    assert error.mend


def test_a_body_that_loses_a_field_is_found():
    """The error names the field."""
    body = {**CHATS["text"], "odd": {"deep": [1]}}

    def forgetful(_self, answer):
        return {key: value for key, value in REAL.response(answer).items() if key != "odd"}

    with pytest.raises(ConformanceError, match=r"expected \.odd\.deep\[\] = 1 in the answer's"):
        check_dialect(asking(response=forgetful), bodies=[body])


def test_what_only_a_body_has_is_checked_too():
    """A stream that loses the usage might be of an API that has no word for it; a body has it."""
    lossy = loses(UsageReported)
    assert None is check_dialect(lossy)
    with pytest.raises(ConformanceError, match=r"field by field: expected the usage"):
        check_dialect(lossy, bodies=[CHATS["text"]])


def test_a_body_that_is_taken_apart_is_found():
    """Also one that was given."""
    body = CHATS["text"]
    check = asking(
        read_buffered=lambda _self, body: (
            taking_apart(_self, body) if "usage" in body else REAL.read_buffered(body)
        )
    )
    with pytest.raises(ConformanceError, match="a buffered answer is not changed"):
        check_dialect(check, bodies=[dict(body)])


def test_an_answer_without_a_choice_is_none():
    """Nothing can be compared with it."""
    was = Response(choices=(Choice(0, "a"),))
    assert "expected an answer; got one without a choice" == unlike(was, Response())
    assert "" == unlike(was, was, exact=True)


def test_an_api_that_must_say_a_number_may_say_none():
    """What is not known and what is 0 are told apart only of an answer of its own."""
    was = Response(choices=(Choice(0, "a"),))
    zero = attrs.evolve(was, usage=Usage(0, 0))
    assert "" == unlike(was, zero)
    assert "expected the usage" in unlike(was, zero, exact=True)
    assert "expected the usage" in unlike(was, attrs.evolve(was, usage=Usage(1, 0)))


def test_what_is_checked_with_is_said():
    """Which answer, or which body."""
    with pytest.raises(ConformanceError, match=r"\(checked with: text\)$"):
        check_dialect(loses(TextDelta))


def test_a_number_may_be_written_in_two_ways():
    """With a dot and without; what is true is no number."""
    assert leaves({"a": [1.0, 1.5]}) == leaves({"a": [1.5, 1]})
    assert leaves({"a": True}) != leaves({"a": 1})
