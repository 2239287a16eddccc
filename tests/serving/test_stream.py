"""One run for one client, as bytes and as an ASGI application."""

import statistics
from contextlib import AsyncExitStack

import anyio
import httpx
import pytest

import streamkit
from streamkit import Limits, ReroutePolicy
from streamkit.errors import MisuseError
from streamkit.events import TextDelta
from streamkit.serving import EventStream, StreamkitJson, detach, grace
from streamkit.testing import Drop, FaultProvider, Hold, Pause, Reply, Until, answers

from ..conftest import BACKENDS
from .frames import parse, text, told
from .servers import serve, until

pytestmark = pytest.mark.anyio

BODY = {"model": "m", "messages": []}
HELLO = answers.text_stream("Hel", "lo")
NO = Reply(answers.error("busy"), status=503, headers={"retry-after": "7"})
SOON = 5.0
"""How long anything may take that should happen at once (seconds)."""


class Service:
    """A client of a provider, served by a real server; the app serves what *make* makes."""

    def __init__(self, make, *, stream, buffered=NO, reroute=None, limits=None):
        self.make = make
        self.provider = FaultProvider(stream=stream, buffered=buffered)
        self.options = {"reroute": reroute, "limits": limits}
        self.runs, self.streams = [], []

    async def __call__(self, scope, receive, send):
        """Start a run for each request, and serve it."""
        self.runs.append(self.client.start(BODY))
        self.streams.append(self.make(self.runs[-1]))
        await self.streams[-1](scope, receive, send)

    async def __aenter__(self):
        self.stack = AsyncExitStack()
        await self.stack.enter_async_context(self.provider)
        self.client = await self.stack.enter_async_context(
            streamkit.Client(base_url=self.provider.url, **self.options)
        )
        url = await self.stack.enter_async_context(serve(self))
        self.http = await self.stack.enter_async_context(httpx.AsyncClient(base_url=url))
        return self

    async def __aexit__(self, *exc):
        await self.stack.aclose()


async def served(make, **replies):
    """The response of one request to such a service, and the service."""
    async with Service(make, **replies) as service:
        with anyio.fail_after(SOON):
            return await service.http.post("/"), service


async def test_an_answer_is_served_frame_by_frame():
    """Every event is a frame with an id of its own; the terminal is last, and there is one."""
    response, _ = await served(EventStream, stream=Reply(*HELLO))
    frames, _ = parse(response.content)

    types = ["run", "response_started", "text_delta", "text_delta", "finished"]
    assert [*types, "response_completed"] == [frame.json["type"] for frame in frames]
    assert "Hello" == text(frames)
    assert "0-0.1" == frames[0].id
    assert ["1-1", "1-2", "1-3", "1-4", "1-5"] == [frame.id for frame in frames[1:]]


async def test_the_headers_keep_a_proxy_from_buffering():
    """And name no connection: HTTP/2 forbids it."""
    response, service = await served(
        lambda run: EventStream(run, headers={"x-mine": "yes"}), stream=Reply(*HELLO)
    )

    assert 200 == response.status_code
    assert "text/event-stream; charset=utf-8" == response.headers["content-type"]
    assert "no-cache, no-transform" == response.headers["cache-control"]
    assert "no" == response.headers["x-accel-buffering"]
    assert service.runs[0].id == response.headers["x-streamkit-run"]
    assert "yes" == response.headers["x-mine"]
    names = [name for name, _ in service.streams[0].headers.items()]
    assert "connection" not in names


async def test_retry_is_said_once_with_the_first_frame():
    """It is part of a frame with data: a lone ``retry:`` breaks clients."""
    response, _ = await served(lambda run: EventStream(run, retry=1.5), stream=Reply(*HELLO))
    frames, _ = parse(response.content)

    assert [1500, *[None] * 5] == [frame.retry for frame in frames]


async def test_silence_is_filled_by_the_clock():
    """A provider that thinks is told from a server that hangs, for as long as it takes."""
    reply = Reply(*HELLO[:2], Pause(0.35), *HELLO[2:])
    response, _ = await served(lambda run: EventStream(run, heartbeat=0.1), stream=reply)
    frames, comments = parse(response.content)

    beats = [frame.id for frame in frames if frame.json["type"] == "heartbeat"]
    assert ["1-2+1", "1-2+2", "1-2+3"][: len(beats)] == beats
    assert 2 <= len(beats) <= 3
    assert 0 == comments
    assert "Hello" == text(frames)


