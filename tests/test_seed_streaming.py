"""The main job, over real HTTP: an OpenAI-compatible provider, and an answer that arrives."""

import gc
import json
import logging

import anyio
import httpx
import pytest
from openai.types.chat import ChatCompletion

import streamkit
from streamkit import (
    Accumulator,
    Buffered,
    ChunkParser,
    EventFanout,
    Limits,
    Pipeline,
    Supervisor,
    Suppressor,
    Transport,
)
from streamkit.events import (
    Rerouted,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    Retracted,
    TextDelta,
)
from streamkit.testing import Drop, FaultProvider, Hold, KeepAlive, NeverEnd, Reply, Reset, answers

pytestmark = pytest.mark.anyio

BODY = {"model": "demo-1", "messages": [{"role": "user", "content": "hello"}]}
NO = Reply(answers.error("no buffered call was expected"), status=500)


def rejected(message, status=400):
    """A provider that says no."""
    return Reply(answers.error(message), status=status)


class asked:  # noqa: N801 (reads as a phrase: `async with asked(...) as (client, provider)`)
    """A client in front of a provider that is scripted."""

    def __init__(self, stream, buffered=NO, **options):
        self.provider = FaultProvider(stream=stream, buffered=buffered)
        self.options = options

    async def __aenter__(self):
        await self.provider.__aenter__()
        self.client = streamkit.Client(base_url=self.provider.url, **self.options)
        await self.client.__aenter__()
        return self.client, self.provider

    async def __aexit__(self, *exc):
        await self.client.__aexit__(*exc)
        await self.provider.__aexit__(*exc)


async def events_of(client, body=BODY, **callbacks):
    """Every event of a run."""
    async with client.stream(body, **callbacks) as run:
        return [event async for event in run]


def texts(events):
    """The pieces of text, as they were delivered."""
    return [event.text for event in events if isinstance(event, TextDelta)]


def shown(events):
    """What a watcher sees at the end: the text, retractions applied."""
    text = ""
    for event in events:
        if isinstance(event, TextDelta):
            text += event.text
        elif isinstance(event, Retracted) and event.channel == "text":
            text = ""
    return text


def streams(provider):
    """For each request: whether it asked for a stream."""
    return [request.streaming for request in provider.requests]


async def test_a_text_answer_has_the_whole_shape_and_its_usage():
    """A usage-only last chunk gives usage; the response is the non-streaming shape."""
    reply = Reply(*answers.text_stream("Hel", "lo", usage=(7, 2)))
    async with asked(reply) as (client, provider):
        response = await client.complete(BODY)

    assert "Hello" == response.text
    assert "stop" == response.finish_reason == response.finish
    assert (7, 2, 9) == (
        response.usage.input_tokens,
        response.usage.output_tokens,
        response.usage.total_tokens,
    )
    assert "finish_reason" == response.evidence
    assert not response.rerouted
    assert () == response.tool_calls
    completion = ChatCompletion.model_validate(response.raw)
    assert "Hello" == completion.choices[0].message.content
    assert 9 == completion.usage.total_tokens
    assert [True] == streams(provider)
    assert {"include_usage": True} == provider.requests[0].json["stream_options"]


async def test_a_tool_call_is_assembled_over_four_chunks():
    """Id, name and arguments of one call come together, whole."""
    reply = Reply(*answers.tool_stream("get_weather", '{"city"', ': "Os', 'lo"}', id="call_9"))
    async with asked(reply) as (client, _):
        calls = []
        response = await client.complete(BODY, on_tool_call=calls.append)

    (call,) = response.tool_calls
    assert ("call_9", "get_weather", '{"city": "Oslo"}', True) == (
        call.id,
        call.name,
        call.arguments,
        call.valid,
    )
    assert [call] == calls
    assert "tool_calls" == response.finish_reason == response.finish
    message = ChatCompletion.model_validate(response.raw).choices[0].message
    assert '{"city": "Oslo"}' == message.tool_calls[0].function.arguments
    assert message.content is None


