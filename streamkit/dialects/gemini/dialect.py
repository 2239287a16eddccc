"""How content is asked for, and what its words mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

import attrs

from ...errors import MisuseError
from ...events import Event
from ...response import Finish, Usage
from ..answer import Answer, ChoiceFold
from ..dialect import HttpCall
from .content import content_of, usage_of
from .decoder import GeminiDecoder, read_content
from .encoder import GeminiEncoder
from .finish import finish_of

__all__ = ["Gemini"]


@attrs.frozen
class Gemini:
    """
    The dialect ``gemini``.

    A request is the JSON of ``generateContent`` and one key more, that goes
    into the path and not into the JSON: ``model``, a name (``gemini-3-pro``)
    or a path (``tunedModels/mine``). The client's base URL ends in the API's
    version; on Vertex, in the publisher (``.../publishers/google``).
    """

    name: ClassVar[str] = "gemini"

    def streaming(self, request: Mapping[str, Any], /) -> HttpCall:
        """
        Ask for a stream of server-sent events.

        Raises:
            MisuseError: ``model`` is missing.
        """
        path, body = _path(request, "streamGenerateContent")
        return HttpCall(path, body, params={"alt": "sse"})

    def buffered(self, request: Mapping[str, Any], /) -> HttpCall:
        """
        Ask for the answer in one.

        Raises:
            MisuseError: ``model`` is missing.
        """
        return HttpCall(*_path(request, "generateContent"))

    def authorization(self, api_key: str, /) -> Mapping[str, str]:
        """Send the key in a header of its own: a query stands in logs."""
        return {"x-goog-api-key": api_key}

    def decoder(self) -> GeminiDecoder:
        """Give a fresh decoder."""
        return GeminiDecoder()

    def encoder(self) -> GeminiEncoder:
        """Give a fresh encoder."""
        return GeminiEncoder()

    def read_buffered(self, body: Any, /) -> Sequence[Event]:
        """Give the events of a ``GenerateContentResponse``."""
        return read_content(body)

    def response(self, answer: Answer, /) -> dict[str, Any]:
        """Give the ``GenerateContentResponse`` of an accumulated answer."""
        return content_of(answer)

    def usage(self, raw: Mapping[str, Any], /) -> Usage:
        """Read ``usageMetadata``."""
        return usage_of(raw)

    def finish(self, choice: ChoiceFold, /) -> Finish:
        """Judge by the reason and by what came: calls end in ``STOP``, too."""
        return finish_of(choice.finish_reason, called=bool(choice.calls))


def _path(request: Mapping[str, Any], method: str) -> tuple[str, dict[str, Any]]:
    """Give the path of a call, and the request without what stands in it."""
    model = request.get("model")
    if not isinstance(model, str) or not model:
        raise MisuseError(
            f"expected 'model' in the request, for the path of the call; got {model!r}; "
            "name one, such as 'gemini-2.5-flash'"
        )
    path = quote(model if "/" in model else f"models/{model}", safe="/")
    return f"{path}:{method}", {k: v for k, v in request.items() if k != "model"}
