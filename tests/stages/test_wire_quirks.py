"""What servers and proxies do to a stream, over real HTTP (numbers: docs/reference/quirks.md)."""

import gc
import zlib
from contextlib import aclosing
from math import inf

import anyio
import pytest

import streamkit
from streamkit import Limits, ReroutePolicy
from streamkit.errors import InBandError, MalformedStream
from streamkit.events import (
    Heartbeat,
    ReasoningDelta,
    Rerouted,
    ResponseCompleted,
    ResponseStarted,
    Retracted,
    TextDelta,
    ToolCallCompleted,
    ToolCallDelta,
    ToolCallStarted,
    Unknown,
)
from streamkit.stages import ThinkTags
from streamkit.testing import Drop, FaultProvider, Hold, KeepAlive, Reply, Reset, Until, answers

from ..supervisor.clocks import HandClock

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(20)]  # what hangs fails soon

BODY = {"model": "demo-1", "messages": [{"role": "user", "content": "hello"}]}
NO = Reply(answers.error("no buffered call was expected"), status=500)
SOON = 0.1  # seconds: how fast the provider must see that it was left
STOP = answers.chunk({}, finish_reason="stop")
DONE = answers.done()


def frame(text):
    """One frame of *text*."""
    return answers.chunk({"content": text})


def payload(text):
    """The JSON of one chunk of *text*."""
    return frame(text).removeprefix(b"data: ").rstrip()


async def events_of(*steps, stages=None, limits=None, **reply):
    """The events of a stream that is an answer, and that nothing else was asked for."""
    async with FaultProvider(stream=Reply(*steps, **reply), buffered=NO) as provider:
        async with streamkit.Client(base_url=provider.url, stages=stages, limits=limits) as client:
            async with client.stream(BODY) as run:
                events = [event async for event in run]
    assert isinstance(events[-1], ResponseCompleted)
    assert [True] == [request.streaming for request in provider.requests]
    return events


async def answer(*steps, **options):
    """The text of a stream that is an answer, and its finish reason."""
    response = (await events_of(*steps, **options))[-1].response
    return response.text, response.finish_reason


async def rerouted(*steps, buffered=None, limits=None, streams=1, **reply):
    """The events of a stream that fails and is asked again, and the requests."""
    whole = Reply(buffered or answers.completion("Hello"))
    async with FaultProvider(stream=Reply(*steps, **reply), buffered=whole) as provider:
        async with streamkit.Client(base_url=provider.url, limits=limits) as client:
            async with client.stream(BODY) as run:
                events = [event async for event in run]
    assert [*[True] * streams, False] == [request.streaming for request in provider.requests]
    return events, provider.requests


async def failure(*steps, **reply):
    """What the stream's own error is."""
    never = ReroutePolicy.never()
    async with FaultProvider(stream=Reply(*steps, **reply)) as provider:
        async with streamkit.Client(base_url=provider.url, reroute=never) as client:
            async with client.stream(BODY) as run:
                events = [event async for event in run]
    return events[-1].error


def codes(events):
    """Why it was asked again."""
    return [event.code for event in events if isinstance(event, Rerouted)]


def texts(events):
    """The pieces of text, as they were delivered."""
    return [event.text for event in events if isinstance(event, TextDelta)]


# -- SSE framing -----------------------------------------------------------------


async def test_the_blank_behind_a_colon_may_be_missing():
    """At most one blank is taken off a value, and none is needed. Quirk 1."""
    stream = [b"data:" + payload(text) + b"\n\n" for text in ("Hel", "lo")]
    assert ("Hello", None) == await answer(*stream, b"data:[DONE]\n\n")


async def test_comments_are_told_to_nobody():
    """A stream with keep-alives between its frames has the events it has without them. Quirk 2."""
    frames = answers.text_stream("Hel", "lo")
    pinged = [step for one in frames for step in (b": PROCESSING\n\n", one, b": keep-alive\n")]
    plain, kept = await events_of(*frames), await events_of(*pinged)
    assert plain[:-1] == kept[:-1]


async def test_a_comment_may_be_sent_as_data():
    """Data that begins with a colon says nothing. Quirk 3."""
    alive = b"data: : keepalive\n\n"
    assert ("Hello", "stop") == await answer(alive, frame("Hel"), alive, frame("lo"), STOP)


