"""The two sources over real HTTP: what they send, what they take, and how they leave."""

import gc
import gzip
import ssl

import anyio
import attrs
import httpx
import httpx2
import pytest

from streamkit.dialects import HttpCall, get_dialect
from streamkit.errors import (
    FrameTooLarge,
    MalformedStream,
    MisuseError,
    Rejected,
    Stalled,
    StreamkitError,
    TransportError,
    TruncatedStream,
)
from streamkit.framing import Frame
from streamkit.pipeline import Over
from streamkit.stages import Accumulator, Buffered, Endpoint, Transport
from streamkit.stages.http import Http
from streamkit.testing import (
    Drop,
    FaultProvider,
    HalfClose,
    Hold,
    NeverEnd,
    Reply,
    Reset,
    answers,
)

from ..pipeline.lines import TAPS, PassAsync, drive, line_of, pipeline_of, run

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(20)]  # what hangs fails soon

PATIENCE = 5.0  # seconds: what never happens has not happened by then
SOON = 0.1  # seconds: how fast the provider must see that it was left
BODY = {"model": "m", "messages": [], "stream_options": {"include_usage": False}, "é": "漢"}
FRAMES = answers.text_stream("a", "b", "c")
KEY = "zq-1234567890"
CHAT = get_dialect("openai-chat")
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody: nothing here is encrypted


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request):
    """The HTTP client's library."""
    return request.param


@pytest.fixture(params=["httpx", "httpx2", "streamkit"])
async def http(request):
    """Give a client that reads no proxy settings; it must be open at the end of every test."""
    theirs = {"httpx": httpx, "httpx2": httpx2}
    if request.param in theirs:
        async with client_of(theirs[request.param], timeout=PATIENCE) as client:
            yield client
            assert not client.is_closed
    else:
        async with Http(NO_TLS) as client:
            yield client


def client_of(library, **more):
    """Open a client that reads no settings of the machine, certificates included."""
    return library.AsyncClient(trust_env=False, verify=False, **more)


@pytest.fixture
def collected():
    """Whatever a test leaves to the garbage collector is a warning, and warnings are errors."""
    yield
    gc.collect()


@pytest.fixture(params=[Transport, Buffered])
def kind(request):
    """Both sources: they share all but two words."""
    return request.param


@pytest.fixture(params=[True, False], ids=["together", "apart"])
def fuse(request):
    """Whether one task drives the line, or each stage has its own."""
    return request.param


def endpoint_of(provider, **more):
    return Endpoint(base_url=provider.url, **more)


async def fetch(source, body=BODY, taps=TAPS, stop_at=None):
    """Fetch once; give the frames, and how it ended or what it raised."""
    frames = []

    async def emit(batch):
        frames.extend(batch)
        if stop_at is not None and len(frames) >= stop_at:
            raise Over

    try:
        ended = await source.fetch(source.call(CHAT, body), CHAT, emit, taps)
    except (StreamkitError, Over) as error:
        return frames, error
    return frames, ended


def both(reply):
    """Script *reply* for both sources."""
    return FaultProvider(stream=reply, buffered=reply)


# -- what is sent ----------------------------------------------------------------


async def test_the_streaming_call_is_sent_as_the_dialect_says(http):
    """Transport posts the body with the stream's flags, and asks for an event stream."""
    async with FaultProvider(stream=Reply(*FRAMES)) as provider:
        await fetch(Transport(http, endpoint=endpoint_of(provider)))
        sent = provider.requests[0]

    assert ("POST", "/v1/chat/completions", "") == (sent.method, sent.path, sent.query)
    assert {**BODY, "stream": True} == sent.json
    assert ("text/event-stream", "application/json", "identity") == (
        sent.headers["accept"],
        sent.headers["content-type"],
        sent.headers["accept-encoding"],
    )


