"""
What must come of each fault at each point: written by hand, and nothing is computed.

It imports nothing of streamkit, so no mistake of its policy is repeated here.
"""

from typing import Final, Literal

import attrs

from .points import Point

__all__ = ["CORE", "ORACLE", "Expected"]

Outcome = Literal["streamed", "rerouted", "failed"]


@attrs.frozen
class Expected:
    """What must come of a fault."""

    outcome: Outcome
    code: str | None
    """Of the error that streaming failed with."""
    requests: str
    """Each call that was made: S is streaming, b buffered."""
    evidence: str | None
    """What proves the answer's end; None where there is none."""


def _rerouted(code: str) -> Expected:
    return Expected("rerouted", code, "Sb", "buffered")


HEAD, BYTE, ROLE, CONTENT = Point.HEAD, Point.BYTE, Point.ROLE, Point.CONTENT
FRAME, CHARACTER, CONTENTS_END = Point.FRAME, Point.CHARACTER, Point.CONTENTS_END
FINISH, USAGE, DONE = Point.FINISH, Point.USAGE, Point.DONE

FINISHED = Expected("streamed", None, "S", "finish_reason")
MARKED = Expected("streamed", None, "S", "done_marker")
COUNTED = Expected("streamed", None, "S", "usage")
WHOLE = Expected("streamed", None, "S", "buffered")
AGAIN = Expected("streamed", None, "SS", "finish_reason")
TOO_LATE = Expected("failed", "stalled", "S", None)
TRANSPORT = _rerouted("transport")
TRUNCATED = _rerouted("truncated")
MALFORMED = _rerouted("malformed")
IN_BAND = _rerouted("in_band")
STALLED = _rerouted("stalled")
REJECTED = _rerouted("rejected")

