"""What one request gets: a status, headers, and steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias, get_args

import attrs

from ..errors import MisuseError, excerpt
from .steps import KeepAlive, Step

__all__ = ["Framing", "Reply"]

Framing: TypeAlias = Literal["chunked", "length", "close"]
"""How the end of a body is told: a last chunk, a length said before, or the connection's end."""

_STATUSES = range(200, 1000)  # what h11 takes for a final response


@attrs.frozen(init=False)
class Reply:
    """
    What one request gets, as a value; use it as often as you like.

    The body ends as *framing* says when the last step has been taken, and the
    connection is kept for the next request (``close`` and steps that close it
    aside).

    Args:
        steps: bytes or str (UTF-8), each one HTTP chunk in its own send, or
            steps such as `Pause`.
        status: the HTTP status, 200 to 999.
        headers: added to the defaults, which are a content type
            (``text/event-stream`` for a request that asked for a stream and
            a status under 400, else ``application/json``). A value of None
            leaves a default out.
        framing: ``chunked``; ``length``: a content length, the sum of the
            bytes steps; ``close``: neither, the body ends with the connection.
        before: steps taken before status and headers go out, for a provider
            that is silent or hangs up there. They send no bytes.
        gzip: the body is compressed on its way, and says so; each piece can
            be read as soon as it comes. One that is cut has no gzip end.

    Raises:
        MisuseError: a step that is none, a status or framing that does not
            exist, a step that sends bytes where none have a place, or gzip
            where the length is said before.
    """

    steps: tuple[bytes | Step, ...]
    status: int
    headers: tuple[tuple[str, str | None], ...]
    framing: Framing
    before: tuple[Step, ...]
    gzip: bool

    def __init__(
        self,
        *steps: bytes | str | Step,
        status: int = 200,
        headers: Mapping[str, str | None] | None = None,
        framing: Framing = "chunked",
        before: Iterable[Step] = (),
        gzip: bool = False,
    ) -> None:
        self.__attrs_init__(
            steps=tuple(step.encode() if isinstance(step, str) else step for step in steps),
            status=status,
            headers=tuple((headers or {}).items()),
            framing=framing,
            before=tuple(before),
            gzip=gzip,
        )

    def __attrs_post_init__(self) -> None:
        for step in (*self.steps, *self.before):
            if not isinstance(step, bytes) and not callable(step):
                raise MisuseError(f"a step is bytes, str or an async callable, not {excerpt(step)}")
        if self.status not in _STATUSES:
            raise MisuseError(f"a reply's status is 200 to 999, not {self.status}")
        if self.framing not in get_args(Framing):
            raise MisuseError(f"framing is one of {get_args(Framing)}, not {self.framing!r}")
        if any(isinstance(step, bytes | KeepAlive) for step in self.before):
            raise MisuseError("no bytes can be sent before status and headers; see `steps`")
        if self.framing == "length" and any(isinstance(step, KeepAlive) for step in self.steps):
            raise MisuseError("KeepAlive has no place in a body of known length; use 'chunked'")
        if self.framing == "length" and self.gzip:
            raise MisuseError("the length of what is compressed is not known before; use 'chunked'")

    @property
    def length(self) -> int:
        """The body's length: the sum of its bytes steps (bytes)."""
        return sum(len(step) for step in self.steps if isinstance(step, bytes))

    def head(self, content_type: str) -> list[tuple[str, str]]:
        """
        Return the headers to send, names in lower case.

        Args:
            content_type: the default where *headers* has none.
        """
        given = {name.lower(): value for name, value in self.headers}
        length = {"content-length": str(self.length)} if self.framing == "length" else {}
        encoding = {"content-encoding": "gzip"} if self.gzip else {}
        merged = {"content-type": content_type, **length, **encoding, **given}
        return [(name, value) for name, value in merged.items() if value is not None]
