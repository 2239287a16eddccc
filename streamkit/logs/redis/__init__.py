"""
Runs in Redis Streams: asked for in one process, watched in any.

::

    RedisLog ── Written ──► Writer ══► Redis ══► Tailer ──► Mirror
                (ours)      one task             one task   (theirs)
       │                                            │
       └─ claim, find                    Guests ◄───┘ inbox ◄══ Post

`Written` and `Mirror` are logs in memory: whoever watches reads those.
"""

from .log import RedisLog

__all__ = ["RedisLog"]
