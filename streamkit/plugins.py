"""Entry points: stages, dialects, encoders by name. Installing a package activates nothing."""

from __future__ import annotations

import importlib
from typing import Any

from .errors import MisuseError

__all__ = ["DIALECTS", "ENCODERS", "STAGES", "load_dialect", "load_encoder", "load_stage"]

STAGES = "streamkit.stages"
"""The entry-point group under which packages register stage factories."""
DIALECTS = "streamkit.dialects"
"""The entry-point group under which packages register dialects, or what makes them."""
ENCODERS = "streamkit.encoders"
"""The entry-point group under which packages register encoder factories."""


def load_stage(name: str) -> Any:
    """
    Load the stage factory of that name.

    Args:
        name: ``package.module:factory``, or a name registered under `STAGES`.

    Raises:
        MisuseError: there is none, or it cannot be imported.
    """
    return _load(STAGES, "stage", name)


def load_dialect(name: str) -> Any:
    """Load the dialect of that name, or its factory, as `load_stage` does, from `DIALECTS`."""
    return _load(DIALECTS, "dialect", name)


def load_encoder(name: str) -> Any:
    """Load the encoder factory of that name, as `load_stage` does, from `ENCODERS`."""
    return _load(ENCODERS, "encoder", name)


def _load(group: str, kind: str, name: str) -> Any:
    try:
        if ":" in name:
            module, _, path = name.partition(":")
            found: Any = importlib.import_module(module)
            for part in path.split("."):
                found = getattr(found, part)
            return found
        from importlib.metadata import entry_points  # noqa: PLC0415 (few ask, and it takes long)

        registered = entry_points(group=group)
        if name in registered.names:
            return registered[name].load()
    except Exception as error:  # a module may raise anything while it is imported
        raise MisuseError(f"expected {kind} {name!r} to be importable; got: {error}") from error
    known = ", ".join(sorted(registered.names)) or "none"
    raise MisuseError(
        f"expected a registered {kind} or 'package.module:factory'; got {name!r}; "
        f"registered here: {known}"
    )
