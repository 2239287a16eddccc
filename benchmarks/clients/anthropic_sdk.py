"""anthropic's own SDK."""

from contextlib import asynccontextmanager

import anthropic

from . import MESSAGES

FIELDS = {
    "text_delta": "text",
    "input_json_delta": "partial_json",
    "thinking_delta": "thinking",
}


def opened(root):
    """The SDK's client."""
    return anthropic.AsyncAnthropic(base_url=root, api_key="none", timeout=600)


def _asked(script):
    return {"model": script, "messages": MESSAGES, "max_tokens": 1024}


@asynccontextmanager
async def raw(root):
    """The stream of events."""
    async with opened(root) as client:

        async def read(script, seen):
            stream = await client.messages.create(**_asked(script), stream=True)
            async for event in stream:
                if event.type == "content_block_delta":
                    seen(getattr(event.delta, FIELDS[event.delta.type]))

        yield read


@asynccontextmanager
async def helper(root):
    """The helper, which accumulates the answer as streamkit does."""
    async with opened(root) as client:

        async def read(script, seen):
            async with client.messages.stream(**_asked(script)) as stream:
                async for event in stream:
                    if event.type == "content_block_delta":
                        seen(getattr(event.delta, FIELDS[event.delta.type]))
                answer = await stream.get_final_message()
            return "".join(block.text for block in answer.content if block.type == "text")

        yield read
