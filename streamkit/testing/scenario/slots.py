"""The slots of lines: values, read and written alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, ClassVar, Final

import attrs

from ...codec import from_json, to_json
from ...errors import MalformedStream, MisuseError
from ...framing import encode
from .content import pieces_of
from .faults import is_seconds
from .lexer import Kind, Tokens, Unreadable, quote, tokens_of, word_or_string

__all__ = [
    "Arguments",
    "Const",
    "Count",
    "EventJson",
    "Headers",
    "Noise",
    "Optional",
    "Pieces",
    "Seconds",
    "String",
    "Value",
    "ValueOrNone",
    "short",
]

_COUNT: Final = re.compile(r"\d{1,9}", re.ASCII)
_SECONDS: Final = re.compile(r"(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)


def short(seconds: float) -> str:
    """Write a time so that it is read back as it is."""
    return repr(float(seconds)).removesuffix(".0")


@attrs.frozen
class _Named:
    kinds: ClassVar[tuple[Kind, ...]] = ("word",)
    """What a value is written as."""

    name: str
    """The attribute that has the value, seen from the line; its last part names the argument."""

    def of(self, line: Any) -> Any:
        """Give the value that *line* has."""
        return attrgetter(self.name)(line)

    def values(self, value: Any) -> dict[str, Any]:
        """Give the *value* by the argument's name."""
        return {self.name.rpartition(".")[2]: value}


@attrs.frozen
class Seconds(_Named):
    """A time, such as 0.2."""

    def read(self, tokens: Tokens) -> dict[str, Any]:
        """Take a number that is not negative."""
        token = tokens.take("seconds, such as 0.2", "word")
        if not (_SECONDS.fullmatch(token.value) and is_seconds(float(token.value))):
            raise Unreadable(f"expected seconds, such as 0.2; got {token.source}")
        return self.values(float(token.value))

    def write(self, line: Any) -> Iterator[str]:
        """Write it as short as it can be read back."""
        yield short(self.of(line))


@attrs.frozen
class Count(_Named):
    """A whole number."""

    def read(self, tokens: Tokens) -> dict[str, Any]:
        """Take digits."""
        token = tokens.take("a whole number", "word")
        if not _COUNT.fullmatch(token.value):
            raise Unreadable(f"expected a whole number; got {token.source}")
        return self.values(int(token.value))

    def write(self, line: Any) -> Iterator[str]:
        """Write the digits."""
        yield str(self.of(line))


@attrs.frozen
class String(_Named):
    """A text in quotes."""

    kinds = ("string",)

    def read(self, tokens: Tokens) -> dict[str, Any]:
        """Take a string."""
        return self.values(tokens.take('a text in quotes, such as "Hello"', "string").value)

    def write(self, line: Any) -> Iterator[str]:
        """Write it in quotes."""
        yield quote(self.of(line))


@attrs.frozen
class Value(_Named):
    """A word, or a text in quotes."""

    kinds = ("word", "string")

    def read(self, tokens: Tokens) -> dict[str, Any]:
        """Take either."""
        return self.values(tokens.take("a word, or a text in quotes", "word", "string").value)

    def write(self, line: Any) -> Iterator[str]:
        """Write it without quotes where it can be."""
        yield word_or_string(self.of(line))


@attrs.frozen
class ValueOrNone(Value):
    """A value, or the word ``none``."""

    def read(self, tokens: Tokens) -> dict[str, Any]:
        """Take either."""
        return self.values(None) if tokens.skip("none") else Value.read(self, tokens)

    def write(self, line: Any) -> Iterator[str]:
        """Write either."""
        yield "none" if self.of(line) is None else word_or_string(self.of(line))


@attrs.frozen
class Const:
    """Words that always stand there."""

    words: tuple[str, ...]

    def read(self, tokens: Tokens) -> dict[str, Any]:
        """Take them."""
        if not tokens.skip(*self.words):
            raise Unreadable(f"expected '{' '.join(self.words)}'; got {_rest(tokens)}")
        return {}

    def write(self, _line: Any) -> Iterator[str]:
        """Write them."""
        yield from self.words