async def test_text_and_tool_calls_mixed():
    """An answer may hold both, and the response has both."""
    reply = Reply(*answers.tool_stream("look", "{}", before=("Let me ", "look.")))
    async with asked(reply) as (client, _):
        response = await client.complete(BODY)

    assert "Let me look." == response.text
    assert ["look"] == [call.name for call in response.tool_calls]
    assert "Let me look." == response.raw["choices"][0]["message"]["content"]


async def test_deltas_arrive_in_order():
    """Every delta is delivered as the provider cut it."""
    async with asked(Reply(*answers.text_stream("a", "b", "c"))) as (client, _):
        told = []
        assert ["a", "b", "c"] == texts(await events_of(client, on_text=told.append))
        async with client.stream(BODY) as run:
            assert ["a", "b", "c"] == [text async for text in run.text()]

    assert ["a", "b", "c"] == told


async def test_on_first_delta_fires_once_also_over_a_reroute():
    """It fires at the first text, whatever call it comes from."""
    cut = answers.text_stream("ab", "cd")[:2]
    async with asked(
        [Reply(*answers.text_stream("a", "b")), Reply(*cut, Drop()), rejected("no")],
        Reply(answers.completion("abcd")),
    ) as (client, _):
        for _ in range(3):
            first = []
            await client.complete(BODY, on_first_delta=lambda first=first: first.append(1))
            assert [1] == first


async def test_a_tool_only_answer_fires_no_text_callback():
    """Without text there is no text to tell of, and no first delta."""
    async with asked(Reply(*answers.tool_stream("look", "{}"))) as (client, _):
        told = []
        await client.complete(
            BODY, on_text=told.append, on_first_delta=lambda: told.append("first")
        )

    assert [] == told


async def test_text_before_a_tool_call_is_delivered_and_text_after_is_not():
    """What the suppressor hides from watchers is in the response all the same."""
    reply = Reply(*answers.tool_stream("look", "{}", before=("before",), after=(" after",)))
    async with asked(reply) as (client, _):
        told = []
        events = await events_of(client, on_text=told.append)

    assert ["before"] == texts(events) == told
    assert "before after" == events[-1].response.text


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_reasoning_has_its_own_callback_and_is_accumulated_apart(field):
    """Reasoning deltas come in order, under either name, and are no text."""
    reply = Reply(*answers.reasoning_stream(("th", "ink"), ("so",), field=field))
    async with asked(reply) as (client, _):
        thoughts, told = [], []
        response = await client.complete(BODY, on_reasoning=thoughts.append, on_text=told.append)

    assert ["th", "ink"] == thoughts
    assert ["so"] == told
    assert ("think", "so") == (response.reasoning, response.text)
    assert "think" == response.raw["choices"][0]["message"][field]


async def test_streaming_is_not_supported_reroutes():
    """A provider that rejects the stream is asked once more, without one."""
    refusal = rejected("streaming is not supported for this model")
    async with asked(refusal, Reply(answers.completion("whole", usage=(3, 4)))) as (
        client,
        provider,
    ):
        events = await events_of(client)

    response = events[-1].response
    assert "whole" == response.text == shown(events)
    assert response.rerouted
    assert "buffered" == response.evidence
    assert [Rerouted("rejected", 2)] == [e for e in events if isinstance(e, Rerouted)]
    assert [True, False] == streams(provider)
    assert json.loads(answers.completion("whole", usage=(3, 4))) == response.raw


async def test_a_reset_connection_reroutes():
    """What was shown before the failure is not shown twice."""
    cut = Reply(*answers.text_stream("Hel", "lo, ")[:3], Reset())
    async with asked(cut, Reply(answers.completion("Hello, world"))) as (client, provider):
        told = []
        events = await events_of(client, on_text=told.append)

    assert "Hello, world" == events[-1].response.text == shown(events) == "".join(told)
    assert "Hello, world" == "".join(texts(events))
    assert not any(isinstance(event, Retracted) for event in events)
    assert [True, False] == streams(provider)


