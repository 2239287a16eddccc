r"""
Scenarios: what a provider says and what it does wrong, in a small language.

A scenario is a value, and text; a `FaultProvider` plays either, in the frames
of any dialect, over real connections::

    FaultProvider.scripted('''
        stream                          # what streaming requests get, in turn;
            text "Hello, " "wörld."     # the last act is repeated
            finish stop
            cut in utf-8
        buffered                        # what all other requests get
            text "Hello, wörld."
    ''')

    Scenario(
        stream=Act(Text("Hello, ", "wörld."), Finish("stop"), At(InUtf8(), Drop())),
        buffered=Act(Text("Hello, wörld.")),
    )

What you write is what is sent, line by line. Nothing is added: without a
``finish`` the answer does not end. Frames are numbered from 1, as the dialect
writes them, before any is sent twice or moved.

==============================================  ==============================
``text "PIECE"...``, ``text "ALL" in N``        `Text`
``reasoning``, ``refusal``, the same way        `Reasoning`, `Refusal`
``tool NAME {"json": "object"} [in N] [id ID]``  `Tool`, `pieces_of`
``tool NAME "PIECE"...``                        `Tool`
``choice N``: of which the lines below are      ``choice=N``
``finish [REASON]``                             `Finish`
``usage INPUT OUTPUT``                          `Usage`
``error "MESSAGE" [type TYPE] [code CODE]``     `Error`
``done``, ``no done``                           `Done`
``event {"type": "tool_result", ...}``          any event (`streamkit.codec`)
==============================================  ==============================

These happen where they stand, or at a place: ``after N bytes``, ``in frame N``,
``behind frame N``, ``in utf-8``, ``in arguments``, ``before head`` (`AfterBytes`,
`InFrame`, `BehindFrame`, `InUtf8`, `InArguments`, `BeforeHead`, with `At`).

=============================================  ===============================
``pause SECONDS``                              `Pause`
``keep-alives N every SECONDS``                `KeepAlive`
``stall``                                      `Hold`
``stall with keep-alives every SECONDS``       `KeepAlive`
``cut``: close, the body unended               `Drop`
``reset``                                      `Reset`
``half-close``                                 `HalfClose`
``end``: of the body, in good order            `End`
``garbage "TEXT"``, ``garbage N bytes``        `Garbage`
``delay SECONDS``: before the head             ``At(BeforeHead(), Pause(...))``
=============================================  ===============================

A keep-alive says ``: ping``; with ``saying "COMMENT"`` behind its seconds, that.

And these are of the whole reply, wherever they stand.

=============================================  ===============================
``status N [HEADER VALUE]... ["MESSAGE"]``     `Status`
``reject field NAME [STATUS] ["MESSAGE"]``     `Reject`
``content-type "TYPE"``, ``content-type none``  `ContentType`
``gzip``                                       `Gzip`
``duplicate frame N``                          `Duplicate`
``reorder frames N M``                         `Reorder`
``never close``                                `NeverEnd`
``buffer``: all at once, at the end            `Buffer`
``drip [SECONDS]``: byte by byte               `Drip`
``ignore stream``: one JSON body               `IgnoreStream`
=============================================  ===============================

``slow accept SECONDS`` stands before the first act: ``accept_delay``.

In Python a line may be any step of `streamkit.testing`, also one of your own;
such a scenario cannot be written as text. `scenes` are scenarios to take.
"""

from .act import Act, Line
from .compile import Given, Turns, compiled, reply_of
from .content import (
    Content,
    Done,
    Error,
    Finish,
    Reasoning,
    Refusal,
    Text,
    Tool,
    Usage,
    pieces_of,
)
from .faults import (
    Buffer,
    ContentType,
    Drip,
    Duplicate,
    End,
    Fault,
    Garbage,
    Gzip,
    IgnoreStream,
    Reject,
    Reorder,
    Status,
)
from .language import write_line
from .places import AfterBytes, At, BeforeHead, BehindFrame, InArguments, InFrame, InUtf8, Place
from .scenario import Scenario
from .scenes import about, scene, scenes

__all__ = [
    "Act",
    "AfterBytes",
    "At",
    "BeforeHead",
    "BehindFrame",
    "Buffer",
    "Content",
    "ContentType",
    "Done",
    "Drip",
    "Duplicate",
    "End",
    "Error",
    "Fault",
    "Finish",
    "Garbage",
    "Given",
    "Gzip",
    "IgnoreStream",
    "InArguments",
    "InFrame",
    "InUtf8",
    "Line",
    "Place",
    "Reasoning",
    "Refusal",
    "Reject",
    "Reorder",
    "Scenario",
    "Status",
    "Text",
    "Tool",
    "Turns",
    "Usage",
    "about",
    "compiled",
    "pieces_of",
    "reply_of",
    "scene",
    "scenes",
    "write_line",
]
