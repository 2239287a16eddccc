"""What other people's clients leave behind."""

import pytest

LEFT_BY_SDKS = pytest.mark.filterwarnings(
    # At the last event, and where it raises, an SDK leaves its own generators, and its
    # HTTP client's, to the garbage collector, which trio tells of. None of them is ours.
    "ignore:Exception ignored in. <async_generator object "
    "(AsyncStream|SSEDecoder|Response|\\w*ByteStream|\\w*ResponseStream|BoundAsyncStream)"
    ":pytest.PytestUnraisableExceptionWarning"
)
