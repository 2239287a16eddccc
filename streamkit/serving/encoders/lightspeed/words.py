"""What both vocabularies say in the same words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ....errors import code_of, explain
from ....framing import Frame, encode, encode_ascii
from ....response import Response, Usage

__all__ = ["SEARCH", "TOOLS", "answer_of", "end_of", "said", "sentence", "texts_of"]

TOOLS: Final = "tool_execution"
"""The step in which an agent's tools are run."""
SEARCH: Final = "knowledge_search"
"""The tool whose results name their documents."""


def said(event: str, data: dict[str, Any] | None = None, **beside: Any) -> Frame:
    """Write one frame; *beside* stands next to its data, or in its place."""
    body = {} if data is None else {"data": data}
    return Frame(encode_ascii({"event": event, **body, **beside}))


def end_of(
    documents: Sequence[dict[str, str | None]],
    response: Response,
    quotas: Mapping[str, int],
    *,
    truncated: bool | None = None,
) -> Frame:
    """Write the last frame of an answer; counts that nobody knows are 0."""
    usage = response.usage or Usage()
    data = {
        "referenced_documents": documents,
        "truncated": truncated,
        "input_tokens": usage.input_tokens or 0,
        "output_tokens": usage.output_tokens or 0,
    }
    return said("end", data, available_quotas=dict(quotas))


def answer_of(response: Response | None) -> str:
    """Give what the tokens said, joined: the text, and the refusal, which is read in its place."""
    return "" if response is None else response.text + response.refusal


def texts_of(content: Any) -> list[str]:
    """
    Give what a tool gave back as text, item by item.

    Joined with blanks it is what lightspeed showed (``interleaved_content_as_str``
    of llama-stack-client); what is neither text nor image is its JSON.
    """
    return [_text_of(item) for item in (content if isinstance(content, list) else [content])]


def _text_of(item: Any) -> str:
    if item is None:
        return ""
    text = item.get("text") if isinstance(item, dict) else item
    if isinstance(text, str):
        return text
    image = isinstance(item, dict) and item.get("type") == "image"
    return "<image>" if image else encode(item).decode()


def sentence(error: Exception) -> str:
    """Say to anyone what *error* means: a sentence of ours, nothing of what the provider said."""
    return explain(code_of(error))