async def test_a_different_buffered_answer_retracts():
    """What was shown and does not stand is taken back; a plain callback gets a seam."""
    cut = Reply(*answers.text_stream("Hel", "lo")[:3], Drop())
    async with asked(cut, Reply(answers.completion("Good day"))) as (client, _):
        told, taken = [], []
        events = await events_of(client, on_text=told.append)
        response = await client.complete(BODY, on_retract=taken.append, seam="--")
        async with client.stream(BODY, seam="|") as run:
            seamed = "".join([text async for text in run.text()])

    assert "Good day" == shown(events) == response.text
    assert "Hello\n\nGood day" == "".join(told)
    assert [Retracted("text", 0)] == taken
    assert "Hello|Good day" == seamed


async def test_both_failing_propagates_the_buffered_error():
    """The buffered call's error counts; the streaming error is its cause."""
    async with asked(rejected("no streams"), rejected("Rate limit exceeded", 429)) as (client, _):
        with pytest.raises(streamkit.Rejected, match="Rate limit exceeded") as caught:
            await client.complete(BODY)
        events = await events_of(client)
        async with client.stream(BODY) as run:
            with pytest.raises(streamkit.Rejected, match="Rate limit exceeded"):
                [text async for text in run.text()]

    assert 429 == caught.value.status
    assert "no streams" in str(caught.value.__cause__)
    assert isinstance(events[-1], ResponseFailed)
    assert 1 == sum(event.terminal for event in events)


async def test_has_subscribers_tells_whether_anybody_watches():
    """False without any, true with a callback or a cursor, false after it detached."""
    gate = anyio.Event()

    async def until_the_gate_opens(wire):
        await gate.wait()

    frames = answers.text_stream("a", "b")
    async with asked(Reply(*frames[:2], until_the_gate_opens, *frames[2:])) as (client, _):
        async with client.stream(BODY) as run:
            assert not run.has_subscribers
            async with run.subscribe() as events:
                assert run.has_subscribers
                await anext(events)
            assert not run.has_subscribers
        async with client.stream(BODY, on_text=lambda text: None) as run:
            assert run.has_subscribers
        gate.set()


async def test_an_end_without_evidence_is_a_failure():
    """A connection that simply ends has not finished the answer, and never says stop."""
    cut = Reply(*answers.text_stream("half an ans", "wer")[:2])
    async with asked(cut, [rejected("no", 503), Reply(answers.completion("half an answer"))]) as (
        client,
        _,
    ):
        failed, healed = await events_of(client), await events_of(client)

    assert isinstance(failed[-1], ResponseFailed)
    assert "truncated" == failed[-1].error.__cause__.code
    assert "half an ans" == failed[-1].response.text
    assert failed[-1].response.finish_reason is None
    assert failed[-1].response.finish is None
    assert "half an answer" == healed[-1].response.text == shown(healed)


async def test_a_healthy_answer_without_done_is_not_rerouted():
    """The finish reason is evidence enough."""
    async with asked(Reply(*answers.text_stream("all", done=False))) as (client, provider):
        response = await client.complete(BODY)

    assert ("all", "stop", False) == (response.text, response.finish_reason, response.rerouted)
    assert [True] == streams(provider)


@pytest.mark.parametrize("fault", [Drop(), Reset(), b"data: {garbage\n\n"])
async def test_an_error_after_the_finish_reason_is_not_rerouted(fault):
    """Evidence of a whole answer pardons what comes after it."""
    frames = answers.text_stream("all", done=False)
    async with asked(Reply(*frames, fault)) as (client, provider):
        response = await client.complete(BODY)

    assert ("all", False) == (response.text, response.rerouted)
    assert [True] == streams(provider)


async def test_a_json_body_in_answer_to_a_stream_is_an_answer():
    """A provider that ignored the flag has answered; nothing failed."""
    body = answers.completion("whole", usage=(1, 2))
    reply = Reply(body, headers={"content-type": "application/json"})
    async with asked(reply) as (client, provider):
        events = await events_of(client)

    assert "whole" == shown(events) == events[-1].response.text
    assert not events[-1].response.rerouted
    assert json.loads(body) == events[-1].response.raw
    assert [True] == streams(provider)


async def test_a_provider_that_never_closes_is_left_at_the_done_marker():
    """What can add nothing is not waited for."""
    with anyio.fail_after(2):
        reply = Reply(*answers.text_stream("all"), NeverEnd())
        async with asked(reply) as (client, provider):
            response = await client.complete(BODY)
            await provider.requests[0].disconnected.wait()

    assert "all" == response.text


