"""Entry points: stages and encoders by name. Installing a package activates nothing."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import MisuseError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

__all__ = ["ENCODERS", "STAGES", "load_encoder", "load_stage"]

STAGES = "streamkit.stages"
"""The entry-point group under which packages register stage factories."""
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


def load_encoder(name: str) -> Any:
    """Load the encoder factory of that name, as `load_stage` does, from `ENCODERS`."""
    return _load(ENCODERS, "encoder", name)


def entry_points(*, group: str) -> EntryPoints:
    """Give what is registered; few ask, and what finds it takes long to import."""
    from importlib import metadata  # noqa: PLC0415

    return metadata.entry_points(group=group)


def _load(group: str, kind: str, name: str) -> Any:
    try:
        if ":" in name:
            module, _, path = name.partition(":")
            found: Any = importlib.import_module(module)
            for part in path.split("."):
                found = getattr(found, part)
            return found
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
