"""
Healing: one line that makes an SDK's streams whole.

`HealingTransport` stands below an SDK's HTTP client. It knows a streaming
request when it sees one, runs it through the supervisor and the stages, and
hands back a clean stream of the same API; everything else passes untouched.
"""

from .transport import HealingTransport

__all__ = ["HealingTransport"]
