"""What a server may do to an application, and what it is told by it: ASGI, message by message."""

import anyio
import pytest

import streamkit
from streamkit.dialects import get_dialect
from streamkit.errors import MisuseError
from streamkit.events import TextDelta
from streamkit.framing import Frame
from streamkit.serving import (
    EventStream,
    Plain,
    Refusal,
    Routes,
    Runs,
    StreamkitJson,
    fresh_encoder,
)
from streamkit.testing import FaultProvider, Hold, Reply, answers

from .frames import parse

pytestmark = pytest.mark.anyio

BODY = {"model": "m", "messages": []}
HELLO = answers.text_stream("Hel", "lo")
SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": []}


class Exchange:
    """A provider, and one run of it."""

    def __init__(self, *steps):
        self.provider = FaultProvider(stream=Reply(*steps))

    async def __aenter__(self):
        await self.provider.__aenter__()
        self.client = streamkit.Client(base_url=self.provider.url)
        await self.client.__aenter__()
        return self.client.start(BODY)

    async def __aexit__(self, *exc):
        await self.client.__aexit__(*exc)
        await self.provider.__aexit__(*exc)


async def never():
    """A client that says nothing, and stays."""
    await anyio.sleep_forever()


async def test_a_server_that_raises_where_a_client_is_gone_is_understood():
    """ASGI 2.4 allows an OSError of ``send``: it is a disconnect, and no error."""

    async def send(message):
        raise ConnectionResetError("gone")

    async with Exchange(*HELLO[:2], Hold()) as run:
        await EventStream(run)(SCOPE, never, send)
        with anyio.fail_after(5):
            await run.done.wait()

    assert isinstance(run.outcome, streamkit.events.ResponseCancelled)


@pytest.mark.parametrize("broken", ["receive", "send"])
async def test_what_a_server_raises_reaches_it_in_no_group(broken):
    """A bug of the server's is the server's, and the run is let go."""

    async def fail(*message):
        raise KeyError("a bug")

    async def sent(message):
        await anyio.lowlevel.checkpoint()

    receive, send = (fail, sent) if broken == "receive" else (never, fail)
    async with Exchange(*HELLO[:2], Hold()) as run:
        with pytest.raises(KeyError):
            await EventStream(run)(SCOPE, receive, send)
        with anyio.fail_after(5):
            await run.done.wait()


async def test_a_client_that_is_gone_before_anything_came_is_gone():
    """The run goes by what was agreed; nothing is sent."""
    sent = []

    async def gone():
        await anyio.lowlevel.checkpoint()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    async with Exchange(Hold()) as run:
        await EventStream(run)(SCOPE, gone, send)
        with anyio.fail_after(5):
            await run.done.wait()

    assert [] == sent


async def test_a_stream_that_is_let_go_before_it_began_lets_its_run_go():
    """Also where the view was cancelled before it could return a response."""
    async with Exchange(Hold()) as run:
        stream = EventStream(run)
        stream.leave()
        with anyio.fail_after(5):
            await run.done.wait()
        assert [] == [part async for part in stream]
        await stream.left()


async def test_a_stream_that_is_retired_before_it_began_says_so_first():
    """It waits for no event."""
    async with Exchange(Hold()) as run:
        stream = EventStream(run)
        stream.retire(1.0)
        with anyio.fail_after(5):
            frames, _ = parse(b"".join([part async for part in await stream.open()]))

    assert ["run", "farewell"] == [frame.json["type"] for frame in frames]


async def test_a_busy_stream_is_retired_as_well():
    """It need not fall silent to say its farewell."""
    async with Exchange(*HELLO) as run:
        await run.response()
        stream = EventStream(run)
        await stream._attach()
        stream.retire(1.0)
        frames, _ = parse(b"".join([part async for part in stream]))

    assert "farewell" == frames[-1].json["type"]


class Odd(StreamkitJson):
    """An encoder of somebody else's: with names, and data of two lines."""

    def encode(self, event):
        """Name the text, and break it."""
        if isinstance(event, TextDelta):
            return (Frame(f"{event.text}\nand\r\nmore", "text"),)
        return super().encode(event)


async def test_data_of_several_lines_is_framed_all_the_same():
    """A line break in data would end the frame's line: each line gets its own."""
    async with Exchange(*HELLO) as run:
        body = b"".join([part async for part in EventStream(run, Odd)])

    assert b"id: 1-2\nevent: text\ndata: Hel\ndata: and\ndata: more\n\n" in body


class Gone(streamkit.logs.MemoryLog):
    """A log that takes nothing."""

    def append(self, epoch, events, /):
        """Raise."""
        raise OSError("the log is gone")


async def test_a_log_that_breaks_still_has_an_end():
    """Its readers are told by the next heartbeat, truthfully."""
    provider = FaultProvider(stream=Reply(*HELLO))
    async with provider, streamkit.Client(base_url=provider.url) as client:
        run = client.start(BODY, None, Gone)
        with anyio.fail_after(5):
            parts = [part async for part in EventStream(run, heartbeat=0.05)]
        frames, _ = parse(b"".join(parts))

    assert "response_failed" == frames[-1].json["type"]


async def test_what_is_plain_is_an_application_too():
    """A refusal can be mounted wherever a stream can."""
    sent = []

    async def send(message):
        await anyio.lowlevel.checkpoint()
        sent.append(message)

    await Plain.refuse(Refusal("no", status=403))(SCOPE, never, send)

    assert 403 == sent[0]["status"]
    assert b"".join(message.get("body", b"") for message in sent).startswith(b'{"error"')


@pytest.mark.parametrize(
    ("last", "expected"),
    [({"type": "http.disconnect"}, 400), ({"type": "http.request", "body": b"{}"}, 200)],
)
async def test_a_body_that_comes_in_parts_is_read_to_its_end(last, expected):
    """And one whose client goes away is nothing to act upon."""
    messages, sent = [{"type": "http.request", "body": b" ", "more_body": True}, last], []

    async def receive():
        await anyio.lowlevel.checkpoint()
        return messages.pop(0) if messages else await anyio.sleep_forever()

    async def send(message):
        await anyio.lowlevel.checkpoint()
        sent.append(message)

    async with FaultProvider(stream=Reply(*HELLO)) as provider:
        async with streamkit.Client(base_url=provider.url) as client:
            routes = Routes(Runs(client), lambda scope, posted: BODY)
            with pytest.raises(MisuseError, match="expected an HTTP request"):
                await routes({"type": "lifespan"}, receive, send)
            await routes({**SCOPE, "method": "POST"}, receive, send)

    assert expected == sent[0]["status"]


@pytest.mark.parametrize(
    "name", ["anthropic-messages", "gemini", "openai-chat", "openai-responses"]
)
def test_the_apis_of_providers_are_formats(name):
    """By the names of their dialects."""
    assert isinstance(fresh_encoder(name), type(get_dialect(name).encoder()))


async def test_an_encoder_is_a_name_or_what_makes_one():
    """A class, a callable, or a value whose settings are copied and whose state is not."""
    mine = StreamkitJson(raw=True)

    assert isinstance(fresh_encoder(StreamkitJson), StreamkitJson)
    assert isinstance(fresh_encoder(lambda: mine), StreamkitJson)
    assert fresh_encoder(mine).raw
    assert mine is not fresh_encoder(mine)
    by_path = "streamkit.serving.encoders.streamkit_json:StreamkitJson"
    assert isinstance(fresh_encoder(by_path), StreamkitJson)
