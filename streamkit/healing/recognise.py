"""Which requests are healed: the streaming calls of the APIs that are known."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import unquote

import attrs

from ..dialects import Dialect, get_dialect
from ..events import Event, UsageReported
from ..framing import decode

__all__ = ["Recognised", "recognise"]

_PATHS: Final = (
    (re.compile(r"/chat/completions/?$"), "openai-chat"),
    (re.compile(r"/responses/?$"), "openai-responses"),
    (re.compile(r"/v1/messages/?$"), "anthropic-messages"),
    (re.compile(r"/agents/[^/]+/session/[^/]+/turn/?$"), "llama-stack-turn"),
)
"""How the path of a call ends, and whose it is."""
_GEMINI: Final = re.compile(r"/models/(?P<model>[^/:]+):streamGenerateContent$")
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
    """The path of the API, before that of the call."""

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
        request: of httpx or httpx2. Its body is read into memory.
    """
    path = unquote(request.url.raw_path.decode("ascii").partition("?")[0])
    if request.method != "POST":
        return None
    gemini = _GEMINI.search(path)
    name = "gemini" if gemini else next((n for p, n in _PATHS if p.search(path)), None)
    if name is None or int(request.headers.get("content-length", 0)) > _MAX_BYTES:
        return None
    body = _object(await request.aread())
    if body is None:
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
        _, _, agent, _, session, _ = path.rstrip("/").rsplit("/", 5)
        asked = {**body, "agent_id": agent, "session_id": session}
    suffix = dialect.streaming(asked).path
    base = path.rstrip("/")
    return Recognised(dialect, body, asked, base[: len(base) - len(suffix)])


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        body = decode(content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
