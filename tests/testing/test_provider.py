"""The fault provider, seen by a real client over real sockets."""

import gc
import json
import socket
from contextlib import suppress

import anyio
import httpx
import pytest
from anyio.abc import SocketAttribute

from streamkit.errors import MisuseError
from streamkit.testing import (
    Drop,
    FaultProvider,
    HalfClose,
    Hold,
    KeepAlive,
    NeverEnd,
    Pause,
    Reply,
    Reset,
    Until,
)
from streamkit.testing.connection import MAX_REQUEST, Connection

pytestmark = pytest.mark.anyio

SOON = 0.1  # seconds: how fast a client's leaving must be noticed
PATIENCE = 5.0  # seconds: what never happens has not happened by then
STREAM = {"model": "demo-1", "stream": True}
BUFFERED = {"model": "demo-1"}
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture
async def http():
    """Give a client that reads no proxy settings and keeps its connections."""
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        yield client


async def connect(provider):
    """Return a bare connection, for what httpx does not do or see."""
    return await anyio.connect_tcp("127.0.0.1", httpx.URL(provider.url).port)


def post(http, provider, body=STREAM, **more):
    return http.post(f"{provider.url}/chat/completions", json=body, **more)


def stream(http, provider, body=STREAM):
    return http.stream("POST", f"{provider.url}/chat/completions", json=body)


async def collect(http, provider):
    """Return the raw pieces that came, and the error they ended with."""
    pieces = []
    try:
        async with stream(http, provider) as response:
            async for piece in response.aiter_raw():
                pieces.append(piece)  # noqa: PERF401 -- what came before the error is wanted
    except httpx.TransportError as error:
        return pieces, type(error)
    return pieces, None


# -- what is sent ----------------------------------------------------------------


async def test_stream_decides_the_script(http):
    """A body that says "stream": true gets `stream`, every other request gets `buffered`."""
    async with FaultProvider(stream=Reply("s"), buffered=Reply("b")) as provider:
        assert "s" == (await post(http, provider)).text
        assert "b" == (await post(http, provider, BUFFERED)).text
        assert "b" == (await post(http, provider, {"stream": "true"})).text
        assert "b" == (await post(http, provider, [True])).text
        assert "b" == (await http.get(f"{provider.url}/models")).text


async def test_content_type_follows_what_was_asked(http):
    """A stream is an event stream by default; errors and buffered answers are JSON."""
    scripts = {"stream": [Reply("s"), Reply("e", status=400)], "buffered": Reply("{}")}
    async with FaultProvider(**scripts) as provider:
        replies = [await post(http, provider, body) for body in (STREAM, STREAM, BUFFERED)]

    types = [reply.headers["content-type"] for reply in replies]
    assert ["text/event-stream", "application/json", "application/json"] == types
    assert [200, 400, 200] == [reply.status_code for reply in replies]


async def test_headers_replace_and_remove_the_defaults(http):
    """A given header wins over the default whatever its case; None leaves the default out."""
    html = Reply("<p>", headers={"Content-Type": "text/html", "Retry-After": "7"})
    bare = Reply("?", headers={"content-type": None})
    async with FaultProvider(stream=[html, bare]) as provider:
        first, second = await post(http, provider), await post(http, provider)

    assert ("text/html", "7") == (first.headers["content-type"], first.headers["retry-after"])
    assert "content-type" not in second.headers


async def test_one_step_is_one_chunk(http):
    """Each bytes step, str as UTF-8, is one HTTP chunk in its own send."""
    async with FaultProvider(stream=Reply(b"one", "zwölf", b"three")) as provider:
        sent = await exchange(provider, STREAM)
        seen = await collect(http, provider)

    assert (
        b"3\r\none\r\n6\r\nzw\xc3\xb6lf\r\n5\r\nthree\r\n0\r\n\r\n"
        == sent.partition(b"\r\n\r\n")[2]
    )
    assert ([b"one", b"zw\xc3\xb6lf", b"three"], None) == seen


