"""The words of the language: one table of lines, one of places."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from ...errors import MisuseError
from ...events import Event
from ..steps import Drop, HalfClose, Hold, KeepAlive, NeverEnd, Pause, Reset
from .content import Done, Error, Finish, Reasoning, Refusal, Text, Tool, Usage
from .faults import (
    Buffer,
    ContentType,
    Drip,
    Duplicate,
    End,
    Garbage,
    Gzip,
    IgnoreStream,
    Reject,
    Reorder,
    Status,
)
from .forms import Form
from .places import AfterBytes, At, BeforeHead, BehindFrame, InArguments, InFrame, InUtf8
from .slots import (
    Arguments,
    Const,
    Count,
    EventJson,
    Headers,
    Noise,
    Optional,
    Pieces,
    Seconds,
    String,
    Value,
    ValueOrNone,
)

__all__ = ["CHOICE", "FORMS", "PLACES", "SLOW_ACCEPT", "form_of"]


def _spoken(kind: Any, pieces: Sequence[str], choice: int) -> Any:
    return kind(*pieces, choice=choice)


def _tool(name: str, pieces: Sequence[str], id: str = "", choice: int = 0) -> Tool:  # noqa: A002
    return Tool(name, *pieces, id=id, choice=choice)


def _of(kind: type[Any]) -> dict[str, Any]:
    """Say how a line of that *kind*, which is pieces of a choice, is made and known."""
    return {
        "make": partial(_spoken, kind),
        "slots": (Pieces(),),
        "fits": lambda line: type(line) is kind,
        "chosen": True,
    }


def _waits(line: Any) -> bool:
    return type(line) is At and line.place == BeforeHead() and type(line.step) is Pause


def _lasts(line: Any) -> bool:
    return type(line) is KeepAlive and line.times is None


CHOICE: Final = Form(("choice",), "choice N", dict, (Count("choice"),))
"""Whose content follows; no line of its own."""
SLOW_ACCEPT: Final = Form(("slow", "accept"), "slow accept SECONDS", dict, (Seconds("seconds"),))
"""Of the scenario, not of an act."""

_SAYING: Final = Optional(String("comment"), KeepAlive(0).comment, ("saying",))

FORMS: Final[tuple[Form, ...]] = (
    # what is said
    Form(("text",), 'text "PIECE"... or text "ALL" in N', **_of(Text)),
    Form(("reasoning",), 'reasoning "PIECE"... or reasoning "ALL" in N', **_of(Reasoning)),
    Form(("refusal",), 'refusal "PIECE"... or refusal "ALL" in N', **_of(Refusal)),
    Form(
        ("tool",),
        'tool NAME {"a": "JSON object"} [in N] [id ID], or with its "PIECES"',
        _tool,
        (Value("name"), Arguments(), Optional(Value("id"), "", ("id",))),
        fits=lambda line: type(line) is Tool,
        chosen=True,
    ),
    Form(
        ("event",),
        'event {"type": "text_delta", "text": "Hel"}, or any other of streamkit.codec',
        lambda event: event,
        (EventJson(),),
        fits=lambda line: isinstance(line, Event),
    ),
    Form(("finish",), "finish [REASON]", Finish, (Optional(Value("reason"), None),), chosen=True),
    Form(("usage",), "usage INPUT OUTPUT", Usage, (Count("input"), Count("output"))),
    Form(
        ("error",),
        'error "MESSAGE" [type TYPE] [code CODE]',
        Error,
        (
            String("message"),
            Optional(Value("type"), "server_error", ("type",)),
            Optional(Value("code"), None, ("code",)),
        ),
    ),
    Form(("done",), "done", Done, fits=lambda line: line == Done()),
    Form(
        ("no", "done"), "no done", lambda: Done(sent=False), fits=lambda line: line == Done(False)
    ),
    # what happens, where it stands or at a place
    Form(
        ("delay",),
        "delay SECONDS",
        lambda seconds: At(BeforeHead(), Pause(seconds)),
        (Seconds("step.seconds"),),
        fits=_waits,
    ),
    Form(("pause",), "pause SECONDS [PLACE]", Pause, (Seconds("seconds"),), placed=True),
    Form(
        ("keep-alives",),
        'keep-alives N every SECONDS [saying "COMMENT"] [PLACE]',
        KeepAlive,
        (Count("times"), Const(("every",)), Seconds("every"), _SAYING),
        fits=lambda line: type(line) is KeepAlive and line.times is not None,
        placed=True,
    ),
    Form(
        ("stall", "with", "keep-alives", "every"),
        'stall with keep-alives every SECONDS [saying "COMMENT"] [PLACE]',
        KeepAlive,
        (Seconds("every"), _SAYING),
        fits=_lasts,
        placed=True,
    ),
    Form(("stall",), "stall [with keep-alives every SECONDS] [PLACE]", Hold, placed=True),
    Form(("cut",), "cut [PLACE]", Drop, placed=True),
    Form(("reset",), "reset [PLACE]", Reset, placed=True),
    Form(("half-close",), "half-close [PLACE]", HalfClose, placed=True),
    Form(("end",), "end [PLACE]", End, placed=True),
    Form(
        ("garbage",),
        'garbage "TEXT" [PLACE] or garbage N bytes [PLACE]',
        Garbage,
        (Noise(),),
        placed=True,
    ),
    # what goes wrong with the whole reply
    Form(
        ("status",),
        'status N [HEADER VALUE]... ["MESSAGE"]',
        Status,
        (Count("code"), Headers(), Optional(String("message"), None)),
    ),
    Form(
        ("reject", "field"),
        'reject field NAME [STATUS] ["MESSAGE"]',
        Reject,
        (Value("field"), Optional(Count("status"), 400), Optional(String("message"), None)),
    ),
    Form(("content-type",), 'content-type "TYPE" or none', ContentType, (ValueOrNone("value"),)),
    Form(("gzip",), "gzip", Gzip),
    Form(("duplicate", "frame"), "duplicate frame N", Duplicate, (Count("frame"),)),
    Form(("reorder", "frames"), "reorder frames N M", Reorder, (Count("one"), Count("other"))),
    Form(("never", "close"), "never close", NeverEnd),
    Form(("buffer",), "buffer", Buffer),
    Form(("drip",), "drip [SECONDS]", Drip, (Optional(Seconds("seconds"), 0.0),)),
    Form(("ignore", "stream"), "ignore stream", IgnoreStream),
)
"""Every line of an act."""

PLACES: Final[tuple[Form, ...]] = (
    Form(("after",), "after N bytes", AfterBytes, (Count("count"), Const(("bytes",)))),
    Form(("in", "frame"), "in frame N", InFrame, (Count("number"),)),
    Form(("in", "utf-8"), "in utf-8", InUtf8),
    Form(("in", "arguments"), "in arguments", InArguments),
    Form(("behind", "frame"), "behind frame N", BehindFrame, (Count("number"),)),
    Form(("before", "head"), "before head", BeforeHead),
)
"""Every place."""


def form_of(line: Any, forms: Sequence[Form]) -> Form:
    """
    Give the form that *line* is written in.

    Raises:
        MisuseError: there is none: a step of your own, say.
    """
    for form in forms:
        if form.matches(line):
            return form
    raise MisuseError(
        f"expected a line that the language has words for; got {line!r}; "
        "keep scenarios with lines of your own in Python"
    )
