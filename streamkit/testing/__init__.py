"""
Tools to test a client of streaming providers, ours or yours.

`FaultProvider` is a real HTTP server on loopback that runs inside the test's
own event loop and misbehaves on cue: each request gets a `Reply`, a list of
steps, and what was asked is recorded. `answers` writes bodies in OpenAI's
chat format for it::

    healthy = Reply(*answers.text_stream("Hel", "lo"))
    cut = Reply(*answers.text_stream("Hel", "lo")[:2], Drop())

    async with FaultProvider(stream=[cut, healthy]) as provider:
        ...  # point any client at provider.url
        first = provider.requests[0]
        assert first.json["stream"] is True

=============  ==========================================================
bytes or str   one HTTP chunk, in its own send
`Pause`        say nothing for some seconds
`Until`        say nothing until the test says so
`KeepAlive`    repeat a comment until the client goes away
`Hold`         say nothing more until the client goes away
`NeverEnd`     the same, by the name of what it omits: the end of the body
`Drop`         close the connection without ending the body
`HalfClose`    send EOF without ending the body, and keep reading
`Reset`        close the connection with a TCP reset
=============  ==========================================================

A `Scenario` says the same in a small language, in the frames of any dialect
(`streamkit.testing.scenario` has all of its words)::

    FaultProvider.scripted('''
        stream
            text "Hel" "lö"
            finish stop
            cut in utf-8
    ''')

Needs h11: ``pip install 'streamkit[testing]'``.
"""

from . import answers
from .bench import JumpingClock
from .conformance import ConformanceError, check_stage
from .dialect_conformance import check_dialect
from .provider import FaultProvider
from .recorded import Recorded
from .reply import Framing, Reply
from .scenario import Act, Scenario
from .script import Script
from .steps import (
    Drop,
    HalfClose,
    Hold,
    KeepAlive,
    NeverEnd,
    Pause,
    Reset,
    Step,
    Until,
    Wire,
)

__all__ = [
    "Act",
    "ConformanceError",
    "Drop",
    "FaultProvider",
    "Framing",
    "HalfClose",
    "Hold",
    "JumpingClock",
    "KeepAlive",
    "NeverEnd",
    "Pause",
    "Recorded",
    "Reply",
    "Reset",
    "Scenario",
    "Script",
    "Step",
    "Until",
    "Wire",
    "answers",
    "check_dialect",
    "check_stage",
]