async def test_formats_without_a_word_for_it_get_comments():
    """The chat API's clients choke on data they do not know."""
    reply = Reply(*HELLO[:2], Pause(0.35), *HELLO[2:])
    response, _ = await served(
        lambda run: EventStream(run, "openai-chat", heartbeat=0.1), stream=reply
    )
    frames, comments = parse(response.content)

    assert 2 <= comments <= 3
    assert "[DONE]" == frames[-1].data


async def test_a_heartbeat_comes_while_events_say_nothing():
    """A tool's arguments that a format hides are silence on the wire, and are filled."""

    class Hides(StreamkitJson):
        def encode(self, event):
            return () if isinstance(event, TextDelta) else super().encode(event)

    pieces = [step for piece in HELLO[1:-2] for step in (piece, Pause(0.08), piece, Pause(0.08))]
    reply = Reply(HELLO[0], *pieces, *HELLO[-2:])
    response, _ = await served(lambda run: EventStream(run, Hides, heartbeat=0.1), stream=reply)
    frames, _ = parse(response.content)

    assert 2 <= sum(frame.json["type"] == "heartbeat" for frame in frames) <= 3


async def test_the_reroute_is_no_silence():
    """While the buffered call is on its way, heartbeats go out."""
    buffered = Reply(answers.completion("Hello"), before=[Pause(0.35)])
    reply = Reply(*HELLO[:2], Drop())
    response, _ = await served(
        lambda run: EventStream(run, heartbeat=0.1), stream=reply, buffered=buffered
    )
    frames, _ = parse(response.content)

    assert 2 <= sum(frame.json["type"] == "heartbeat" for frame in frames) <= 3
    assert "Hello" == text(frames)
    assert "response_completed" == frames[-1].json["type"]


async def test_an_early_failure_is_a_status():
    """Nothing was shown, so nothing has to be said in band; ``Retry-After`` is kept."""
    response, service = await served(EventStream, stream=NO)

    assert (503, "7") == (response.status_code, response.headers["retry-after"])
    assert "application/json" == response.headers["content-type"]
    assert "rejected" == response.json()["error"]["code"]
    assert "busy" not in response.text
    assert 2 == len(service.provider.requests)


async def test_a_heartbeat_commits_the_status():
    """What fails after it is told in band, by the one terminal frame."""
    late = Reply(answers.error("busy"), status=503, before=[Pause(0.25)])
    response, _ = await served(
        lambda run: EventStream(run, heartbeat=0.1),
        stream=late,
        reroute=ReroutePolicy.never(),
    )
    frames, _ = parse(response.content)

    assert 200 == response.status_code
    types = [frame.json["type"] for frame in frames]
    assert ["run", "heartbeat"] == types[:2]
    assert ["response_failed"] == types[len(types) - 1 :]


async def test_a_failure_behind_content_is_told_in_band():
    """The status is out; the partial answer stands, and its end is truthful."""
    response, _ = await served(EventStream, stream=Reply(*HELLO[:2], Drop()))
    frames, _ = parse(response.content)

    assert 200 == response.status_code
    assert "Hel" == text(frames)
    assert ("response_failed", "rejected") == (
        frames[-1].json["type"],
        frames[-1].json["error"]["code"],
    )


async def test_an_answer_without_content_is_an_answer():
    """An empty answer with evidence is committed by its terminal."""
    response, _ = await served(EventStream, stream=Reply(*answers.text_stream()))
    frames, _ = parse(response.content)

    assert (200, "response_completed") == (response.status_code, frames[-1].json["type"])


class Broken(StreamkitJson):
    """An encoder with a bug, behind the first text."""

    def encode(self, event):
        """Raise at text, and at the end too where it is told to."""
        if isinstance(event, TextDelta) and event.text == "lo":
            raise KeyError("a bug")
        return super().encode(event)


class Hopeless(Broken):
    """One that cannot tell the end either."""

    def encode(self, event):
        """Raise at text and at every end."""
        if event.terminal:
            raise KeyError("a bug")
        return super().encode(event)


@pytest.mark.parametrize("encoder", [Broken, Hopeless])
async def test_a_bug_in_an_encoder_is_one_terminal_frame(encoder):
    """A client never waits for an end that does not come."""
    response, service = await served(lambda run: EventStream(run, encoder), stream=Reply(*HELLO))
    frames, _ = parse(response.content)

    assert "Hel" == text(frames[:-1])
    assert {"code": "error", "message": "The answer could not be had."} == frames[-1].json["error"]
    assert 1 == sum("error" in frame.json for frame in frames)
    assert "Hello" == service.runs[0].outcome.response.text