async def test_the_buffered_call_is_the_body_without_the_streams_flags(http):
    """Buffered posts what the caller gave, and nothing that belongs to streams."""
    async with FaultProvider(buffered=Reply(answers.completion("abc"))) as provider:
        await fetch(Buffered(http, endpoint=endpoint_of(provider)), {**BODY, "stream": True})
        sent = provider.requests[0]

    assert {"model": "m", "messages": [], "é": "漢"} == sent.json
    assert "application/json" == sent.headers["accept"]
    assert str(len(sent.body)) == sent.headers["content-length"]


@pytest.mark.parametrize("slash", ["", "/", "//"])
async def test_a_base_url_may_end_in_a_slash(http, kind, slash):
    """The path is joined with one slash, however the base URL ends."""
    async with both(Reply(*FRAMES)) as provider:
        await fetch(kind(http, endpoint=Endpoint(base_url=provider.url + slash)))

    assert ["/v1/chat/completions"] == [sent.path for sent in provider.requests]


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_http_clients_own_base_url_does(library, kind, slash):
    """Without a base URL the path is joined to that of the HTTP client."""
    async with (
        both(Reply(*FRAMES)) as provider,
        client_of(library, base_url=provider.url + slash) as http,
    ):
        await fetch(kind(http))

    assert ["/v1/chat/completions"] == [sent.path for sent in provider.requests]


async def test_headers_are_merged_whatever_their_case(library, kind):
    """The endpoint's headers win over the call's, those over ours, and all over the client's."""
    endpoint_headers = {"X-Team": "endpoint", "Accept": "text/plain", "Authorization": "Bearer k"}
    call = HttpCall("chat", {}, {"x-team": "call", "X-Call": "call", "CONTENT-TYPE": "text/json"})

    async def ignore(batch):
        pass

    async with (
        both(Reply(*FRAMES)) as provider,
        client_of(library, headers={"X-TEAM": "client", "X-Mine": "client"}) as http,
    ):
        source = kind(http, endpoint=endpoint_of(provider, headers=endpoint_headers))
        await source.fetch(call, CHAT, ignore, TAPS)
        sent = provider.requests[0].headers

    wanted = {
        "x-team": "endpoint",
        "x-call": "call",
        "x-mine": "client",
        "accept": "text/plain",
        "content-type": "text/json",
        "authorization": "Bearer k",
    }
    assert wanted == {name: sent[name] for name in wanted}


async def test_params_are_merged(http, kind):
    """The query is that of the call with that of the endpoint over it."""
    call = HttpCall("chat", {}, params={"alt": "sse", "v": "1"})

    async def ignore(batch):
        pass

    async with both(Reply(*FRAMES)) as provider:
        source = kind(http, endpoint=endpoint_of(provider, params={"v": "2 3"}))
        await source.fetch(call, CHAT, ignore, TAPS)
        query = httpx.QueryParams(provider.requests[0].query)

    assert {"alt": "sse", "v": "2 3"} == dict(query)


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        (Endpoint(base_url="http://[::"), "'http://[::'"),
        (Endpoint(base_url="http://x", headers={"a": "ü漢"}), "UnicodeEncodeError"),
        (Endpoint(base_url="http://x:bad"), "check base_url, headers and that the body is JSON"),
    ],
)
async def test_what_cannot_be_sent_is_misuse(http, kind, endpoint, said):
    """A URL, a header or a body that cannot be built is the caller's to mend; no call is made."""
    _, error = await fetch(kind(http, endpoint=endpoint))

    assert MisuseError is type(error)
    assert "expected a request that can be sent to" in str(error)
    assert said in str(error)


async def test_a_body_that_is_no_json_is_misuse(http, kind):
    """What JSON has no word for cannot be sent."""
    _, error = await fetch(kind(http, endpoint=Endpoint(base_url="http://x")), {"a": object()})

    assert MisuseError is type(error)


@pytest.mark.parametrize("base_url", ["ftp://127.0.0.1/v1", "127.0.0.1/v1", "", "//x"])
async def test_a_base_url_of_another_scheme_is_misuse(http, kind, base_url):
    """An endpoint that is not HTTP is refused in words, by us or by the HTTP client."""
    _, error = await fetch(kind(http, endpoint=Endpoint(base_url=base_url)))

    assert MisuseError is type(error)
    assert "base_url" in str(error)


