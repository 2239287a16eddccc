"""The response around its items, as far as it was told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs

from ....errors import explain
from ....events import ResponseStarted
from ....framing import Frame
from ...merge import overlay
from ..response import PLACE
from .numbered import Numbered

__all__ = ["Envelope", "error_json"]

_IDS: Final = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "custom_tool_call": "ctc_",
}
"""How the ids of items begin that no provider named."""


@attrs.define(eq=False)
class Envelope:
    """The fields of a response, and whether it was told that it began."""

    _events: Numbered
    own: bool = attrs.field(default=False, init=False)
    """Whether the provider speaks this API."""
    fallback: str = attrs.field(default="resp_", init=False)
    """The id of a response that has none."""
    _id: str = attrs.field(default="", init=False)
    """The response's; the same in every event."""
    _fields: dict[str, Any] = attrs.field(factory=dict, init=False)
    """Those of the response, where the provider speaks this API."""
    _base: dict[str, Any] = attrs.field(factory=dict, init=False)
    """Those it has where the provider does not."""
    _begun: bool = attrs.field(default=False, init=False)

    def start(self, event: ResponseStarted) -> None:
        """Take what is known of the response when it begins."""
        self._id = event.id
        self._base = _base((event.extra or {}).get("created")) | {"model": event.model}
        self.learn({**(event.extra or {}), "model": event.model} if event.extra else {})

    def learn(self, extra: dict[str, Any]) -> None:
        """Take fields of the response. Those of another API are none of this one."""
        self.own = self.own or extra.get("object") == "response"
        if self.own:
            overlay(self._fields, {k: v for k, v in extra.items() if not PLACE.fullmatch(k)})

    def begin(self) -> Iterator[Frame]:
        """Tell that the response began, once."""
        if not self._begun:
            self._begun = True
            self._id = self._id or self.fallback
            response = self.json("in_progress", output=[])
            yield self._events.event("response.created", response=response)

    def json(self, status: str, **fields: Any) -> dict[str, Any]:
        """Write the response as it is now, with these *fields*."""
        own = self._fields if self.own else self._base or _base(0) | {"model": ""}
        response = {**own, "id": self._id, "object": "response", "status": status, **fields}
        if status == "in_progress":
            response |= {key: None for key in ("completed_at",) if key in response}
        return response

    def id_for(self, kind: str, number: int) -> str:
        """Make the id of an item that no provider named."""
        return f"{_IDS[kind]}{self._id or self.fallback}_{number}"


def _base(created: Any) -> dict[str, Any]:
    """Give what a response must have, where the provider's API is another."""
    return {
        "object": "response",
        "created_at": created if isinstance(created, int | float) else 0,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": None,
    }


def error_json(code: str) -> dict[str, Any]:
    """Give the API's error envelope: a *code* and the sentence of ours for it."""
    error = {"message": explain(code), "type": "server_error", "param": None, "code": code}
    return {"error": error}
