"""A run that is served elsewhere is followed: the same events, once, to its end."""

import anyio
import httpx
import pytest

import streamkit
from streamkit import Limits, remote
from streamkit.codec import to_json
from streamkit.errors import ProducerLost, Rejected, StreamkitError, TransportError
from streamkit.events import (
    Gap,
    Heartbeat,
    ResponseCompleted,
    ResponseFailed,
    TextDelta,
    Unknown,
)
from streamkit.framing import encode_ascii
from streamkit.response import Response
from streamkit.serving import Routes, Runs
from streamkit.testing import Drop, FaultProvider, Hold, Reply, Until, answers

from .serving.servers import serve, until

pytestmark = pytest.mark.anyio

END = ResponseCompleted(Response("Hello"), "finish_reason")
SSE = {"content-type": "text/event-stream"}


def frame(id_, event, retry=None):
    """One frame of a server that is ours."""
    said = event if isinstance(event, dict) else to_json(event)
    again = "" if retry is None else f"retry: {retry}\n"
    return f"{again}id: {id_}\ndata: {encode_ascii(said).decode()}\n\n"


OPENING = frame("0-0.1", {"type": "run", "id": "r"}, retry=1)
HEL, LO = frame("1-1", TextDelta("Hel"), retry=1), frame("1-2", TextDelta("lo"))
LAST = frame("1-3", END)


def stream(*steps):
    """A response with these frames."""
    return Reply(*steps, headers=SSE)


async def followed(*replies, last=None, **settings):
    """What a follower gives, and what the server was asked."""
    async with FaultProvider(buffered=list(replies)) as server:
        async with remote.follow(f"{server.url}/r", last, **settings) as events:
            given = [event async for event in events]
        await until(lambda: server.connections == 0)
    return given, [asked.headers.get("last-event-id") for asked in server.requests]


async def test_it_gives_the_events_that_were_served():
    """Each once, the terminal last; what is said beside them is kept back."""
    beat = frame("1-1+1", Heartbeat())
    given, asked = await followed(stream(OPENING, HEL, beat, ": ping\n\n", LO, LAST))

    assert [TextDelta("Hel"), TextDelta("lo"), END] == given
    assert [None] == asked


@pytest.mark.parametrize("cut", [[Drop()], []], ids=["dropped", "ended"])
async def test_a_connection_that_breaks_is_made_again(cut):
    """Behind the last event that was given; a frame that was cut counts for nothing."""
    given, asked = await followed(stream(OPENING, HEL, LO[:20], *cut), stream(LO, LAST))

    assert [TextDelta("Hel"), TextDelta("lo"), END] == given
    assert [None, "1-1"] == asked


async def test_what_came_before_never_comes_twice():
    """A proxy that drops Last-Event-ID has the server begin anew."""
    given, asked = await followed(stream(OPENING, HEL, Drop()), stream(OPENING, HEL, LO, LAST))

    assert [TextDelta("Hel"), TextDelta("lo"), END] == given
    assert [None, "1-1"] == asked


async def test_a_gap_is_told_and_what_follows_it_is_new():
    """The server has another history: its numbers may begin again."""
    gap = frame("0-0~1", Gap("1-2"))
    given, _ = await followed(stream(HEL, LO, Drop()), stream(gap, HEL, LAST))

    assert [TextDelta("Hel"), TextDelta("lo"), Gap("1-2"), TextDelta("Hel"), END] == given


async def test_a_server_that_goes_away_is_asked_again():
    """A farewell says when; the run goes on elsewhere."""
    farewell = frame("1-1+1", {"type": "farewell"}, retry=1)
    given, asked = await followed(stream(HEL, farewell), stream(LO, LAST))

    assert [TextDelta("Hel"), TextDelta("lo"), END] == given
    assert [None, "1-1"] == asked


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_server_that_cannot_now_is_asked_again(status):
    """What a proxy says while a server is restarted is no end."""
    refusal = Reply('{"error": {"code": "refused"}}', status=status, headers={"retry-after": "0"})
    given, asked = await followed(stream(HEL, Drop()), refusal, stream(LO, LAST))

    assert [TextDelta("Hel"), TextDelta("lo"), END] == given
    assert [None, "1-1", "1-1"] == asked


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
async def test_a_refusal_ends_it(status):
    """With what the server said, and its status."""
    given, asked = await followed(Reply('{"error": "go away"}', status=status))

    (end,) = given
    assert (ResponseFailed, Rejected, status) == (type(end), type(end.error), end.error.status)
    assert "go away" in str(end.error)
    assert [None] == asked


async def test_a_run_that_failed_early_is_its_own_end():
    """The server then says a status, and the terminal as its body; it is not asked again."""
    failed = ResponseFailed(Rejected("busy", status=503, retry_after=7.0), Response())
    given, asked = await followed(Reply(encode_ascii(to_json(failed)), status=503))

    assert (Rejected, 503, 7.0) == (
        type(given[0].error),
        given[0].error.status,
        given[0].error.retry_after,
    )
    assert (1, [None]) == (len(given), asked)


