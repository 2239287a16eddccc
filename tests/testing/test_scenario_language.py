"""The language: what is read, what is written back, and what is told of a line that is none."""

import json
import math
from contextlib import suppress

import anyio
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from streamkit.errors import MisuseError
from streamkit.events import Citation, ResponseCompleted, TextDelta
from streamkit.testing import (
    Act,
    Drop,
    HalfClose,
    Hold,
    KeepAlive,
    NeverEnd,
    Pause,
    Reply,
    Reset,
    Scenario,
    Until,
)
from streamkit.testing.scenario import (
    AfterBytes,
    At,
    BeforeHead,
    BehindFrame,
    Buffer,
    Content,
    ContentType,
    Done,
    Drip,
    Duplicate,
    End,
    Error,
    Finish,
    Garbage,
    Gzip,
    IgnoreStream,
    InArguments,
    InFrame,
    InUtf8,
    Place,
    Reasoning,
    Refusal,
    Reject,
    Reorder,
    Status,
    Text,
    Tool,
    Usage,
    about,
    pieces_of,
    scene,
    scenes,
    write_line,
)
from streamkit.testing.scenario.vocabulary import CHOICE, FORMS, PLACES, SLOW_ACCEPT

OBJECT = '{"city": "Paris"}'
LINES = {
    'text "Hel" "lo"': Text("Hel", "lo"),
    'text ""': Text(""),
    'text "\\ud800 \\u00fc"': Text("\ud800 ü"),
    'reasoning "hm"': Reasoning("hm"),
    'refusal "No. \\"No.\\""': Refusal('No. "No."'),
    f"tool f {OBJECT}": Tool("f", OBJECT),
    f"tool f {OBJECT} in 4 id c9": Tool("f", *pieces_of(OBJECT, 4), id="c9"),
    'tool "get it" {} in 2': Tool("get it", "{", "}"),
    "tool f": Tool("f"),
    'tool f ""': Tool("f", ""),
    'tool f "{\\"a\\": 1}\\n"': Tool("f", '{"a": 1}\n'),
    'tool f "12"': Tool("f", "12"),
    'tool f "{} {}"': Tool("f", "{} {}"),
    'tool f "{" "} "': Tool("f", "{", "} "),
    'event {"type":"citation","citation":{"url":"ü"}}': Citation({"url": "ü"}),
    "finish stop": Finish(),
    'finish "end of turn"': Finish("end of turn"),
    "usage 3 5": Usage(3, 5),
    'error "no" type t code c': Error("no", "t", "c"),
    'error "no"': Error("no"),
    "done": Done(),
    "no done": Done(sent=False),
    "delay 0.5": At(BeforeHead(), Pause(0.5)),
    "pause 2": Pause(2),
    "pause 1e-07 in frame 3": At(InFrame(3), Pause(1e-7)),
    "keep-alives 3 every 0.5": KeepAlive(0.5, times=3),
    'keep-alives 3 every 0.5 saying ": hm" behind frame 1': At(
        BehindFrame(1), KeepAlive(0.5, ": hm", 3)
    ),
    "stall": Hold(),
    "stall before head": At(BeforeHead(), Hold()),
    "stall with keep-alives every 5": KeepAlive(5),
    'stall with keep-alives every 5 saying "." in utf-8': At(InUtf8(), KeepAlive(5, ".")),
    "cut": Drop(),
    "cut after 120 bytes": At(AfterBytes(120), Drop()),
    "reset in arguments": At(InArguments(), Reset()),
    "half-close": HalfClose(),
    "end behind frame 2": At(BehindFrame(2), End()),
    'garbage "<html>"': Garbage("<html>"),
    "garbage 64 bytes in frame 1": At(InFrame(1), Garbage(64)),
    "status 204": Status(204),
    'status 429 retry-after 7 x-a "a b" "slow down"': Status(
        429, "slow down", {"retry-after": "7", "x-a": "a b"}
    ),
    "reject field stream_options": Reject("stream_options"),
    'reject field n 422 "one"': Reject("n", 422, "one"),
    'content-type "text/html; charset=utf-8"': ContentType("text/html; charset=utf-8"),
    "content-type text/html": ContentType("text/html"),
    "content-type none": ContentType(None),
    'content-type "none"': ContentType("none"),
    "gzip": Gzip(),
    "duplicate frame 3": Duplicate(3),
    "reorder frames 1 2": Reorder(1, 2),
    "never close": NeverEnd(),
    "buffer": Buffer(),
    "drip": Drip(),
    "drip 0.001": Drip(0.001),
    "ignore stream": IgnoreStream(),
}