async def test_null_may_be_a_heartbeat():
    """Data that is null says nothing, in front, between and behind. Quirk 4."""
    null = b"data: null\n\n"
    assert ("Hello", "stop") == await answer(null, frame("Hel"), null, frame("lo"), STOP, null)


@pytest.mark.parametrize("empty", [b"data:\n\n", b"data: \n\n", b"data\n\n", b"data:\ndata:\n\n"])
async def test_data_may_be_empty(empty):
    """An empty line of data is no event. Quirk 5."""
    assert ("Hello", "stop") == await answer(empty, frame("Hel"), empty, frame("lo"), STOP)


async def test_a_block_may_have_no_data():
    """A block of ``retry:`` and ``id:`` alone is no event. Quirk 6."""
    blocks = b"retry: 3000\n\nid: 1\n\nid: 2\nretry: 1\n\n"
    assert ("Hello", "stop") == await answer(blocks, frame("Hel"), blocks, frame("lo"), STOP)


async def test_a_comment_behind_an_id_is_no_ghost():
    """An ``id:`` that was seen makes no event of the blank line behind a comment. Quirk 7."""
    stream = [b"id: 7\n" + frame("Hel"), b": ping\n\n", b"\n\n", frame("lo"), STOP]
    assert ["Hel", "lo"] == texts(await events_of(*stream))


@pytest.mark.parametrize("data", [b"{}", b'{"type": "ping"}', b'{"type":"ping","cost":"0.1"}'])
async def test_a_ping_may_be_an_event(data):
    """It is no part of the answer, and no progress that would keep the clocks quiet. Quirk 8."""
    ping = b"event: ping\ndata: " + data + b"\n\n"
    events = await events_of(ping, frame("Hel"), ping, frame("lo"), STOP)
    assert ["Hel", "lo"] == texts(events)
    assert not any(event.progress for event in events if isinstance(event, Unknown))
    assert not {"type", "cost"} & events[-1].response.raw.keys()


async def test_other_line_ends_are_text():
    """What Unicode calls a line end ends no line of a stream. Quirk 9."""
    text = "a\u2028b\u2029c\x85d\x0be"
    assert "\u2028b\u2029c\x85".encode() in frame(text)
    assert (text, "stop") == await answer(frame(text), STOP)


async def test_characters_may_be_cut_anywhere():
    """A stream that comes byte by byte has every character whole. Quirk 10."""
    stream = b"".join([frame("漢字 👩‍🚀 é"), STOP])
    assert ("漢字 👩‍🚀 é", "stop") == await answer(*[bytes([byte]) for byte in stream])


async def test_the_charset_of_the_header_is_not_believed():
    """An event stream is UTF-8, whatever its header says. Quirk 11."""
    wrong = {"content-type": "text/event-stream; charset=iso-8859-1"}
    assert ("é漢", "stop") == await answer(frame("é漢"), STOP, headers=wrong)


async def test_a_byte_that_is_no_utf_8_is_replaced():
    """One bad byte costs one character, not the answer. Quirk 12."""
    bad = frame("a?b").replace(b"?", b"\xe6\xbc")  # the third byte of a character is lost
    assert ("a\ufffdbc", "stop") == await answer(bad, frame("c"), STOP)


@pytest.mark.parametrize("cut", [1, 3])
async def test_a_byte_order_mark_costs_no_event(cut):
    """One mark in front is taken off, also where it comes in two pieces. Quirk 13."""
    stream = b"\xef\xbb\xbf" + frame("Hel")
    assert ("Hello", "stop") == await answer(stream[:cut], stream[cut:], frame("lo"), STOP)


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
async def test_lines_may_end_in_other_ways(end):
    """CRLF, cut in two or not, and CR alone end a line. Quirk 14."""
    stream = b"".join([frame("Hel"), frame("lo"), STOP]).replace(b"\n", end)
    assert ("Hello", "stop") == await answer(stream)
    pieces = [piece + b"\r" for piece in stream.split(b"\r")]
    pieces[-1] = pieces[-1][:-1]
    assert ("Hello", "stop") == await answer(*[piece for piece in pieces if piece])


