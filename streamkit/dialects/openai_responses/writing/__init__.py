"""
What the encoder writes, as far as it was told.

A response is an `Envelope` around items; those that were `Told` stand in their
order, the `Calls` among them. Every event has its number (`Numbered`).
"""

from .calls import Calls
from .envelope import Envelope, error_json
from .numbered import Numbered
from .told import Told

__all__ = ["Calls", "Envelope", "Numbered", "Told", "error_json"]
