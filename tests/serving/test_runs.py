"""The runs of an application: started once, watched again, stopped, drained."""

import json
import re

import anyio
import pytest

import streamkit
from streamkit.errors import MisuseError
from streamkit.events import ResponseCancelled
from streamkit.logs import MemoryLog
from streamkit.serving import EventStream, Plain, Refusal, Runs, detach
from streamkit.testing import FaultProvider, Hold, Reply, Until, answers

from .frames import parse, text

pytestmark = pytest.mark.anyio

BODY = {"model": "m", "messages": []}
HELLO = answers.text_stream("Hel", "lo")
SOON = 5.0


def scope(*, key=None, last=None, query=b""):
    """What a server says of a request, as far as it is looked at."""
    headers = [(b"accept", b"*/*")]
    if key is not None:
        headers.append((b"idempotency-key", key.encode()))
    if last is not None:
        headers.append((b"Last-Event-ID", last.encode()))
    return {"type": "http", "method": "GET", "headers": headers, "query_string": query}


class Application:
    """A provider, a client, and the runs of an application."""

    def __init__(self, *steps, **settings):
        self.provider, self.settings = FaultProvider(stream=Reply(*steps)), settings

    async def __aenter__(self):
        await self.provider.__aenter__()
        self.client = streamkit.Client(base_url=self.provider.url)
        await self.client.__aenter__()
        return Runs(self.client, **self.settings)

    async def __aexit__(self, *exc):
        await self.client.__aexit__(*exc)
        await self.provider.__aexit__(*exc)


async def body(stream):
    """The whole body."""
    return b"".join([part async for part in await stream.open()])


async def test_a_run_is_started_found_and_watched():
    """Its id has 128 random bits; who knows it reads the answer."""
    async with Application(*HELLO) as runs:
        run = await runs.start(BODY)
        assert re.fullmatch("[0-9a-f]{32}", run.id)
        assert run is await runs.get(run.id)
        for watched in (run, run.id):
            frames, _ = parse(await body(await runs.watch(watched)))
            assert "Hello" == text(frames)


@pytest.mark.parametrize(
    "again",
    [
        {"run_id": "mine"},
        {"key": "k"},
        {"scope": scope(key='"k"')},
        {"scope": scope(query=b"run_id=mine")},
    ],
)
async def test_a_repeated_request_joins_and_never_starts_a_second(again):
    """By the run's id, or by the key of the request, said or read off it."""
    app = Application(*HELLO)
    async with app as runs:
        first = await runs.start(BODY, run_id="mine", key="k")
        assert first is await runs.start(dict(BODY), **again)
        await first.response()
        assert first is await runs.start(BODY, **again)
        assert 1 == len(app.provider.requests)


async def test_two_requests_at_once_are_one():
    """Between the look and the start nothing can come."""
    app = Application(*HELLO)
    async with app as runs:
        started = []

        async def start():
            started.append(await runs.start(BODY, key="k"))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(start)
        await started[0].response()
        assert 1 == len({run.id for run in started})
        assert 1 == len(app.provider.requests)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({"body": {**BODY, "model": "other"}, "key": "k"}, 422),
        ({"body": {**BODY, "model": "other"}, "run_id": "mine"}, 422),
        ({"body": BODY, "run_id": "../etc"}, 400),
        ({"body": BODY, "run_id": "x" * 129}, 400),
        ({"body": BODY, "key": "x" * 256}, 400),
        ({"body": BODY, "key": "k", "scope": scope()}, 403),
    ],
)
async def test_what_cannot_be_had_is_refused(arguments, status):
    """Nothing is started, and the refusal says with which status."""
    app = Application(*HELLO, authorize=lambda scope, run: False)
    async with app as runs:
        await (await runs.start(BODY, run_id="mine", key="k")).response()
        with pytest.raises(Refusal) as caught:
            await runs.start(**arguments)
        assert (status, 1) == (caught.value.status, len(app.provider.requests))