@pytest.mark.parametrize(
    ("steps", "limits", "clock"),
    [
        ((Hold(),), {"first_byte": 0.2}, "first_byte"),
        ((KeepAlive(0.02),), {"first_content": 0.2}, "first_content"),
        ((answers.chunk({"content": "Hel"}), KeepAlive(0.02)), {"idle": 0.2}, "idle"),
        ((answers.chunk({"content": "Hel"}), Hold()), {"total": 0.2}, "total"),
    ],
)
async def test_silence_is_a_failure_keep_alives_or_not(steps, limits, clock):
    """Each clock ends the wait that it is for, and says so."""
    buffered = Reply(answers.completion("Hello"))
    async with asked(Reply(*steps), buffered, limits=Limits(**limits)) as (client, provider):
        with anyio.fail_after(10):
            events = await events_of(client)
            for request in provider.requests:
                if request.streaming:  # on a busy machine the clock may be faster than the call
                    await request.disconnected.wait()

    last = events[-1]
    if clock == "total":  # shared: nothing is left for the buffered call
        assert isinstance(last, ResponseFailed)
        assert clock == last.error.clock
    else:
        assert Rerouted("stalled", 2) in events
        assert "Hello" == shown(events) == last.response.text


async def test_the_idle_clock_gives_up_what_came():
    """A failed run keeps what came, and its error names the clock."""
    reply = Reply(answers.chunk({"content": "Hel"}), KeepAlive(0.02))
    async with asked(reply, rejected("no"), limits=Limits(idle=0.1)) as (client, _):
        events = await events_of(client)

    assert "Hel" == events[-1].response.text
    assert "idle" == events[-1].error.__cause__.clock


async def test_the_original_request_is_sent_twice_at_most():
    """Body, headers and query are the caller's, minus the stream's flags, seen once each."""
    body = {**BODY, "temperature": 0.5, "stream": True, "stream_options": {"x": 1}, "tools": []}
    before = json.dumps(body)
    async with asked(
        Reply(*answers.text_stream("a")[:2], Drop()),
        Reply(answers.completion("ab")),
        headers={"X-Team": "blue"},
        params={"api-version": "1"},
        api_key="sk-live-abcdef",
    ) as (client, provider):
        await client.complete(body)

    streamed, buffered = provider.requests
    kept = {k: v for k, v in body.items() if k not in ("stream", "stream_options")}
    assert kept == buffered.json
    assert {**kept, "stream": True, "stream_options": {"include_usage": True, "x": 1}} == (
        streamed.json
    )
    for request in provider.requests:
        assert "POST /v1/chat/completions" == f"{request.method} {request.path}"
        assert "api-version=1" == request.query
        assert "blue" == request.headers["x-team"]
        assert "Bearer sk-live-abcdef" == request.headers["authorization"]
    assert before == json.dumps(body)


async def leave_early(client, provider):
    """Leave the ``async with`` after the first delta."""
    async with client.stream(BODY) as run:
        async for event in run:
            if isinstance(event, TextDelta):
                break


async def cancel_from_outside(client, provider):
    """Cancel the task that reads."""
    with anyio.CancelScope() as scope:
        async with client.stream(BODY) as run:
            async for event in run:
                if isinstance(event, TextDelta):
                    scope.cancel()


async def cancel_the_run(client, provider):
    """Cancel the run, and go on: what came is kept, and the end is truthful."""
    async with client.stream(BODY) as run:
        async for event in run:
            if isinstance(event, TextDelta):
                break
        await run.cancel()
        response = await run.response()
        rest = [event async for event in run]
        assert ("Hel", "cancelled") == (response.text, response.finish)
        assert isinstance(rest[-1], ResponseCancelled)


async def cancel_a_started_run(client, provider):
    """Cancel a run that has no owner but the client."""
    run = client.start(BODY)
    async with run.subscribe() as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    await run.cancel()


async def raise_in_the_loop(client, provider):
    """An exception in the consumer's loop is the consumer's, as it is."""
    with pytest.raises(ZeroDivisionError):
        async with client.stream(BODY) as run:
            async for event in run:
                if isinstance(event, TextDelta):
                    raise ZeroDivisionError


