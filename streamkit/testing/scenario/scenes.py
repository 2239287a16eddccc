"""Scenarios that come with streamkit: the usual suspects, one text file each."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files
from typing import Final

from ...errors import MisuseError

__all__ = ["about", "scene", "scenes"]

_FOLDER: Final = "scripts"
_ENDING: Final = ".txt"


def scenes() -> dict[str, str]:
    """Give the text of every scene, by its name, in the order of the alphabet."""
    found = files(__package__).joinpath(_FOLDER).iterdir()
    texts = {
        one.name.removesuffix(_ENDING): one.read_text("utf-8")
        for one in found
        if one.name.endswith(_ENDING)
    }
    return dict(sorted(texts.items()))


def scene(name: str) -> str:
    """
    Give the text of a scene.

    Raises:
        MisuseError: there is none of that name; says which there are.
    """
    texts = scenes()
    if name in texts:
        return texts[name]
    close = get_close_matches(name, texts, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(texts)}"
    raise MisuseError(f"expected the name of a scene; got {name!r}; {hint}")


def about(text: str) -> str:
    """Say what a scenario is about: its first comment, or nothing."""
    first = text.lstrip().partition("\n")[0]
    return first.lstrip("# ").rstrip() if first.startswith("#") else ""