class Early(StreamkitJson):
    """An encoder with a bug at the first event."""

    def encode(self, event):
        """Raise."""
        raise KeyError("a bug")


async def test_an_early_bug_is_a_status():
    """Nothing was sent yet: 500."""
    response, _ = await served(lambda run: EventStream(run, Early), stream=Reply(*HELLO))

    assert (500, "error") == (response.status_code, response.json()["error"]["code"])


async def test_head_is_answered_with_headers_alone():
    """Nothing is read, and nobody watches."""
    async with Service(EventStream, stream=Reply(*HELLO)) as service:
        with anyio.fail_after(SOON):
            response = await service.http.head("/")
            answer = await service.runs[0].response()

    assert (200, b"") == (response.status_code, response.content)
    assert "Hello" == answer.text


async def reading(service):
    """A client that has read the beginning, as a bare connection: closing it is its going."""
    stream = await anyio.connect_tcp(service.http.base_url.host, service.http.base_url.port)
    await stream.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")
    with anyio.fail_after(SOON):
        read = b""
        while b"Hel" not in read:
            read += await stream.receive()
    return stream


async def test_who_goes_away_is_noticed_at_once():
    """From the client's going to the provider's closed connection: 50 ms, and never 500."""
    reply = Reply(*HELLO[:2], Hold())
    latencies = []
    async with Service(EventStream, stream=reply) as service:
        for _ in range(20):
            async with await reading(service):
                began = anyio.current_time()
            await until(lambda: service.provider.connections == 0)
            latencies.append(anyio.current_time() - began)
        outcomes = {type(run.outcome).__name__ for run in service.runs}

    assert {"ResponseCancelled"} == outcomes
    assert statistics.median(latencies) <= 0.05
    assert max(latencies) <= 0.5


async def test_a_client_may_come_back_within_its_grace():
    """The run goes on meanwhile; then it is let go."""
    gate = anyio.Event()
    reply = Reply(*HELLO[:2], Until(gate), *HELLO[2:3], Hold())
    async with Service(
        lambda run: EventStream(run, on_disconnect=grace(0.3)), stream=reply
    ) as service:
        async with await reading(service):
            pass
        run = service.runs[0]
        async with run.subscribe() as events:
            await until(lambda: run._clients == 0)
            again = EventStream(run, on_disconnect=grace(0.05))
            await again.open()
            gate.set()
            while (event := await anext(events)) != TextDelta("lo"):
                assert not event.terminal
        await anyio.sleep(0.35)  # the first grace is over, and was taken back
        assert run.outcome is None
        await again.aclose()
        with anyio.fail_after(SOON):
            await run.done.wait()

    assert isinstance(run.outcome, streamkit.events.ResponseCancelled)
    assert "Hello" == run.outcome.response.text


async def test_a_run_may_be_left_to_itself():
    """Who detaches pays, and can read it later."""
    gate = anyio.Event()
    reply = Reply(*HELLO[:2], Until(gate), *HELLO[2:])
    async with Service(lambda run: EventStream(run, on_disconnect=detach), stream=reply) as service:
        async with await reading(service):
            pass
        await until(lambda: service.runs[0]._clients == 0)
        gate.set()
        with anyio.fail_after(SOON):
            assert "Hello" == (await service.runs[0].response()).text


async def test_who_is_not_the_last_to_go_cancels_nothing():
    """The others still watch."""
    async with Service(EventStream, stream=Reply(*HELLO[:2], Hold())) as service:
        async with await reading(service):
            other = await EventStream(service.runs[0]).open()
        await until(lambda: service.runs[0]._clients == 1)
        assert service.runs[0].outcome is None
        other.leave()
        with anyio.fail_after(SOON):
            await service.runs[0].done.wait()


# Not under Hypercorn on trio: it shields its writes from every timeout but its own.
@pytest.mark.parametrize("anyio_backend", BACKENDS[:2], indirect=True)
async def test_a_client_that_does_not_read_is_let_go_and_holds_up_nobody():
    """The write times out; the run itself is done long before."""
    big = answers.text_stream(*["x" * 65536] * 400)
    make = lambda run: EventStream(run, send_timeout=0.2, on_disconnect=detach)  # noqa: E731
    async with Service(make, stream=Reply(*big), limits=Limits()) as service:
        host, port = service.http.base_url.host, service.http.base_url.port
        async with await anyio.connect_tcp(host, port) as raw:
            await raw.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")
            with anyio.fail_after(20):
                await until(lambda: service.runs)
                answer = await service.runs[0].response()
                await service.streams[0].left()

    assert 65536 * 400 == len(answer.text)
    assert 0 == service.runs[0]._clients


