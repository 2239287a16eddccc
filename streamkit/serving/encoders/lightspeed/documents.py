"""The documents an answer refers to."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from ....framing import decode

__all__ = ["Document", "Documents"]

_MARK: Final = "Metadata: {"
"""How the line begins that tells of a found text where it is from."""
_LONGEST: Final = 64 * 1024
"""A line beyond this is no document's metadata (characters): Python's parser is not for that."""
_URL: Final = ("docs_url", "doc_url", "url")
_TITLE: Final = ("title", "document_title")


@attrs.frozen
class Document:
    """One document: what is known of it."""

    url: str | None = None
    title: str | None = None
    source: str | None = None
    id: str | None = None


@attrs.define(eq=False)
class Documents:
    """
    The documents of one answer, each once, in the order they were found.

    One is known by its ``document_id``, or by its URL where it has none; what
    is read of it last counts.
    """

    _found: dict[tuple[str, str], Document] = attrs.field(factory=dict, init=False)
    """By the channel it was told in, and what it is known by."""

    def read(self, text: str) -> None:
        """Find the documents in what a search of an agent's gave back."""
        for line in text.split("\n"):
            if line.startswith(_MARK) and len(line) <= _LONGEST:
                self._add("tool_calls", _parsed(line.removeprefix(_MARK[:-1]).strip()))

    def cite(self, citation: Mapping[str, Any]) -> None:
        """Take a citation of the answer, in the shape of the chat API or flat."""
        nested = citation.get("url_citation")
        self._add("citations", nested if isinstance(nested, dict) else citation)

    def forget(self, channel: str) -> None:
        """Forget those that were told in *channel*: it was retracted."""
        self._found = {key: found for key, found in self._found.items() if key[0] != channel}

    def __iter__(self) -> Iterator[Document]:
        return iter(self._found.values())

    def _add(self, channel: str, told: Mapping[str, Any]) -> None:
        url, title, source = (_word(told, *keys) for keys in (_URL, _TITLE, ("source",)))
        id_ = str(told.get("document_id") or "") or None
        if known := id_ or url:
            self._found[channel, known] = Document(url, title, source, id_)


def _parsed(text: str) -> Mapping[str, Any]:
    """Read an object as JSON or Python wrote it; an empty one where it is neither."""
    try:
        value = decode(text)
    except ValueError:
        value = _literal(text)
    return value if isinstance(value, dict) else {}


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _word(told: Mapping[str, Any], *keys: str) -> str | None:
    """Give the first of these fields that says something."""
    words = (told.get(key) for key in keys)
    return next((word for word in words if isinstance(word, str) and word), None)