async def allowed(scope, run):
    """Only those who say the word; asynchronous, as a look into a database is."""
    await anyio.lowlevel.checkpoint()
    return (b"x-user", b"me") in scope["headers"]


async def test_who_may_watch_resume_and_cancel_is_asked_for_each():
    """The request decides, not the knowledge of an id."""
    me = {**scope(), "headers": [(b"x-user", b"me")]}
    async with Application(*HELLO, authorize=allowed) as runs:
        run = await runs.start(BODY, scope=scope())
        refused = await runs.watch(run.id, scope=scope(last="1-1"))
        assert 403 == refused.status
        assert "refused" == json.loads(await body(refused))["error"]["code"]
        with pytest.raises(Refusal):
            await runs.cancel(run.id, scope=scope())
        assert "Hello" == text(parse(await body(await runs.watch(run.id, scope=me)))[0])
        assert not await runs.cancel(run.id, scope=me)


@pytest.mark.parametrize("where", ["header", "query"])
async def test_a_watcher_resumes_behind_its_last_id(where):
    """``Last-Event-ID``, or a parameter where a header cannot be set."""
    async with Application(*HELLO) as runs:
        run = await runs.start(BODY)
        await run.response()
        asked = scope(last="1-2") if where == "header" else scope(query=b"last_event_id=1-2")
        frames, _ = parse(await body(await runs.watch(run.id, scope=asked)))

    assert ["1-3", "1-4", "1-5"] == [frame.id for frame in frames]


async def test_where_nothing_runs_a_watcher_is_told_to_stay_away():
    """204 is what ends a browser's reconnecting."""
    async with Application(*HELLO) as runs:
        stream = await runs.watch("nobody")
        assert (204, b"") == (stream.status, await body(stream))
        assert None is await runs.get("nobody")
        assert not await runs.cancel("nobody")


async def test_to_stop_is_not_to_go_away():
    """Cancelling ends the run for all who watch, with a truthful end and what came."""
    async with Application(*HELLO[:2], Hold(), on_disconnect=detach) as runs:
        run = await runs.start(BODY)
        first, second = await runs.watch(run), await runs.watch(run)
        await first.open()
        await second.open()
        first.leave()
        assert run.outcome is None
        assert await runs.cancel(run.id)
        frames, _ = parse(await body(second))

    assert isinstance(run.outcome, ResponseCancelled)
    assert "response_cancelled" == frames[-1].json["type"]
    assert "Hel" == text(frames)


async def test_an_ended_run_is_kept_for_a_while():
    """Then it is forgotten, with its key: a request of that key starts anew."""
    app = Application(*HELLO, keep=0.05)
    async with app as runs:
        run = await runs.start(BODY, key="k")
        await run.response()
        assert run is await runs.get(run.id)
        await anyio.sleep(0.06)  # it is forgotten by time alone
        assert None is await runs.get(run.id)
        assert run is not await runs.start(BODY, key="k")


async def test_no_more_ended_runs_are_kept_than_agreed():
    """The oldest go first; what runs is not counted."""
    async with Application(*HELLO, keep_ended=2) as runs:
        ended = []
        for _ in range(4):
            ended.append(await runs.start(BODY))
            await ended[-1].response()
            await runs.get(ended[-1].id)  # it is seen to have ended
        known = [await runs.get(run.id) for run in ended]

    assert [None, None, *ended[2:]] == known


async def test_a_drain_ends_streams_with_a_word_of_when_to_come_back():
    """Cleanly: the last frame carries ``retry:``, moves nothing, and is no terminal."""
    gate = anyio.Event()
    async with Application(*HELLO[:2], Until(gate), *HELLO[2:], retry=2.0) as runs:
        run = await runs.start(BODY)
        stream = await (await runs.watch(run)).open()
        parts = [await anext(stream)]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runs.drain)
            parts += [part async for part in stream]
        frames, _ = parse(b"".join(parts))
        assert ("farewell", 2000, "1-2+1") == (
            frames[-1].json["type"],
            frames[-1].retry,
            frames[-1].id,
        )
        gate.set()
        await run.response()
        rest, _ = parse(await body(EventStream(run, after=frames[-1].id)))

    assert "Hello" == text([*frames, *rest])


