"""One connection of the HTTP client's, against a plain socket that says what a server may say."""

import math
import socket
import struct

import anyio
import h11
import httpx
import pytest

from streamkit.stages.connection import Connection, Request

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(20)]

PATIENCE = 5.0  # seconds: what has not come by then waits for something that will not come
AT_ONCE = struct.pack("ii", 1, 0)  # on, 0 s: close() sends RST instead of FIN (socket(7))
ORIGIN = ("http", "x", 80)
HEAD = b"POST /v1 HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n"
ASKED = HEAD + b"hello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
WHOLE = CHUNKED + b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


def asked(content=b"hello", **headers):
    named = {"host": "x", "content-length": str(len(content)), **headers}
    head = h11.Request(method="POST", target="/v1", headers=[*named.items()])
    return Request(ORIGIN, head, content, None)


@pytest.fixture
async def ends():
    """A connection, and the socket at its other end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = Connection(ORIGIN, await anyio.connect_tcp(*listener.getsockname()))
        far, _ = listener.accept()
    with far:
        far.settimeout(PATIENCE)
        yield near, far
    await near.aclose()


async def read(connection):
    """Read a body to its end; give its chunks, and how often its end was told."""
    told = []

    async def at_end():
        told.append("end")

    return [chunk async for chunk in connection.body(at_end)] + told


async def test_a_request_and_its_answer(ends):
    """Head and content go in one packet; each chunk of HTTP's comes by itself, then the end."""
    near, far = ends
    for _ in range(2):
        far.sendall(WHOLE)
        head = await near.send(asked())
        assert ASKED == far.recv(1000)
        assert (200, [b"one", b"two", "end"]) == (head.status_code, await read(near))
        assert near.renew()


async def test_a_content_larger_than_any_buffer_goes_whole(ends):
    """Sending waits for the server, as long as it takes."""
    near, far = ends
    content = bytes(8 * 1024 * 1024)
    got = bytearray()

    def serve():
        while len(got) < len(content):
            got.extend(far.recv(1024 * 1024))
        far.sendall(WHOLE)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, serve)
        assert 200 == (await near.send(asked(content))).status_code
    assert got.endswith(content)


async def test_what_comes_before_the_answer_is_passed_over(ends):
    """Statuses of information (RFC 9110, 15.2)."""
    near, far = ends
    far.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + WHOLE)

    assert 200 == (await near.send(asked())).status_code
    assert [b"one", b"two", "end"] == await read(near)


async def test_another_protocol_is_an_error(ends):
    """Even where the caller's own headers ask for one."""
    near, far = ends
    far.sendall(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: other\r\n\r\n")
    with pytest.raises(httpx.RemoteProtocolError, match="went over to another protocol"):
        await near.send(asked(upgrade="other", connection="upgrade"))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", "closed the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-", "closed the connection without an answer"),
        (b"HTTP/1.1 nonsense\r\n\r\n", "illegal status line"),
        (b"\x16\x03\x01 TLS", "illegal"),
        (b"HTTP/1.1 200 OK\r\nx: " + bytes(200 * 1024), "too long"),
    ],
)
async def test_what_is_no_answer_is_an_error(ends, said, error):
    """A connection that ends, or talks of something else."""
    near, far = ends
    far.sendall(said)
    far.shutdown(socket.SHUT_WR)
    with pytest.raises((httpx.RemoteProtocolError, h11.RemoteProtocolError), match=error):
        await near.send(asked())
    assert not near.renew()


async def test_a_reset_is_an_error(ends):
    """Also where it was noticed while the request was sent: an answer may have come before."""
    near, far = ends
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    far.close()
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await near.send(asked())


async def test_a_cut_body_is_an_error(ends):
    """What came before was given; nobody is told of an end."""
    near, far = ends
    far.sendall(CHUNKED + b"3\r\none\r\n")
    far.shutdown(socket.SHUT_WR)
    await near.send(asked())
    body = near.body(None)
    assert b"one" == await anext(body)
    with pytest.raises(h11.RemoteProtocolError, match="incomplete chunked read"):
        await anext(body)
    assert not near.renew()


@pytest.mark.parametrize(
    ("said", "ends_it"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\none", True),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 3\r\n\r\none", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none" + WHOLE, False),
    ],
    ids=["until it closes", "says that it will close", "more than was asked for"],
)
async def test_a_connection_that_cannot_be_used_again_says_so(ends, said, ends_it):
    """The answer is as good as any."""
    near, far = ends
    far.sendall(said)
    if ends_it:
        far.shutdown(socket.SHUT_WR)
    await near.send(asked())

    assert [b"one", "end"] == await read(near)
    assert not near.renew()


async def test_what_lies_behind_a_read_as_large_as_can_be_answers_nobody(ends):
    """The event loop may have more of it, where the socket has nothing."""
    near, far = ends
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
    body = bytes(64 * 1024 - len(head % 10_000))
    far.sendall(head % len(body) + body + WHOLE)
    await near.send(asked())
    *chunks, _ = await read(near)

    assert body == b"".join(chunks)
    assert not near.renew()


async def test_it_is_stale_behind_its_time_or_where_a_read_would_not_wait(ends):
    """By this the pool knows an idle connection that has ended."""
    near, far = ends
    far.sendall(WHOLE)
    await near.send(asked())
    await read(near)
    assert near.renew()
    assert (False, True) == (near.is_stale(math.inf), near.is_stale(-1.0))

    far.recv(1000)
    far.close()
    with anyio.fail_after(PATIENCE):
        while not near.is_stale(math.inf):
            await anyio.lowlevel.checkpoint()
    await near.aclose()
    assert near.is_stale(math.inf)
    with pytest.raises(httpx.ReadError):
        await near.send(asked())


async def test_closing_it_is_done_where_all_is_cancelled(ends):
    """The server sees the end."""
    near, far = ends
    with anyio.CancelScope() as scope:
        scope.cancel()
        await near.aclose()

    assert b"" == far.recv(1)
