"""What patterns match is replaced, wherever the deltas cut it."""

import re
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import streamkit
from streamkit import Accumulator
from streamkit.errors import MisuseError
from streamkit.events import (
    Citation,
    Finished,
    Metadata,
    ReasoningDelta,
    RefusalDelta,
    ResponseCompleted,
    TextDelta,
    ToolCallStarted,
    UsageReported,
)
from streamkit.response import Usage
from streamkit.stages import Redact
from streamkit.testing import FaultProvider, Reply, answers, check_stage

BODY = {"model": "demo-1", "messages": [{"role": "user", "content": "hello"}]}
END = ResponseCompleted(evidence="finish_reason")
KEY = r"sk-\w{4,20}"


def through(stage, *events):
    """What comes out of *stage*, the terminal left out."""
    return [out for event in (*events, END) for out in stage(event)][:-1]


def read(stage, *deltas):
    """The joined text that comes of the joined *deltas*."""
    return "".join(event.text for event in through(stage, *map(TextDelta, deltas)))


def cut_at(text, places):
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in pairwise(edges)]


HOLD = 7
PATTERNS = [
    r"abc",
    r"a{2,4}",
    r"\bab\b",
    r"(?<=a)b",
    r"(?<!c)ba",
    r"a(?=bc)",
    r"a(?!b)",
    r"(a|ab)(c|bcb)",
    r"c.{1,3}?a",
    r"^a",
    r"\Ab",
    r"c$",
    r"(?m)^b+$",
    r"(?i)[b-c]{3}",
    r"(?s)c.a",
    r"(b)\1",
    r"\n",
]
short = st.text("aabbcC \n", max_size=40)
places = st.lists(st.integers(0, 200), max_size=10)


def longest(pattern, text):
    """The longest match (characters)."""
    return max((len(found.group()) for found in re.finditer(pattern, text)), default=0)


@given(st.sampled_from(PATTERNS), short, places)
def test_deltas_give_what_the_joined_text_gives(pattern, text, places):
    """Cut anywhere, the joined deltas are what ``re.sub`` makes of the joined text."""
    assume(longest(pattern, text) <= HOLD - 2)  # `$` looks two characters ahead
    expected = re.sub(pattern, "[x]", text)

    assert expected == read(Redact(pattern, "[x]", HOLD), text)
    assert expected == read(Redact(pattern, "[x]", HOLD), *cut_at(text, places))
    assert expected == read(Redact(pattern, "[x]", HOLD), *text)


def together(patterns, text):
    """Replace the first match, of several at one place the first pattern's, again and again."""
    out, at = "", 0
    while found := [m for p in patterns if (m := re.compile(p).search(text, at))]:
        first = min(found, key=lambda match: match.start())
        out, at = out + text[at : first.start()] + "[x]", first.end()
    return out + text[at:]


@given(st.lists(st.sampled_from(PATTERNS), min_size=2, max_size=4), short, places)
def test_several_patterns_share_the_text(patterns, text, places):
    """What one pattern took, no other sees; the first in the text goes first."""
    assume(all(longest(pattern, text) <= HOLD - 2 for pattern in patterns))
    assert together(patterns, text) == read(Redact(patterns, "[x]", HOLD), *cut_at(text, places))


@given(st.sampled_from([r"a\w{0,3}c", r"b+c", r"\bab\b", r"c(?=a)"]), short, places)
def test_what_matches_are_made_of_frees_the_text_and_changes_nothing(pattern, text, places):
    """Saying what no match contains gives the same, and holds no more than a word."""
    assume(longest(pattern, text) <= HOLD - 2)
    stage = Redact(pattern, "[x]", HOLD, made_of=r"\w")
    out = "".join(e.text for piece in cut_at(text, places) for e in stage(TextDelta(piece)))
    held = "".join(e.text for e in stage(END)[:-1])

    assert re.sub(pattern, "[x]", text) == out + held
    assert " " not in held
    assert "\n" not in held


@given(st.text("ab \n", max_size=60), places, st.integers(1, 9), st.sampled_from([None, r"\S"]))
def test_what_is_held_is_bounded(text, places, hold, made_of):
    """At any time, no more than *hold* characters are held back, and nothing else is lost."""
    stage, came, gone = Redact("never", hold=hold, made_of=made_of), 0, 0
    for piece in cut_at(text, places):
        came += len(piece)
        gone += sum(len(event.text) for event in stage(TextDelta(piece)))
        assert came - gone <= hold
    assert text[gone:] == "".join(event.text for event in stage(END)[:-1])


def test_the_strategies_reach_what_matters():
    """A key in two deltas is replaced; a watcher sees no character of it."""
    stage = Redact(KEY, hold=40)

    assert "my [redacted] is old" == read(stage, "my s", "k-ab", "cd1234 is", " old")


def test_a_long_text_is_given_as_it_comes():
    """All but the last *hold* characters are given at once; the context is bounded too."""
    stage = Redact(KEY, hold=10)
    given = ""
    for number in range(1000):
        given += "".join(event.text for event in stage(TextDelta(f"{number:04} ")))
    assert 5000 - 10 == len(given)
    assert len(stage._held[0].text) <= 10 + 10


def test_one_longer_than_the_hold_is_still_replaced_where_it_is_seen():
    """A match that is too long shows nothing of what was seen as its part."""
    stage = Redact(r"\d+", "#", 4)

    assert "a ## b" == read(stage, "a 1234567", "89", "0123 b")


