"""The page of the matrix says what is tested."""

from .running import SOON
from .table import PAGE, page


def test_the_page_is_what_the_matrix_writes():
    """Run ``python -m tests.matrix --write`` where it is not."""
    assert page(SOON) == PAGE.read_text("utf-8")
