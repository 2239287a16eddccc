"""pydantic-ai: ``direct.model_request_stream``, the path below its agents."""

from contextlib import asynccontextmanager
from functools import cache

from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    ModelRequest,
    PartDeltaEvent,
    PartStartEvent,
    TextPartDelta,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from . import QUESTION


@asynccontextmanager
async def direct(root):
    """The stream of part events, and the response they make."""
    provider = OpenAIProvider(base_url=root + "/v1", api_key="none")
    model_of = cache(lambda script: OpenAIChatModel(script, provider=provider))
    messages = [ModelRequest.user_text_prompt(QUESTION)]

    async def read(script, seen):
        async with model_request_stream(model_of(script), messages) as stream:
            async for event in stream:
                kind = type(event)
                if kind is PartDeltaEvent:
                    _delta(event.delta, seen)
                elif kind is PartStartEvent:
                    part = event.part
                    text = part.args if type(part) is ToolCallPart else part.content
                    if text:
                        seen(text)
            answer = stream.get()
        return "".join(part.content for part in answer.parts if part.part_kind == "text")

    yield read


def _delta(delta, seen):
    kind = type(delta)
    if kind is TextPartDelta or kind is ThinkingPartDelta:
        if delta.content_delta:
            seen(delta.content_delta)
    elif kind is ToolCallPartDelta and delta.args_delta:
        seen(delta.args_delta)
