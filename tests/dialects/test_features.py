"""The page of dialects says what the code does."""

import pytest

from streamkit.dialects import _DIALECTS

from .features import FEATURES, PAGE, Probe, page


def test_the_page_is_what_the_dialects_say():
    """Run ``python -m tests.dialects.features --write`` where it is not."""
    assert page() == PAGE.read_text("utf-8")


@pytest.mark.parametrize("name", sorted(_DIALECTS))
def test_every_feature_has_an_answer(name):
    """Each dialect says something of each, and all of them text, calls and an end."""
    found = {feature: found(Probe(name)) for feature, found in FEATURES.items()}
    assert all(found.values())
    assert {"reads, writes"} == {found["text"], found["tool calls"]}
    assert "`finish_reason`" in found["proof of the end"]
