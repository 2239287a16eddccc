"""
One peer, in its own process: reads the streams it is told to, and says what it made of each.

``python peers.py PEER URL COUNT [--heal]``: for each number a JSON object and a
line: ``number``, ``text``, ``calls`` (``name``, ``arguments``), ``error``.
"""

import asyncio
import json
import sys

SECONDS = 20
"""What one stream may take."""
MESSAGES = [{"role": "user", "content": "What time is it?"}]


def http_client(heal):
    """The HTTP client that the installed openai takes, healed or not."""
    from openai import _base_client

    http = getattr(_base_client, "httpx2", None) or _base_client.httpx
    if not heal:
        return http.AsyncClient()
    from streamkit.healing import HealingTransport

    return http.AsyncClient(transport=HealingTransport())


def sdk(url, heal):
    """The client of openai."""
    import openai

    return openai.AsyncOpenAI(
        base_url=url, api_key="none", http_client=http_client(heal), max_retries=0
    )


def add(calls, number, name, arguments):
    """Join a piece of a call, as every reader of deltas does."""
    call = calls.setdefault(number, {"name": "", "arguments": ""})
    call["name"] += name or ""
    call["arguments"] += arguments or ""


def openai_raw(url, heal):
    """``chat.completions.create(stream=True)``."""
    client = sdk(url, heal)

    async def read(model):
        text, calls = "", {}
        stream = await client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
        async for chunk in stream:
            for choice in chunk.choices or ():
                text += choice.delta.content or ""
                for call in choice.delta.tool_calls or ():
                    function = call.function
                    if function is not None:
                        add(calls, call.index, function.name, function.arguments)
        return text, list(calls.values())

    return read


def openai_helper(url, heal):
    """``chat.completions.stream``, and the completion it accumulates."""
    client = sdk(url, heal)

    async def read(model):
        async with client.chat.completions.stream(model=model, messages=MESSAGES) as stream:
            async for _ in stream:
                pass
            message = (await stream.get_final_completion()).choices[0].message
        calls = [
            {"name": call.function.name, "arguments": call.function.arguments}
            for call in message.tool_calls or ()
        ]
        return message.content or "", calls

    return read


def langchain(url, heal):
    """``ChatOpenAI.astream``, its chunks added up."""
    from langchain_openai import ChatOpenAI

    http = http_client(heal)

    async def read(model):
        chat = ChatOpenAI(
            model=model, base_url=url, api_key="none", http_async_client=http, max_retries=0
        )
        whole = None
        async for chunk in chat.astream("What time is it?"):
            whole = chunk if whole is None else whole + chunk
        calls = [] if whole is None else [*whole.tool_calls, *whole.invalid_tool_calls]
        text = "" if whole is None else whole.text
        return (text if isinstance(text, str) else text()), [
            {"name": call["name"], "arguments": call["args"]} for call in calls
        ]

    return read


def pydantic_ai(url, heal):
    """``model_request_stream``, and the response it makes."""
    from pydantic_ai.direct import model_request_stream
    from pydantic_ai.messages import ModelRequest
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(openai_client=sdk(url, heal))
    messages = [ModelRequest.user_text_prompt("What time is it?")]

    async def read(model):
        chat = OpenAIChatModel(model, provider=provider)
        async with model_request_stream(chat, messages) as stream:
            async for _ in stream:
                pass
            answer = stream.get()
        text = "".join(part.content for part in answer.parts if part.part_kind == "text")
        calls = [part for part in answer.parts if part.part_kind == "tool-call"]
        return text, [{"name": call.tool_name, "arguments": call.args} for call in calls]

    return read


def litellm(url, heal):
    """``acompletion``, its chunks put together by its own builder."""
    import os

    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # nothing is fetched at import
    import litellm as lite

    lite.suppress_debug_info = True
    client = sdk(url, heal)

    async def read(model):
        stream = await lite.acompletion(
            model=f"openai/{model}",
            messages=MESSAGES,
            api_base=url,
            api_key="none",
            stream=True,
            client=client,
            max_retries=0,
        )
        chunks = [chunk async for chunk in stream]
        whole = lite.stream_chunk_builder(chunks, messages=MESSAGES)
        message = whole.choices[0].message
        calls = [
            {"name": call.function.name, "arguments": call.function.arguments}
            for call in message.tool_calls or ()
        ]
        return message.content or "", calls

    return read


PEERS = {
    "openai": openai_raw,
    "openai helper": openai_helper,
    "openai 2": openai_raw,
    "langchain-openai": langchain,
    "pydantic-ai": pydantic_ai,
    "litellm": litellm,
}


async def main(peer, url, count, heal):
    """Read every stream."""
    read = PEERS[peer](url, heal)
    for number in range(count):
        said = {"number": number, "text": None, "calls": [], "error": None}
        try:
            async with asyncio.timeout(SECONDS):
                said["text"], said["calls"] = await read(f"case-{number}")
        except Exception as error:  # noqa: BLE001 (whatever a peer raises is what is asked)
            said["error"] = f"{type(error).__name__}: {error}"[:300]
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    name, where, streams, *options = sys.argv[1:]
    asyncio.run(main(name, where, int(streams), "--heal" in options))
