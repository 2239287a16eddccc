"""The client of those who bring none, over real sockets: TLS, proxies, clocks, idle connections."""

import gc
import math
import socket
import ssl
from base64 import b64encode
from contextlib import suppress

import anyio
import httpx
import pytest
import trustme
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSListener

import streamkit
from streamkit.stages.http import Http, open_http
from streamkit.testing import FaultProvider, Hold, Reply, answers

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]

BODY = {"model": "demo-1", "messages": []}
FRAMES = answers.text_stream("Hel", "lo")
SOON = 0.1  # seconds: what does not come at all is not waited for any longer
PROXIES = [name + end for name in ("http", "https", "all", "no") for end in ("_proxy", "_PROXY")]


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """No proxy of the machine's; what a test leaves to the collector is a warning: an error."""
    for name in PROXIES:
        monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    yield
    gc.collect()


@pytest.fixture(scope="module")
def authority():
    """Who signs the certificates here."""
    return trustme.CA()


@pytest.fixture
def trusted(authority, monkeypatch):
    """Have the authority trusted, the way a user does."""
    with authority.cert_pem.tempfile() as path:
        monkeypatch.setenv("SSL_CERT_FILE", path)
        yield


class Within:
    """*provider* behind TLS: what comes is deciphered, and handed on."""

    def __init__(self, provider, authority):
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(self.tls)
        self.provider = provider

    async def __aenter__(self):
        plain = (await anyio.create_tcp_listener(local_host="127.0.0.1")).listeners[0]
        self.listener = TLSListener(plain, self.tls, standard_compatible=False)
        self.tasks = await anyio.create_task_group().__aenter__()
        self.tasks.start_soon(self.listener.serve, self._serve)
        return f"https://127.0.0.1:{plain.extra(SocketAttribute.local_port)}/v1"

    async def __aexit__(self, *exc):
        self.tasks.cancel_scope.cancel()
        await self.tasks.__aexit__(None, None, None)
        await self.listener.aclose()

    async def _serve(self, near):
        address = httpx.URL(self.provider.url)
        async with near, await anyio.connect_tcp(address.host, address.port) as far:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._copy, near, far, tasks.cancel_scope)
                tasks.start_soon(self._copy, far, near, tasks.cancel_scope)

    async def _copy(self, source, sink, both):
        try:
            while True:
                await sink.send(await source.receive())
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            both.cancel()  # one has gone: so does the other


class Listening:
    """Accepts, and never says a word; with *hang_up*, closes each connection instead."""

    def __init__(self, *, hang_up=False):
        self.hang_up = hang_up

    async def __aenter__(self):
        self.listener = (await anyio.create_tcp_listener(local_host="127.0.0.1")).listeners[0]
        self.tasks = await anyio.create_task_group().__aenter__()
        self.tasks.start_soon(self.listener.serve, self._serve)
        return self.listener.extra(SocketAttribute.local_port)

    async def __aexit__(self, *exc):
        self.tasks.cancel_scope.cancel()
        await self.tasks.__aexit__(None, None, None)
        await self.listener.aclose()

    async def _serve(self, stream):
        async with stream:
            if not self.hang_up:
                await anyio.sleep(math.inf)


async def raised_by(base_url, **limits):
    """Ask *base_url*, and give what is raised."""
    options = {"limits": streamkit.Limits(**limits)}
    async with streamkit.Client(base_url=base_url, **options) as client:
        with pytest.raises(streamkit.StreamkitError) as raised:
            await client.complete(BODY)
    return raised.value


@pytest.mark.usefixtures("trusted")
async def test_an_answer_comes_within_tls(authority):
    """Certificates are checked as httpx does, and the connection lives on."""
    async with (
        FaultProvider(stream=Reply(*FRAMES)) as provider,
        Within(provider, authority) as url,
        streamkit.Client(base_url=url) as client,
    ):
        told = [await client.complete(BODY) for _ in range(3)]

    assert [("Hello", "stop", False)] * 3 == [(t.text, t.finish_reason, t.rerouted) for t in told]
    assert (3, 1) == (len(provider.requests), provider.accepted)


async def test_a_plain_connection_reads_no_certificates(monkeypatch):
    """It greets nobody, and to read all that the world trusts takes longer than a request."""
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: pytest.fail("they were read"))
    async with (
        FaultProvider(stream=Reply(*FRAMES)) as provider,
        streamkit.Client(base_url=provider.url) as client,
    ):
        assert "Hello" == (await client.complete(BODY)).text


