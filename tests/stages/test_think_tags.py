"""Reasoning between tags becomes reasoning, and nothing else changes."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import streamkit
from streamkit.errors import MisuseError
from streamkit.events import (
    Citation,
    Finished,
    Metadata,
    ReasoningDelta,
    ResponseCompleted,
    TextDelta,
    ToolCallStarted,
    UsageReported,
)
from streamkit.response import Usage
from streamkit.stages import ThinkTags
from streamkit.testing import FaultProvider, Reply, answers, check_stage

BODY = {"model": "demo-1", "messages": [{"role": "user", "content": "hello"}]}
END = ResponseCompleted(evidence="finish_reason")


def through(stage, *events):
    """What comes out of *stage*, the terminal left out."""
    return [out for event in (*events, END) for out in stage(event)][:-1]


def read(*deltas, choice=0, **options):
    """The answer and the reasoning that come of the joined *deltas*."""
    out = through(ThinkTags(**options), *(TextDelta(text, choice) for text in deltas))
    return tuple(
        "".join(event.text for event in out if type(event) is kind)
        for kind in (TextDelta, ReasoningDelta)
    )


def cut_at(text, places):
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in pairwise(edges)]


CASES = [
    ("<think>hm</think>yes", "yes", "hm"),
    ("<think>\nhm\n</think>\n\nyes", "\n\nyes", "\nhm\n"),
    ("<thinking>a</thinking>b", "b", "a"),
    ("<reasoning>a</reasoning>b", "b", "a"),
    ("<thought>a</thought>b", "b", "a"),
    ("<THINK>a</Think>b", "b", "a"),
    ("<think>a</thinking>b", "b", "a"),
    ("\n  <think>a</think>b", "\n  b", "a"),
    ("one\n<think>a</think>two\n   <thought>b</thought>", "one\ntwo\n   ", "ab"),
    ("<think>a</think><think>b</think>c", "c", "ab"),
    ("<think>a <think> b</think>c", "c", "a <think> b"),
    ("<think></think>c", "c", ""),
    # without an end
    ("<think>a", "", "a"),
    ("<think>a</thin", "", "a</thin"),
    ("<thin", "<thin", ""),
    ("a\n<", "a\n<", ""),
    # without a beginning
    ("</think>b", "b", ""),
    ("\n</think>\n\nb", "\n\n\nb", ""),
    ("a\n</think>b", "a\nb", ""),
    ("<think>a</think></think>b", "b", "a"),
    # prose that mentions a tag
    ("Use <think> tags.", "Use <think> tags.", ""),
    ("Close it with </think>.", "Close it with </think>.", ""),
    ("`<think>` opens", "`<think>` opens", ""),
    ("    <think>code</think>", "    <think>code</think>", ""),
    ("\t<think>", "\t<think>", ""),
    ("<thinker>a</thinker>", "<thinker>a</thinker>", ""),
    ("< think>a", "< think>a", ""),
    ("a < b\n<c> <think>", "a < b\n<c> <think>", ""),
    ("```\n<think>a</think>\n```\n<think>b</think>", "```\n<think>a</think>\n```\n", "b"),
    ("~~~xml\n<think>\n```\n~~\n~~~~ \n<think>b", "~~~xml\n<think>\n```\n~~\n~~~~ \n", "b"),
    ("```a\n```b\n<think>", "```a\n```b\n<think>", ""),
    ("```not`a fence\n<think>b", "```not`a fence\n", "b"),
    ("```\r\n<think>\r\n```\r\n<think>b", "```\r\n<think>\r\n```\r\n", "b"),
    ("``\n<think>b", "``\n", "b"),
    # a closer in the reasoning's own code
    ("<think>say `</think>` last</think>b", "b", "say `</think>` last"),
    ("<think>see `x`</think>b", "b", "see `x`"),
    ("<think>5` long\n`</think>`</think>b", "b", "5` long\n`</think>`"),
    ("<think>a stray ` here</think>b", "b", "a stray ` here"),
    ("<think>```\ncode</think>b", "b", "```\ncode"),
    # nothing grows when it is folded
    ("İ<think>a", "İ<think>a", ""),
    ("<think>İİİ</THINK>\u0131", "\u0131", "İİİ"),
    ("<th\u0131nk>a", "<th\u0131nk>a", ""),
]


@pytest.mark.parametrize(("text", "answer", "reasoning"), CASES)
def test_only_the_tags_are_cut(text, answer, reasoning):
    """Tags at the beginning of a line move what is between them; all else stays what it is."""
    assert (answer, reasoning) == read(text)


@pytest.mark.parametrize(("text", "answer", "reasoning"), CASES)
def test_every_cut_gives_the_same(text, answer, reasoning):
    """In two pieces, wherever, or in single characters, the same is read."""
    for at in range(len(text) + 1):
        assert (answer, reasoning) == read(text[:at], text[at:])
    assert (answer, reasoning) == read(*text)


STARTED = [
    ("a</think>b", "b", "a"),
    ("<think>a</think>b", "b", "a"),
    (" \n<THINK>a</think>b", "b", " \na"),
    ("<thin</think>b", "b", "<thin"),
    ("a<think></think>b", "b", "a<think>"),
    ("a<think>b</think>c\n<think>d", "c\n", "a<think>bd"),
    ("<think", "", "<think"),
    ("   ", "", "   "),
]


@pytest.mark.parametrize(("text", "answer", "reasoning"), STARTED)
def test_an_answer_may_start_in_reasoning(text, answer, reasoning):
    """Where the template has the opener, the text begins as reasoning; a second opener goes."""
    for at in range(len(text) + 1):
        assert (answer, reasoning) == read(text[:at], text[at:], starts_in_reasoning=True)
    assert (answer, reasoning) == read(*text, starts_in_reasoning=True)


def test_a_provider_that_tells_of_reasoning_itself_is_believed():
    """Reasoning in a field of its own says that the text is text, whatever was expected."""
    stage = ThinkTags(starts_in_reasoning=True)
    given = [ReasoningDelta("hm"), TextDelta("yes"), ReasoningDelta("more"), TextDelta(" no")]

    assert given == through(stage, *given)


def test_reasoning_that_began_in_the_text_goes_on_behind_a_call():
    """A tool call within the reasoning does not end it."""
    call = ToolCallStarted(0, "1", "f")
    out = through(ThinkTags(), TextDelta("<think>a"), call, TextDelta("b</think>c"))

    assert [ReasoningDelta("a"), call, ReasoningDelta("b"), TextDelta("c")] == out


# -- an oracle for whole texts ---------------------------------------------------

NAMES = ("think", "thinking", "reasoning", "thought")


def tag_at(text, at, slash):
    """The tag that begins there, or None."""
    for name in NAMES:
        tag = f"<{slash}{name}>"
        if text[at : at + len(tag)].lower() == tag and text[at : at + len(tag)].isascii():
            return tag
    return None


def fenced(lines):
    """Whether whole *lines* end within fenced code."""
    fence = ""
    for line in lines:
        inner = line.lstrip(" ")
        run = inner[: len(inner) - len(inner.lstrip(inner[:1]))] if inner[:1] in "`~" else ""
        if len(line) - len(inner) > 3 or len(run) < 3:
            continue
        rest = inner[len(run) :]
        if not fence and not (run[0] == "`" and "`" in rest):
            fence = run
        elif fence and run[0] == fence[0] and len(run) >= len(fence) and not rest.strip():
            fence = ""
    return bool(fence)


def oracle(text):
    """Read a whole text, character by character, looking back over all that was given."""
    answer, reasoning, thinking = "", "", False
    lines, head, thought, at = [], "", "", 0  # a tag begins a line, and a thought, anew
    while at < len(text):
        tag = tag_at(text, at, "/") or (None if thinking else tag_at(text, at, ""))
        if thinking:
            ticks = thought[thought.rfind("\n") + 1 :].count("`")
            taken = tag and not (thought.endswith("`") and ticks % 2)
        else:
            taken = tag and len(head) <= 3 and not head.strip(" ") and not fenced(lines)
        step = text[at : at + len(tag)] if tag and (taken or thinking) else text[at]
        at += len(step)
        if taken:
            thinking, head, thought = tag[1] != "/", "", ""
        elif thinking:
            reasoning, thought = reasoning + step, thought + step
        else:
            answer, head = answer + step, head + step
            if step == "\n":
                lines, head = [*lines, head.rstrip("\n")], ""
    return answer, reasoning


tagged = st.lists(
    st.one_of(
        st.sampled_from(["<think>", "</think>", "<Thought>", "</THINKING>", "<think", "/>", "<"]),
        st.sampled_from(
            ["\n", "\n", "   ", "    ", "`", "```\n", "~~~\n", "``` x\n", "a", "é", "İ"]
        ),
    ),
    max_size=14,
).map("".join)


@given(tagged, st.lists(st.integers(0, 200), max_size=8))
@example("<think>a`</think>`</think>\n```\n<think>", [])
@example("   </think>  ```\n<think>a", [3])
def test_it_reads_what_an_oracle_reads(text, places):
    """Cut anywhere, it gives what a reader of the whole text gives."""
    expected = oracle(text)

    assert expected == read(text)
    assert expected == read(*cut_at(text, places))


@given(tagged, st.booleans())
def test_what_is_held_is_bounded(text, started):
    """At any time, what is held back is less than the longest tag."""
    stage = ThinkTags(starts_in_reasoning=started)
    given = 0
    for character in text:
        for event in stage(TextDelta(character)):
            given += len(event.text)
    rest = sum(len(event.text) for event in stage(END)[:-1])

    assert rest < len("</reasoning>")
    assert given + rest <= len(text)


def test_the_oracle_is_reached_by_what_matters():
    """The fixed cases hold for the oracle as well, so both mean the same."""
    for text, answer, reasoning in CASES:
        assert (answer, reasoning) == oracle(text), text


# -- among other events ----------------------------------------------------------


def test_nothing_shown_in_a_choice_overtakes_what_is_held():
    """A call, a citation, the finish: what is held comes first, and a line begins anew."""
    for event in (ToolCallStarted(0, "1", "f"), Citation({}), Finished(0, "stop")):
        out = through(ThinkTags(), TextDelta("a\n<thi"), event, TextDelta("<think>b"))

        assert [TextDelta("a\n"), TextDelta("<thi"), event, ReasoningDelta("b")] == out


def test_what_shows_nothing_has_no_place_in_the_text():
    """Usage, or a provider's field beside each delta, does not break a tag."""
    beside = [UsageReported(Usage(1, 2)), Metadata(0, {"logprobs": {}})]
    out = through(ThinkTags(), TextDelta("<thi"), *beside, TextDelta("nk>b"))

    assert [*beside, ReasoningDelta("b")] == out


