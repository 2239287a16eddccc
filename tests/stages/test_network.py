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


async def connected(listener, timeout=PATIENCE, tls=None):
    return await connect(("http", *listener.getsockname()), tls, timeout)


def received(listener):
    """All that came on a connection that was closed; empty where none was made."""
    listener.settimeout(SOON)
    try:
        far, _ = listener.accept()
    except TimeoutError:
        return b""
    far.settimeout(PATIENCE)
    parts = []
    with far, suppress(ConnectionResetError):
        while part := far.recv(4096):
            parts.append(part)
    return b"".join(parts)


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


async def test_a_greeting_that_takes_too_long_closes_the_connection(listener):
    """Nobody answers it."""
    for seconds in (SOON, 1.0, PATIENCE):  # on a busy machine it may not have gone out before
        with pytest.raises(httpx.ConnectTimeout):
            await connected(listener, seconds, ssl.create_default_context())
        if greeting := received(listener):
            break

    assert greeting


async def test_a_greeting_that_its_caller_leaves_closes_the_connection(listener):
    """It is cancelled once it has gone out."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connected, listener, None, ssl.create_default_context())
        far, _ = await anyio.to_thread.run_sync(listener.accept)
        with far:
            assert await anyio.to_thread.run_sync(far.recv, 4096)
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True), suppress(ConnectionResetError):
                far.settimeout(PATIENCE)
                assert b"" == await anyio.to_thread.run_sync(far.recv, 1)


async def test_a_refused_port_is_an_error_of_connecting(listener):
    """It says so."""
    address = listener.getsockname()
    listener.close()
    with pytest.raises(httpx.ConnectError, match="All connection attempts failed"):
        await connect(("http", *address), None, PATIENCE)


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
