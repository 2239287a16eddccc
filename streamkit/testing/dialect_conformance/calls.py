"""The rules of what is sent."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ...dialects import HttpCall
from ...errors import excerpt
from ...framing import encode
from .subject import Subject

__all__ = ["check_calls"]


def check_calls(subject: Subject, request: Mapping[str, Any]) -> None:
    """The request is read, not changed; the key goes into a header."""
    for ask in (subject.dialect.streaming, subject.dialect.buffered):
        given = copy.deepcopy(dict(request))
        call = ask(given)
        if given != request:
            raise subject.broke(
                "a request stays as it is",
                f"expected {ask.__name__}() to leave it; it is now {excerpt(given)}",
                "build a new dict for the body",
            )
        _check_call(subject, ask.__name__, call)
    one, other = subject.dialect.streaming(request), subject.dialect.buffered(request)
    if one == other:
        raise subject.broke(
            "a stream is asked for in another way than a buffered answer",
            f"expected two calls; got {excerpt(one)} for both",
            "say which in the body, the path or the query",
        )
    key = "key-0123456789"
    headers = subject.dialect.authorization(key)
    if not any(key in value for value in headers.values()):
        raise subject.broke(
            "the key is sent in a header",
            f"expected the key among the values of authorization; got {excerpt(dict(headers))}",
            "give the header that carries the key, as it is or behind a scheme",
        )


def _check_call(subject: Subject, name: str, call: Any) -> None:
    sound = isinstance(call, HttpCall) and call.path and not call.path.startswith("/")
    try:
        encode(call.body)
    except (AttributeError, TypeError):
        sound = False
    if not sound:
        raise subject.broke(
            "a call has a path relative to the base URL, and a body of JSON",
            f"expected {name} to give such an HttpCall; got {excerpt(call)}",
            "leave out the leading slash, and keep what is no JSON out of the body",
        )