def test_empty_deltas_change_nothing():
    """A delta without text passes, and ends nothing."""
    empty = [TextDelta(""), ReasoningDelta("")]
    out = through(ThinkTags(), TextDelta("<thi"), *empty, TextDelta("nk>b"))

    assert [*empty, ReasoningDelta("b")] == out


def test_each_choice_is_read_for_itself():
    """A tag of one choice moves nothing of another, and frees nothing of it."""
    out = through(
        ThinkTags(),
        TextDelta("<think>", 0),
        TextDelta("<th", 1),
        TextDelta("a", 0),
        Finished(0, "stop"),
        TextDelta("e>b", 1),
    )

    assert [ReasoningDelta("a", 0), Finished(0, "stop"), TextDelta("<the>b", 1)] == out


def test_the_end_frees_every_choice():
    """The terminal comes behind what any choice held."""
    stage = ThinkTags()
    stage(TextDelta("<thi", 0))
    stage(TextDelta("<think>a</th", 1))

    assert (TextDelta("<thi", 0), ReasoningDelta("</th", 1), END) == stage(END)


def test_names_and_field_are_settings():
    """Other names, of any alphabet, and the field of the message."""
    out = through(ThinkTags(tags=["思考", "Plan"], field="plan"), TextDelta("<思考>a</PLAN>b"))

    assert [ReasoningDelta("a", 0, "plan"), TextDelta("b")] == out


