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

from typing import TYPE_CHECKING as _TYPE_CHECKING

from .lazily import lazily as _lazily

if _TYPE_CHECKING:
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
    from .supervised import supervise
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

if not _TYPE_CHECKING:
    # Nothing is read before it is asked for: the rooms take longer than what they stand on.
    __getattr__, __dir__ = _lazily(
        __name__,
        {
            "client": ("Client",),
            "errors": (
                "FrameTooLarge",
                "InBandError",
                "LimitExceeded",
                "LogError",
                "MalformedStream",
                "MisuseError",
                "ProducerLost",
                "ProviderError",
                "Refusal",
                "Rejected",
                "ResponseTooLarge",
                "RetractedAnswer",
                "StageError",
                "Stalled",
                "StreamkitError",
                "TransportError",
                "TruncatedStream",
            ),
            "limits": ("Limits",),
            "pipeline": ("Pipeline", "Recipe"),
            "policy": ("ReroutePolicy",),
            "response": ("Choice", "Response", "Timings", "ToolCall", "Usage"),
            "stages": (
                "Accumulator",
                "Buffered",
                "ChunkParser",
                "EventFanout",
                "Suppressor",
                "Transport",
            ),
            "supervised": ("supervise",),
            "supervisor": ("Run", "Supervisor"),
        },
        rooms=(
            "cancellation",
            "dialects",
            "events",
            "framing",
            "healing",
            "logger",
            "logs",
            "plugins",
            "remote",
            "replay",
        ),
    )