async def leave_the_client(client, provider):
    """Leave the client with a run on its way."""
    run = client.start(BODY)
    async with run.subscribe() as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    await client.__aexit__(None, None, None)
    assert isinstance(run.outcome, ResponseCancelled)
    await client.__aenter__()


@pytest.mark.parametrize(
    "way",
    [
        leave_early,
        cancel_from_outside,
        cancel_the_run,
        cancel_a_started_run,
        raise_in_the_loop,
        leave_the_client,
    ],
    ids=lambda way: way.__name__,
)
@pytest.mark.parametrize("rest", [Hold(), KeepAlive(0.01)], ids=["silent", "pinging"])
async def test_every_way_out_closes_the_connection_and_asks_for_nothing_more(way, rest):
    """The provider sees the end within 100 ms; no request, task or warning is left."""
    reply = Reply(answers.chunk({"content": "Hel"}), rest)
    async with asked(reply) as (client, provider):
        await way(client, provider)
        with anyio.fail_after(0.1):
            await provider.requests[0].disconnected.wait()
            await provider.requests[0].finished.wait()
        assert [True] == streams(provider)
    gc.collect()  # an unclosed stream or generator warns now, and warnings are errors


async def test_cancelling_before_the_answer_begins_closes_the_connection():
    """Also while the provider has not said a word."""
    async with asked(Reply(before=[Hold()])) as (client, provider):
        run = client.start(BODY)
        await provider.arrival()
        await run.cancel()
        with anyio.fail_after(0.1):
            await provider.requests[0].disconnected.wait()

    assert isinstance(run.outcome, ResponseCancelled)
    assert "" == run.outcome.response.text


async def test_a_run_proceeds_unwatched():
    """Nobody has to read for the answer to arrive."""
    async with asked(Reply(*answers.text_stream("a", "b"))) as (client, _):
        async with client.stream(BODY) as run:
            assert "ab" == (await run.response()).text
            assert ["a", "b"] == texts([event async for event in run])


async def test_a_stage_that_raises_reroutes():
    """A bug in a stage is an exception of the attempt like any other."""

    class Boom:
        def __call__(self, event):
            if isinstance(event, TextDelta) and event.text == "b":
                raise KeyError("bug")
            return (event,)

    frames = answers.text_stream("a", "b", "c")
    async with asked(Reply(*frames), Reply(answers.completion("xyz")), stages=[Boom]) as (
        client,
        provider,
    ):
        events = await events_of(client)

    assert Rerouted("stage", 2) in events
    assert "xyz" == shown(events) == events[-1].response.text
    assert [True, False] == streams(provider)


async def test_one_info_record_tells_of_a_reroute(caplog):
    """The log has the code; what the provider said stays out of it."""
    caplog.set_level(logging.INFO, logger="streamkit")
    async with asked(rejected("secret words"), Reply(answers.completion("ok"))) as (client, _):
        await client.complete(BODY)

    (record,) = [r for r in caplog.records if r.name == "streamkit"]
    assert logging.INFO == record.levelno
    assert "code=rejected" in record.getMessage()
    assert "secret" not in record.getMessage()


async def test_a_second_loop_goes_on_and_a_concurrent_one_is_misuse():
    """A run is one cursor."""
    async with asked(Reply(*answers.text_stream("a", "b", "c"), Hold())) as (client, _):
        async with client.stream(BODY) as run:
            async for event in run:
                if isinstance(event, TextDelta):
                    break
            assert ["b", "c"] == texts([event async for event in run])
        async with client.stream(BODY) as run, anyio.create_task_group() as tasks:
            reading = anyio.Event()

            async def read():
                reading.set()
                async for _ in run:
                    pass

            tasks.start_soon(read)
            await reading.wait()
            with pytest.raises(streamkit.MisuseError, match="subscribe"):
                await anext(run)


