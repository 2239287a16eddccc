"""litellm: ``acompletion``."""

import os
from contextlib import asynccontextmanager

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # nothing is fetched at import
os.environ["AIOHTTP_CONNECTOR_LIMIT_PER_HOST"] = "0"  # as many connections as asked for

import litellm

from . import MESSAGES

litellm.suppress_debug_info = True


@asynccontextmanager
async def acompletion(root):
    """The stream of chunks, in OpenAI's format."""

    async def read(script, seen):
        stream = await litellm.acompletion(
            model=f"openai/{script}",
            messages=MESSAGES,
            api_base=root + "/v1",
            api_key="none",
            stream=True,
        )
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
