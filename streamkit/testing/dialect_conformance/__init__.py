"""
The rules of a dialect, checked: for those who write one.

`check` asks for them in their order, of one `subject`: the rules of its
`calls`, of `round_trips`, of `streams` as they come, and of `failures`.
"""

from .check import check_dialect

__all__ = ["check_dialect"]