async def test_a_run_that_nobody_knows_is_lost():
    """204 is what a server says that has nothing to tell."""
    given, _ = await followed(Reply(status=204))

    assert [ProducerLost] == [type(end.error) for end in given]


async def test_what_is_no_stream_ends_it():
    """A page of a proxy is not read as an answer."""
    given, _ = await followed(Reply("<html>hello</html>", headers={"content-type": "text/html"}))

    (end,) = given
    assert "text/html" in str(end.error)
    assert "<html>" in str(end.error)


async def test_nobody_is_asked_for_ever():
    """After its patience the connection's error is the end; the run itself may go on."""
    given, asked = await followed(
        stream(HEL, Drop()), stream(Drop()), stream(Drop()), stream(Drop()), patience=0.001
    )

    assert TextDelta("Hel") == given[0]
    assert [TransportError] == [type(end.error) for end in given[1:]]
    assert 1 <= len(asked) <= 4


async def test_where_nobody_listens_it_ends():
    """An address that refuses connections."""
    async with FaultProvider() as gone:
        url = gone.url
    async with remote.follow(f"{url}/r", patience=0.001) as events:
        (end,) = [event async for event in events]

    assert TransportError is type(end.error)


async def test_a_silent_server_is_left():
    """Without so much as a heartbeat it may be gone: another connection is made."""
    given, asked = await followed(stream(HEL, Hold()), stream(LO, LAST), limits=Limits(idle=0.05))

    assert [TextDelta("Hel"), TextDelta("lo"), END] == given
    assert [None, "1-1"] == asked


async def test_an_event_of_a_newer_version_is_kept():
    """Its frame is given as it came."""
    newer = {"type": "hologram", "data": 1}
    given, _ = await followed(stream(frame("1-1", newer), LAST))

    assert [Unknown(newer), END] == [given[0], given[-1]]


async def test_it_goes_on_from_an_id():
    """Of an event that was given to somebody before."""
    given, asked = await followed(stream(LO, LAST), last="1-1")

    assert [TextDelta("lo"), END] == given
    assert ["1-1"] == asked


async def test_it_says_where_it_stands():
    """So that somebody else may go on from there."""
    async with FaultProvider(buffered=stream(OPENING, HEL, LO, LAST)) as server:
        async with remote.follow(server.url) as events:
            assert events.last_event_id is None
            await anext(events)
            assert "1-1" == events.last_event_id


async def test_a_client_that_was_brought_stays_open():
    """It is its owner's."""
    async with FaultProvider(buffered=stream(HEL, LAST)) as server, httpx.AsyncClient() as http:
        async with remote.follow(server.url, http=http) as events:
            assert [TextDelta("Hel"), END] == [event async for event in events]
        assert not http.is_closed


async def test_leaving_early_closes_the_connection():
    """The server sees that at once; nothing more is given."""
    async with FaultProvider(buffered=stream(HEL, Hold())) as server:
        async with remote.follow(server.url) as events:
            assert TextDelta("Hel") == await anext(events)
        await until(lambda: server.connections == 0)
        assert [] == [event async for event in events]


async def test_a_cancelled_read_loses_nothing():
    """The next read connects again, and goes on."""
    async with FaultProvider(buffered=[stream(HEL, Hold()), stream(LO, LAST)]) as server:
        async with remote.follow(server.url) as events:
            assert TextDelta("Hel") == await anext(events)
            with anyio.move_on_after(0.02):
                await anext(events)
            assert [TextDelta("lo"), END] == [event async for event in events]


async def test_a_real_run_is_followed_through_a_drop():
    """Routes, Runs and a provider: what is followed equals what a cursor gives."""
    more = anyio.Event()
    reply = Reply(
        *answers.text_stream("Hel", "lo")[:2], Until(more), *answers.text_stream("Hel", "lo")[2:]
    )
    async with FaultProvider(stream=reply) as provider:
        async with (
            streamkit.Client(base_url=provider.url) as client,
            Runs(client, retry=0.001) as runs,
            serve(Routes(runs)) as url,
        ):
            run = await runs.start({"model": "m", "messages": []})
            async with remote.follow(f"{url}/{run.id}") as events:
                given = [await anext(events)]
                for stream_ in list(runs._streams):
                    stream_.retire(0.001)
                more.set()
                given += [event async for event in events]
            async with run.subscribe() as cursor:
                told = [event async for event in cursor]

    assert [to_json(event, public=True) for event in told[:-1]] == [to_json(e) for e in given[:-1]]
    assert told[-1].response.text == given[-1].response.text


async def test_its_errors_are_of_the_tree():
    """Whatever stands in the way."""
    given, _ = await followed(Reply("x", status=418))
    assert isinstance(given[0].error, StreamkitError)