def line(text):
    """The one line of a stream's one act."""
    (act,) = Scenario.parse(f"stream\n    {text}\n").stream
    (found,) = act.lines
    return found


def misread(text):
    """What is told of a scenario that is none."""
    with pytest.raises(MisuseError) as raised:
        Scenario.parse(text)
    return str(raised.value)


# -- reading and writing


@pytest.mark.parametrize("text", LINES)
def test_a_line_is_read_and_written(text):
    """It is the value, and the value is written as the line."""
    assert LINES[text] == line(text)
    assert text == write_line(LINES[text])


def test_every_word_is_tried():
    """The table above has each kind of line and each place."""
    heads = {" ".join(form.head) for form in FORMS}
    assert heads == {head for head in heads if any(text.startswith(head) for text in LINES)}
    ends = {" ".join(form.head) for form in PLACES}
    assert ends == {end for end in ends if any(f" {end}" in text for text in LINES)}


@pytest.mark.parametrize("form", [*FORMS, *PLACES, CHOICE, SLOW_ACCEPT], ids=lambda f: f.usage)
def test_every_word_says_how_it_is_written(form):
    """For the message of a line that is not."""
    assert form.usage.startswith(" ".join(form.head[:1]))


def test_what_can_be_written_in_more_than_one_way():
    """Is read the same."""
    assert Finish() == line("finish")
    assert Text("a") == line('\ttext   "a" # a comment')
    assert Text("a") == line('text "a"#')
    assert Text("a # b") == line('text "a # b"')
    assert Text("He", "llo") == line('text "Hello" in 2')
    assert Status(429, "a") == line('status 429 "a"\r')
    assert At(BeforeHead(), Pause(1)) == line("pause 1 before head") == line("delay 1.0")
    assert Pause(0.5) == line("pause .5")
    assert Tool("f", OBJECT) == line(f"tool f{OBJECT}")
    assert Finish("c#") == line("finish c#")


def test_a_scenario_is_read_line_by_line():
    """Acts in order, each side for itself; comments, blank lines and depth do not matter."""
    text = """
    # a comment
    slow accept 0.5
  stream

text "a"
        choice 1     # the second
        text "b"
        finish
    stream
        text "c"
    buffered
        status 500
    """
    assert Scenario(
        stream=[Act(Text("a"), Text("b", choice=1), Finish(choice=1)), Act(Text("c"))],
        buffered=Act(Status(500)),
        accept_delay=0.5,
    ) == Scenario.parse(text)


def test_a_scenario_is_written_to_be_read():
    """By people, too."""
    scenario = Scenario(
        stream=[Act(Text("a"), Finish("stop", choice=1), Usage(1, 2), Done(), Text("b")), Act()],
        buffered=Act(Text("a", choice=2), Gzip(), Tool("f", choice=2)),
        accept_delay=1,
    )
    assert str(scenario) == (
        "slow accept 1\n"
        "stream\n"
        '    text "a"\n'
        "    choice 1\n"
        "    finish stop\n"
        "    usage 1 2\n"
        "    done\n"
        "    choice 0\n"
        '    text "b"\n'
        "stream\n"
        "buffered\n"
        "    choice 2\n"
        '    text "a"\n'
        "    gzip\n"
        "    tool f\n"
    )
    assert scenario == Scenario.parse(str(scenario))


def test_a_step_of_ones_own_has_no_words():
    """Nor has one at a place where no words put it; such a scenario stays in Python."""
    for odd in (Until(anyio.Event()), At(InFrame(1), NeverEnd()), At(InFrame(1), print)):
        with pytest.raises(MisuseError, match="keep scenarios with lines of your own in Python"):
            str(Scenario(stream=Act(odd)))
    with pytest.raises(MisuseError, match="a header's name of plain letters"):
        write_line(Status(200, headers={"a b": "c"}))


