"""A chunk that is like the one before but for its text, told from its characters alone."""

from __future__ import annotations

from typing import Self

import attrs

from ..framing import decode_strictly

__all__ = ["Template"]


@attrs.frozen(eq=False)
class Template:
    """
    The JSON around one string.

    Nearly every chunk of an answer is a known envelope around a new piece of
    text. What begins and ends like the one before, and has between the two
    what can be nothing but the inside of a string, need not be parsed.
    """

    _before: str
    _behind: str

    @classmethod
    def of(cls, data: str, *path: str | int) -> Self | None:
        """
        Make the template of *data*.

        Args:
            data: a JSON text.
            path: the keys and indices that lead to the string.

        Returns:
            None where the string is written with escapes, or cannot be found
            for certain: another one in its place must be read as that other.
        """
        try:
            value = holder = decode_strictly(data)
            *way, last = path
            for step in way:
                holder = holder[step]
            text = holder[last]
            start = data.find(f'"{text}"') + 1
            before, behind = data[:start], data[start + len(text) :]
            holder[last] = probe = f"{text}+"  # another, whatever it is
            certain = start > 0 and decode_strictly(before + probe + behind) == value
        except (ValueError, LookupError, TypeError, RecursionError):
            return None
        return cls(before, behind) if certain else None

    def read(self, data: str) -> str:
        """Give the string that *data* has in the place; empty where it must be parsed."""
        if data.startswith(self._before) and data.endswith(self._behind):
            text = data[len(self._before) : -len(self._behind)]
            # What is printable has no control characters, which JSON does not allow.
            if text.isprintable() and '"' not in text and "\\" not in text:
                return text
        return ""
