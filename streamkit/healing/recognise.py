"""Which requests are healed: the streaming calls of the APIs that are known."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import unquote

import attrs

from ..dialects import Dialect, get_dialect
from ..events import Event, UsageReported
from ..framing import decode
from .face import module_of

__all__ = ["Recognised", "recognise"]

_PATHS: Final = (
    (re.compile(r"/chat/completions$"), "openai-chat"),
    (re.compile(r"/responses$"), "openai-responses"),
    (re.compile(r"/v1/messages$"), "anthropic-messages"),
    (re.compile(r"/agents/[^/]+/session/[^/]+/turn$"), "llama-stack-turn"),
)
"""How the path of a call ends, slashes behind it aside, and whose it is."""
_GEMINI: Final = re.compile(r"/(?P<model>[^/:]+/[^/:]+):streamGenerateContent$")
"""With the collection it is in: tuned models have others (``tunedModels``, ``endpoints``)."""
_MAX_BYTES: Final = 64 * 1024 * 1024
"""The largest request that is looked at (bytes); a larger one passes."""


@attrs.frozen
class Recognised:
    """A streaming call of an API that is known."""

    dialect: Dialect
    body: dict[str, Any]
    """The request's JSON, as it was sent."""
    request: dict[str, Any]
    """The same as `streamkit.Client` would be given it."""
    base: str
    """The path of the API, before that of the call, encoded as it was."""

    @property
    def unasked(self) -> tuple[type[Event], ...]:
        """
        Events that the SDK does not expect of this call.

        A chunk of usage has no choices, and clients of the chat API look at
        the first: they get one only where they asked.
        """
        options = self.body.get("stream_options")
        asked = isinstance(options, dict) and options.get("include_usage")
        return () if asked or self.dialect.name != "openai-chat" else (UsageReported,)


async def recognise(request: Any) -> Recognised | None:
    """
    Look at a request; None for one that passes untouched.

    Args:
        request: of httpx or httpx2. Its body is read into memory, where it is not yet.
    """
    if request.method != "POST":
        return None
    raw = request.url.raw_path.decode("ascii").partition("?")[0].rstrip("/")
    path = unquote(raw)
    gemini = _GEMINI.search(path)
    name = "gemini" if gemini else next((n for p, n in _PATHS if p.search(path)), None)
    content = await _content(request) if name is not None else None
    body = _object(content) if content is not None else None
    if name is None or body is None:
        return None
    if gemini is not None:
        if request.url.params.get("alt") != "sse":
            return None
        asked = {**body, "model": gemini["model"]}
    elif body.get("stream") is True:
        asked = body
    else:
        return None
    dialect = get_dialect(name)
    if name == "llama-stack-turn":
        _, _, agent, _, session, _ = path.rsplit("/", 5)
        asked = {**body, "agent_id": agent, "session_id": session}
    try:
        segments = dialect.streaming(asked).path.count("/") + 1
    except (TypeError, ValueError):  # fields of another kind: the provider says what is wrong
        return None
    return Recognised(dialect, body, asked, raw.rsplit("/", segments)[0] + "/")


async def _content(request: Any) -> bytes | None:
    """Read the body; None for one that is too large, which goes on as if nobody had looked."""
    module = module_of(request)
    if not isinstance(request.stream, module.ByteStream):  # somebody's iterator: it runs once
        parts, size, rest = [], 0, aiter(request.stream)
        async for part in rest:
            parts.append(part)
            size += len(part)
            if size > _MAX_BYTES:
                again = module.Request("POST", request.url, content=_joined(parts, rest))
                request.stream = again.stream
                return None
        request.stream = module.ByteStream(b"".join(parts))
    content: bytes = await request.aread()
    return content if len(content) <= _MAX_BYTES else None


async def _joined(parts: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    async for part in rest:
        yield part


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        body = decode(content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
