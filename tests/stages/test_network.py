"""One connection below the HTTP client: its clocks, its end, and what httpcore asks of it."""

import socket
import ssl
import struct
from contextlib import suppress

import anyio
import httpcore
import pytest

from streamkit.stages.network import connect

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(20)]

SOON = 0.05  # seconds: what never comes is not waited for any longer
PATIENCE = 5.0  # seconds: what has not come by then waits for something that will not come
AT_ONCE = struct.pack("ii", 1, 0)  # on, 0 s: close() sends RST instead of FIN (socket(7))


@pytest.fixture
def listener():
    """A socket that listens on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
async def ends(listener):
    """Both ends of a connection: ours, and a plain socket."""
    near = await connected(listener)
    far, _ = listener.accept()
    with far:
        yield near, far
    await near.aclose()


async def connected(listener, timeout=PATIENCE):
    return await connect(*listener.getsockname(), timeout)


async def test_bytes_go_both_ways(ends):
    """And the end is empty, as often as it is read."""
    near, far = ends
    await near.write(b"hel")
    await near.write(b"lo")
    assert b"hello" == far.recv(10)

    far.sendall(b"there")
    assert b"the" == await near.read(3)
    assert b"re" == await near.read(3, timeout=PATIENCE)
    far.close()
    assert [b"", b""] == [await near.read(3), await near.read(3)]


async def test_headers_and_body_are_one_packet(ends):
    """The first write waits for the second; where there is none, it goes before the read."""
    near, far = ends
    far.setblocking(False)
    for end in (b"1", b"2"):
        await near.write(b"headers")
        with pytest.raises(BlockingIOError):
            far.recv(100)
        await near.write(b" body")
        assert b"headers body" == far.recv(100)
        await near.write(b"")  # httpcore's, for the end of a message
        await near.write(b", more")
        assert b", more" == far.recv(100)
        far.send(end)
        assert end == await near.read(1)

    await near.write(b"headers alone")
    far.send(b"x")
    assert b"x" == await near.read(1)
    assert b"headers alone" == far.recv(100)


async def test_no_clock_is_opened_where_none_is_asked_for(ends, monkeypatch):
    """A scope around each read is a fifth of what a chunk costs that comes alone."""
    near, far = ends
    monkeypatch.delattr(anyio, "fail_after")
    far.sendall(b"x")
    await near.write(b"headers")
    await near.write(b"body")
    assert b"x" == await near.read(1)


async def test_a_read_has_the_clock_it_is_given(ends):
    """And the connection is as good as before."""
    near, far = ends
    with pytest.raises(httpcore.ReadTimeout):
        await near.read(1, timeout=SOON)

    far.sendall(b"x")
    assert b"x" == await near.read(1)


async def test_a_write_has_the_clock_it_is_given(ends):
    """Nobody reads at the other end."""
    near, _ = ends
    await near.write(b"headers")
    with pytest.raises(httpcore.WriteTimeout):
        await near.write(bytes(64 * 1024 * 1024), timeout=SOON)


async def test_what_was_held_back_has_the_clock_of_the_read(ends):
    """Nobody reads at the other end."""
    near, _ = ends
    await near.write(bytes(64 * 1024 * 1024))
    with pytest.raises(httpcore.WriteTimeout):
        await near.read(1, timeout=SOON)


async def test_a_reset_is_an_error_of_reading_and_of_writing(ends):
    """Behind the second httpcore goes on to the answer: it may have come already."""
    near, far = ends
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    far.close()

    with pytest.raises(httpcore.ReadError):
        await near.read(1)
    with pytest.raises(httpcore.WriteError):
        for _ in range(10):
            await near.write(b"x")


async def test_a_connection_closed_here_is_an_error(ends):
    """Whoever reads it still is told."""
    near, _ = ends
    await near.aclose()

    with pytest.raises(httpcore.ReadError):
        await near.read(1)
    await near.write(b"x")
    with pytest.raises(httpcore.WriteError):
        await near.write(b"y")


async def test_it_is_readable_where_a_read_would_not_wait(ends):
    """By this httpcore knows an idle connection that has ended."""
    near, far = ends
    assert near.get_extra_info("is_readable") is False
    far.close()
    with anyio.fail_after(PATIENCE):
        while not near.get_extra_info("is_readable"):
            await anyio.lowlevel.checkpoint()
    await near.aclose()

    assert near.get_extra_info("is_readable") is True


async def test_a_greeting_that_is_cancelled_closes_the_connection(ends):
    """Nobody else would: httpcore has not been given it yet."""
    near, far = ends
    with anyio.move_on_after(SOON) as waited:
        await near.start_tls(ssl.create_default_context(), "127.0.0.1")
    far.settimeout(PATIENCE)

    assert waited.cancelled_caught
    assert far.recv(4096)  # the greeting
    with suppress(ConnectionResetError):
        assert b"" == far.recv(1)


async def test_a_refused_port_is_an_error_of_connecting(listener):
    """It says so."""
    address = listener.getsockname()
    listener.close()
    with pytest.raises(httpcore.ConnectError, match="All connection attempts failed"):
        await connect(*address, PATIENCE)


async def test_connecting_has_the_clock_it_is_given():
    """Nobody accepts, and no more may queue."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        queued = [socket.socket() for _ in range(4)]
        for each in queued:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        with pytest.raises(httpcore.ConnectTimeout):
            await connected(full, timeout=SOON)
        for each in queued:
            each.close()
