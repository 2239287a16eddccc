"""Each word of the language is what it says, over real HTTP, in the frames of every dialect."""

import zlib

import anyio
import httpx
import pytest

from streamkit.dialects import _DIALECTS, Answer, OpenAIChat, OpenAIChatEncoder, get_dialect
from streamkit.errors import MisuseError
from streamkit.events import (
    Citation,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from streamkit.framing import Frame
from streamkit.replay import replay
from streamkit.testing import Act, FaultProvider, Pause, Scenario, Until
from streamkit.testing.scenario import Text, reply_of

from .wire import DIALECTS, PATIENCE, ask, play

pytestmark = pytest.mark.anyio
in_every_dialect = pytest.mark.parametrize("dialect", DIALECTS)

TEXT = 'text "Hel" "lü" "!"'
ALL = f"{TEXT}\nfinish stop\nusage 3 5\n"
TOOL = 'tool f {"city": "Paris"} in 4\nfinish tool_calls\n'
BUFFERED = {"stream": False}


def stream(*lines):
    """The script of a stream."""
    return "\n".join(("stream", *lines))


def both(*lines):
    """The script of the same, streamed and not."""
    return "\n".join(("stream", *lines, "buffered", *lines))


async def frames_of(*lines, dialect="openai-chat"):
    """The frames of a stream in which nothing goes wrong."""
    seen = await play(stream(*lines), dialect)
    assert "whole" == seen.ending
    assert b"".join(seen.frames) == seen.body
    return seen.frames


def on(side, *lines):
    """The script of what a stream, or any other request gets."""
    return "\n".join(("stream" if side is None else "buffered", *lines))


def told(seen, dialect, kind):
    """What the events of one *kind* say."""
    return [event for event in seen.events(dialect) if isinstance(event, kind)]


def only(values, key):
    """What is said under *key*, of those values that say it."""
    return [value[key] for value in values if value != "[DONE]" and value.get(key)]


def deltas(seen):
    """The deltas of the chat API's chunks, their roles apart."""
    choices = [choice for chunks in only(seen.values, "choices") for choice in chunks]
    return [{k: v for k, v in choice["delta"].items() if k != "role"} for choice in choices]


def waited(seconds, took):
    """Whether it took so long; uvloop's clock counts whole milliseconds."""
    return took >= seconds - 0.005


# -- what is said


@in_every_dialect
async def test_text_is_a_delta_for_each_piece(dialect):
    """Each in a frame and an HTTP chunk of its own, characters as they are."""
    seen = await play(stream(TEXT), dialect)
    assert ["Hel", "lü", "!"] == [event.text for event in told(seen, dialect, TextDelta)]
    assert seen.frames == seen.chunks
    assert "lü".encode() in seen.body
    assert ("whole", 200, "text/event-stream") == (
        seen.ending,
        seen.status,
        seen.headers["content-type"],
    )


@in_every_dialect
async def test_a_text_is_cut_into_so_many_pieces(dialect):
    """Nearly of one length."""
    seen = await play(stream('text "Hello, you" in 4'), dialect)
    assert ["He", "llo", ", ", "you"] == [event.text for event in told(seen, dialect, TextDelta)]


async def test_reasoning_and_refusal_have_their_fields():
    """In the chat API; in order with the text around them."""
    seen = await play(stream('reasoning "hm" "m"', 'text "so"', 'refusal "No."'))
    assert [
        ReasoningDelta("hm"),
        ReasoningDelta("m"),
        TextDelta("so"),
        RefusalDelta("No."),
    ] == told(seen, "openai-chat", ReasoningDelta | TextDelta | RefusalDelta)


async def test_what_an_api_has_no_word_for_is_not_told():
    """Llama Stack has none for reasoning, and tells a refusal as text."""
    seen = await play(stream('reasoning "hm"', 'refusal "No."'), "llama-stack-turn")
    assert ["No."] == [event.text for event in told(seen, "llama-stack-turn", TextDelta)]
    assert b"hm" not in seen.body


@in_every_dialect
async def test_a_tool_call_is_told_in_pieces(dialect):
    """Its arguments join to the JSON that was written, spaces and all."""
    seen = await play(stream(TOOL), dialect)
    (started,) = told(seen, dialect, ToolCallStarted)
    assert ("call_1", "f") == (started.id, started.name)
    if dialect == "openai-chat":
        pieces = [event.arguments for event in told(seen, dialect, ToolCallDelta)]
        assert ['{"ci', 'ty":', ' "Pa', 'ris"}'] == pieces
    else:
        spelled = [d.extra for d in told(seen, dialect, ToolCallDelta) if d.extra]
        assert ["", '{"ci', 'ty":', ' "Pa', 'ris"}'] == [extra["tool_call"] for extra in spelled]


async def test_a_tool_call_may_have_an_id_broken_arguments_or_none():
    """Pieces are sent as they are; calls are counted."""
    seen = await play(stream('tool f "{\\"a\\": " "oops" id c9', "tool g", 'tool "h i" {}'))
    calls = [delta["tool_calls"][0] for delta in deltas(seen)]
    assert [("c9", "f", 0), ("call_2", "g", 1), ("call_3", "h i", 2)] == [
        (call["id"], call["function"]["name"], call["index"]) for call in calls if "id" in call
    ]
    assert ['{"a": ', "oops", "{}"] == [
        call["function"]["arguments"] for call in calls if "id" not in call
    ]


async def test_a_choice_has_its_own_content():
    """The lines below `choice` are of it, and its calls are counted apart."""
    lines = ('text "a"', "tool f", "choice 1", 'text "b"', "tool g", "finish length", "choice 0")
    seen = await play(stream(*lines, "finish stop"))
    choices = [choice for chunks in only(seen.values, "choices") for choice in chunks]
    assert [0, 0, 1, 1, 1, 0] == [choice["index"] for choice in choices]
    assert [Finished(1, "length"), Finished(0, "stop")] == told(seen, "openai-chat", Finished)
    calls = [d["tool_calls"][0] for d in deltas(seen) if "tool_calls" in d]
    assert [("call_1", 0), ("call_1", 0)] == [(call["id"], call["index"]) for call in calls]


@in_every_dialect
async def test_an_answer_ends_where_it_is_written(dialect):
    """With the provider's own end; what was not written is not sent."""
    ends = {"openai-chat": "stop", "llama-stack-turn": "end_of_turn"}
    seen = await play(stream(TEXT, "finish stop"), dialect)
    assert [ends[dialect]] == [event.reason for event in told(seen, dialect, Finished)]
    assert [] == told(await play(stream(TEXT), dialect), dialect, Finished)


async def test_the_end_of_one_choice_is_not_the_end_of_another():
    """Nor does a word that the API does not know become another."""
    seen = await play(stream('text "a"', "choice 1", 'text "b"', 'finish "max tokens"', "no done"))
    assert [Finished(1, "max tokens")] == told(seen, "openai-chat", Finished)
    assert [0, 1, 1] == [chunks[0]["index"] for chunks in only(seen.values, "choices")]


async def test_usage_is_told_in_the_words_of_the_api():
    """In a chunk without choices, where its line stands; with or without an end."""
    seen = await play(stream("usage 3 5", TEXT))
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    assert ([], usage) == (seen.values[0]["choices"], seen.values[0]["usage"])
    assert 4 == len(seen.frames)
    (last,) = told(await play(stream(TEXT, "finish", "usage 3 5")), "openai-chat", UsageReported)
    assert (usage, 8) == (last.extra, last.usage.total_tokens)


async def test_the_done_marker_comes_behind_an_end():
    """Unless a line says where, or that it does not."""
    done = b"data: [DONE]\n\n"
    assert done == (await frames_of(ALL))[-1]
    assert done not in await frames_of(TEXT)
    assert done not in await frames_of(ALL, "no done")
    assert done == (await frames_of("done", TEXT))[0]
    assert [done] == await frames_of("done")


@in_every_dialect
async def test_an_error_in_band_is_a_frame(dialect):
    """Where its line stands, and a body where there are no frames."""
    line = 'error "overloaded" type busy code c-1'
    error = {"message": "overloaded", "type": "busy", "param": None, "code": "c-1"}
    seen = await play(both('text "a"', line), dialect)
    assert {"error": error} == seen.values[-1]
    whole = await play(both('text "a"', line), dialect, BUFFERED)
    assert ({"error": error}, 200) == (whole.json, whole.status)


async def test_any_event_can_be_told():
    """As `streamkit.codec` writes it."""
    cited = 'event {"type": "citation", "citation": {"url": "u"}}'
    seen = await play(stream(cited, 'event {"type": "text_delta", "text": "a"}', "finish"))
    assert [Citation({"url": "u"})] == told(seen, "openai-chat", Citation)
    agent = [
        'event {"type": "step_started", "step": "tool_execution", "id": "s9"}',
        'event {"type": "tool_result", "call": 0, "id": "c", "name": "f", "content": "42"}',
        'event {"type": "step_completed", "step": "tool_execution", "id": "s9"}',
        'event {"type": "awaiting_input"}',
        "finish tool_calls",
    ]
    seen = await play(stream(*agent), "llama-stack-turn")
    kinds = [value["event"]["payload"]["event_type"] for value in seen.values]
    assert ["step_start", "step_complete", "turn_awaiting_input"] == kinds


@in_every_dialect
async def test_a_buffered_act_is_the_providers_own_json(dialect):
    """The same answer, as the dialect gives it without a stream."""
    lines = (TEXT, TOOL, "usage 3 5")
    script = both(*lines)
    one, other = await play(script, dialect), await play(script, dialect, BUFFERED)
    answers = [Answer(), Answer()]
    for event in one.events(dialect):
        answers[0].add(event)
    for event in get_dialect(dialect).read_buffered(other.json):
        answers[1].add(event)
    assert "application/json" == other.headers["content-type"]
    assert 1 == len(other.chunks)
    assert get_dialect(dialect).response(answers[0]) == other.json
    assert get_dialect(dialect).response(answers[1]) == other.json


async def test_a_buffered_answer_has_always_ended():
    """As fits: an answer in one piece is whole."""
    for lines, reason in ((TEXT, "stop"), ("tool f {}", "tool_calls"), ("finish length", "length")):
        seen = await play("\n".join(("buffered", lines)), body=BUFFERED)
        assert reason == seen.json["choices"][0]["finish_reason"]


@pytest.mark.parametrize("dialect", sorted(_DIALECTS))
async def test_a_neutral_reason_is_told_in_the_apis_own_word(dialect):
    """Streamed or whole; the client reads the neutral one."""
    for side, asks in (("stream", None), ("buffered", BUFFERED)):
        for reason in ("stop", "length"):
            seen = await play(f"{side}\n{TEXT}\nfinish {reason}", dialect, asks)
            run = await replay(seen.body, dialect, content_type=seen.headers["content-type"])
            assert reason == run.response.finish


# -- who gets what


async def test_acts_are_given_in_turn():
    """The last is repeated; each side counts for itself; no act is status 501."""
    script = 'stream\n text "1"\nstream\n status 503\n'
    async with FaultProvider.scripted(script) as provider:
        statuses = [(await ask(provider)).status for _ in range(3)]
        other = await ask(provider, BUFFERED)
        assert [200, 503, 503, 501] == [*statuses, other.status]
        assert [True, True, True, False] == [r.streaming for r in provider.requests]


async def test_a_scenario_can_be_used_again():
    """It is a value; so is its text."""
    scenario = Scenario.parse('stream\n text "1"\nstream\n text "2"\n')
    for script in (scenario, str(scenario), scenario):
        assert [b'"1"'] == [b'"1"' for f in (await play(script)).frames if b'"content":"1"' in f]


@in_every_dialect
async def test_a_field_that_is_rejected(dialect):
    """A request that has it gets an error, and does not use up the act."""
    lines = ("reject field stream_options", 'reject field seed 422 "No seeds"', 'text "1"')
    script = "\n".join((*("stream", *lines), "stream", 'text "2"'))
    async with FaultProvider.scripted(script, dialect) as provider:
        asks = [{"stream_options": {}}, {"seed": 1}, {}, {}]
        seen = [await ask(provider, {"stream": True, **body}) for body in asks]
        bare = await ask(provider, ["stream_options"])
    assert [400, 422, 200, 200, 501] == [one.status for one in (*seen, bare)]
    assert ("Unrecognized field: stream_options", "stream_options") == (
        seen[0].json["error"]["message"],
        seen[0].json["error"]["param"],
    )
    assert "No seeds" == seen[1].json["error"]["message"]
    assert ["1", "2"] == [told(one, dialect, TextDelta)[0].text for one in seen[2:]]


async def test_what_is_no_json_has_no_field_to_reject():
    """It gets the act."""
    script = 'buffered\n reject field a\n text "x"\n'
    async with FaultProvider.scripted(script) as provider, httpx.AsyncClient() as http:
        assert 200 == (await http.post(provider.url, content=b"not JSON")).status_code


# -- the whole reply


async def test_a_status_with_a_message_is_the_error_envelope():
    """Headers beside it; in a stream, too, it is JSON."""
    line = 'status 429 retry-after 7 x-why "too fast" "slow down"'
    seen = await play(stream(line))
    assert (429, "7", "too fast", "application/json") == (
        seen.status,
        *(seen.headers[name] for name in ("retry-after", "x-why", "content-type")),
    )
    assert ("slow down", "invalid_request_error") == (
        seen.json["error"]["message"],
        seen.json["error"]["type"],
    )


@pytest.mark.parametrize(
    ("line", "message", "kind"),
    [
        ("status 404", "Not Found", "invalid_request_error"),
        ("status 500", "Internal Server Error", "server_error"),
        ("status 499", "HTTP 499", "invalid_request_error"),
    ],
)
async def test_a_status_says_what_it_is_called(line, message, kind):
    """Where nothing else is said."""
    seen = await play(stream(line))
    assert (message, kind) == (seen.json["error"]["message"], seen.json["error"]["type"])


async def test_a_status_may_stand_beside_content():
    """Then that is the body; a good one without any has none."""
    seen = await play(stream("status 500", TEXT))
    assert (500, 3) == (seen.status, len(seen.frames))
    assert (204, b"") == ((await play(stream("status 204"))).status, b"")
    assert (200, "application/json") == (
        (seen := await play(stream('status 200 "odd"'))).status,
        seen.headers["content-type"],
    )


async def test_an_act_of_nothing_is_an_empty_body():
    """Status 200, and its usual type."""
    for body, kind in ((None, "text/event-stream"), (BUFFERED, "application/json")):
        seen = await play(both(), body=body)
        assert (200, b"", kind) == (seen.status, seen.body, seen.headers["content-type"])


@in_every_dialect
async def test_the_content_type_may_be_another_or_none(dialect):
    """Streamed or not."""
    for body in (None, BUFFERED):
        seen = await play(both(ALL, 'content-type "text/html; charset=utf-8"'), dialect, body)
        assert "text/html; charset=utf-8" == seen.headers["content-type"]
        bare = await play(both(ALL, "content-type none"), dialect, body)
        assert "content-type" not in bare.headers
        assert bare.body == seen.body


@in_every_dialect
async def test_gzip_compresses_each_piece_by_itself(dialect):
    """So that each can be read when it comes; and the whole is whole."""
    plain = await frames_of(ALL, dialect=dialect)
    seen = await play(stream(ALL, "gzip"), dialect)
    unzip = zlib.decompressobj(wbits=31)
    *pieces, rest = [unzip.decompress(chunk) for chunk in seen.chunks]
    assert ("gzip", plain, b"", True) == (
        seen.headers["content-encoding"],
        pieces,
        rest,
        unzip.eof,
    )


async def test_gzip_that_is_cut_has_no_end():
    """A client may have the beginning, and knows that it is one."""
    seen = await play(stream(ALL, "gzip", "cut in frame 2"))
    unzip = zlib.decompressobj(wbits=31)
    plain = b"".join(await frames_of(ALL))
    came = unzip.decompress(seen.body)
    assert plain.startswith(came)
    assert (False, "eof") == (unzip.eof, seen.ending)
    assert len((await frames_of(ALL))[0]) < len(came) < len(plain)


async def test_a_client_reads_gzip_as_it_is():
    """Of a real client nothing is asked."""
    script = both(ALL, "gzip")
    async with FaultProvider.scripted(script) as provider, httpx.AsyncClient() as http:
        replies = [await http.post(provider.url, json={"stream": s}) for s in (True, False)]
        head = await http.head(provider.url)
    assert b"".join(await frames_of(ALL)) == replies[0].content
    assert "Hellü!" == replies[1].json()["choices"][0]["message"]["content"]
    assert ("gzip", b"") == (head.headers["content-encoding"], head.content)


@in_every_dialect
async def test_a_frame_is_sent_twice(dialect):
    """One behind the other."""
    one, two, *rest = await frames_of(ALL, dialect=dialect)
    seen = await play(stream(ALL, "duplicate frame 2"), dialect)
    assert [one, two, two, *rest] == seen.chunks


@in_every_dialect
async def test_frames_change_places(dialect):
    """Their numbers are those they were written with, also for a place."""
    one, two, three, *rest = await frames_of(ALL, dialect=dialect)
    lines = ("reorder frames 1 3", "duplicate frame 1", "cut behind frame 3")
    assert [three, two, one, one, *rest] == (await play(stream(ALL, *lines[:2]), dialect)).chunks
    assert [three] == (await play(stream(ALL, *lines), dialect)).chunks


async def test_a_body_that_never_closes():
    """All of it is there, wherever the line stands; only the end is not."""
    seen = await play(stream("never close", ALL), silent_after=6)
    assert (await frames_of(ALL), "silence") == (seen.chunks, seen.ending)


@in_every_dialect
async def test_a_buffering_proxy_sends_all_at_once(dialect):
    """When everything is there: pauses come first."""
    plain = b"".join(await frames_of(ALL, dialect=dialect))
    lines = ('text "Hel"', "pause 0.05", 'text "lü" "!"', "pause 0.05", "finish stop", "usage 3 5")
    seen = await play(stream("buffer", *lines), dialect)
    assert [plain] == seen.chunks
    assert waited(0.1, seen.times[0])


@pytest.mark.parametrize(
    ("line", "ending"),
    [
        ("cut", "eof"),
        ("reset", "reset"),
        ("half-close", "eof"),
        ("end", "whole"),
        ("stall", "silence"),
        ("stall with keep-alives every 0.01", "silence"),
        ("never close", "silence"),
    ],
)
async def test_a_buffering_proxy_that_never_gets_all(line, ending):
    """Gives what it has where the body breaks off, and nothing where it just does not end."""
    waits = {"silent_after": 0} if ending == "silence" else {}
    seen = await play(stream("buffer", 'text "a"', line, 'text "b"'), **waits)
    a, b = await frames_of('text "a" "b"')
    came = {"silence": b""}.get(ending, a)
    assert (came, ending) == (seen.body, seen.ending)
    assert b not in seen.body
    empty = await play(stream("buffer", line), **waits)
    assert (b"", ending) == (empty.body, empty.ending)


async def test_a_buffering_proxy_keeps_keep_alives_too():
    """They are bytes like others."""
    seen = await play(stream("buffer", "keep-alives 2 every 0.02", 'text "a"'))
    assert [b": ping\n\n: ping\n\n" + (await frames_of('text "a"'))[0]] == seen.chunks
    assert waited(0.04, seen.times[0])


@in_every_dialect
async def test_a_body_drips_byte_by_byte(dialect):
    """A chunk each, of a stream and of a whole body."""
    for body in (None, BUFFERED):
        plain = await play(both(ALL), dialect, body)
        seen = await play(both(ALL, "drip"), dialect, body)
        assert plain.body == seen.body
        assert {1} == {len(chunk) for chunk in seen.chunks}


async def test_a_body_drips_as_slowly_as_it_is_told():
    """So many seconds lie between two bytes."""
    seen = await play(stream('garbage "abc"', "drip 0.02"))
    assert [b"a", b"b", b"c"] == seen.chunks
    assert waited(0.04, seen.times[-1])
    cut = await play(stream(TEXT, "drip", "cut in frame 1"))
    (one, *_) = await frames_of(TEXT)
    assert ([one[:1], "eof"], one[: len(one) // 2]) == ([cut.chunks[0], cut.ending], cut.body)


@in_every_dialect
async def test_the_flag_may_be_ignored(dialect):
    """A stream is asked for, and the buffered body comes."""
    asked = await play(stream(ALL, "ignore stream"), dialect)
    plain = await play(both(ALL), dialect, BUFFERED)
    assert (plain.body, "application/json") == (asked.body, asked.headers["content-type"])


async def test_a_connection_is_accepted_late():
    """Each of them; then everything is as usual."""
    script = f"slow accept 0.1\n{stream(ALL)}"
    async with FaultProvider.scripted(script) as provider:
        for count in (1, 2):
            seen = await ask(provider)
            assert waited(0.1, seen.seconds)
            assert ("whole", count) == (seen.ending, provider.accepted)
    assert 0.1 == Scenario.parse(script).accept_delay


# -- what happens in the body


async def test_a_delay_is_before_the_head():
    """Nothing comes till then, not even a status."""
    seen = await play(stream(ALL, "delay 0.1"))
    assert waited(0.1, seen.head)


async def test_a_pause_is_where_it_stands():
    """Or at its place."""
    for lines in (('text "a"', "pause 0.1", 'text "b"'), ('text "a" "b"', "pause 0.1 in frame 2")):
        seen = await play(stream(*lines))
        assert waited(0.1, seen.times[-1])
        reply = reply_of(Scenario.parse(stream(*lines)).stream[0], get_dialect("openai-chat"))
        assert seen.chunks == [step for step in reply.steps if step != Pause(0.1)]
        assert Pause(0.1) == reply.steps[-2]
    assert b"".join(await frames_of('text "a" "b"')) == seen.body


@in_every_dialect
async def test_keep_alives_are_comments_and_then_it_goes_on(dialect):
    """As many as are asked for."""
    one, *rest = await frames_of(ALL, dialect=dialect)
    lines = ("keep-alives 2 every 0.001 behind frame 1", 'keep-alives 1 every 0 saying ": hm\\n"')
    seen = await play(stream(ALL, *lines), dialect)
    assert [one, b": ping\n\n", b": ping\n\n", *rest, b": hm\n"] == seen.chunks


@in_every_dialect
async def test_a_stall_is_silence(dialect):
    """What stands before it comes, and nothing more; the client has to leave."""
    one, two, *_ = await frames_of(ALL, dialect=dialect)
    async with FaultProvider.scripted(stream(ALL, "stall behind frame 2"), dialect) as provider:
        seen = await ask(provider, silent_after=2)
        with anyio.fail_after(PATIENCE):
            await provider.requests[0].disconnected.wait()
    assert ([one, two], "silence") == (seen.chunks, seen.ending)


async def test_a_stall_may_keep_the_line_warm():
    """With comments, for ever."""
    one, *_ = await frames_of(ALL)
    script = stream(ALL, "stall with keep-alives every 0.01 behind frame 1")
    seen = await play(script, leave_after=4)
    assert ([one, *[b": ping\n\n"] * 3], "left") == (seen.chunks[:4], seen.ending)


async def test_a_stall_before_the_head_is_silence():
    """Nor a status comes."""
    seen = await play(stream(ALL, "stall before head"), silent_after=0)
    assert (0, [], "silence") == (seen.status, seen.chunks, seen.ending)


ENDS = [("cut", "eof"), ("reset", "reset"), ("half-close", "eof"), ("end", "whole")]


@in_every_dialect
@pytest.mark.parametrize(("word", "ending"), ENDS)
@pytest.mark.parametrize("side", [None, BUFFERED], ids=["stream", "buffered"])
async def test_a_body_breaks_off(dialect, word, ending, side):
    """After so many bytes, in a frame or behind it, in a character, or where the line stands."""
    plain = await play(on(side, ALL), dialect, side)
    frames = plain.frames if side is None else [plain.body]
    middle = len(frames[0]) // 2
    utf8 = plain.body.index("ü".encode()) + 1
    places = {
        "after 0 bytes": 0,
        "after 20 bytes": 20,
        f"after {len(plain.body)} bytes": len(plain.body),
        "in frame 1": middle,
        "behind frame 1": len(frames[0]),
        "in utf-8": utf8,
    }
    for place, at in places.items():
        seen = await play(on(side, ALL, f"{word} {place}"), dialect, side)
        assert (plain.body[:at], ending) == (seen.body, seen.ending), place
    behind = await play(on(side, TEXT, word, "finish stop"), dialect, side)
    assert ending == behind.ending
    assert "lü".encode() in behind.body or side is not None
    before = await play(on(side, word, ALL), dialect, side)
    assert (b"", ending) == (before.body, before.ending)


@pytest.mark.parametrize(("word", "ending"), ENDS[:3])
async def test_a_provider_hangs_up_before_it_answers(word, ending):
    """Without a status."""
    seen = await play(stream(ALL, f"{word} before head"))
    assert (0, b"", ending) == (seen.status, seen.body, seen.ending)


@in_every_dialect
@pytest.mark.parametrize("side", [None, BUFFERED], ids=["stream", "buffered"])
async def test_a_body_breaks_off_in_the_arguments_of_a_call(dialect, side):
    """In the middle of them: what came of them is the beginning of JSON."""
    plain = await play(on(side, TOOL), dialect, side)
    seen = await play(on(side, TOOL, "cut in arguments"), dialect, side)
    assert plain.body.startswith(seen.body)
    last = seen.body.decode().rpartition("\n\n")[2]
    assert "eof" == seen.ending
    if side is None:
        assert [True, True] == [piece in seen.body.decode() for piece in (r"{\"ci", r"ty\":")]
        assert last.endswith('":" \\')  # of the third of four pieces: in an escape, even
    else:
        assert last.endswith(r'":"{\"city\":')


@in_every_dialect
async def test_garbage_comes_where_it_is_put(dialect):
    """Text as UTF-8, or noise that is no text and always the same."""
    one, two, *rest = await frames_of(ALL, dialect=dialect)
    seen = await play(stream(ALL, 'garbage "<ü>" behind frame 1'), dialect)
    assert [one, "<ü>".encode(), two, *rest] == seen.chunks
    noise = [await play(stream("garbage 40 bytes", ALL), dialect) for _ in range(2)]
    assert noise[0].body == noise[1].body
    assert (40, [one, two, *rest]) == (len(noise[0].chunks[0]), noise[0].chunks[1:])
    with pytest.raises(UnicodeDecodeError):
        noise[0].chunks[0].decode()
    cut = await play(stream(ALL, "garbage 3 bytes in frame 1"), dialect)
    assert [one[: len(one) // 2], one[len(one) // 2 :]] == [cut.chunks[0], cut.chunks[2]]


async def test_what_happens_at_one_place_happens_in_order():
    """Of the lines."""
    lines = ('text "a" "b"', 'garbage "1" behind frame 1', 'garbage "2" behind frame 1')
    a, b = await frames_of(lines[0])
    assert [a, b"1", b"2", b] == (await play(stream(*lines))).chunks


async def test_what_stands_behind_the_end_is_not_sent():
    """Nor anything that happens there; `never close` still keeps the end back."""
    lines = ('text "a"', "end", "cut", 'text "b"')
    (a,) = await frames_of('text "a"')
    assert ([a], "whole") == ((seen := await play(stream(*lines))).chunks, seen.ending)
    open_ = await play(stream(*lines, "never close"), silent_after=1)
    assert ([a], "silence") == (open_.chunks, open_.ending)


async def test_a_line_may_be_a_step_of_ones_own():
    """In Python, where a test says when it goes on."""
    release = anyio.Event()
    act = Act(Text("a"), Until(release), Text("b"))
    async with (
        FaultProvider.scripted(Scenario(stream=act)) as provider,
        httpx.AsyncClient() as http,
    ):
        async with http.stream("POST", provider.url, json={"stream": True}) as response:
            pieces = response.aiter_raw()
            first = await anext(pieces)
            assert b'"a"' in first
            assert b'"b"' not in first
            release.set()
            assert b'"b"' in await anext(pieces)
            assert [] == [piece async for piece in pieces]


# -- what cannot be played


@in_every_dialect
@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('text "a"\ncut in frame 9', "expected a frame from 1 to .; got 9"),
        ('text "a"\nduplicate frame 9', "expected a frame from 1 to .; got 9"),
        ('text "a"\nreorder frames 1 9', "expected a frame from 1 to .; got 9"),
        ('text "a"\ncut after 9999 bytes', "expected at most .* bytes; got 9999"),
        ('text "a"\ncut in utf-8', ".* got a body of ASCII"),
        ('text "a"\ncut in arguments', "expected the arguments of a tool call"),
        ("cut behind frame 1", "expected a frame from 1 to 0; got 1"),
    ],
)
async def test_a_place_that_is_not_there_is_misuse(lines, says, dialect):
    """Told when the provider is made, with the act it is in."""
    with pytest.raises(MisuseError, match=f"stream 2: {says}"):
        FaultProvider.scripted(f"stream\nstream\n{lines}", dialect)


async def test_arguments_that_are_told_otherwise_are_not_there_to_cut():
    """Pieces that repeat themselves are one call's arguments once, where they are told whole."""
    lines = ("buffered", 'tool f "{}" "{}"', "cut in arguments")
    with pytest.raises(MisuseError, match="buffered 1: expected the arguments of a tool call"):
        FaultProvider.scripted("\n".join(lines))


class Opening(OpenAIChatEncoder):
    """One that says something before anything else."""

    def opening(self, run_id):
        """Say hello, in a frame that has a name."""
        return (*super().opening(run_id), Frame('{"hello": "you"}', "hello"))


class Greeting(OpenAIChat):
    """A dialect that begins with a word of its own."""

    def encoder(self):
        """Give its encoder."""
        return Opening()


async def test_a_dialect_may_be_ones_own():
    """Whatever its encoder says first is the first frame; names are told."""
    seen = await play(stream('text "a"'), Greeting())
    assert [b'event: hello\ndata: {"hello":"you"}\n\n', 2] == [seen.chunks[0], len(seen.chunks)]


async def test_a_dialect_that_is_not_known_is_misuse():
    """So is one that has no encoder, and text that is none of the language."""

    class Mute:
        name = "mute"

    with pytest.raises(MisuseError, match="a dialect that has an encoder; got 'mute'"):
        FaultProvider.scripted(stream(ALL), Mute())
    with pytest.raises(MisuseError, match="got 'nope'; registered here"):
        FaultProvider.scripted(stream(ALL), "nope")
    with pytest.raises(MisuseError, match=r"line 2: .* did you mean 'text'"):
        FaultProvider.scripted('stream\n txet "a"')


async def test_a_port_may_be_asked_for():
    """The provider listens there, on loopback alone."""
    async with FaultProvider.scripted(stream(ALL)) as provider:
        port = httpx.URL(provider.url).port
    async with FaultProvider.scripted(stream(ALL), port=port) as provider:
        assert f"http://127.0.0.1:{port}/v1" == provider.url
        assert "whole" == (await ask(provider)).ending