async def test_certificates_that_cannot_be_read_are_misuse(monkeypatch, tmp_path):
    """It is said where they were looked for."""
    (tmp_path / "none.pem").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    error = await raised_by("https://127.0.0.1:1/v1")

    assert isinstance(error, streamkit.MisuseError)
    assert "the certificates that SSL_CERT_FILE or SSL_CERT_DIR name; got SSLError" in str(error)


@pytest.mark.usefixtures("trusted")
async def test_a_run_left_within_tls_closes_its_connection(authority):
    """The provider sees it, although TLS would say goodbye first."""
    async with (
        FaultProvider(stream=Reply(*FRAMES[:2], Hold())) as provider,
        Within(provider, authority) as url,
        streamkit.Client(base_url=url) as client,
    ):
        async with client.stream(BODY) as run:
            async for text in run.text():
                assert "Hel" == text
                break
        await provider.requests[0].disconnected.wait()


async def test_a_certificate_that_nobody_trusts_is_said(authority):
    """Nothing was asked, and the error says why."""
    async with FaultProvider() as provider, Within(provider, authority) as url:
        error = await raised_by(url)

    assert isinstance(error, streamkit.TransportError)
    assert str(error).startswith("the connection failed: ConnectError: [SSL: CERTIFICATE_VERIFY")
    assert [] == provider.requests


async def test_a_server_that_hangs_up_on_tls_is_a_failed_connection():
    """Whatever the library calls it."""
    async with Listening(hang_up=True) as port:
        error = await raised_by(f"https://127.0.0.1:{port}/v1")

    assert isinstance(error, streamkit.TransportError)
    assert str(error).startswith("the connection failed: ConnectError")


async def test_a_server_that_never_greets_is_the_connect_clock():
    """TLS is part of connecting."""
    async with Listening() as port:
        error = await raised_by(f"https://127.0.0.1:{port}/v1", connect=SOON)

    assert ("stalled", "connect", SOON) == (error.code, error.clock, error.seconds)


async def test_a_connection_that_ended_while_it_was_idle_is_not_used_again():
    """The server was restarted: the next request finds the new one, at once."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told, asked = [], []
    async with streamkit.Client(base_url=f"http://127.0.0.1:{port}/v1") as client:
        for _ in range(2):
            async with FaultProvider(stream=Reply(*FRAMES), port=port) as provider:
                told.append(await client.complete(BODY))
                asked.append(len(provider.requests))

    assert [("Hello", False, 1)] * 2 == [
        (each.text, each.rerouted, count) for each, count in zip(told, asked, strict=True)
    ]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "all_proxy"])
async def test_the_environments_proxy_is_asked(monkeypatch, name):
    """As httpx does by itself: the proxy is sent the whole address."""
    async with FaultProvider(stream=Reply(*FRAMES)) as proxy:
        monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        async with streamkit.Client(base_url="http://llm.invalid/v1") as client:
            response = await client.complete(BODY)

    assert ("Hello", False) == (response.text, response.rerouted)
    assert ["http://llm.invalid/v1/chat/completions"] == [each.path for each in proxy.requests]


async def test_no_proxy_alone_is_none(monkeypatch):
    """Where only the exceptions are named, there is nothing to except."""
    monkeypatch.setenv("NO_PROXY", "*")
    async with open_http() as http:
        assert isinstance(http, Http)


async def test_a_password_in_the_address_is_sent():
    """As Basic has it (RFC 7617), and never in a path or in ``Host``."""
    async with FaultProvider(stream=Reply(*FRAMES)) as provider:
        base_url = provider.url.replace("//", "//me:s%26cret@")
        async with streamkit.Client(base_url=base_url) as client:
            response = await client.complete(BODY)

    told = provider.requests[0]
    assert ("Hello", "/v1/chat/completions") == (response.text, told.path)
    assert httpx.URL(provider.url).netloc.decode() == told.headers["host"]
    assert f"Basic {b64encode(b'me:s&cret').decode()}" == told.headers["authorization"]


@pytest.mark.parametrize("host", ["[::", "127.0.0.1:bad"])
async def test_a_password_in_an_address_that_cannot_be_read_is_not_quoted(host):
    """The rest of the address is."""
    error = await raised_by(f"http://me:hunter22@{host}/v1")

    assert isinstance(error, streamkit.MisuseError)
    assert f"http://me:***@{host}/v1" in str(error)
    assert "hunter22" not in f"{error!r} {error.__cause__!r}"


async def test_what_is_asked_for_holds():
    """Whatever their case, the caller's headers stand in the place of its own, once each."""
    mine = {"User-Agent": "mine", "AUTHORIZATION": "Other x", "Host": "elsewhere"}
    async with FaultProvider(stream=Reply(*FRAMES)) as provider:
        base_url = provider.url.replace("//", "//me:secret@")
        async with streamkit.Client(base_url=base_url, headers=mine) as client:
            await client.complete(BODY)
        async with streamkit.Client(base_url=provider.url) as client:
            await client.complete(BODY)

    told, plain = (request.headers for request in provider.requests)
    assert {**mine} == {name: told[name.lower()] for name in mine}
    assert "streamkit" == plain["user-agent"]


