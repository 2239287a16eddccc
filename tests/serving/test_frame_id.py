"""The ids of frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.serving.frame_id import MAX_ID, START, FrameId


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1-7", FrameId("1-7")),
        ("1-6.2", FrameId("1-6", 2)),
        ("1-7+3", FrameId("1-7", beats=3)),
        ("0-0.1+2", FrameId(START, 1, 2)),
        ("0-0~3", FrameId("0-0~3")),
        ("0-0~3.1", FrameId("0-0~3", 1)),
        ("", FrameId("")),
        ("-1", FrameId("-1")),
        ("1-7.x", FrameId("1-7.x")),
        ("1-7." + "9" * 30, FrameId("1-7." + "9" * 30)),
        ("x" * 1000, FrameId("x" * MAX_ID)),
    ],
)
def test_an_id_says_where_a_client_stands(text, expected):
    """The last event told whole, and how many frames of the next."""
    assert expected == FrameId.parse(text)


@given(st.text())
def test_whatever_a_client_sends_is_read(text):
    """Nothing is refused; what is no id of ours stands nowhere in a log."""
    assert len(FrameId.parse(text).event) <= MAX_ID