@attrs.frozen
class Optional:
    """A slot that may be left out."""

    slot: Count | Seconds | String | Value
    default: Any
    """The value that is left out."""
    words: tuple[str, ...] = ()
    """What introduces it; without, a token of its kind does."""

    def read(self, tokens: Tokens) -> dict[str, Any]:
        """Take it, if it comes."""
        comes = tokens.skip(*self.words) if self.words else tokens.comes(*self.slot.kinds)
        return self.slot.read(tokens) if comes else {}

    def write(self, line: Any) -> Iterator[str]:
        """Write it, if it is not the usual one."""
        if self.slot.of(line) != self.default:
            yield from self.words
            yield from self.slot.write(line)


@attrs.frozen
class Pieces:
    """Texts in quotes; or one, and into how many it is cut."""

    def read(self, tokens: Tokens) -> dict[str, Any]:
        """Take at least one."""
        pieces = [tokens.take('a text in quotes, such as "Hello"', "string").value]
        while tokens.comes("string"):
            pieces.append(tokens.take("a text", "string").value)
        if len(pieces) == 1 and tokens.skip("in"):
            pieces = [*pieces_of(pieces[0], Count("into").read(tokens)["into"])]
        return {"pieces": pieces}

    def write(self, line: Any) -> Iterator[str]:
        """Write each."""
        return map(quote, line.pieces)


@attrs.frozen
class Arguments:
    """A tool's arguments: a JSON object, and into how many it is cut; or its pieces; or none."""

    def read(self, tokens: Tokens) -> dict[str, Any]:
        """Take them."""
        if tokens.comes("string"):
            return Pieces().read(tokens)
        if not tokens.comes("object"):
            return {"pieces": []}
        source = tokens.take("a JSON object", "object").source
        into = Count("into").read(tokens)["into"] if tokens.skip("in") else 1
        return {"pieces": pieces_of(source, into)}

    def write(self, line: Any) -> Iterator[str]:
        """Write the object where the pieces are its nearly equal parts, else the pieces."""
        text, into = "".join(line.pieces), len(line.pieces)
        if not (_is_object(text) and into <= len(text) and pieces_of(text, into) == line.pieces):
            yield from map(quote, line.pieces)
            return
        yield text
        if into > 1:
            yield f"in {into}"


@attrs.frozen
class Headers:
    """Names and values of headers."""

    def read(self, tokens: Tokens) -> dict[str, Any]:
        """Take pairs, as long as words come."""
        headers: dict[str, str] = {}
        while tokens.comes("word"):
            name = tokens.take("a header's name", "word").value
            headers[name] = tokens.take(f"the value of {name}", "word", "string").value
        return {"headers": headers}

    def write(self, line: Any) -> Iterator[str]:
        """Write the pairs."""
        for name, value in line.headers:
            if word_or_string(name) != name:
                raise MisuseError(f"expected a header's name of plain letters; got {name!r}")
            yield f"{name} {word_or_string(value)}"


@attrs.frozen
class Noise:
    """A text in quotes, or how many bytes of noise."""

    def read(self, tokens: Tokens) -> dict[str, Any]:
        """Take either."""
        if tokens.comes("string"):
            return String("what").read(tokens)
        return {**Count("what").read(tokens), **Const(("bytes",)).read(tokens)}

    def write(self, line: Any) -> Iterator[str]:
        """Write either."""
        yield quote(line.what) if isinstance(line.what, str) else f"{line.what} bytes"


@attrs.frozen
class EventJson:
    """An event as `streamkit.codec` writes it."""

    def read(self, tokens: Tokens) -> dict[str, Any]:
        """Take an object that is an event."""
        value = tokens.take("an event as a JSON object", "object").value
        try:
            return {"event": from_json(value)}
        except MalformedStream as error:
            raise Unreadable(str(error)) from error

    def write(self, line: Any) -> Iterator[str]:
        """Write the object."""
        yield encode(to_json(line)).decode()


def _rest(tokens: Tokens) -> str:
    return str(tokens) or "the end of the line"


def _is_object(text: str) -> bool:
    """Whether *text* in a line is one JSON object, and nothing else."""
    try:
        return (
            "\n" not in text
            and [token.source for token in tokens_of(text)] == [text]
            and (tokens_of(text)[0].kind == "object")
        )
    except Unreadable:
        return False