async def exchange(provider, body):
    """Send one request on a bare connection; return all that comes until EOF."""
    content = json.dumps(body).encode()
    head = (
        f"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    async with await connect(provider) as raw:
        await raw.send(head.encode() + content)
        return b"".join([piece async for piece in raw])


async def test_length_framing_says_the_sum_of_the_bytes(http):
    """With framing "length" the body has a content length and no chunks."""
    async with FaultProvider(stream=Reply("ab", Pause(0), "ü", framing="length")) as provider:
        reply = await post(http, provider)

    assert ("4", "abü") == (reply.headers["content-length"], reply.content.decode())
    assert "transfer-encoding" not in reply.headers


async def test_close_framing_ends_with_the_connection(http):
    """With framing "close" the body is told neither length nor chunks, and is whole."""
    async with FaultProvider(stream=Reply("ab", "cd", framing="close")) as provider:
        replies = [await post(http, provider) for _ in range(2)]
        accepted = provider.accepted

    headers = replies[0].headers
    assert ["abcd", "abcd"] == [reply.text for reply in replies]
    assert "close" == headers["connection"]
    assert not {"content-length", "transfer-encoding"} & set(headers)
    assert 2 == accepted


async def test_an_empty_reply_is_an_empty_body(http):
    """A reply without steps is a good answer of no bytes, in every framing."""
    replies = [Reply(framing=framing) for framing in ("chunked", "length", "close")]
    async with FaultProvider(stream=replies) as provider:
        assert [b"", b"", b""] == [(await post(http, provider)).content for _ in replies]


async def test_head_gets_the_head_alone(http):
    """A HEAD request gets status and headers, and takes no step."""
    async with FaultProvider(buffered=Reply("abc", framing="length")) as provider:
        reply = await http.head(f"{provider.url}/models")

    assert ("3", b"") == (reply.headers["content-length"], reply.content)


# -- which reply -----------------------------------------------------------------


async def test_a_list_is_used_in_order_and_its_last_repeats(http):
    """Replies of a list are given in order; the last one goes on for ever."""
    async with FaultProvider(stream=[Reply("1"), Reply("2")]) as provider:
        assert ["1", "2", "2"] == [(await post(http, provider)).text for _ in range(3)]


async def test_a_function_sees_the_request(http):
    """A script's function decides from what was asked."""

    def echo(recorded):
        return Reply(recorded.json["model"])

    async with FaultProvider(buffered=echo) as provider:
        assert "demo-1" == (await post(http, provider, BUFFERED)).text


async def test_an_unscripted_request_is_told_so(http):
    """A request that nothing is scripted for gets 501 and says why."""
    async with FaultProvider() as provider:
        reply = await post(http, provider)

    assert 501 == reply.status_code
    assert "no reply is scripted for this request" == reply.json()["error"]["message"]


# -- what is recorded ------------------------------------------------------------


async def test_requests_are_recorded_as_sent(http):
    """Method, path, query, headers and body are those of the request, in order of arrival."""
    async with FaultProvider(buffered=Reply("{}")) as provider:
        before = anyio.current_time()
        await post(http, provider, BUFFERED, params={"v": "1 2"}, headers={"X-Key": "a"})
        await http.get(f"{provider.url}/models", headers=[("x-two", "a"), ("X-Two", "b")])
        first, second = provider.requests
        after = anyio.current_time()

    assert ("POST", "/v1/chat/completions", "v=1+2") == (first.method, first.path, first.query)
    assert ("a", BUFFERED) == (first.headers["x-key"], first.json)
    assert ("GET", "/v1/models", "", b"") == (
        second.method,
        second.path,
        second.query,
        second.body,
    )
    assert "a, b" == second.headers["x-two"]
    assert before <= first.arrived <= second.arrived <= after
    with pytest.raises(ValueError):
        second.json  # noqa: B018 -- the property raises


async def test_a_request_finishes_undisturbed(http):
    """A reply that was read to its end is finished, and nobody disconnected."""
    async with FaultProvider(stream=Reply("a"), buffered=Reply("b", framing="close")) as provider:
        await post(http, provider)
        await post(http, provider, BUFFERED)
        for recorded in provider.requests:
            with anyio.fail_after(PATIENCE):
                await recorded.finished.wait()

    assert [False, False] == [recorded.disconnected.is_set() for recorded in provider.requests]


async def test_arrival_waits_for_a_request(http):
    """`arrival` gives the request of that number, as soon as it is there."""
    async with FaultProvider(buffered=Reply("b")) as provider, anyio.create_task_group() as tasks:
        tasks.start_soon(post, http, provider, {"n": 0})
        assert {"n": 0} == (await provider.arrival()).json
        tasks.start_soon(post, http, provider, {"n": 1})
        assert {"n": 1} == (await provider.arrival(1)).json


# -- connections -----------------------------------------------------------------


async def test_a_connection_serves_many_requests(http):
    """Requests one after the other share one kept connection, whatever the framing said."""
    replies = [Reply("a"), Reply("b", framing="length"), Reply("c")]
    async with FaultProvider(stream=replies) as provider:
        assert ["a", "b", "c"] == [(await post(http, provider)).text for _ in replies]
        assert (1, 1) == (provider.accepted, provider.connections)


async def test_requests_sent_ahead_wait_their_turn():
    """Pipelined requests are answered in order, also those that came during a reply."""
    request = b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n"
    release = anyio.Event()
    replies = [Reply("a", Until(release)), Reply("b")]
    async with FaultProvider(buffered=replies) as provider, await connect(provider) as raw:
        await raw.send(request % 0)
        await provider.arrival()
        await raw.send(request % 1)
        release.set()
        came = b""
        with anyio.fail_after(PATIENCE):
            while came.count(b"0\r\n\r\n") < 2:
                came += await raw.receive()

    assert ["/0", "/1"] == [recorded.path for recorded in provider.requests]
    assert came.index(b"1\r\na\r\n") < came.index(b"1\r\nb\r\n")


async def test_a_client_that_asks_to_continue_is_told_to():
    """``Expect: 100-continue`` is answered before the body is awaited."""
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"
    async with FaultProvider(buffered=Reply("ok")) as provider, await connect(provider) as raw:
        await raw.send(head)
        assert (await raw.receive()).startswith(b"HTTP/1.1 100 ")
        await raw.send(b"{}")
        assert (await raw.receive()).startswith(b"HTTP/1.1 200 ")

    assert b"{}" == provider.requests[0].body


async def test_small_writes_are_not_gathered(http):
    """Connections have TCP_NODELAY, so a chunk leaves when its step is taken."""
    seen = []

    async def look(wire):
        raw = wire._stream.extra(SocketAttribute.raw_socket)
        seen.append(raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    async with FaultProvider(stream=Reply(look)) as provider:
        await post(http, provider)

    assert [True] == [bool(option) for option in seen]


# -- the steps -------------------------------------------------------------------


async def test_until_waits_for_the_test(http):
    """What stands after `Until` is sent when the event is set, and not before."""
    release = anyio.Event()
    async with (
        FaultProvider(stream=Reply("a", Until(release), "b")) as provider,
        stream(http, provider) as response,
    ):
        pieces = response.aiter_raw()
        assert b"a" == await anext(pieces)
        assert not provider.requests[0].finished.is_set()
        release.set()
        assert [b"b"] == [piece async for piece in pieces]


async def test_pause_waits_its_seconds(http):
    """`Pause` lies between the bytes around it."""
    async with FaultProvider(stream=Reply("a", Pause(0.05), "b")) as provider:
        started = anyio.current_time()
        assert ([b"a", b"b"], None) == await collect(http, provider)
        assert anyio.current_time() - started >= 0.05


async def test_keep_alive_repeats_its_comment(http):
    """`KeepAlive` sends its comment so many times, each a chunk of its own."""
    steps = KeepAlive(0.001, times=2), KeepAlive(0.001, comment=": still\n\n", times=1), "end"
    async with FaultProvider(stream=Reply(*steps)) as provider:
        assert ([b": ping\n\n"] * 2 + [b": still\n\n", b"end"], None) == await collect(
            http, provider
        )


async def test_drop_cuts_the_body(http):
    """`Drop` is a body that ended before its last chunk; no step after it is taken."""
    async with FaultProvider(stream=Reply("a", Drop(), "b")) as provider:
        assert ([b"a"], httpx.RemoteProtocolError) == await collect(http, provider)
        assert (False, []) == (provider.requests[0].disconnected.is_set(), provider.failures)


async def test_drop_cuts_a_body_of_known_length(http):
    """A content length counts the bytes that `Drop` keeps back."""
    async with FaultProvider(stream=Reply("a", Drop(), "b", framing="length")) as provider:
        assert ([b"a"], httpx.RemoteProtocolError) == await collect(http, provider)


async def test_drop_is_a_clean_end_where_the_connection_is_the_framing(http):
    """With framing "close" a cut cannot be told from an end."""
    async with FaultProvider(stream=Reply("a", Drop(), "b", framing="close")) as provider:
        assert ([b"a"], None) == await collect(http, provider)


async def test_reset_is_a_read_error(http):
    """`Reset` gives what came before it, then a connection reset."""
    async with FaultProvider(stream=Reply("a", Reset(), "b")) as provider:
        assert ([b"a"], httpx.ReadError) == await collect(http, provider)
        assert [] == provider.failures


async def test_half_close_says_eof_and_listens(http):
    """`HalfClose` is an incomplete body; the client's leaving is still seen."""
    async with FaultProvider(stream=Reply("a", HalfClose(), "b")) as provider:
        assert ([b"a"], httpx.RemoteProtocolError) == await collect(http, provider)
        with anyio.fail_after(SOON):
            await provider.requests[0].disconnected.wait()


@pytest.mark.parametrize(
    ("step", "error"), [(Drop(), httpx.RemoteProtocolError), (Reset(), httpx.ReadError)]
)
async def test_a_provider_can_hang_up_before_it_answers(http, step, error):
    """A step of `before` is taken before status and headers go out."""
    async with FaultProvider(stream=Reply("a", before=[step])) as provider:
        assert ([], error) == await collect(http, provider)


async def test_headers_can_be_held_back(http):
    """The status goes out once the steps of `before` have been taken."""
    release = anyio.Event()
    async with FaultProvider(stream=Reply("a", before=[Until(release)])) as provider:
        with pytest.raises(httpx.ReadTimeout):
            await post(http, provider, timeout=0.05)
        release.set()
        assert "a" == (await post(http, provider)).text


@pytest.mark.parametrize("framing", ["chunked", "close"])
async def test_never_end_keeps_a_whole_body_open(http, framing):
    """After `NeverEnd` all the bytes are there, and the end of the body is not."""
    async with FaultProvider(stream=Reply("a", NeverEnd(), framing=framing)) as provider:
        assert b"a" == await leave(http, provider)
        with anyio.fail_after(SOON):
            await provider.requests[0].finished.wait()


async def leave(http, provider):
    """Go away after the first piece, as a cancelled read does; return that piece."""
    with anyio.CancelScope() as scope:
        async with stream(http, provider) as response:
            async for piece in response.aiter_raw():
                first = piece
                scope.cancel()
    return first


@pytest.mark.parametrize(
    "waiting",
    [
        Hold,
        NeverEnd,
        lambda: Pause(60),
        lambda: KeepAlive(60),
        lambda: KeepAlive(0.001),
        lambda: Until(anyio.Event()),
    ],
    ids=["hold", "never-end", "pause", "keep-alive-far", "keep-alive-near", "until"],
)
async def test_leaving_is_noticed_while_a_step_waits(http, waiting):
    """A client that goes away ends the step, the request and the connection within 100 ms."""
    async with FaultProvider(stream=Reply("a", waiting())) as provider:
        assert b"a" == await leave(http, provider)
        (recorded,) = provider.requests
        with anyio.fail_after(SOON):
            await recorded.disconnected.wait()
            await recorded.finished.wait()
            while provider.connections:
                await anyio.lowlevel.checkpoint()


async def test_leaving_is_noticed_while_sending(http):
    """A client that reads no further and leaves ends a send that was waiting for it."""
    async with FaultProvider(stream=Reply(*[b"x" * 1_000_000] * 64)) as provider:
        await leave(http, provider)
        with anyio.fail_after(SOON):
            await provider.requests[0].disconnected.wait()
            await provider.requests[0].finished.wait()
        assert [] == provider.failures


async def test_a_clients_reset_is_a_disconnect():
    """A client that resets the connection is noticed like one that closes it."""
    async with FaultProvider(buffered=Reply("a", Hold())) as provider:
        async with await connect(provider) as raw:
            await raw.send(GET)
            recorded = await provider.arrival()
            await raw.receive()
            await Connection(raw, None, None).reset()
        with anyio.fail_after(SOON):
            await recorded.disconnected.wait()


# -- leaving ---------------------------------------------------------------------


async def test_leaving_the_provider_closes_everything(http):
    """Replies under way are cut at once, their requests finished, and nobody can connect again."""
    async with anyio.create_task_group() as tasks:
        async with FaultProvider(stream=Reply("a", Hold())) as provider:
            tasks.start_soon(expect_cut, http, provider)
            await provider.arrival()
            started = anyio.current_time()
        left = anyio.current_time() - started

    (recorded,) = provider.requests
    assert left < SOON
    assert 0 == provider.connections
    assert recorded.finished.is_set()
    assert not recorded.disconnected.is_set()
    with pytest.raises(httpx.ConnectError):
        await post(http, provider)


async def expect_cut(http, provider):
    with pytest.raises(httpx.TransportError):
        await post(http, provider)


async def test_leaving_while_a_client_connects_loses_no_socket():
    """However leaving and connecting meet, no socket is left to the garbage collector."""
    for turns in range(12):
        async with (
            anyio.create_task_group() as tasks,
            FaultProvider(buffered=Reply("b", Hold())) as provider,
        ):
            tasks.start_soon(knock, provider)
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
        assert 0 == provider.connections
    gc.collect()  # a ResourceWarning is an error


async def knock(provider):
    with suppress(OSError, anyio.BrokenResourceError):
        async with await connect(provider) as raw:
            await raw.send(GET)
            async for _ in raw:
                pass


async def test_the_body_s_own_exception_is_not_wrapped(http):
    """What is raised inside `async with` leaves it as it is, in no group."""
    with pytest.raises(ZeroDivisionError):
        async with FaultProvider(stream=Reply("a", Hold())) as provider:
            await leave(http, provider)
            raise ZeroDivisionError


async def test_a_cancelled_provider_leaves_whole(http):
    """Cancellation goes through the provider, and what it held is closed."""
    with anyio.move_on_after(PATIENCE) as outer:
        async with (
            anyio.create_task_group() as tasks,
            FaultProvider(stream=Reply("a", Hold())) as provider,
        ):
            tasks.start_soon(post, http, provider)
            await provider.arrival()
            outer.cancel()
            await anyio.sleep_forever()

    assert outer.cancelled_caught
    assert 0 == provider.connections
    assert provider.requests[0].finished.is_set()


# -- clients that misbehave --------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST / HT",
        b"\x16\x03\x01 no HTTP at all\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["nothing", "half-a-head", "tls", "half-a-body", "bad-chunk"],
)
async def test_a_broken_client_is_hung_up_on(sent):
    """What is no whole request is no request, and is never raised."""
    async with FaultProvider() as provider, await connect(provider) as raw:
        if sent:
            await raw.send(sent)
        await raw.send_eof()
        with anyio.fail_after(PATIENCE), pytest.raises(anyio.EndOfStream):
            await raw.receive()
        assert ([], []) == (provider.requests, provider.failures)


async def test_a_request_has_a_largest_size(monkeypatch):
    """A client that sends more than the bound, in a body or ahead of a reply, is hung up on."""
    monkeypatch.setattr("streamkit.testing.connection.MAX_REQUEST", 10)
    body = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\n" + b"x" * 11
    async with FaultProvider(buffered=Reply(Hold())) as provider:
        async with await connect(provider) as raw:
            await raw.send(body)
            with pytest.raises(anyio.EndOfStream):
                await raw.receive()
        async with await connect(provider) as raw:
            await raw.send(GET)
            await provider.arrival()
            await raw.receive()
            await raw.send(GET)
            with pytest.raises(anyio.EndOfStream):
                await raw.receive()
        assert 1 == len(provider.requests)

    assert 64 * 1024 * 1024 == MAX_REQUEST


# -- scripts that are wrong ----------------------------------------------------------


async def test_a_bug_in_a_scripts_function_surfaces(http):
    """The client gets a 500; the function's own exception is raised by leaving."""

    def buggy(recorded):
        return recorded.nothing

    with pytest.raises(AttributeError, match="nothing"):
        async with FaultProvider(stream=buggy) as provider:
            assert 500 == (await post(http, provider)).status_code
    assert [AttributeError] == [type(bug) for bug in provider.failures]


async def test_a_function_that_returns_no_reply_surfaces(http):
    """What is not a Reply is a misuse that says what came."""
    with pytest.raises(MisuseError, match="returns a Reply, not None"):
        async with FaultProvider(stream=lambda _: None) as provider:
            await post(http, provider)


async def test_a_bug_in_a_step_surfaces(http):
    """A step that raises cuts the body, and is raised by leaving."""

    async def broken(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with FaultProvider(stream=Reply("a", broken)) as provider:
            assert ([b"a"], httpx.RemoteProtocolError) == await collect(http, provider)


async def test_a_bug_outranks_the_failure_it_caused(http):
    """The script's bug is raised even where the body failed, which becomes its context."""
    with pytest.raises(ZeroDivisionError) as caught:
        async with FaultProvider(stream=lambda _: 1 / 0) as provider:
            (await post(http, provider)).raise_for_status()
    assert httpx.HTTPStatusError is type(caught.value.__context__)


async def test_the_url_is_known_once_entered():
    """A provider that was not entered has no url, and says what to do."""
    with pytest.raises(MisuseError, match="async with"):
        FaultProvider().url  # noqa: B018 -- the property raises


async def test_a_length_that_is_a_lie_may_be_cut_short(http):
    """A body shorter than it was said to be is a fault like another, not a script's bug."""
    reply = Reply("half", Drop(), headers={"content-length": "10"}, framing="length")
    async with FaultProvider(buffered=reply) as provider:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post(f"{provider.url}/x", json={})
        assert [] == provider.failures