async def test_closing_it_closes_every_connection():
    """The idle ones, too: the provider sees them end."""
    async with FaultProvider(stream=Reply(*FRAMES)) as provider:
        async with Http() as http:
            async with streamkit.Client(base_url=provider.url, http=http) as client:
                await client.complete(BODY)
            assert 1 == provider.connections
        with anyio.fail_after(5):
            while provider.connections:
                await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("value", ["two\r\nlines", "n\u00f6"])
async def test_a_header_that_http_forbids_is_refused_before_anything_is_sent(value):
    """It is the caller's to change."""
    async with FaultProvider(stream=Reply(*FRAMES)) as provider:
        async with streamkit.Client(base_url=provider.url, headers={"x-mine": value}) as client:
            with pytest.raises(streamkit.MisuseError, match="a request that can be sent"):
                await client.complete(BODY)

    assert [] == provider.requests


@pytest.mark.parametrize("key", ["0123topsecret\n", "top\tsecret\nvalue"])
async def test_a_key_that_http_forbids_is_not_quoted(key):
    """As one from a file is, with the end of its line."""
    async with FaultProvider(stream=Reply(*FRAMES)) as provider:
        options = {"api_key": key, "dialect": "anthropic-messages"}
        async with streamkit.Client(base_url=provider.url, **options) as client:
            with pytest.raises(streamkit.MisuseError, match="HTTP forbids") as raised:
                await client.complete(BODY)

    assert "secret" not in f"{raised.value!r} {raised.value.__cause__!r}"


async def test_parameters_that_are_equal_are_not_the_same():
    """True is 1 in Python, and ``true`` in a query; of a list each is sent."""
    async with FaultProvider(stream=Reply(*FRAMES)) as provider:
        for params in ({"a": True}, {"a": 1}, {"a": ["x", "y"]}):
            async with streamkit.Client(base_url=provider.url, params=params) as client:
                await client.complete(BODY)

    queries = [request.query for request in provider.requests]
    assert ["a=true", "a=1", "a=x&a=y"] == queries


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("behind", [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nEVIL", None])
async def test_a_record_behind_an_answer_answers_nobody(authority, behind):
    """What came with it lies in TLS, where neither h11 nor the socket has it; also its goodbye."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    listener = (await anyio.create_tcp_listener(local_host="127.0.0.1")).listeners[0]
    answered = []

    async def serve(stream):
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = tls.wrap_bio(into, out, server_side=True)

        async def done(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    if out.pending:
                        await stream.send(out.read())
                    into.write(await stream.receive())

        async with stream:
            await done(server.do_handshake)
            await done(lambda: server.read(65536))
            server.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none")
            if behind is not None:
                server.write(behind)
            else:
                with suppress(ssl.SSLWantReadError):
                    server.unwrap()
            answered.append(stream)
            await stream.send(out.read())  # all in one
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                await stream.receive()

    url = f"https://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/"
    asked = {"headers": {}, "timeout": (None,) * 4, "content": b"{}"}
    async with listener, anyio.create_task_group() as tasks, Http() as http:
        tasks.start_soon(listener.serve, serve)
        for _ in range(2):
            response = await http.send(http.build_request("POST", url, **asked), stream=True)
            assert [b"one"] == [chunk async for chunk in response.stream]
        tasks.cancel_scope.cancel()

    assert 2 == len(answered)  # a connection each
