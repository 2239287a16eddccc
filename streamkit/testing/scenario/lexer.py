"""A line of a scenario as words, strings and JSON objects."""

from __future__ import annotations

import json
import re
from typing import Any, Final, Literal, TypeAlias

import attrs

__all__ = ["Kind", "Token", "Tokens", "Unreadable", "quote", "tokens_of", "word_or_string"]

Kind: TypeAlias = Literal["word", "string", "object"]

_WORD: Final = re.compile(r'[^\s"{]+')
_PLAIN: Final = re.compile(r"[\w.:/;=+-]+", re.ASCII)
_KEPT: Final = frozenset({"none"})
"""Words that mean something where a value may stand: as a value they are quoted."""
_JSON: Final = json.JSONDecoder(strict=False)


class Unreadable(ValueError):
    """A line cannot be read; says why."""


@attrs.frozen
class Token:
    """One word, string (in JSON's quotes) or JSON object of a line."""

    kind: Kind
    source: str
    """As it was written."""
    value: Any
    """What it means: text, or the object."""


def tokens_of(line: str) -> list[Token]:
    """
    Cut a line into tokens; ``#`` where one could begin leaves the rest out.

    Raises:
        Unreadable: a string or an object is none, or does not end.
    """
    found: list[Token] = []
    at = _skip(line, 0)
    while at < len(line) and line[at] != "#":
        token = _json_at(line, at) if line[at] in '"{' else _word_at(line, at)
        found.append(token)
        at = _skip(line, at + len(token.source))
    return found


def quote(text: str) -> str:
    """Write *text* as a string of one line; what has no UTF-8 is escaped."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(text)
    return json.dumps(text, ensure_ascii=False)


def word_or_string(text: str) -> str:
    """Write *text* as a word where it can be one, else as a string."""
    return text if _PLAIN.fullmatch(text) and text not in _KEPT else quote(text)


@attrs.define(eq=False)
class Tokens:
    """The tokens of one line, taken from left to right."""

    _left: list[Token]

    def __bool__(self) -> bool:
        return bool(self._left)

    def __str__(self) -> str:
        return " ".join(token.source for token in self._left)

    def skip(self, *words: str) -> bool:
        """Take these *words* if they come next; say whether they did."""
        head = [(token.kind, token.value) for token in self._left[: len(words)]]
        if head != [("word", word) for word in words]:
            return False
        del self._left[: len(words)]
        return True

    def comes(self, *kinds: Kind) -> bool:
        """Whether a token of one of these *kinds* comes next."""
        return bool(self._left) and self._left[0].kind in kinds

    def take(self, what: str, *kinds: Kind) -> Token:
        """
        Take the next token.

        Args:
            what: it is, for the message.
            kinds: it may be of.

        Raises:
            Unreadable: it is of another kind, or there is none.
        """
        if not self.comes(*kinds):
            raise Unreadable(f"expected {what}; got {str(self) or 'the end of the line'}")
        return self._left.pop(0)


def _skip(line: str, at: int) -> int:
    while at < len(line) and line[at] in " \t\r":
        at += 1
    return at


def _word_at(line: str, at: int) -> Token:
    found = _WORD.match(line, at)
    if found is None:  # another blank than space and tab
        raise Unreadable(f"expected words, divided by spaces; got {line[at]!r}")
    return Token("word", found[0], found[0])


def _json_at(line: str, at: int) -> Token:
    try:
        value, end = _JSON.raw_decode(line, at)
    except (ValueError, RecursionError):
        what = "a string in double quotes" if line[at] == '"' else "a JSON object"
        raise Unreadable(f"expected {what}, written as JSON; got {line[at:]}") from None
    return Token("string" if line[at] == '"' else "object", line[at:end], value)