@pytest.mark.parametrize("tags", [(), "think", ("<think>",), ("",), ("a b",), (5,)])
def test_tags_that_are_no_names_are_refused(tags):
    """The error says how names are written."""
    with pytest.raises(MisuseError, match="expected tags to be names"):
        ThinkTags(tags=tags)


# -- as a stage ------------------------------------------------------------------


@pytest.mark.parametrize("factory", [ThinkTags, ThinkTags(starts_in_reasoning=True)])
def test_it_keeps_the_rules_of_a_stage(factory):
    """The conformance kit finds nothing, on tags cut anywhere."""
    drops = () if factory is ThinkTags else (TextDelta,)
    check_stage(factory, texts=["<think>a\n`</think>`</think>\n\nb </think>"], drops=drops)


@pytest.mark.anyio
@pytest.mark.parametrize("streaming", [True, False])
async def test_in_a_client_the_response_has_both(streaming):
    """Text without tags, reasoning in the provider's shape; a buffered answer is read the same."""
    pieces = ("<th", "ink>h", "m</thi", "nk>yes")
    provider = FaultProvider(
        stream=Reply(*answers.text_stream(*pieces)) if streaming else Reply("no", status=500),
        buffered=Reply(answers.completion("".join(pieces))),
    )
    async with provider, streamkit.Client(base_url=provider.url, stages=[ThinkTags]) as client:
        response = await client.complete(BODY)

    assert ("yes", "hm") == (response.text, response.reasoning)
    message = response.raw["choices"][0]["message"]
    assert ("yes", "hm") == (message["content"], message["reasoning_content"])