async def test_who_cannot_come_back_is_told_the_end():
    """A stream of the chat API that simply stops passes for a whole answer."""
    async with Application(*HELLO[:2], Hold(), encoder="openai-chat") as runs:
        stream = await (await runs.watch(await runs.start(BODY))).open()
        parts = [await anext(stream)]
        runs.retire()
        parts += [part async for part in stream]

    frames, _ = parse(b"".join(parts))
    assert "cancelled" == frames[-1].json["error"]["code"]


async def test_a_server_that_goes_away_begins_nothing():
    """503, and when to ask again; also for a stream that said no status yet."""
    async with Application(Hold(), retry=2.0) as runs:
        run = await runs.start(BODY)
        early = await runs.watch(run, encoder="openai-chat")
        runs.retire()
        for stream in (early, await runs.watch(run, encoder="openai-chat")):
            assert (503, "2") == ((await stream.open()).status, stream.headers["retry-after"])
        elsewhere = await runs.watch("perhaps-elsewhere")
        assert (503, "2") == (elsewhere.status, elsewhere.headers["retry-after"])
        with pytest.raises(Refusal):
            await runs.start(BODY)
        assert runs.draining


async def test_a_browser_that_comes_while_the_server_goes_is_sent_away_kindly():
    """To a browser any status but 200 is the end: it is told when to come back instead."""
    async with Application(Hold(), retry=2.0) as runs:
        run = await runs.start(BODY)
        runs.retire()
        stream = await (await runs.watch(run)).open()
        frames, _ = parse(await body(stream))

    assert (200, ["run", "farewell"]) == (stream.status, [frame.json["type"] for frame in frames])


async def test_a_request_that_is_no_json_is_told_as_ever():
    """By the client, before anything is sent."""
    async with Application(Hold()) as runs:
        with pytest.raises(MisuseError, match="JSON object"):
            await runs.start({"model": object()})


async def test_a_drain_lets_streams_end_by_themselves_for_its_grace():
    """Who is done within it never learns of it."""
    gate = anyio.Event()
    async with Application(*HELLO[:2], Until(gate), *HELLO[2:]) as runs:
        stream = await (await runs.watch(await runs.start(BODY))).open()
        parts = [await anext(stream)]
        with anyio.fail_after(SOON):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(runs.drain, 60.0)
                await anyio.wait_all_tasks_blocked()
                gate.set()
                parts += [part async for part in stream]

    frames, _ = parse(b"".join(parts))
    assert "response_completed" == frames[-1].json["type"]


async def test_leaving_the_runs_drains_them():
    """An application's lifespan needs no more than its ``async with``."""
    async with Application(*HELLO[:2], Hold()) as runs:
        async with runs, anyio.create_task_group() as tasks:
            stream = await (await runs.watch(await runs.start(BODY))).open()
            parts = []

            async def read():
                parts.extend([part async for part in stream])

            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            runs.retire()

    assert b"farewell" in parts[-1]
    assert runs.draining


async def test_the_log_of_a_run_is_the_applications_choice():
    """It is made from the run's id."""
    made = []

    def log(run_id):
        made.append(run_id)
        return MemoryLog(run_id)

    async with Application(*HELLO, log=log) as runs:
        run = await runs.start(BODY, on_text=lambda piece: None)
        assert "Hello" == (await run.response()).text

    assert [run.id] == made


async def test_what_is_no_stream_is_served_like_one():
    """A refusal has a status, headers, and one JSON object."""
    plain = Plain.refuse(Refusal("expected a; got b", status=503, retry_after=2.0))

    assert {"error": {"code": "refused", "message": "expected a; got b"}} == plain.content
    assert ("2", "application/json") == (
        plain.headers["retry-after"],
        plain.headers["content-type"],
    )
    assert b"" != await body(plain)
