"""Ways to fill a log and to read it, shared by the tests of logs."""

from collections import defaultdict

import anyio

from streamkit.events import (
    ReasoningDelta,
    RefusalDelta,
    ResponseCompleted,
    TextDelta,
    ToolCallDelta,
)
from streamkit.logs import MemoryLog

END = ResponseCompleted()
DELTAS = TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta


def letters(text):
    """One delta a character."""
    return [TextDelta(letter) for letter in text]


def filled(*batches, window=1024):
    """A log with these batches, of one epoch. Gives the log and its epoch."""
    log = MemoryLog("run", window)
    epoch = log.begin()
    for batch in batches:
        assert log.append(epoch, batch)
    return log, epoch


async def take(cursor, count):
    """The next *count* events."""
    return [await anext(cursor) for _ in range(count)]


async def rest(cursor):
    """Every event to the end."""
    return [event async for event in cursor]


def told(events):
    """What deltas say, joined by channel, choice, call and field; all other events in order."""
    words, others = defaultdict(str), []
    for event in events:
        if isinstance(event, ToolCallDelta) and not (event.id or event.name or event.extra):
            words["call", event.choice, event.call] += event.arguments
        elif isinstance(event, TextDelta | ReasoningDelta | RefusalDelta):
            words[type(event), event.choice, getattr(event, "field", "")] += event.text
        else:
            others.append(event)
    return {key: text for key, text in words.items() if text}, others


class Waiter:
    """A writer that waits for room, in a task of its own."""

    def __init__(self, log):
        self.log, self.done = log, anyio.Event()

    async def __call__(self):
        await self.log.room()
        self.done.set()