async def bodied(run, **settings):
    """The whole body, as a framework takes it that has said the status already."""
    return b"".join([part async for part in EventStream(run, **settings)])


async def test_a_body_says_failures_in_band():
    """Without `open` the status is somebody else's, and was good."""
    async with (
        FaultProvider(stream=NO, buffered=NO) as provider,
        streamkit.Client(base_url=provider.url) as client,
    ):
        frames, _ = parse(await bodied(client.start(BODY)))

    assert ["run", "rerouted", "response_failed"] == [frame.json["type"] for frame in frames]


@pytest.mark.parametrize("encoder", ["streamkit", "openai-chat", "lightspeed", "lightspeed-seed"])
async def test_a_client_resumes_at_any_frame(encoder):
    """Wherever it was cut, what it has and what it gets is the whole body, once."""
    reply = Reply(
        *answers.tool_stream("f", '{"a"', ":1}", before=["Hel", "lo"], usage=(1, 2)),
    )
    async with (
        FaultProvider(stream=reply) as provider,
        streamkit.Client(base_url=provider.url) as client,
    ):
        run = client.start(BODY)
        await run.response()
        whole, _ = parse(await bodied(run, encoder=encoder))
        for cut, frame in enumerate(whole, start=1):
            rest, _ = parse(await bodied(run, encoder=encoder, after=frame.id))
            assert whole[cut:] == rest, f"cut behind {frame.id}"


async def test_who_has_it_all_need_not_come_back():
    """204 stops a browser that would reconnect for ever."""
    async with (
        FaultProvider(stream=Reply(*HELLO)) as provider,
        streamkit.Client(base_url=provider.url) as client,
    ):
        run = client.start(BODY)
        await run.response()
        frames, _ = parse(await bodied(run))
        stream = await EventStream(run, after=frames[-1].id).open()
        parts = [part async for part in stream]

    assert (204, [], False) == (stream.status, parts, "content-type" in stream.headers)


@pytest.mark.parametrize("after", ["7-7", "-1", "0-0~2", "nonsense", ""])
async def test_an_id_that_the_log_does_not_have_is_a_gap(after):
    """It is said, never silent, and the whole answer follows."""
    async with (
        FaultProvider(stream=Reply(*HELLO)) as provider,
        streamkit.Client(base_url=provider.url) as client,
    ):
        run = client.start(BODY)
        await run.response()
        frames, _ = parse(await bodied(run, after=after))

    assert [{"type": "gap", "after": after}] == told(frames)[:1]
    assert "Hello" == text(frames)


async def test_a_format_that_cannot_retract_says_a_gap_as_an_error():
    """What follows was told before: a reader that cannot forget would have it twice."""
    async with (
        FaultProvider(stream=Reply(*HELLO)) as provider,
        streamkit.Client(base_url=provider.url) as client,
    ):
        run = client.start(BODY)
        await run.response()
        frames, _ = parse(await bodied(run, after="7-7", encoder="openai-chat"))

    assert ["retracted"] == [frame.json["error"]["code"] for frame in frames]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"encoder": "morse"}, "expected a registered encoder"),
        ({"encoder": object}, "expected an encoder's name"),
        ({"heartbeat": 0}, "expected heartbeat in seconds"),
        ({"send_timeout": "x"}, "expected send_timeout in seconds"),
        ({"on_disconnect": 3}, "expected on_disconnect"),
        ({"encoder": "openai-chat", "on_retract": "forget"}, "expected on_retract"),
    ],
)
async def test_settings_are_checked(settings, expected):
    """The error says what was expected, before anything is served."""

    class Run:
        id = "1"

    with pytest.raises(MisuseError, match=expected):
        EventStream(Run(), **settings)


async def test_a_stream_is_served_once():
    """A second request gets an error, not an empty answer."""

    class Run:
        id = "1"

    stream = EventStream(Run())
    with pytest.raises(MisuseError, match="expected an HTTP request"):
        await stream({"type": "websocket"}, None, None)
    with pytest.raises(MisuseError, match="served once"):
        await stream({"type": "http"}, None, None)


async def test_only_http_is_served():
    """A websocket is somebody else's."""

    class Run:
        id = "1"

    with pytest.raises(MisuseError, match="expected an HTTP request"):
        await EventStream(Run())({"type": "websocket"}, None, None)
