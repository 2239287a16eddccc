"""
The official SDKs, one line each, over recorded and hostile traffic.

Both are read from ``../shared`` beside the checkout, where it is there.
"""

import json
from pathlib import Path

import anthropic
import anyio
import httpx
import httpx2
import openai
import pytest

from streamkit.healing import HealingTransport
from streamkit.testing import Drop, FaultProvider, Reply, answers

pytestmark = [pytest.mark.anyio, pytest.mark.interop]  # a minute of proof, in CI

SHARED = Path(__file__).parents[3] / "shared"
HOSTILE = [
    pytest.param(case, id=case["name"])
    for path in SHARED.glob("hostile/openai-chat.json")
    for case in json.loads(path.read_text("utf-8"))["cases"]
]
MESSAGES = [{"role": "user", "content": "?"}]
REFUSED = Reply(answers.error("not now"), status=500)


@pytest.fixture
def anyio_backend():
    """One event loop: the transport has tests of its own on all."""
    return "asyncio"


def recordings(dialect):
    """The whole answers of a dialect that were recorded."""
    for path in sorted(SHARED.glob("wire/*/*.json")):
        expected = json.loads(path.read_text("utf-8"))
        body = next((p for p in path.parent.glob(f"{path.stem}.*") if p != path), None)
        complete = expected["dialect"] == dialect and expected["expect"]["complete"]
        if complete and not expected["expect"]["error"] and body.suffix == ".sse":
            yield pytest.param(body.read_bytes(), id=path.stem)


def test_the_recordings_are_there():
    """Where they are not, that is said."""
    if not SHARED.exists():
        pytest.skip(f"no recordings: {SHARED.name}/ is not beside the checkout")
    assert (56, True) == (len(HOSTILE), len(list(recordings("openai-chat"))) > 100)


def client(url, *, healed=True):
    """Openai's SDK, and the HTTP client below it."""
    http = httpx2.AsyncClient(transport=HealingTransport()) if healed else httpx2.AsyncClient()
    return http, openai.AsyncOpenAI(base_url=url, api_key="k", http_client=http, max_retries=0)


def add(calls, number, name, arguments):
    """Join a piece of a call, as every reader of deltas does."""
    call = calls.setdefault(number, ["", ""])
    call[0] += name or ""
    call[1] += arguments or ""


async def chat(sdk):
    """What the chunks of a chat say."""
    text, calls, reason = "", {}, None
    stream = await sdk.chat.completions.create(model="m", messages=MESSAGES, stream=True)
    async for chunk in stream:
        for choice in chunk.choices or ():
            text += choice.delta.content or ""
            reason = choice.finish_reason or reason
            for call in choice.delta.tool_calls or ():
                if call.function is not None:
                    add(calls, call.index, call.function.name, call.function.arguments)
    return text, [tuple(call) for call in calls.values()], reason


@pytest.mark.parametrize("case", HOSTILE)
async def test_hostile_streams_are_read_right(case):
    """The answer where the stream holds one, an error where it holds none."""
    chunks = [chunk.encode("latin-1") for chunk in case["chunks"]]
    async with FaultProvider(stream=Reply(*chunks), buffered=REFUSED) as provider:
        http, sdk = client(provider.url)
        async with http:
            if case["must_fail"]:
                with pytest.raises(openai.APIError):
                    await chat(sdk)
                return
            text, calls, _ = await chat(sdk)

    wanted = [(call["name"], json.loads(call["arguments"] or "{}")) for call in case["tool_calls"]]
    assert case["text"] == text
    assert wanted == [(name, json.loads(arguments or "{}")) for name, arguments in calls]


@pytest.mark.parametrize("body", [*recordings("openai-chat")])
async def test_recorded_chats_read_as_they_do_without(body):
    """Where the SDK reads a recording by itself, it reads the same through the transport."""
    read = []
    async with FaultProvider(stream=Reply(body), buffered=REFUSED) as provider:
        for healed in (False, True):
            http, sdk = client(provider.url, healed=healed)
            async with http:
                try:
                    read.append(await chat(sdk))
                except Exception as error:  # noqa: BLE001 (what an SDK raises is its own)
                    read.append(error)

    alone, through = read
    if not isinstance(alone, Exception):
        assert alone == through or _mended(alone, through)
    else:
        assert not isinstance(through, Exception)


