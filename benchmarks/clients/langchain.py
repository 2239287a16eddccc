"""langchain-openai: ``ChatOpenAI.astream``."""

from contextlib import asynccontextmanager

from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI

from . import QUESTION


@asynccontextmanager
async def astream(root):
    """The stream of message chunks; the model's name is set per request."""
    model = ChatOpenAI(model="any", base_url=root + "/v1", api_key="none", timeout=600)
    messages = [HumanMessage(QUESTION)]

    async def read(script, seen):
        async for chunk in model.astream(messages, model=script):
            if chunk.content:
                seen(chunk.content)
            else:
                for call in chunk.tool_call_chunks:
                    if call["args"]:
                        seen(call["args"])

    yield read
