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
    serving                             runs to pages and services: SSE, resume, drain
    testing                             a provider that misbehaves, for your tests and ours
    cli                                 ``streamkit demo``
"""

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
