"""openai's own SDK."""

from contextlib import asynccontextmanager

import openai

from . import MESSAGES


def opened(root):
    """The SDK's client."""
    return openai.AsyncOpenAI(base_url=root + "/v1", api_key="none", timeout=600)


@asynccontextmanager
async def raw(root):
    """The stream of chunks."""
    async with opened(root) as client:
        create = client.chat.completions.create

        async def read(script, seen):
            stream = await create(model=script, messages=MESSAGES, stream=True)
            async for chunk in stream:
                for choice in chunk.choices:
                    delta = choice.delta
                    if delta.content:
                        seen(delta.content)
                    elif delta.tool_calls:
                        for call in delta.tool_calls:
                            if call.function.arguments:
                                seen(call.function.arguments)
                    elif text := getattr(delta, "reasoning_content", None):
                        seen(text)

        yield read


@asynccontextmanager
async def helper(root):
    """The helper, which accumulates the answer as streamkit does."""
    async with opened(root) as client:

        async def read(script, seen):
            async with client.chat.completions.stream(model=script, messages=MESSAGES) as stream:
                async for event in stream:
                    if event.type == "content.delta":
                        if event.delta:
                            seen(event.delta)
                    elif event.type == "tool_calls.function.arguments.delta":
                        if event.arguments_delta:
                            seen(event.arguments_delta)
                    elif event.type == "chunk":
                        _reasoning(event.chunk, seen)
                answer = await stream.get_final_completion()
            return answer.choices[0].message.content or ""

        yield read


def _reasoning(chunk, seen):
    """What no event of the helper's tells: its chunk has it."""
    for choice in chunk.choices:
        if text := getattr(choice.delta, "reasoning_content", None):
            seen(text)