# -- what is refused -------------------------------------------------------------


@pytest.mark.parametrize("status", [302, 304, 400, 429, 503])
async def test_a_status_that_is_no_success_is_rejected(http, kind, status):
    """Any status but 2xx is `Rejected`, with the status, and with what the provider said."""
    said = () if status == 304 else (answers.error("no streaming here", code="unsupported"),)
    async with both(Reply(*said, status=status, headers={"location": "/else"})) as provider:
        frames, error = await fetch(kind(http, endpoint=endpoint_of(provider)))

    assert ([], Rejected, status) == (frames, type(error), error.status)
    assert f"the provider answered HTTP {status}: " in str(error)
    if said:
        assert "no streaming here" in str(error)
        assert "unsupported" == error.provider_code


async def test_a_success_other_than_200_is_an_answer(http, kind):
    """201 is a success: its body is read."""
    async with both(Reply(*FRAMES, status=201)) as provider:
        frames, _ = await fetch(kind(http, endpoint=endpoint_of(provider)))

    assert 6 == len(frames)


RETRIES = [
    (None, None),
    ("7", 7.0),
    ("0.5", 0.5),
    ("-3", 0.0),
    ("", None),
    ("soon", None),
    ("nan", None),
    ("inf", None),
    ("1e999", None),
    ("Wed, 21 Oct 2026 07:28:00 GMT", None),
]


@pytest.mark.parametrize(("header", "seconds"), RETRIES)
async def test_retry_after_is_read_in_seconds(http, header, seconds):
    """``Retry-After`` in seconds is kept, never negative; dates and nonsense are left alone."""
    async with both(Reply(status=429, headers={"retry-after": header})) as provider:
        _, error = await fetch(Buffered(http, endpoint=endpoint_of(provider)))

    assert seconds == error.retry_after


ECHOES = [
    answers.error(f"Incorrect API key provided: {KEY}"),
    answers.error("x" * 195 + KEY),
    answers.error("no", code=KEY),
    f"<html>{KEY}</html>".encode(),
    f'{{"detail": ["{KEY}"]}}'.encode(),
    f'{{"error": {{"{KEY}": 1}}}}'.encode(),
]


@pytest.mark.parametrize("body", ECHOES)
async def test_a_secret_the_provider_echoes_is_masked(http, body):
    """The API key never stands in an error, however the provider's message quotes it."""
    async with both(Reply(body, status=401)) as provider:
        source = Transport(http, endpoint=endpoint_of(provider, secrets=(KEY,)))
        _, error = await fetch(source)

    assert Rejected is type(error)
    assert "zq-12" not in f"{error!r} {error.provider_code}"


def test_an_endpoint_does_not_show_its_secrets():
    """The representation of an endpoint leaves secrets out."""
    assert KEY not in repr(Endpoint(secrets=(KEY,)))


async def test_a_long_rejection_is_read_in_part(http, kind):
    """Of a rejection's body as much is read as a message needs, and then it is left."""
    held = Reply(b"<p>busy</p>", *[b"x" * 40_000] * 4, Hold(), status=503)
    async with both(held) as provider:
        _, error = await fetch(kind(http, endpoint=endpoint_of(provider)))
        with anyio.fail_after(SOON):
            await provider.requests[0].disconnected.wait()

    assert "the provider answered HTTP 503: <p>busy</p>" in str(error)


@pytest.mark.parametrize("step", [Drop(), Reset()])
async def test_a_rejection_that_breaks_off_is_still_one(http, kind, step):
    """The status says enough: a body that breaks off behind it does not hide it."""
    async with both(Reply(b"busy", step, status=503)) as provider:
        _, error = await fetch(kind(http, endpoint=endpoint_of(provider)))

    assert (Rejected, 503) == (type(error), error.status)
    assert "and the body broke off: " in str(error)