# -- what cannot be read


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ["expected an act; got none; begin one with 'stream' or 'buffered'"]),
        ("slow accept 1", ["expected an act"]),
        ('text "a"', ["line 1", "expected 'text' in an act; begin one with 'stream'"]),
        ("choice 1", ["line 1", "expected 'choice' in an act"]),
        ("stream\nslow accept 1", ["line 2", "expected 'slow accept' before the first act"]),
        ("stream now", ["line 1", "expected nothing more behind 'stream'; got now"]),
        ('stream\n\n  txet "a"', ["line 3", "got txet \"a\"; did you mean 'text'?"]),
        ("stream\nrejects field a", ["did you mean 'reject field'?"]),
        ("stream\nhalfclose", ["did you mean 'half-close'?"]),
        ("stream\nneverclose", ["did you mean 'never close'?"]),
        ("steam", ["line 1", "did you mean 'stream'?"]),
        ("stream\nxyzzy", ["the words are: ", "buffer, ", "half-close, "]),
        ('stream\n"text"', ["expected a line that begins with a word"]),
        ("stream\ntext", ["expected a text in quotes", "the end of the line", 'text "PIECE"']),
        ("stream\ntext Hello", ["expected a text in quotes", "got Hello"]),
        ('stream\ntext "a', ["a string in double quotes", 'got "a']),
        ('stream\ntext "a" in 4', ["expected 1 to 1 pieces of 'a'; got 4"]),
        ('stream\ntext "abc" in 0', ["expected 1 to 3 pieces of 'abc'; got 0"]),
        ('stream\ntext "a" "b" in 2', ["expected nothing more behind 'text'; got in 2"]),
        ("stream\ntool f {", ["a JSON object, written as JSON; got {"]),
        ("stream\ntool {}", ["expected a word, or a text in quotes; got {}"]),
        ("stream\nevent 1", ["expected an event as a JSON object; got 1"]),
        ('stream\nevent {"type": "x"}', ["expected", "got 'x'"]),
        ('stream\nevent {"type": "response_completed"}', ["no terminal event"]),
        ("stream\nusage 3", ["expected a whole number; got the end", "usage INPUT OUTPUT"]),
        ("stream\nusage 3 -5", ["expected a whole number; got -5"]),
        ("stream\npause soon", ["expected seconds, such as 0.2; got soon"]),
        ("stream\npause -1", ["got -1"]),
        ("stream\npause nan", ["got nan"]),
        ("stream\npause 1e999", ["got 1e999"]),
        ("stream\npause 1 in utf8", ["expected a place (after N bytes, in frame N", "got in utf8"]),
        ("stream\ncut in frame 0", ["expected a frame's number, counted from 1; got 0"]),
        ("stream\ncut after 3", ["expected 'bytes'; got the end of the line"]),
        ("stream\nkeep-alives 3 at 5", ["expected 'every'; got at 5"]),
        ("stream\nstall with pings", ["expected a place", "got with pings"]),
        ("stream\ngarbage 0 bytes", ["expected text, or a count of bytes; got '0'"]),
        ('stream\ngarbage ""', ["expected text, or a count of bytes; got ''"]),
        ("stream\ngarbage 3", ["expected 'bytes'"]),
        ("stream\ngarbage 3 bytes before head", ["sends nothing before the head"]),
        ("stream\nstatus 99", ["expected a status from 200 to 599; got 99"]),
        ("stream\nstatus 429 retry-after", ["expected the value of retry-after"]),
        ('stream\nstatus 400 "a"\ntext "b"', ["line 3", "a status with a message"]),
        ("stream\nreject field a 4000", ["expected a status from 200 to 599; got 4000"]),
        ("stream\nreject field a\nreject field a", ["line 3", "got Reject twice"]),
        ("stream\nfinish\nchoice 1\nfinish\nfinish", ["line 5", "got Finish twice"]),
        ("stream\nusage 1 2\nusage 1 2", ["line 3", "expected it once in an act; got Usage twice"]),
        ("stream\nduplicate frame 0", ["counted from 1; got 0"]),
        ("buffered\nignore stream", ["expected 'ignore stream' where a stream is asked for"]),
        ("stream\n\u00a0cut", ["expected words, divided by spaces"]),
    ],
)
def test_a_line_that_is_none_is_told(text, says):
    """Which it is, what was expected, what came, what to do."""
    told = misread(text)
    assert [] == [words for words in says if words not in told], told


