"""The points in a stream at which a fault can strike."""

from enum import Enum

__all__ = ["Point"]


class Point(Enum):
    """Where a fault strikes."""

    HEAD = "before the head"
    BYTE = "before any byte"
    ROLE = "after the role"
    CONTENT = "in the content"
    FRAME = "in a frame"
    CHARACTER = "in a character"
    CONTENTS_END = "before the finish"
    FINISH = "behind the finish"
    USAGE = "behind usage"
    DONE = "behind [DONE]"