async def test_a_rejection_that_never_ends_is_still_one(http, kind):
    """A provider that says 429 and then nothing is waited for no longer than for closing."""
    taps = attrs.evolve(TAPS, close=0.01)
    async with both(Reply(b"busy", Hold(), status=429)) as provider:
        _, error = await fetch(kind(http, endpoint=endpoint_of(provider)), taps=taps)
        with anyio.fail_after(SOON):
            await provider.requests[0].disconnected.wait()

    assert (Rejected, 429) == (type(error), error.status)


# -- what breaks -----------------------------------------------------------------


async def test_a_refused_connection_is_a_transport_error(http, kind):
    """Nobody listens: the error says that the connection failed."""
    async with FaultProvider() as provider:
        endpoint = endpoint_of(provider)
    _, error = await fetch(kind(http, endpoint=endpoint))

    assert TransportError is type(error)
    assert "the connection failed: ConnectError" in str(error)
    assert error.__cause__ is not error


@pytest.mark.parametrize("step", [Drop(), Reset(), HalfClose()])
@pytest.mark.parametrize("before", [True, False], ids=["before the head", "in the body"])
async def test_a_lost_connection_is_a_transport_error(collected, http, kind, step, before):
    """Dropped or reset, before the status or within the body: frames that came are emitted."""
    reply = Reply(before=[step]) if before else Reply(*FRAMES[:3], step)
    async with both(reply) as provider:
        frames, error = await fetch(kind(http, endpoint=endpoint_of(provider)))

    assert TransportError is type(error)
    assert (0 if before else 3) == len(frames)


async def test_waiting_for_a_place_in_the_pool_is_the_connect_clock(library, kind):
    """With every connection taken, the call gives up when ``connect`` has run out."""
    limits = library.Limits(max_connections=1)
    taps = attrs.evolve(TAPS, connect=0.05)
    async with (
        both(Reply(*FRAMES[:2], Hold())) as provider,
        client_of(library, limits=limits) as http,
        anyio.create_task_group() as tasks,
    ):
        source = kind(http, endpoint=endpoint_of(provider))
        tasks.start_soon(fetch, source)
        await provider.arrival()
        _, error = await fetch(source, taps=taps)
        tasks.cancel_scope.cancel()

    assert (Stalled, "connect", 0.05) == (type(error), error.clock, error.seconds)


async def test_an_infinite_clock_never_runs_out(http, kind):
    """``connect`` may be infinite."""
    async with both(Reply(*FRAMES)) as provider:
        taps = attrs.evolve(TAPS, connect=float("inf"))
        frames, _ = await fetch(kind(http, endpoint=endpoint_of(provider)), taps=taps)

    assert 6 == len(frames)


class Body:
    """A response of httpx's shape whose parts raise on cue."""

    status_code = 200
    is_success = True

    def __init__(self, pieces=(), error=None, closing=None):
        self.headers = {"content-type": "text/event-stream"}
        self.pieces, self.error, self.closing = pieces, error, closing

    @property
    def stream(self):
        return self.aiter_raw()

    async def aiter_raw(self):
        for piece in self.pieces:
            yield piece
        if self.error is not None:
            raise self.error

    async def aclose(self):
        if self.closing is not None:
            raise self.closing


@attrs.define(eq=False)
class Stray:
    """An HTTP client that lets an exception slip."""

    response: Body | None = None
    error: Exception | None = None

    def build_request(self, *args, **more):
        return None

    async def send(self, request, stream):
        await anyio.lowlevel.checkpoint()
        if self.error is not None:
            raise self.error
        return self.response