def test_an_object_too_deep_is_none():
    """It is told, not a crash."""
    assert "a JSON object" in misread("stream\ntool f " + '{"a":' * 100_000)


# -- values


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (Text, "at least one piece of text"),
        (lambda: Text(b"a"), "expected pieces of text; got a"),
        (lambda: Text("a", choice=-1), "expected choice to be a count; got -1"),
        (lambda: Tool("f", {}), "expected pieces of text"),
        (lambda: Usage(True, 1), "expected input to be a count; got True"),
        (lambda: Drip(math.nan), "expected seconds, 0 or more; got nan"),
        (lambda: Drip("1"), "expected seconds, 0 or more; got 1"),
        (lambda: Garbage(True), "expected text, or a count of bytes; got 'True'"),
        (lambda: AfterBytes(-1), "expected a count of bytes; got -1"),
        (lambda: At(BeforeHead(), End()), "sends nothing before the head"),
        (lambda: At(BeforeHead(), KeepAlive(1)), "sends nothing before the head"),
        (lambda: Act("text"), "expected a line of an act; got 'text'"),
        (lambda: Act(ResponseCompleted()), "no terminal event.*got ResponseCompleted"),
        (Scenario, "expected an act; got none"),
        (lambda: Scenario(stream=[Text("a")]), "expected acts; got"),
        (lambda: Scenario(stream=Act(), accept_delay=-1), "expected accept_delay in seconds"),
        (lambda: Scenario(buffered=Act(IgnoreStream())), "'ignore stream' where a stream"),
        (lambda: Reply(gzip=True, framing="length"), "the length of what is compressed"),
        (lambda: scene("cutt"), "got 'cutt'; did you mean 'cut'?"),
        (lambda: scene("xyzzy"), "there are: buffering-proxy, cut, "),
    ],
)
def test_a_value_that_is_none_is_misuse(make, says):
    """Told when it is made, not when it is played."""
    with pytest.raises(MisuseError, match=says):
        make()


def test_values_are_values():
    """Equal if they say the same, whatever made them."""
    assert Status(429, headers={"a": "b"}) == Status(429, None, (("a", "b"),))
    assert Scenario(stream=Act(Text("a"))) == Scenario(stream=(Act(Text("a")),))
    assert Text("a") != Reasoning("a")
    assert Act(TextDelta("a")) == Act(TextDelta("a"))


def test_the_roots_say_nothing():
    """They are there to be derived from."""
    with pytest.raises(NotImplementedError):
        Content().events(0)
    with pytest.raises(NotImplementedError):
        Place().offset(None)
    assert 0 == BeforeHead().offset(None)


def test_scenes_are_scenarios_with_a_word_about_them():
    """Every one, in the order of the alphabet."""
    texts = scenes()
    assert sorted(texts) == list(texts)
    for name, text in texts.items():
        assert text == scene(name)
        scenario = Scenario.parse(text)
        assert scenario == Scenario.parse(str(scenario))
        assert about(text).endswith(".")
    assert "" == about("stream\n")


# -- whatever is written is read back


def written(value):
    """JSON, as somebody may have written it: with escapes or without."""
    return json.dumps(value, ensure_ascii=bool(len(value) % 2))


texts = st.text(max_size=6)
words = st.text(min_size=1, max_size=6)
choices = st.integers(0, 2)
counts = st.integers(0, 10**9 - 1)
numbers = st.integers(1, 99)
seconds = st.floats(0, 1e6, allow_nan=False)
values = st.none() | st.integers(-9, 9) | st.text(max_size=3)
objects = st.dictionaries(texts, values, max_size=3).map(written)
statuses = st.integers(200, 599)


@st.composite
def spoken(draw):
    """A line of pieces."""
    kind = draw(st.sampled_from([Text, Reasoning, Refusal]))
    return kind(*draw(st.lists(texts, min_size=1, max_size=3)), choice=draw(choices))


