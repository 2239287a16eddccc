"""
Planted defects: the suite proves its own worth.

Each is one way to break streamkit, planted in a copy of it, and caught by a
test that is named beside it. ``python -m tests.defects`` shows the table.
"""

from .defect import Defect, Misplanted
from .finding import Finding
from .harness import Harness
from .planted import PLANTED

__all__ = ["PLANTED", "Defect", "Finding", "Harness", "Misplanted"]