@pytest.mark.parametrize("quoted", ["", f" {KEY}"])
async def test_a_stray_exception_of_the_http_client_is_a_transport_error(kind, quoted):
    """
    What an HTTP client raises by mistake is the connection's failure.

    It is the cause, unless it quotes a secret: a traceback would print it.
    """
    error = AttributeError(f"'NoneType' object has no attribute 'getpeername'{quoted}")
    for http in (Stray(error=error), Stray(Body(FRAMES[:2], error))):
        _, raised = await fetch(kind(http, endpoint=Endpoint(secrets=(KEY,))))

        assert TransportError is type(raised)
        assert "the HTTP client raised AttributeError: 'NoneType' object has" in str(raised)
        assert (None if quoted else error) is raised.__cause__
        assert KEY not in str(raised)


async def test_an_error_of_the_tree_is_not_its_own_cause(kind):
    """What an HTTP client raises of our tree passes as it is."""
    error = Stalled("idle", 1)
    for http in (Stray(error=error), Stray(Body(FRAMES[:2], error))):
        _, raised = await fetch(kind(http))

        assert (error, None) == (raised, raised.__cause__)


async def test_a_failing_close_does_not_undo_an_answer(kind):
    """Once the body has been read, what closing the response raises is of no matter."""
    frames, ended = await fetch(kind(Stray(Body(FRAMES, closing=OSError("gone")))))

    assert (6, "") == (len(frames), ended.residue)


# -- bodies ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204])
async def test_an_empty_body_is_no_answer(http, kind, status):
    """A success without a body is a truncated stream, never an empty answer."""
    async with both(Reply(status=status)) as provider:
        told = await run(kind(http, endpoint=endpoint_of(provider)), Accumulator)

    assert TruncatedStream is type(told.raised)
    assert [] == told.events


async def test_a_compressed_body_is_read(http, kind):
    """A provider that compresses although it was asked not to is understood."""
    body = gzip.compress(b"".join(FRAMES))
    async with both(Reply(body[:20], body[20:], headers={"content-encoding": "gzip"})) as provider:
        told = await run(kind(http, endpoint=endpoint_of(provider)), Accumulator)

    assert "abc" == told.response.text


@pytest.mark.parametrize("rest", [(), (Hold(),)], ids=["ended", "held"])
async def test_a_body_that_is_not_compressed_as_it_says_is_malformed(collected, http, kind, rest):
    """A body that cannot be decoded is an error, and nothing of it is left open."""
    async with both(Reply(b"plain", *rest, headers={"content-encoding": "gzip"})) as provider:
        frames, error = await fetch(kind(http, endpoint=endpoint_of(provider)))

    assert ([], MalformedStream) == (frames, type(error))
    assert "the body cannot be decoded" in str(error)


async def test_a_provider_that_ignores_stream_has_answered(http, kind):
    """A whole JSON body is an answer to either call, and so is a stream."""
    for steps in (FRAMES, [answers.completion("abc")]):
        async with both(Reply(*steps)) as provider:
            told = await run(kind(http, endpoint=endpoint_of(provider)), Accumulator)
        assert "abc" == told.response.text


async def test_bytes_and_frames_are_told_as_they_come(http, kind):
    """Each read that brings bytes is told once, and its frames before the next read."""
    told = []

    async def emit(batch):
        told.append(len(batch))

    taps = attrs.evolve(TAPS, on_bytes=lambda: told.append("bytes"))
    async with both(Reply(b"".join(FRAMES))) as provider:
        source = kind(http, endpoint=endpoint_of(provider))
        await source.fetch(source.call(CHAT, BODY), CHAT, emit, taps)

    assert ["bytes", 6] == told


# -- leaving ---------------------------------------------------------------------


async def test_a_connection_lives_on_behind_every_whole_body(collected, http, kind, fuse):
    """Answers, with and without a done marker, and rejections give the connection back."""
    replies = [
        Reply(*FRAMES),
        Reply(*FRAMES[:-1]),
        Reply(answers.completion("abc")),
        Reply(answers.error("busy"), status=503),
        Reply(*FRAMES),
    ]
    async with both(replies) as provider:
        for _ in replies:
            source = kind(http, endpoint=endpoint_of(provider))
            await run(source, Accumulator, PassAsync, fuse=fuse)
        assert (5, 1) == (len(provider.requests), provider.accepted)


