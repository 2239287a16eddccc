"""
streamkit's own JSON of events, both ways: `to_json` and `from_json`.

An event is one flat object, its type the class's name in snake case; a field
equal to its default is left out::

    TextDelta("Hel")         {"type": "text_delta", "text": "Hel"}
    Stalled("idle", 5.0)     {"code": "stalled", "message": "…", "clock": "idle", "seconds": 5.0}

`Response`, `Usage` and what else stands in an event are objects the same way.
An error is named by its code, and by a ``type`` too where several classes
share one. Its cause and what an SDK raised (``original``) stay behind.

What JSON itself cannot tell apart: two lone surrogates that make a pair come
back as the one character they mean, and a tuple inside the provider's own
JSON (``extra``, ``raw``, a tool's ``content``) as a list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs

from . import errors, events
from .errors import (
    MalformedStream,
    MisuseError,
    ProviderError,
    Refusal,
    StageError,
    Stalled,
    StreamkitError,
    about_us,
    excerpt,
    explain,
)
from .events import Event, Metadata, ResponseStarted
from .response import Finish

__all__ = ["ASIDES", "from_json", "to_json"]

ASIDES: Final = frozenset({"run", "farewell"})
"""
Types that a stream says beside its events (see `streamkit.serving`): whoever
reads one looks for them first, for to `from_json` they are unknown.
"""

_T = TypeVar("_T")
_Read = Callable[[Any, str], Any]
"""Reads what came; the string says where it stands, for the message."""


class _PerClass(dict[type, _T]):
    """What is worked out once for each class, when the first of its values comes by."""

    def __init__(self, make: Callable[[type], _T]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, kind: type) -> _T:
        made = self[kind] = self._make(kind)
        return made


def _named(module: Any, root: type[_T]) -> Iterator[tuple[str, type[_T]]]:
    """Name what *module* offers below *root*, in snake case."""
    for name in module.__all__:
        kind = getattr(module, name)
        if isinstance(kind, type) and issubclass(kind, root):
            yield re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(), kind


def _leaves() -> Iterator[tuple[str, type[Event]]]:
    """Name every event that can be told: the vocabulary without its roots."""
    found = list(_named(events, Event))
    roots = {root for _, kind in found for root in kind.__mro__[1:]}
    return ((word, kind) for word, kind in found if kind not in roots)


_EVENTS: Final = dict(_leaves())
_WORDS: Final = {kind: word for word, kind in _EVENTS.items()}
_ERRORS: Final = dict(_named(errors, StreamkitError))
_ERROR_WORDS: Final = {kind: word for word, kind in _ERRORS.items()}
_BY_CODE: Final = {kind.code: kind for kind in _ERRORS.values() if "code" in vars(kind)}


def to_json(event: Event, *, public: bool = False) -> dict[str, Any]:
    """
    Tell *event* as a JSON object, to be read by `from_json`.

    Of an exception that is none of streamkit's nothing is told but that the
    answer could not be had: its message may hold anything.

    Args:
        event: any event of `streamkit.events`.
        public: tell it to anyone: of an error `streamkit.errors.explain` in
            place of its message, and no detail but ``status`` and
            ``retry_after``; nothing of the request that the API repeats in
            its answer (``instructions``, ``tools``).

    Returns:
        A new dict. The provider's own JSON in it (``extra``, ``raw``, a
        tool's ``content``) is the event's, not a copy.

    Raises:
        MisuseError: *event* is none of the vocabulary.
    """
    word = _WORDS.get(type(event))
    if word is None:
        raise MisuseError(
            f"expected an event of streamkit.events; got {type(event).__name__}; events of "
            "your own cannot travel: tell what they hold as Metadata or Unknown"
        )
    said: dict[str, Any] = {"type": word}
    _fill(said, event, public)
    if public and isinstance(event, ResponseStarted | Metadata) and event.extra:
        extra = {key: part for key, part in event.extra.items() if key not in _OF_THE_REQUEST}
        said["extra"] = extra
        if not extra and isinstance(event, ResponseStarted):
            del said["extra"]
    return said


def from_json(value: Any) -> Event:
    """
    Read an event that `to_json` told: an equal one.

    The writer may be newer. Fields this version does not know are left alone,
    an error it does not know is read as the class its code names
    (`StreamkitError` where it names none), a neutral finish it does not know
    as ``other``.

    Args:
        value: the decoded JSON.

    Raises:
        MalformedStream: it is no object, its type is unknown, a field is
            missing, or one is not of the type it should be.
    """
    word = value.get("type") if type(value) is dict else None
    if type(word) is not str:
        raise _malformed("an object with a type", value)
    kind = _EVENTS.get(word)
    if kind is None:
        raise _malformed("the type of an event", word)
    event: Event = _read_object(kind, value, word)
    return event


# --- writing -------------------------------------------------------------------

_PLAIN: Final = (str, int, float, bool)
_AS_IT_IS: Final = frozenset({*_PLAIN, NoneType, dict, list})
_PLAIN_AGAIN: Final[dict[type, Callable[[Any], Any]]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
}


_OF_THE_REQUEST: Final = frozenset(
    {"instructions", "tools", "prompt", "input", "user", "metadata", "safety_identifier"}
    | {"prompt_cache_key", "systemInstruction"}
)
"""Fields of the request that some APIs repeat in the answer: who watches did not write it."""


def _defaults(kind: type) -> tuple[tuple[str, Any], ...]:
    hints = get_type_hints(kind)
    return tuple((field.name, _default(field, hints[field.name])) for field in attrs.fields(kind))


def _default(field: attrs.Attribute[Any], hint: Any) -> Any:
    default: Any = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class at run time
        return default.factory()
    if default is attrs.NOTHING and attrs.has(hint):  # an empty one, where there can be such
        needed = any(each.default is attrs.NOTHING for each in attrs.fields(hint))
        return default if needed else hint()
    return default


_DEFAULTS: Final = _PerClass(_defaults)
"""The fields of a class, each with the value that goes unsaid (`attrs.NOTHING`: none)."""


def _fill(said: dict[str, Any], value: Any, public: bool) -> None:
    for name, default in _DEFAULTS[type(value)]:
        part = getattr(value, name)
        if part != default:
            said[name] = part if type(part) in _AS_IT_IS else _write(part, public)


def _write(value: Any, public: bool) -> Any:
    if isinstance(value, tuple):
        return [_write(each, public) for each in value]
    if isinstance(value, Exception):
        return _write_error(value, public)
    if not attrs.has(type(value)):
        return _plainly(value)
    said: dict[str, Any] = {}
    _fill(said, value, public)
    return said


def _plainly(value: Any) -> Any:
    """Make what is more than a plain value (``HTTPStatus``, an SDK's string) a plain one."""
    for kind, plain in _PLAIN_AGAIN.items():
        if isinstance(value, kind) and type(value) is not bool:
            return plain(value)
    return value


def _write_error(error: Exception, public: bool) -> dict[str, Any]:
    kind = next((each for each in type(error).__mro__ if each in _ERROR_WORDS), StreamkitError)
    ours = isinstance(error, StreamkitError)
    said: dict[str, Any] = {"code": kind.code}
    if _BY_CODE[kind.code] is not kind:
        said["type"] = _ERROR_WORDS[kind]
    said["message"] = str(error) if ours and not public else explain(kind.code)
    for name, (default, _) in _DETAILS[kind].items():
        detail = getattr(error, name, default)
        if detail != default and (_is_public(name, detail) or not public):
            said[name] = _plainly(detail)
    return said


def _is_public(name: str, detail: Any) -> bool:
    return name in _PUBLIC and not (name == "status" and about_us(detail))


# --- reading -------------------------------------------------------------------


class _Absent:
    """What came where nothing came."""

    def __repr__(self) -> str:
        return "nothing"


_ABSENT: Final = _Absent()


def _read_object(kind: type, came: Any, where: str) -> Any:
    came = {} if came is _ABSENT else came  # an empty one goes unsaid
    if type(came) is not dict:
        raise _malformed(f"{where} to be an object", came)
    given = {}
    for name, exact, read, required in _FIELDS[kind]:
        part = came.get(name, _ABSENT)
        if type(part) is exact:
            given[name] = part
        elif required or part is not _ABSENT:
            given[name] = read(part, f"{where}.{name}")
    return kind(**given)


def _read_error(came: Any, where: str) -> StreamkitError:
    if type(came) is not dict:
        raise _malformed(f"{where} to be an object", came)
    code = _text(came.get("code", _ABSENT), f"{where}.code")
    message = _text(came.get("message", _ABSENT), f"{where}.message")
    word = _text(came.get("type", ""), f"{where}.type")
    kind = _ERRORS.get(word) or _BY_CODE.get(code, StreamkitError)
    # Past __init__: what was told is the message, not what it is made of.
    error = kind.__new__(kind, message)
    for name, (default, read) in _DETAILS[kind].items():
        detail = came.get(name)
        setattr(error, name, default if detail is None else read(detail, f"{where}.{name}"))
    return error


def _exactly(kind: type, what: str) -> _Read:
    def read(came: Any, where: str) -> Any:
        if type(came) is not kind:
            raise _malformed(f"{where} to be {what}", came)
        return came

    return read


_text: Final = _exactly(str, "a string")


def _number(came: Any, where: str) -> Any:
    if type(came) not in (int, float):  # JavaScript writes 1.0 as 1
        raise _malformed(f"{where} to be a number", came)
    return came


def _anything(came: Any, where: str) -> Any:
    if came is _ABSENT:
        raise _malformed(f"{where} to be there", came)
    return came


def _finish(came: Any, where: str) -> Any:
    return came if _text(came, where) in get_args(Finish) else "other"


def _optional(read: _Read, came: Any, where: str) -> Any:
    return None if came is None else read(came, where)


def _tuple(read: _Read, came: Any, where: str) -> Any:
    if type(came) is not list:
        raise _malformed(f"{where} to be a list", came)
    return tuple(read(each, f"{where}[{at}]") for at, each in enumerate(came))


_READERS: Final[dict[Any, _Read]] = {
    str: _text,
    int: _exactly(int, "an integer"),
    bool: _exactly(bool, "true or false"),
    float: _number,
    Any: _anything,
    dict[str, Any]: _exactly(dict, "an object"),
    Finish: _finish,
    Exception: _read_error,
}


def _reader(hint: Any) -> _Read:
    if hint in _READERS:
        return _READERS[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple:
        return partial(_tuple, _reader(inner[0]))
    if origin in (Union, UnionType):
        return partial(_optional, _reader(inner[0]))
    return partial(_read_object, hint)


def _fields(kind: type) -> tuple[tuple[str, type | None, _Read, bool], ...]:
    hints = get_type_hints(kind)
    return tuple(
        (field.name, _plain(hint), _reader(hint), field.default is attrs.NOTHING)
        for field in attrs.fields(kind)
        for hint in (hints[field.name],)
    )


def _plain(hint: Any) -> type | None:
    return next((kind for kind in _PLAIN if hint in (kind, kind | None)), None)


_FIELDS: Final = _PerClass(_fields)
"""The fields of a class: name, the type that needs no reading, reader, whether it must be there."""


# --- what an error knows beside its message: exceptions are no attrs classes ----

_KNOWN: Final[dict[type, dict[str, tuple[Any, _Read]]]] = {
    StageError: {"stage": ("", _text), "final": (False, _READERS[bool])},
    ProviderError: {
        "status": (None, _READERS[int]),
        "retry_after": (None, _number),
        "provider_code": (None, _text),
    },
    Refusal: {"status": (0, _READERS[int]), "retry_after": (None, _number)},
    Stalled: {"clock": ("", _text), "seconds": (0.0, _number)},
}
_PUBLIC: Final = frozenset({"status", "retry_after"})
"""The details for anyone; the others name parts of the service, or quote the provider."""


def _details(kind: type) -> dict[str, tuple[Any, _Read]]:
    known = [_KNOWN[each] for each in reversed(kind.__mro__) if each in _KNOWN]
    return {name: detail for details in known for name, detail in details.items()}


_DETAILS: Final = _PerClass(_details)
"""The details of an error's class, each with its default and its reader."""


def _malformed(what: str, came: object) -> MalformedStream:
    try:
        quoted = repr(excerpt(came))
    except (RecursionError, ValueError):  # nested too deeply; an integer of too many digits
        quoted = f"a {type(came).__name__} that cannot be quoted"
    return MalformedStream(
        f"expected {what}; got {quoted}; check that it was written by streamkit, and by "
        "no newer version than this one: update the older side"
    )