async def test_a_client_that_is_not_open_says_so():
    """The error names the mend."""
    client = streamkit.Client(base_url="http://127.0.0.1:1/v1")
    with pytest.raises(streamkit.MisuseError, match="async with"):
        client.stream(BODY)
    with pytest.raises(streamkit.MisuseError, match="async with"):
        client.start(BODY)
    with pytest.raises(streamkit.MisuseError, match="async with"):
        await client.complete(BODY)


@pytest.mark.parametrize("body", [None, "text", ["list"], {"model": object()}, {1, 2}])
async def test_a_body_that_is_no_json_object_says_so(body):
    """What cannot be sent is refused before anything is."""
    async with asked(NO) as (client, provider):
        with pytest.raises(streamkit.MisuseError, match="JSON object"):
            client.stream(body)
        assert [] == provider.requests


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "base_url"),
        ({"base_url": "api.example.com"}, "http://"),
        ({"base_url": "http://x", "dialect": "openai"}, "openai-chat"),
        ({"base_url": "http://x", "stages": [object()]}, "factory"),
        ({"base_url": "http://x", "stages": ["no-such-stage"]}, "no-such-stage"),
        ({"base_url": "http://x", "stages": Accumulator}, "list"),
    ],
)
async def test_a_client_made_wrong_says_what_is_wrong(arguments, says):
    """Misuse is told when the client is made, not at its first request."""
    with pytest.raises(streamkit.MisuseError, match=says):
        streamkit.Client(**arguments)


async def test_unknown_callbacks_are_refused():
    """A misspelt callback is no callback that never fires."""
    async with asked(NO) as (client, _):
        with pytest.raises(streamkit.MisuseError, match="on_txt"):
            client.stream(BODY, on_txt=print)
        with pytest.raises(streamkit.MisuseError, match="on_text"):
            client.stream(BODY, on_text="print")


async def test_the_pipeline_is_composed_by_hand():
    """The stages and the supervisor of the design, as one line."""
    reply = Reply(*answers.text_stream("Hel")[:2], Drop())
    async with FaultProvider(stream=reply, buffered=Reply(answers.completion("Hello"))) as provider:
        async with httpx.AsyncClient(base_url=provider.url) as http:
            pipeline = Pipeline(
                [
                    Transport(http),
                    ChunkParser("openai-chat"),
                    Accumulator(),
                    Suppressor(),
                    EventFanout(),
                ],
                supervisor=Supervisor(Buffered(http)),
            )
            async with pipeline, pipeline.stream(BODY) as run:
                events = [event async for event in run]

    assert "Hello" == shown(events) == events[-1].response.text
    assert isinstance(events[-1], ResponseCompleted)


async def test_a_raising_callback_is_isolated():
    """A subscriber's exception is its own: the run goes on."""

    def boom(text):
        raise ZeroDivisionError

    async with asked(Reply(*answers.text_stream("a", "b"))) as (client, _):
        seen = []
        response = await client.complete(BODY, on_text=boom, on_result=seen.append)

    assert "ab" == response.text
    assert ["ab"] == [outcome.response.text for outcome in seen]


async def test_on_result_comes_before_the_terminal():
    """Who stores an answer has stored it before anybody hears that it is whole."""
    order = []

    async def store(outcome):
        await anyio.lowlevel.checkpoint()
        order.append("stored")

    async with asked(Reply(*answers.text_stream("a"))) as (client, _):
        async with client.stream(BODY, on_result=store) as run:
            order.extend(["told" async for event in run if event.terminal])

    assert ["stored", "told"] == order


async def test_several_choices_are_kept_apart():
    """Each choice has its own text and reason; the response's are the first's."""
    frames = [
        answers.chunk({"content": "b0"}, index=1),
        answers.chunk({"content": "a0"}, index=0),
        answers.chunk({"content": "b1"}, index=1),
        answers.chunk({}, index=1, finish_reason="length"),
        answers.chunk({}, index=0, finish_reason="stop"),
    ]
    async with asked(Reply(*frames, answers.done())) as (client, _):
        response = await client.complete(BODY)

    assert [("a0", "stop"), ("b0b1", "length")] == [
        (choice.text, choice.finish_reason) for choice in response.choices
    ]
    assert "a0" == response.text
    assert [0, 1] == [c.index for c in ChatCompletion.model_validate(response.raw).choices]