def test_a_delta_nothing_is_done_to_passes_as_it_is():
    """The event itself is given where its text is what is due."""
    stage, event = Redact(KEY, made_of=r"\S"), TextDelta("a word ")

    assert event is stage(event)[0]


def test_the_replacement_is_a_template_or_a_function():
    """As in ``re.sub``: groups can be named, or a function decides."""
    assert "key=*** ok" == read(Redact(r"(key=)\w+", r"\1***", 20), "key=ab", "cd ok")
    assert "4 ok" == read(Redact(r"\w{3,}", lambda found: str(len(found[0])), 20), "ab", "cd ok")


# -- where a text ends -----------------------------------------------------------


def test_each_choice_and_channel_is_a_text_of_its_own():
    """A match never spans choices or channels, and each is redacted."""
    out = through(
        Redact("ab"),
        ReasoningDelta("xa", 0, "reasoning"),
        TextDelta("a", 1),
        TextDelta("b a", 0),
        TextDelta("b", 1),
        TextDelta("b", 0),
        RefusalDelta("ab", 0),
    )
    assert [
        ReasoningDelta("xa", 0, "reasoning"),
        TextDelta("b [redacted]", 0),
        TextDelta("[redacted]", 1),
        RefusalDelta("[redacted]", 0),
    ] == out


def test_channels_left_out_are_left_alone():
    """Only the named channels are redacted; the others still come in order."""
    out = through(Redact("ab", channels="text"), TextDelta("a"), ReasoningDelta("ab"))

    assert [TextDelta("a"), ReasoningDelta("ab")] == out


def test_nothing_shown_in_a_choice_overtakes_what_is_held():
    """A call, a citation, the finish: what is held comes first, and the text ends there."""
    for event in (ToolCallStarted(0, "1", "f"), Citation({}), Finished(0, "stop")):
        out = through(Redact("ab"), TextDelta("xa"), event, TextDelta("b"))

        assert [TextDelta("xa"), event, TextDelta("b")] == out


def test_what_shows_nothing_has_no_place_in_the_text():
    """Usage, an empty delta, a provider's field beside each delta: none hides a match."""
    beside = [UsageReported(Usage(1, 2)), Metadata(0, {"logprobs": {}}), ReasoningDelta("")]
    out = through(Redact("ab"), TextDelta("a"), *beside, TextDelta("b"))

    assert [*beside, TextDelta("[redacted]")] == out


# -- settings --------------------------------------------------------------------


@pytest.mark.parametrize("patterns", [[], "(", b"ab", [5], "a*", [r"ok", "x?"]])
def test_patterns_that_match_nothing_are_refused(patterns):
    """None, no regular expression, one for bytes, or one that matches emptiness."""
    with pytest.raises(MisuseError, match="expected patterns"):
        Redact(patterns)


def test_other_settings_are_checked():
    """*hold* is a size, *channels* are channels of text."""
    with pytest.raises(MisuseError, match="expected hold to be 1 or more characters; got 0"):
        Redact("a", hold=0)
    for channels in ("tool_calls", (), ["text", "steps"]):
        with pytest.raises(MisuseError, match="expected channels among"):
            Redact("a", channels=channels)


def test_a_match_that_is_made_of_something_else_is_told():
    """A wrong *made_of* would let matches through: the first one seen says so, and not itself."""
    with pytest.raises(MisuseError, match=r"made of '\\\\S' only; 'my \(key\)' matched") as raised:
        read(Redact(r"my (key)", made_of=r"\S"), "it is my key")
    assert "it is" not in str(raised.value)


def test_compiled_patterns_keep_their_flags():
    """Each pattern is its own, flags and all."""
    stage = Redact([re.compile("AB", re.IGNORECASE), "C"], "#", made_of=re.compile("[a-zC]"))

    assert "##c" == read(stage, "a", "bCc")


# -- as a stage ------------------------------------------------------------------


@pytest.mark.parametrize("made_of", [None, r"[\w-]"])
def test_it_keeps_the_rules_of_a_stage(made_of):
    """The conformance kit finds nothing, on matches cut anywhere."""
    stage = Redact([KEY, r"\d{3}-\d{2}"], made_of=made_of)
    check_stage(stage, texts=["my sk-abcd1234, yours 123-45", "sk-abcd"], hold=256)


async def ask(stages, **callbacks):
    """One answer that holds a key, cut in two; what was shown and the response."""
    frames = answers.reasoning_stream(["hm sk-ab", "cd12"], ["it is sk", "-abcd1234", "."])
    async with FaultProvider(stream=Reply(*frames)) as provider:
        async with streamkit.Client(base_url=provider.url, stages=stages) as client:
            async with client.stream(BODY) as run:
                shown = "".join([text async for text in run.text()])
            return shown, await run.response()


@pytest.mark.anyio
async def test_before_the_accumulator_it_changes_the_answer():
    """Neither a watcher nor the response, nor its raw JSON, has what was replaced."""
    shown, response = await ask([Redact(KEY)])

    assert ("it is [redacted].", "it is [redacted].") == (shown, response.text)
    assert "hm [redacted]" == response.reasoning
    assert "sk-" not in str(response.raw)


@pytest.mark.anyio
async def test_behind_the_accumulator_it_changes_the_view():
    """A watcher does not see it; the response has the answer as it was."""
    shown, response = await ask([Accumulator, Redact(KEY)])

    assert ("it is [redacted].", "it is sk-abcd1234.") == (shown, response.text)
    assert "hm sk-abcd12" == response.reasoning
