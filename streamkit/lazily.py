"""Names that a package gives, and reads only when they are first asked for (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazily"]


def lazily(
    package: str, homes: Mapping[str, Iterable[str]], rooms: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """
    Give the ``__getattr__`` and the ``__dir__`` of *package*.

    The package imports the same names under ``TYPE_CHECKING``, for those who
    read it without running it. No name may be a module's of the package too:
    importing that would put the module in its place.

    Args:
        package: its full name.
        homes: by module of the package, the names that come from there.
        rooms: other modules of the package that are attributes of it, as homes are.
    """
    home_of = {name: home for home, names in homes.items() for name in names}
    modules = frozenset((*homes, *rooms))

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name in modules:
            return import_module(f"{package}.{name}")
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(f"{package}.{home_of[name]}"), name)
        setattr(sys.modules[package], name, found)  # asked once
        return found

    def __dir__() -> list[str]:  # noqa: N807
        return sorted({*vars(sys.modules[package]), *home_of, *modules})

    return __getattr__, __dir__
