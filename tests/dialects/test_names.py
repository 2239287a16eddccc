"""Dialects by name."""

import pytest

from streamkit import dialects
from streamkit.dialects import get_dialect
from streamkit.errors import MisuseError


@pytest.mark.parametrize("name", sorted(dialects._DIALECTS))
def test_a_dialect_is_found_by_the_name_it_has(name):
    """The table that saves reading every dialect says what each says itself."""
    found = get_dialect(name)

    assert name == found.name
    assert found is get_dialect(found)


def test_a_name_that_is_none_is_told_the_others():
    """Whoever mistypes reads what there is."""
    with pytest.raises(MisuseError, match=r"anthropic-messages, .*openai-chat"):
        get_dialect("nonesuch")
