"""What this process asks of others, sent by one task."""

from __future__ import annotations

from typing import Any, Final

import anyio
import attrs

from .health import BROKEN
from .keys import Keys
from .terms import Terms

__all__ = ["WAKE", "Post"]

WAKE: Final = "wake"
"""What a process says to itself: there is more to read from now on."""

_INBOX: Final = 4096
"""Messages an inbox holds, about (a count); they are read at once, and said again."""


@attrs.define(eq=False)
class Post:
    """
    Send what is asked of the writers of runs into their inboxes.

    What could not be sent is dropped: whoever wants something says it again
    until it came about.
    """

    redis: Any
    keys: Keys
    terms: Terms
    _queue: dict[tuple[str, str], float] = attrs.field(factory=dict, init=False)
    """Seconds, by run and word."""
    _more: anyio.Event = attrs.field(factory=anyio.Event, init=False)

    def send(self, run_id: str, word: str, seconds: float) -> None:
        """Have *word* said to the writer of a run, or `WAKE` to this process."""
        self._queue[run_id, word] = seconds
        self._more.set()

    async def run(self) -> None:
        """Send whatever there is to send."""
        while True:
            await self._more.wait()
            self._more = anyio.Event()
            queue, self._queue = self._queue, {}
            try:
                await self._deliver(queue)
            except BROKEN:  # the others say so
                await anyio.sleep(self.terms.beat)

    async def _deliver(self, queue: dict[tuple[str, str], float]) -> None:
        tokens = await self._tokens({run_id for run_id, word in queue if word != WAKE})
        pipe = self.redis.pipeline(transaction=False)
        for (run_id, word), seconds in queue.items():
            token = self.terms.token if word == WAKE else tokens.get(run_id)
            if token is None:  # the run has ended, or is about to
                continue
            inbox = self.keys.inbox(token)
            said = {"run": run_id, "word": word, "from": self.terms.token, "seconds": seconds}
            pipe.xadd(inbox, {name: str(value) for name, value in said.items()}, maxlen=_INBOX)
            pipe.pexpire(inbox, self.terms.keep_ms)
        await pipe.execute()

    async def _tokens(self, run_ids: set[str]) -> dict[str, str]:
        """Look up who writes these runs."""
        if not run_ids:
            return {}
        named = sorted(run_ids)
        pipe = self.redis.pipeline(transaction=False)
        for run_id in named:
            pipe.get(self.keys.lease(run_id))
        held = zip(named, await pipe.execute(), strict=True)
        return {run_id: token.decode() for run_id, token in held if token is not None}
