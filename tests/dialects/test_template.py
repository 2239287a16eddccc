"""A chunk told from its characters alone."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamkit.dialects import get_dialect
from streamkit.dialects.template import Template
from streamkit.errors import StreamkitError
from streamkit.events import TextDelta
from streamkit.framing import Frame, decode_strictly

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Any text, the odd characters of JSON among them."""


def chunk(text, finish=None, **more):
    """A chunk of openai-chat."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion.chunk", "choices": [choice], **more}


def written(text, **more):
    """The same, as a provider writes it."""
    return json.dumps(chunk(text, **more), ensure_ascii=False)


def path_of(data):
    """The template of a chunk."""
    return Template.of(data, "choices", 0, "delta", "content")


@given(first=WORDS, second=WORDS, ascii_only=st.booleans())
@example(first="a", second='"', ascii_only=True)
@example(first="a", second="\\", ascii_only=True)
@example(first="1", second="\x7f", ascii_only=False)
@example(first=",", second=":", ascii_only=False)
def test_what_a_template_reads_is_what_a_parser_reads(first, second, ascii_only):
    """Or it leaves it to the parser."""
    template = path_of(json.dumps(chunk(first), ensure_ascii=ascii_only))
    if template is not None:
        data = json.dumps(chunk(second), ensure_ascii=ascii_only)
        text = template.read(data)
        assert text in ("", second)
        if second.isalnum() and not ascii_only:
            assert text == second


@given(WORDS, st.text(max_size=8))
def test_what_is_no_json_is_left_to_the_parser(text, between):
    """Whatever stands in the place, what is read could have been parsed."""
    data = written("x")
    template = path_of(data)
    at = data.index('"x"') + 1
    odd = data[:at] + between + data[at + 1 :]
    read = template.read(odd)

    assert not read or decode_strictly(odd)["choices"][0]["delta"]["content"] == read
    assert template.read(written(text) + " ") == ""


@pytest.mark.parametrize(
    "data",
    [
        written("a\nb"),
        '{"choices":[{"delta":{"content":"\\u0061"}}]}',
        '{"choices":[{"delta":{"content":"a","content":"a"}}]}',
        '{"choices":[{"delta":{"content":null}}]}',
        '{"choices":[]}',
        '{"choices":"none"}',
        "[]",
        "no json",
    ],
)
def test_what_is_not_certain_has_no_template(data):
    """A string with escapes, one that stands twice, none at all."""
    assert path_of(data) is None


def test_a_string_that_stands_elsewhere_too_is_not_mistaken():
    """The text is the name of a field, or the word of another one."""
    answers = {"a": '{"a":"a","choices":[{"delta":{"content":"a"}}]}', "index": written("index")}
    for text, data in answers.items():
        template = path_of(data)
        assert template is None or template.read(data) == text


@given(WORDS)
@example("streamkit was here")
def test_nor_is_one_that_stands_before_it(text):
    """Whatever it says: a chunk that is another in that place is told its own text, or parsed."""
    template = path_of(json.dumps({"model": text, **chunk(text)}))
    other = json.dumps({"model": "x", **chunk(text)})

    assert template is None or template.read(other) in ("", text)


def told(frames, *, with_template):
    """The events of some frames, or what broke."""
    events, decoder = [], get_dialect("openai-chat").decoder()
    try:
        for frame in frames:
            if not with_template:
                decoder._template = None
            events += decoder.feed(frame)
        events += decoder.eof()
    except StreamkitError as error:
        events.append((type(error), str(error)))
    return events


CHUNKS = st.lists(
    st.one_of(
        st.builds(written, WORDS),
        st.builds(written, st.sampled_from(["a", "b", "the", " end"])),
        st.builds(lambda text: written(text, system_fingerprint="f"), WORDS),
        st.builds(lambda text, pad: written(text, obfuscation=pad), WORDS, WORDS),
        st.just(written("", finish="stop")),
        st.just('{"error":{"message":"no"}}'),
        st.just('{"id":"1","choices":[],"usage":{"total_tokens":3}}'),
        st.just("[DONE]"),
    ),
    max_size=30,
)


@given(CHUNKS)
def test_an_answer_is_told_the_same_with_and_without(datas):
    """The template is a shorter way to the same events."""
    frames = [Frame(data) for data in datas]

    assert told(frames, with_template=False) == told(frames, with_template=True)


def test_it_is_used():
    """From the first chunk on that is alike; and made anew behind one that is not."""
    decoder = get_dialect("openai-chat").decoder()
    for text in ("begins", "is learned", "is alike"):
        decoder.feed(Frame(written(text)))
    assert decoder._template is not None
    assert [TextDelta("c")] == list(decoder.feed(Frame(written("c"))))
    decoder.feed(Frame(written("d", system_fingerprint="f")))
    assert decoder._template is None


def test_one_that_never_serves_is_made_ever_more_rarely():
    """Padding makes every chunk another; a template for each would cost more than it saves."""
    decoder, made = get_dialect("openai-chat").decoder(), []
    for number in range(1000):
        before = decoder._template
        decoder.feed(Frame(written("a", obfuscation="p" * (number % 7))))
        made += [number] if decoder._template is not before else []

    assert 15 > len(made)