ORACLE: Final[dict[str, dict[Point, Expected]]] = {
    "none": {
        HEAD: FINISHED,
        BYTE: FINISHED,
        ROLE: FINISHED,
        CONTENT: FINISHED,
        FRAME: FINISHED,
        CHARACTER: FINISHED,
        CONTENTS_END: FINISHED,
        FINISH: FINISHED,
        USAGE: FINISHED,
        DONE: FINISHED,
    },
    "dropped": {
        HEAD: TRANSPORT,
        BYTE: TRANSPORT,
        ROLE: TRANSPORT,
        CONTENT: TRANSPORT,
        FRAME: TRANSPORT,
        CHARACTER: TRANSPORT,
        CONTENTS_END: TRANSPORT,
        FINISH: FINISHED,
        USAGE: FINISHED,
        DONE: FINISHED,
    },
    "reset": {
        HEAD: TRANSPORT,
        BYTE: TRANSPORT,
        ROLE: TRANSPORT,
        CONTENT: TRANSPORT,
        FRAME: TRANSPORT,
        CHARACTER: TRANSPORT,
        CONTENTS_END: TRANSPORT,
        FINISH: FINISHED,
        USAGE: FINISHED,
        DONE: FINISHED,
    },
    "half-closed": {
        HEAD: TRANSPORT,
        BYTE: TRANSPORT,
        ROLE: TRANSPORT,
        CONTENT: TRANSPORT,
        FRAME: TRANSPORT,
        CHARACTER: TRANSPORT,
        CONTENTS_END: TRANSPORT,
        FINISH: FINISHED,
        USAGE: FINISHED,
        DONE: FINISHED,
    },
    "ends cleanly": {
        BYTE: TRUNCATED,
        ROLE: TRUNCATED,
        CONTENT: TRUNCATED,
        FRAME: TRUNCATED,
        CHARACTER: TRUNCATED,
        CONTENTS_END: TRUNCATED,
        FINISH: FINISHED,
        USAGE: FINISHED,
        DONE: FINISHED,
    },
    "half a frame, then the end": {
        BYTE: TRUNCATED,
        ROLE: TRUNCATED,
        CONTENT: TRUNCATED,
        CONTENTS_END: TRUNCATED,
        FINISH: FINISHED,
        USAGE: FINISHED,
        DONE: FINISHED,
    },
    "a garbage frame": {
        BYTE: MALFORMED,
        ROLE: MALFORMED,
        CONTENT: MALFORMED,
        FRAME: MALFORMED,
        CHARACTER: MALFORMED,
        CONTENTS_END: MALFORMED,
        FINISH: FINISHED,
        USAGE: FINISHED,
        DONE: FINISHED,
    },
    "an error object": {
        BYTE: IN_BAND,
        ROLE: IN_BAND,
        CONTENT: IN_BAND,
        FRAME: MALFORMED,
        CHARACTER: MALFORMED,
        CONTENTS_END: IN_BAND,
        FINISH: FINISHED,
        USAGE: FINISHED,
        DONE: FINISHED,
    },
    "event: error": {
        BYTE: IN_BAND,
        ROLE: IN_BAND,
        CONTENT: IN_BAND,
        FRAME: MALFORMED,
        CHARACTER: MALFORMED,
        CONTENTS_END: IN_BAND,
        FINISH: FINISHED,
        USAGE: FINISHED,
        DONE: FINISHED,
    },
    "a bare error line": {
        BYTE: IN_BAND,
        ROLE: IN_BAND,
        CONTENT: IN_BAND,
        CONTENTS_END: IN_BAND,
        FINISH: FINISHED,
        USAGE: FINISHED,
        DONE: FINISHED,
    },
    "a bare error line in cut arguments": {CONTENT: IN_BAND},
    "finish reason error": {
        BYTE: IN_BAND,
        ROLE: IN_BAND,
        CONTENT: IN_BAND,
        CONTENTS_END: IN_BAND,
    },
    "silent": {
        HEAD: STALLED,
        BYTE: STALLED,
        ROLE: STALLED,
        CONTENT: STALLED,
        FRAME: STALLED,
        CHARACTER: STALLED,
        CONTENTS_END: STALLED,
        FINISH: FINISHED,
        USAGE: FINISHED,
        DONE: FINISHED,
    },
    "keep-alives only": {
        BYTE: STALLED,
        ROLE: STALLED,
        CONTENT: STALLED,
        FRAME: MALFORMED,
        CHARACTER: MALFORMED,
        CONTENTS_END: STALLED,
        FINISH: FINISHED,
        USAGE: FINISHED,
        DONE: FINISHED,
    },
    "silent until all time is up": {
        HEAD: TOO_LATE,
        ROLE: TOO_LATE,
        CONTENT: TOO_LATE,
        CONTENTS_END: TOO_LATE,
    },
    "never closes": {DONE: FINISHED},
    "[DONE] too early": {ROLE: MARKED, CONTENT: MARKED, FRAME: MALFORMED, CHARACTER: MALFORMED},
    "[DONE] without a finish": {CONTENTS_END: MARKED},
    "[DONE] in cut arguments": {CONTENT: TRUNCATED},
    "usage, then the end": {
        BYTE: TRUNCATED,
        ROLE: COUNTED,
        CONTENT: COUNTED,
        CONTENTS_END: COUNTED,
    },
    "[DONE] only": {BYTE: TRUNCATED},
    "an empty body": {BYTE: TRUNCATED},
    "status 400": {HEAD: REJECTED},
    "status 401": {HEAD: REJECTED},
    "status 429": {HEAD: REJECTED},
    "status 500": {HEAD: REJECTED},
    "status 503": {HEAD: REJECTED},
    "stream_options refused": {HEAD: AGAIN},
    "an HTML page": {BYTE: MALFORMED},
    "an error body, status 200": {BYTE: IN_BAND},
    "a JSON body": {BYTE: WHOLE},
    "JSON for a content type": {BYTE: FINISHED},
    "no content type": {BYTE: FINISHED},
    "gzip": {BYTE: FINISHED},
    "gzip, dropped": {
        ROLE: TRANSPORT,
        CONTENT: TRANSPORT,
        FRAME: TRANSPORT,
        FINISH: FINISHED,
        DONE: FINISHED,
    },
    "byte by byte": {BYTE: FINISHED},
    "in one piece": {BYTE: FINISHED},
    "a frame twice": {ROLE: FINISHED, FINISH: FINISHED, USAGE: FINISHED, DONE: FINISHED},
    "whole arguments twice": {CONTENTS_END: FINISHED},
    "two frames swapped": {CONTENTS_END: FINISHED, FINISH: FINISHED},
}
"""By fault and point; a pair that is not here says nothing, or says it in another row."""

BEFORE, TEXT, CALL = "before the content", "in the text", "in the call"

CORE: Final[dict[str, dict[str, Expected]]] = {
    "none": {BEFORE: FINISHED},
    "dropped": {BEFORE: TRANSPORT, TEXT: TRANSPORT, CALL: TRANSPORT},
    "reset": {BEFORE: TRANSPORT, TEXT: TRANSPORT, CALL: TRANSPORT},
    "ends cleanly": {BEFORE: TRUNCATED, TEXT: TRUNCATED, CALL: TRUNCATED},
    "half a frame, then the end": {BEFORE: TRUNCATED, TEXT: TRUNCATED, CALL: TRUNCATED},
    "a garbage frame": {BEFORE: MALFORMED, TEXT: MALFORMED, CALL: MALFORMED},
    "an error object": {BEFORE: IN_BAND, TEXT: IN_BAND, CALL: IN_BAND},
    "silent": {BEFORE: STALLED, TEXT: STALLED, CALL: STALLED},
    "status 500": {BEFORE: REJECTED},
    "a JSON body": {BEFORE: WHOLE},
}
"""By fault, and where in an answer it strikes: the same in every dialect."""