def _mended(alone, through):
    """Whether the readings differ only where the SDK cannot be right: in calls it mixes up."""
    text, calls, _ = alone
    return text == through[0] and calls != through[1] and all(map(_is_whole, through[1]))


def _is_whole(call):
    try:
        json.loads(call[1] or "{}")
    except ValueError:
        return False
    return bool(call[0])


async def responses(url, *, healed):
    """The events of a response, as the SDK reads them."""
    http, sdk = client(url, healed=healed)
    async with http:
        stream = await sdk.responses.create(model="m", input="?", stream=True)
        return [event.to_dict(warnings=False) async for event in stream]


async def messages(url, *, healed):
    """The events of a message, as the SDK reads them."""
    module = getattr(anthropic._base_client, "httpx2", None) or httpx
    http = module.AsyncClient(transport=HealingTransport()) if healed else module.AsyncClient()
    sdk = anthropic.AsyncAnthropic(base_url=url, api_key="k", http_client=http, max_retries=0)
    async with http:
        asked = {"model": "m", "max_tokens": 9, "messages": MESSAGES}
        stream = await sdk.messages.create(**asked, stream=True)
        return [event.to_dict(warnings=False) async for event in stream]


@pytest.mark.parametrize(
    ("read", "body"),
    [
        pytest.param(read, *case.values, id=case.id)
        for read, dialect in ((responses, "openai-responses"), (messages, "anthropic-messages"))
        for case in recordings(dialect)
    ],
)
async def test_recorded_events_read_as_they_do_without(read, body):
    """Event by event, where the SDK reads a recording by itself; else it reads one now."""
    async with FaultProvider(stream=Reply(body), buffered=REFUSED) as provider:
        try:
            alone = await read(provider.url, healed=False)
        except Exception:  # noqa: BLE001 (what an SDK raises is its own)
            alone = None
        through = await read(provider.url, healed=True)

    if alone is None:
        assert through
    else:  # an SDK loses a last frame that lacks its blank line
        assert alone == through[: len(alone)]
        assert len(through) <= len(alone) + 1


async def test_the_helper_of_openai_gets_whole_answers():
    """``chat.completions.stream``, cut in the middle."""
    frames = answers.text_stream("Hel", "lo")
    whole = Reply(answers.completion("Hello"))
    async with FaultProvider(stream=Reply(*frames[:2], Drop()), buffered=whole) as provider:
        http, sdk = client(provider.url)
        async with http, sdk.chat.completions.stream(model="m", messages=MESSAGES) as stream:
            kinds = [event.type async for event in stream]
            message = (await stream.get_final_completion()).choices[0].message

    assert "Hello" == message.content
    assert "content.done" in kinds


async def test_anthropics_helper_gets_whole_answers():
    """``messages.stream``, cut in the middle."""
    scene = """
    stream
        text "Hel" "lo"
        finish stop
        cut behind frame 3
    buffered
        text "Hello"
        finish stop
    """
    async with FaultProvider.scripted(scene, dialect="anthropic-messages") as provider:
        module = getattr(anthropic._base_client, "httpx2", None) or httpx
        http = module.AsyncClient(transport=HealingTransport())
        sdk = anthropic.AsyncAnthropic(
            base_url=provider.url, api_key="k", http_client=http, max_retries=0
        )
        async with http:
            async with sdk.messages.stream(model="m", max_tokens=9, messages=MESSAGES) as stream:
                text = "".join([piece async for piece in stream.text_stream])
                message = await stream.get_final_message()

    assert "Hello" == text == message.content[0].text
    assert "end_turn" == message.stop_reason


async def test_two_at_once_do_not_meet():
    """Each has its own run."""
    async with FaultProvider(
        stream=lambda request: Reply(*answers.text_stream(request.json["model"])),
        buffered=REFUSED,
    ) as provider:
        http, sdk = client(provider.url)
        texts = {}

        async def ask(model):
            stream = await sdk.chat.completions.create(model=model, messages=MESSAGES, stream=True)
            pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
            texts[model] = "".join(pieces)

        async with http, anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(ask, f"m{number}")

    assert {f"m{number}": f"m{number}" for number in range(20)} == texts
