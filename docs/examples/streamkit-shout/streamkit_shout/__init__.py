"""A stage that shouts."""

from collections.abc import Sequence

import attrs

from streamkit.events import Event, TextDelta

__all__ = ["Shout"]


class Shout:
    """Give the text in capitals."""

    def __call__(self, event: Event) -> Sequence[Event]:
        """Raise the voice of text; pass on all else."""
        if not isinstance(event, TextDelta):
            return (event,)
        return (attrs.evolve(event, text=event.text.upper()),)
