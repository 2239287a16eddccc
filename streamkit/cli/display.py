"""What shows the demo."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from .account import Account
from .backstage import Call
from .scenes import Scene
from .verdict import Verdict

__all__ = ["Display"]


class Display(Protocol):
    """Shows scenes as they are run; entered before the first, left whatever happens."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""

    def open(self, question: str, scenes: int) -> None:
        """Say what is going to be seen: so many scenes, the same question in each."""

    def begin(self, scene: Scene) -> None:
        """Open a scene."""

    def update(self, account: Account, calls: Sequence[Call]) -> None:
        """Show what is new in the scene."""

    def end(self, verdict: Verdict) -> None:
        """Close the scene with what came of it."""

    def close(self, verdicts: Sequence[Verdict]) -> None:
        """Sum up."""
