"""How long things stay in Redis, and who this process is."""

from __future__ import annotations

import secrets

import attrs

__all__ = ["Terms"]

_RENEWALS = 3
"""How often a lease is renewed in its time (a count)."""


@attrs.frozen
class Terms:
    """How long things stay in Redis, and who this process is."""

    lease: float
    """Seconds after which a writer that was not heard of counts as gone."""
    keep: float
    """Seconds that a run can be read after it was last written to."""
    token: str = attrs.field(factory=lambda: secrets.token_hex(8))
    """This process: what its leases say, and where its inbox is."""

    @property
    def beat(self) -> float:
        """Seconds between two renewals, and between two looks at the leases of others."""
        return self.lease / _RENEWALS

    @property
    def lease_ms(self) -> int:
        """The lease in milliseconds."""
        return max(1, round(self.lease * 1000))

    @property
    def keep_ms(self) -> int:
        """How long runs are kept, in milliseconds."""
        return max(1, round(self.keep * 1000))