async def test_an_answer_whose_body_never_ends_is_left(collected, http, kind, fuse):
    """Behind the done marker nothing is waited for but a moment; then the body is left."""
    async with both(Reply(*FRAMES, NeverEnd())) as provider:
        source = kind(http, endpoint=endpoint_of(provider))
        told = await run(source, Accumulator, fuse=fuse)
        with anyio.fail_after(SOON):
            await provider.requests[0].disconnected.wait()

    assert "abc" == told.response.text


async def test_stopping_early_leaves_the_body(collected, http, kind):
    """Who needs no more stops the reading; the provider sees the client go."""
    async with both(Reply(*FRAMES[:4], Hold())) as provider:
        frames, ended = await fetch(kind(http, endpoint=endpoint_of(provider)), stop_at=3)
        with anyio.fail_after(SOON):
            await provider.requests[0].disconnected.wait()

    assert (Over, True) == (type(ended), len(frames) >= 3)


@pytest.mark.parametrize("headers", [{}, {"content-encoding": "gzip"}], ids=["plain", "gzip"])
async def test_an_error_in_the_frames_leaves_the_body(collected, http, kind, headers):
    """A frame too large ends the reading; the suspended body is closed, the provider sees it."""
    body = b"".join(FRAMES[:2]) + b"data: " + b"x" * 99_000
    steps = [gzip.compress(body)] if headers else [body]
    taps = attrs.evolve(TAPS, max_frame_bytes=9_000)
    async with both(Reply(*steps, Hold(), headers=headers)) as provider:
        _, error = await fetch(kind(http, endpoint=endpoint_of(provider)), taps=taps)
        with anyio.fail_after(SOON):
            await provider.requests[0].disconnected.wait()

    assert FrameTooLarge is type(error)


async def test_a_malformed_chunk_leaves_the_body(collected, http, kind, fuse):
    """What the parser refuses ends the attempt, and the provider sees the client go."""
    async with both(Reply(*FRAMES[:2], b"data: {oops\n\n", Hold())) as provider:
        told = await run(kind(http, endpoint=endpoint_of(provider)), Accumulator, fuse=fuse)
        with anyio.fail_after(SOON):
            await provider.requests[0].disconnected.wait()

    assert (MalformedStream, "a") == (type(told.raised), told.text)


async def test_cancellation_leaves_the_body(collected, http, kind, fuse):
    """A cancelled read closes the connection at once, and nothing is left to the collector."""
    async with both(Reply(*FRAMES[:3], Hold())) as provider:
        pipeline = pipeline_of(kind(http, endpoint=endpoint_of(provider)), Accumulator, fuse=fuse)
        with anyio.CancelScope() as scope:
            line = line_of(pipeline, lambda batch: scope.cancel())
            await drive(line, pipeline.source)
        with anyio.fail_after(SOON):
            await provider.requests[0].disconnected.wait()

    assert scope.cancelled_caught


async def test_a_read_broken_off_leaves_the_body(collected, http, kind, fuse):
    """The clocks cancel the read alone: its cause is raised, and the provider sees it."""
    cause = Stalled("idle", 1)
    async with both(Reply(*FRAMES[:3], Hold())) as provider:
        pipeline = pipeline_of(kind(http, endpoint=endpoint_of(provider)), Accumulator, fuse=fuse)

        def deliver(batch):
            line.break_off(cause)

        line = line_of(pipeline, deliver)
        with pytest.raises(Stalled) as raised:
            await drive(line, pipeline.source)
        with anyio.fail_after(SOON):
            await provider.requests[0].disconnected.wait()

    assert cause is raised.value


async def test_frames_are_values(http):
    """What is emitted are frames of the body, in order."""
    async with both(Reply(b"event: a\ndata: 1\n\n")) as provider:
        frames, _ = await fetch(Transport(http, endpoint=endpoint_of(provider)))

    assert [Frame("1", "a")] == frames
