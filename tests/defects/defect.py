"""One way to break streamkit on purpose."""

import attrs

__all__ = ["Defect", "Misplanted"]


class Misplanted(Exception):
    """A defect was not tried: it could not be planted, or its tests could not be run."""


@attrs.frozen(kw_only=True)
class Defect:
    """One way to break streamkit, and the tests that must notice."""

    name: str
    says: str
    """What is broken, in words."""
    file: str
    """Where, from the project's root."""
    before: str
    """The text that is right; it stands there exactly once."""
    after: str
    """The text that is wrong."""
    tests: tuple[str, ...]
    """Files or node ids; one test in them fails, at least."""

    def plant(self, source: str) -> str:
        """
        Give *source* with the defect in it.

        Raises:
            Misplanted: the text to replace is not there exactly once.
        """
        times = source.count(self.before)
        if times != 1:
            raise Misplanted(
                f"{self.name}: expected in {self.file}, exactly once, the text\n{self.before}\n"
                f"it is there {times} times; the product was changed: say in "
                "tests/defects/planted.py how it is broken now"
            )
        return source.replace(self.before, self.after)
