"""The names of what stands in Redis."""

from __future__ import annotations

import hashlib

import attrs

__all__ = ["Keys"]


@attrs.frozen
class Keys:
    """
    Where everything stands. Whatever belongs to one run has its id as hash tag::

        {run}:events    a stream of the events; an entry has the id of its last one
        {run}:fold      the events that were trimmed from it, as few as tell the same
        {run}:lease     who writes it; gone soon after its writer
        {run}:about     the digest of the request it answers
        key:<sha-256>   the run that an idempotency key stands for
        inbox:<token>   a stream: what other processes ask of one
    """

    prefix: str

    def events(self, run_id: str) -> str:
        """Name the stream of a run's events."""
        return self._of(run_id, "events")

    def fold(self, run_id: str) -> str:
        """Name what tells the events that were trimmed."""
        return self._of(run_id, "fold")

    def lease(self, run_id: str) -> str:
        """Name what says that a run's writer is alive."""
        return self._of(run_id, "lease")

    def about(self, run_id: str) -> str:
        """Name the digest of the request that a run answers."""
        return self._of(run_id, "about")

    def claim(self, key: str) -> str:
        """Name the run that an idempotency key stands for. What clients send may be anything."""
        return f"{self.prefix}key:{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()}"

    def inbox(self, token: str) -> str:
        """Name what other processes ask of the one with that token."""
        return f"{self.prefix}inbox:{token}"

    def _of(self, run_id: str, what: str) -> str:
        return f"{self.prefix}{{{run_id}}}:{what}"
