"""What became of one defect."""

import attrs

from .defect import Defect

__all__ = ["Finding"]


@attrs.frozen(kw_only=True)
class Finding:
    """What became of one defect: caught, survived, or never tried."""

    defect: Defect
    seconds: float
    caught_by: str | None = None
    """The node id of the first test that failed; None where none did."""
    problem: str | None = None
    """Why it could not be tried; None where it was."""

    @property
    def caught(self) -> bool:
        """Whether a test failed because of it."""
        return self.caught_by is not None

    @property
    def verdict(self) -> str:
        """The finding in words: who caught it, or what went wrong."""
        return self.problem or self.caught_by or "SURVIVED: no test failed"