@st.composite
def tools(draw):
    """A tool call: of an object, in pieces, or of anything."""
    text = draw(objects)
    pieces = draw(
        st.integers(1, min(4, len(text))).map(lambda n: pieces_of(text, n)) | st.lists(texts)
    )
    return Tool(draw(texts), *pieces, id=draw(texts), choice=draw(choices))


steps = (
    st.builds(Pause, seconds)
    | st.builds(KeepAlive, seconds, texts, st.none() | counts)
    | st.sampled_from([Hold(), Drop(), Reset(), HalfClose(), End()])
    | st.builds(Garbage, words | numbers)
)
places = (
    st.builds(AfterBytes, counts)
    | st.builds(InFrame, numbers)
    | st.builds(BehindFrame, numbers)
    | st.sampled_from([InUtf8(), InArguments(), BeforeHead()])
)


@st.composite
def placed(draw):
    """A step at a place."""
    place, step = draw(places), draw(steps)
    silent = callable(step) and not isinstance(step, KeepAlive)
    return At(InUtf8() if isinstance(place, BeforeHead) and not silent else place, step)


anywhere = (
    spoken()
    | tools()
    | steps
    | placed()
    | st.builds(TextDelta, texts, choices)
    | st.builds(Duplicate, numbers)
    | st.builds(Reorder, numbers, numbers)
)
headers = st.dictionaries(st.from_regex(r"[a-z-]{1,5}", fullmatch=True), texts, max_size=2)
once = [
    st.builds(Finish, texts, st.just(0)),
    st.builds(Finish, texts, st.just(1)),
    st.builds(Usage, counts, counts),
    st.builds(Error, texts, texts, st.none() | texts),
    st.builds(Done, st.booleans()),
    st.builds(Status, statuses, st.none(), headers),
    st.builds(Reject, st.just("a"), statuses, st.none() | texts),
    st.builds(Reject, st.just("a b"), statuses, st.none() | texts),
    st.builds(ContentType, st.none() | texts),
    st.just(Gzip()),
    st.just(Buffer()),
    st.builds(Drip, seconds),
    st.just(NeverEnd()),
]


@st.composite
def acts(draw, *more):
    """An act of any lines."""
    singles = draw(st.lists(st.sampled_from([*once, *more]), unique=True, max_size=4))
    lines = [*draw(st.lists(anywhere, max_size=5)), *(draw(single) for single in singles)]
    return Act(*draw(st.permutations(lines)))


scenarios = st.builds(
    Scenario,
    stream=st.lists(acts(st.just(IgnoreStream())), max_size=2),
    buffered=st.lists(acts(), min_size=1, max_size=2),
    accept_delay=seconds,
)


@given(scenarios)
def test_what_is_written_is_read_back(scenario):
    """Whatever was said, and however it was written the second time is as the first."""
    text = str(scenario)
    assert scenario == Scenario.parse(text)
    assert text == str(Scenario.parse(text))


@given(st.text(), st.text(alphabet='ab "{}#\\1.\n\t', max_size=40))
def test_whatever_is_read_is_a_scenario_or_misuse(text, rest):
    """Nothing else is raised."""
    for tried in (text, f"stream\n{rest}", f"stream\ntext {rest}", f"stream\ntool {rest}"):
        with suppress(MisuseError):
            Scenario.parse(tried)


PLACED = (AfterBytes, InFrame, BehindFrame, InUtf8, InArguments, BeforeHead)
KINDS = {type(value) for value in LINES.values()} - {At, Citation, IgnoreStream}


@pytest.mark.interop  # it takes long
@pytest.mark.parametrize("kind", [*sorted(KINDS, key=str), *PLACED], ids=lambda kind: kind.__name__)
def test_the_strategy_reaches_every_line(kind):
    """Each kind of line and each place stands in some act that is written and read."""

    def has(act):
        return any(isinstance(getattr(line, "place", line), kind) for line in act.lines)

    quickly = settings(max_examples=3000, phases=[Phase.generate], database=None)
    assert has(find(acts(), has, settings=quickly))