@pytest.mark.parametrize("end", [b"", b"\n"])
async def test_the_last_blank_line_may_be_missing(end):
    """The last frame counts without it: often it is the one with the finish reason. Quirk 15."""
    assert ("Hello", "stop") == await answer(frame("Hel"), frame("lo"), STOP.rstrip() + end)


async def test_the_blank_line_between_two_frames_may_be_missing():
    """Two JSON lines in one frame are two chunks. Quirk 16."""
    joined = frame("Hel").rstrip() + b"\n" + frame("lo").rstrip() + b"\n" + STOP
    assert ("Hello", "stop") == await answer(joined)


async def test_one_line_may_be_megabytes():
    """A chunk of two million characters in one line is read. Quirk 17."""
    text = "漢é" * 1_000_000
    assert (text, "stop") == await answer(frame(text), STOP)


async def test_a_line_has_a_bound():
    """One that is longer than the limit ends the stream with an error that says so. Quirk 17."""
    limits = Limits(max_frame_bytes=10_000)
    events, _ = await rerouted(frame("Hel"), frame("x" * 20_000), limits=limits)
    assert (["limit"], ["Hel", "lo"]) == (codes(events), texts(events))


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "text/plain", "application/octet-stream", "text/html"],
)
async def test_the_content_type_may_be_wrong(content_type):
    """The first bytes say what a body is. Quirk 18."""
    headers = {"content-type": content_type}
    assert ("Hello", "stop") == await answer(frame("Hel"), frame("lo"), STOP, headers=headers)


async def test_compression_is_declined_and_delays_nothing():
    """No compression is asked for; where it comes all the same, no delta waits. Quirk 19."""
    squeeze, gate = zlib.compressobj(wbits=31), anyio.Event()
    first = squeeze.compress(frame("Hel")) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    rest = squeeze.compress(frame("lo") + STOP) + squeeze.flush()
    reply = Reply(first, Until(gate), rest, headers={"content-encoding": "gzip"})
    async with FaultProvider(stream=reply) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            async with client.stream(BODY) as run:
                async for event in run:
                    if isinstance(event, TextDelta):
                        break
                gate.set()  # only now the provider goes on
                response = await run.response()
    assert "identity" == provider.requests[0].headers["accept-encoding"]
    assert "Hello" == response.text


# -- no SSE at all ---------------------------------------------------------------


async def test_the_flag_may_be_ignored():
    """A whole answer in place of a stream is an answer, read once, and no failure. Quirk 20."""
    headers = {"content-type": "application/json; charset=utf-8"}
    events = await events_of(answers.completion("Hello"), headers=headers)
    assert ["Hello"] == texts(events)
    assert isinstance(events[0], ResponseStarted)
    assert not events[-1].response.rerouted


async def test_an_error_may_have_a_good_status():
    """A JSON error with status 200 is the provider's error, in its own words. Quirk 21."""
    body = answers.error("quota is used up", code="insufficient_quota")
    error = await failure(body, headers={"content-type": "application/json"})
    assert (InBandError, "insufficient_quota") == (type(error), error.provider_code)
    assert "quota is used up" in str(error)


async def test_a_page_may_have_a_good_status():
    """A login page or a proxy's error page is quoted, and the request asked again. Quirk 22."""
    page = b"<!DOCTYPE html>\n<html><title>Sign in</title></html>"
    for headers in ({"content-type": "text/html"}, {}):
        error = await failure(page, headers=headers)
        assert MalformedStream is type(error)
        assert "Sign in" in str(error)
        events, _ = await rerouted(page, headers=headers)
        assert (["malformed"], ["Hello"]) == (codes(events), texts(events))


@pytest.mark.parametrize(
    ("first", "between", "last"), [(b"", b"\n", b"\n"), (b"", b"\r\n", b""), (b"[", b",\r\n", b"]")]
)
async def test_a_stream_may_be_lines_or_an_array(first, between, last):
    """JSON lines and one JSON array are read as they come, whatever the header. Quirk 23."""
    chunks = [payload("Hel"), payload("lo"), STOP.removeprefix(b"data: ").rstrip()]
    body = first + between.join(chunks) + last
    for content_type in ("application/x-ndjson", "application/json", "text/event-stream"):
        if first and content_type == "application/x-ndjson":
            continue  # an array is no line of such a body
        headers = {"content-type": content_type}
        assert ("Hello", "stop") == await answer(body[:50], body[50:], headers=headers)


