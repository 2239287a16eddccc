"""
Streaming of LLM answers that never breaks the call.

The house, from the ground up; each room imports only those above it::

    events  errors  response  limits    the vocabulary
    codec                               events as streamkit's own JSON, and back
    framing                             bytes to frames
    dialects                            frames to events and back, one file per provider API
    policy                              pure decisions: clocks, evidence, ledger, reroute
    pipeline                            what a stage is, and who drives it
    stages  logs                        the stage library; where a run's events live
    supervisor                          attempts, delivery, runs
    client                              all of it, wired for one provider
    serving  remote                     runs to pages and services, and back: SSE, resume, drain
    healing                             a transport that makes the streams of SDKs whole
    testing                             a provider that misbehaves, for your tests and ours
    cli                                 ``streamkit demo``
"""

from importlib import import_module as _import_module
from typing import Any as _Any

from . import events
from .client import Client
from .errors import (
    FrameTooLarge,
    InBandError,
    LimitExceeded,
    LogError,
    MalformedStream,
    MisuseError,
    ProducerLost,
    ProviderError,
    Refusal,
    Rejected,
    ResponseTooLarge,
    RetractedAnswer,
    StageError,
    Stalled,
    StreamkitError,
    TransportError,
    TruncatedStream,
)
from .limits import Limits
from .pipeline import Pipeline, Recipe
from .policy import ReroutePolicy
from .response import Choice, Response, Timings, ToolCall, Usage
from .stages import (
    Accumulator,
    Buffered,
    ChunkParser,
    EventFanout,
    Suppressor,
    Transport,
)
from .supervise import supervise
from .supervisor import Run, Supervisor

__version__ = "0.1.0"

__all__ = [
    "Accumulator",
    "Buffered",
    "Choice",
    "ChunkParser",
    "Client",
    "EventFanout",
    "FrameTooLarge",
    "InBandError",
    "LimitExceeded",
    "Limits",
    "LogError",
    "MalformedStream",
    "MisuseError",
    "Pipeline",
    "ProducerLost",
    "ProviderError",
    "Recipe",
    "Refusal",
    "Rejected",
    "ReroutePolicy",
    "Response",
    "ResponseTooLarge",
    "RetractedAnswer",
    "Run",
    "StageError",
    "Stalled",
    "StreamkitError",
    "Supervisor",
    "Suppressor",
    "Timings",
    "ToolCall",
    "Transport",
    "TransportError",
    "TruncatedStream",
    "Usage",
    "events",
    "supervise",
]


def __getattr__(name: str) -> _Any:
    """Give `streamkit.healing` and `streamkit.remote`, read when they are first asked for."""
    if name in {"healing", "remote"}:
        return _import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
