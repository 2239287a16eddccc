"""How a connection is made: its clock, TLS, and that nothing is left open where it fails."""

import socket
import ssl
from contextlib import suppress

import anyio
import httpx
import pytest

from streamkit.stages.network import connect

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(20)]

SOON = 0.05  # seconds: what never comes is not waited for any longer
PATIENCE = 5.0  # seconds: what has not come by then waits for something that will not come


@pytest.fixture
def listener():
    """A socket that listens on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


async def connected(listener, timeout=PATIENCE, scheme="http"):
    tls = ssl.create_default_context()
    return await connect((scheme, *listener.getsockname()), tls, timeout)


@pytest.mark.parametrize("timeout", [PATIENCE, None])
async def test_bytes_go_both_ways(listener, timeout):
    """With a clock and without."""
    async with await connected(listener, timeout) as near:
        far, _ = listener.accept()
        with far:
            await near.send(b"hello")
            assert b"hello" == far.recv(10)
            far.sendall(b"there")
            assert b"there" == await near.receive(10)


@pytest.mark.parametrize("timeout", [SOON, None])
async def test_a_greeting_that_ends_early_closes_the_connection(listener, timeout):
    """By its clock, or by its caller."""
    with (
        anyio.move_on_after(SOON if timeout is None else PATIENCE) as left,
        suppress(httpx.ConnectTimeout),
    ):
        await connected(listener, timeout, "https")
    far, _ = listener.accept()
    with far, suppress(ConnectionResetError):
        far.settimeout(PATIENCE)
        assert far.recv(4096)  # the greeting
        assert b"" == far.recv(1)

    assert left.cancelled_caught is (timeout is None)


async def test_a_refused_port_is_an_error_of_connecting(listener):
    """It says so."""
    address = listener.getsockname()
    listener.close()
    with pytest.raises(httpx.ConnectError, match="All connection attempts failed"):
        await connect(("http", *address), ssl.create_default_context(), PATIENCE)


async def test_connecting_has_the_clock_it_is_given():
    """Nobody accepts, and no more may queue."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        queued = [socket.socket() for _ in range(4)]
        for each in queued:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        with pytest.raises(httpx.ConnectTimeout):
            await connected(full, timeout=SOON)
        for each in queued:
            each.close()