async def test_a_length_may_promise_more_than_comes():
    """A length that was left on a rewritten body does not spoil a whole answer. Quirk 25."""
    rest = b" " * 500  # counted in the length, and never sent
    stream = [frame("Hello"), STOP, DONE]
    assert ("Hello", "stop") == await answer(*stream, Drop(), rest, framing="length")
    events, _ = await rerouted(frame("Hel"), Drop(), rest, framing="length")
    assert (["transport"], ["Hel", "lo"]) == (codes(events), texts(events))


# -- the chunk's envelope --------------------------------------------------------


@pytest.mark.parametrize("last", [(Hold(),), (KeepAlive(0.01),)], ids=["silent", "pinging"])
async def test_usage_is_waited_for_but_not_for_ever(last):
    """Behind the finish reason usage is read, and the rest waited for in vain. Quirk 35."""
    answered = frame("Hello") + STOP + answers.usage_chunk(5, 2)
    events = await events_of(answered, *last, limits=Limits(drain=0.1))
    assert ("Hello", "stop") == (events[-1].response.text, events[-1].response.finish_reason)
    assert 7 == events[-1].response.usage.total_tokens


@pytest.mark.parametrize("field", ["stream_options", "stream_options.include_usage"])
async def test_stream_options_may_be_rejected(field):
    """The stream is asked for without it; where that fails too, the buffered call. Quirk 37."""
    refusal = answers.error(f"Unrecognized request argument: {field}", param=field)
    events, requests = await rerouted(refusal, status=400, streams=2)
    assert (["rejected"], ["Hello"]) == (codes(events), texts(events))
    assert [True, False, False] == ["stream_options" in request.json for request in requests]


# -- tool calls and reasoning ----------------------------------------------------


async def test_a_call_cut_in_its_arguments_is_never_told_as_whole():
    """Nobody acts on half a call: it is taken back, and the whole one told once. Quirk 56."""
    whole = answers.completion(tool_calls=[answers.tool_call("look", '{"at": "sea"}')])
    cut = answers.tool_stream("look", '{"at"', ': "s')[:4]
    events, _ = await rerouted(*cut, buffered=whole)
    assert ["truncated"] == codes(events)
    assert Retracted("tool_calls", 0) in events
    told = [event.tool_call for event in events if isinstance(event, ToolCallCompleted)]
    assert ['{"at": "sea"}'] == [call.arguments for call in told]


async def test_arguments_may_keep_one_waiting():
    """A call that is silent for less than ``idle`` and then comes whole is no stall. Quirk 59."""
    clock, gate = HandClock(), anyio.Event()
    frames = answers.tool_stream("look", '{"at": "sea"}')
    reply = Reply(*frames[:2], b": ping\n\n", Until(gate), *frames[2:])
    async with (
        FaultProvider(stream=reply, buffered=NO) as provider,
        streamkit.Client(base_url=provider.url, limits=Limits(idle=120), clock=clock) as client,
        client.stream(BODY) as run,
    ):
        async for event in run:
            if isinstance(event, ToolCallStarted):
                clock.move(119)
                gate.set()
        response = await run.response()
    assert ('{"at": "sea"}', False) == (response.tool_calls[0].arguments, response.rerouted)


async def test_a_tag_may_be_cut_anywhere():
    """Reasoning between tags is reasoning, wherever the frames cut the tags. Quirk 62."""
    stream = [frame(piece) for piece in ("<th", "inking", ">hm</", "t", "hinking>y", "es <th")]
    events = await events_of(*stream, STOP, stages=[ThinkTags])
    assert ("yes <th", "hm") == (events[-1].response.text, events[-1].response.reasoning)


async def test_a_tag_may_have_no_opener():
    """One that only closes is dropped, or ends the reasoning that was expected. Quirk 63."""
    stream = [frame(piece) for piece in ("</thi", "nk>yes")]
    assert ("yes", "stop") == await answer(*stream, STOP, stages=[ThinkTags])
    stages = [lambda: ThinkTags(starts_in_reasoning=True)]
    events = await events_of(frame("h"), frame("m</thi"), frame("nk>yes"), STOP, stages=stages)
    assert ("yes", "hm") == (events[-1].response.text, events[-1].response.reasoning)


