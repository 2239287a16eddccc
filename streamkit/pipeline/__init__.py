"""What a stage is, the memory streams between stages, and who drives them."""

from .clock import Clock, SystemClock
from .line import Line
from .pipeline import Pipeline
from .recipe import Recipe
from .segment import Over
from .stage import (
    AsyncStage,
    Broken,
    Emit,
    EventReceiver,
    EventSender,
    Fan,
    Folding,
    Item,
    Log,
    Parsing,
    Source,
    Taps,
    TimedTransform,
    Transform,
)
from .without import Without

__all__ = [
    "AsyncStage",
    "Broken",
    "Clock",
    "Emit",
    "EventReceiver",
    "EventSender",
    "Fan",
    "Folding",
    "Item",
    "Line",
    "Log",
    "Over",
    "Parsing",
    "Pipeline",
    "Recipe",
    "Source",
    "SystemClock",
    "Taps",
    "TimedTransform",
    "Transform",
    "Without",
]
