"""
What lightspeed's clients read, in its two vocabularies.

`LightspeedSeed` writes what the service wrote when it streamed agents' turns:
each row of its ``stream_build_event`` (lightspeed-stack, pull request 254).
`LightspeedCurrent` writes what it writes today, and what its client on npm
(``@redhat-cloud-services/lightspeed-client`` 0.15.0) reads.

Both are the same JSON in nameless frames: ``{"event": …, "data": {…}}``.
Divergences from a literal copy, each towards telling a thing once, and truly:

1. Every ``id`` that counts is a frame's own; the seed's repeated, and skipped.
2. Each run has one end: an ``error`` is told and nothing behind it.
3. An error is a sentence of ours, never the provider's message.
4. ``token`` is the answer and nothing else, but for the seed's shields, whose
   role says so; what tools say is never in it.
5. Token counts are told where they are known.
6. Documents are found in whatever Python or JSON wrote them, apostrophes and
   all; and among the citations of an answer.
"""

from .current import LightspeedCurrent
from .seed import LightspeedSeed

__all__ = ["LightspeedCurrent", "LightspeedSeed"]