async def test_a_model_may_think_in_silence():
    """Nothing but keep-alives for less than ``first_content`` is no stall. Quirk 64."""
    clock, gate = HandClock(), anyio.Event()
    limits = Limits(first_byte=inf, first_content=180)
    reply = Reply(b": ping\n\n", Until(gate), frame("Hello"), STOP)
    async with (
        FaultProvider(stream=reply, buffered=NO) as provider,
        streamkit.Client(base_url=provider.url, limits=limits, clock=clock) as client,
        client.stream(BODY) as run,
    ):
        await provider.arrival()
        clock.move(179)
        gate.set()
        response = await run.response()
    assert ("Hello", False) == (response.text, response.rerouted)


async def test_partial_reasoning_is_never_sent_back():
    """The second call has the caller's own messages; half a thought is not shown. Quirk 65."""
    cut = answers.reasoning_stream(["I thi", "nk"], [])[:3]
    whole = answers.completion("Hello", reasoning="Let me see")
    events, requests = await rerouted(*cut, buffered=whole)
    assert [BODY["messages"]] * 2 == [request.json["messages"] for request in requests]
    assert "Let me see" == events[-1].response.reasoning
    assert events.index(Retracted("reasoning", 0)) < events.index(ReasoningDelta("Let me see"))


# -- errors inside 200 -----------------------------------------------------------


async def test_an_error_among_the_frames_has_its_own_code():
    """It is typed by what the body says, not by status 200. Quirk 66."""
    error = b'data: {"error": {"message": "Provider returned error", "code": 502}}\n\n'
    raised = await failure(frame("Hel"), error)
    assert (InBandError, 502) == (type(raised), raised.status)
    events, _ = await rerouted(frame("Hel"), error)
    assert (["in_band"], ["Hel", "lo"]) == (codes(events), texts(events))


async def test_an_overload_behind_the_start_leaves_no_trace():
    """A named error before any content is asked again, and nobody sees the seam. Quirk 67."""
    start = answers.chunk({"role": "assistant", "content": ""})
    busy = b'event: error\ndata: {"error": {"type": "overloaded_error", "message": "Busy"}}\n\n'
    raised = await failure(start, busy)
    assert (InBandError, "overloaded_error") == (type(raised), raised.provider_code)
    events, _ = await rerouted(start, busy)
    assert (["in_band"], ["Hello"]) == (codes(events), texts(events))
    assert 1 == len([event for event in events if isinstance(event, ResponseStarted)])


@pytest.mark.parametrize(
    "nothing", [(), (b": ping\n\n",), (answers.chunk({"role": "assistant"}),), (DONE,)]
)
async def test_an_empty_stream_is_no_answer(nothing):
    """Without a sign that it is whole, nothing is a failure. Quirk 72."""
    events, _ = await rerouted(*nothing)
    assert (["truncated"], ["Hello"]) == (codes(events), texts(events))


async def test_an_empty_answer_is_an_answer():
    """With its finish reason, nothing is what the model said. Quirk 72."""
    assert ("", "stop") == await answer(answers.chunk({"role": "assistant"}), STOP, DONE)


@pytest.mark.parametrize("bad", [b"data: {oops\n\n", b"data: oops\n\n", b'data: {"a":1}}\n\n'])
async def test_one_bad_chunk_spoils_the_stream(bad):
    """Strict before the end, since text may be missing; what is whole is pardoned. Quirk 73."""
    events, _ = await rerouted(frame("Hel"), bad, frame("lo"), STOP)
    assert (["malformed"], ["Hel", "lo"]) == (codes(events), texts(events))
    assert ("Hello", "stop") == await answer(frame("Hello"), STOP, bad)


# -- endings and stalls ----------------------------------------------------------


@pytest.mark.parametrize("framing", ["chunked", "close"])
@pytest.mark.parametrize("field", ["content", "reasoning_content"])
async def test_a_clean_end_proves_nothing(framing, field):
    """A body that ends properly, without a finish reason or marker, was cut. Quirk 74."""
    events, _ = await rerouted(answers.chunk({field: "Hel"}), framing=framing)
    assert ["truncated"] == codes(events)
    assert "Hello" == events[-1].response.text


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_a_marker_may_be_missing(framing):
    """The finish reason is enough, however the body ends. Quirk 75."""
    assert ("Hello", "stop") == await answer(frame("Hello"), STOP, framing=framing)


