"""
The command line: argument parsing and display only.

Needs click and rich (``pip install 'streamkit[cli]'``); nothing else in
streamkit imports them, and this file says so plainly where they are missing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]

_MISUSE = 2
_INTERRUPTED = 130  # 128 + SIGINT, as a shell says it


def main(args: Sequence[str] | None = None) -> int:
    """
    Run the command line.

    Args:
        args: what follows the program's name; None takes ``sys.argv``.

    Returns:
        The exit status: 0; 1 for a failure; 2 for misuse, or where click and
        rich are not installed; 130 after Ctrl-C.
    """
    try:
        from .app import run  # noqa: PLC0415 (what it imports may be missing)

        return run(args)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in ("click", "rich"):
            raise
        sys.stderr.write(
            "error: the command line needs click and rich; "
            "install them with: pip install 'streamkit[cli]'\n"
        )
        return _MISUSE
    except KeyboardInterrupt:
        return _INTERRUPTED