@pytest.mark.parametrize("step", [Drop(), Reset()])
async def test_a_body_that_breaks_off_is_judged_by_what_came(step):
    """Before the finish reason it is a failure, behind it none. Quirk 76."""
    events, _ = await rerouted(frame("Hel"), step)
    assert (["transport"], ["Hel", "lo"]) == (codes(events), texts(events))
    assert ("Hello", "stop") == await answer(frame("Hello"), STOP, step)


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(Hold(), id="silent"),
        pytest.param(KeepAlive(0.01), id="comments"),
        pytest.param(KeepAlive(0.01, "data: null\n\n"), id="nulls"),
        pytest.param(KeepAlive(0.01, "event: ping\ndata: {}\n\n"), id="pings"),
    ],
)
async def test_bytes_without_content_keep_nothing_alive(rest):
    """An open connection, silent or not, is a stall when no delta comes. Quirks 77 and 78."""
    events, _ = await rerouted(frame("Hel"), rest, limits=Limits(idle=0.1))
    assert (["stalled"], ["Hel", "lo"]) == (codes(events), texts(events))


async def test_a_proxy_may_hold_the_whole_body_back():
    """What comes at once is told as it was cut; what comes too late is asked again. Quirk 79."""
    frames = answers.text_stream("Hel", "lo")
    assert ["Hel", "lo"] == texts(await events_of(b"".join(frames)))
    events, _ = await rerouted(before=[Hold()], limits=Limits(first_byte=0.1))
    assert (["stalled"], ["Hello"]) == (codes(events), texts(events))
    events, _ = await rerouted(KeepAlive(0.01), limits=Limits(first_content=0.1))
    assert (["stalled"], ["Hello"]) == (codes(events), texts(events))


async def test_a_silent_provider_leaves_no_silence_downstream():
    """A cursor that asked for heartbeats has them between events, never within one. Quirk 80."""
    gate, heard = anyio.Event(), []
    half = frame("Hel")
    reply = Reply(half[:20], Until(gate), half[20:], frame("lo"), STOP)
    async with FaultProvider(stream=reply, buffered=NO) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            run = client.start(BODY)
            async with run.subscribe(heartbeat=0.01) as events:
                async for event in events:
                    heard.append(event)
                    if isinstance(event, Heartbeat):
                        gate.set()
    assert Heartbeat() == heard[0]
    assert "Hello" == "".join(texts(heard))
    assert isinstance(heard[-1], ResponseCompleted)


async def test_a_generator_may_be_closed_in_another_task():
    """No scope is left open at a ``yield``, so whoever closes it may do so anywhere. Quirk 81."""
    async with FaultProvider(stream=Reply(frame("Hel"), Hold()), buffered=NO) as provider:
        async with streamkit.Client(base_url=provider.url) as client:

            async def pieces():
                async with client.stream(BODY) as run:
                    async for text in run.text():
                        yield text

            read = pieces()
            firsts = []

            async def begin():
                firsts.append(await anext(read))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(begin)

            async def end():
                await read.aclose()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(end)
            with anyio.fail_after(SOON):
                await provider.requests[0].disconnected.wait()
            async with aclosing(pieces()) as again:
                assert ["Hel"] == [*firsts] == [await anext(again)]
    gc.collect()  # what was left open would warn, and warnings are errors


async def test_leaving_early_leaves_nothing_open():
    """A loop that is left in its midst has closed the connection. Quirk 83."""
    async with FaultProvider(stream=Reply(frame("Hel"), KeepAlive(0.01)), buffered=NO) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            async with client.stream(BODY) as run:
                async for _ in run.text():
                    break
            with anyio.fail_after(SOON):
                await provider.requests[0].disconnected.wait()
        assert [True] == [request.streaming for request in provider.requests]
    gc.collect()


async def test_a_delta_of_a_call_is_progress():
    """Arguments that come piece by piece are content: each puts the idle clock off. Quirk 59."""
    events = await events_of(*answers.tool_stream("look", "{", "}"))
    deltas = [event for event in events if isinstance(event, ToolCallDelta)]
    assert [True, True] == [delta.progress for delta in deltas]
