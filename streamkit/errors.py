"""
The one error tree.

::

    StreamkitError
    ├── MisuseError            you broke a rule of streamkit's
    ├── StageError             a stage raised, or broke its contract   (stage)
    ├── Refusal                a client may not have what it asked for (refused)
    ├── LogError               where runs are kept cannot be used      (log)
    │   └── ProducerLost       who wrote the run is gone               (lost)
    └── ProviderError          the peer broke a rule
        ├── TransportError     the connection failed or was dropped    (transport)
        ├── Stalled            a clock of ``Limits`` ran out           (stalled)
        ├── Rejected           an HTTP status of 400 or more           (rejected)
        ├── InBandError        an error inside an HTTP 200 answer      (in_band)
        ├── TruncatedStream    it ended without completion evidence    (truncated)
        ├── MalformedStream    what came cannot be read                (malformed)
        ├── RetractedAnswer    it must be taken back, and cannot be    (retracted)
        └── LimitExceeded      it is larger than a bound of ``Limits`` (limit)
            ├── FrameTooLarge
            └── ResponseTooLarge

The word in brackets is ``error.code``: stable, and safe to show to anyone.
The message is for the developer: what was expected, what came (at most
`EXCERPT` characters, secrets masked) and what to do.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

__all__ = [
    "EXCERPT",
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
    "about_us",
    "code_of",
    "excerpt",
    "explain",
    "most_upstream",
]

EXCERPT = 200
"""How much of what came a message quotes (characters)."""

_TELLING = 3
"""How much of a secret's beginning tells nothing (characters)."""

_SECRETS = re.compile(
    r"(?i)"
    r"(?P<scheme>\b(?:bearer|basic)\s+)[\w.~+/=-]{6,}"
    r"|(?P<named>[\"']?\b(?:api[-_]?key|access[-_]?token|authorization|password|secret|x-api-key)\b"
    r"[\"']?\s*[:=]\s*[\"']?)(?!bearer\b|basic\b)[^\s\"'&,;}]{4,}"
    r"|\b(?:sk|pk|rk|gsk|xai|key|AIza|ghp|hf)[-_][\w-]{8,}"
    r"|\bAIza[\w-]{20,}"
    r"|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"
)


_ABOUT_US = frozenset({401, 402, 403, 407})


def about_us(status: int | None) -> bool:
    """Whether a provider's *status* is about our key or our bill: nothing to tell our clients."""
    return status in _ABOUT_US


def excerpt(came: object, *secrets: str | None) -> str:
    """
    Quote what came, short enough and safe enough for a message.

    Args:
        came: text, bytes (read as UTF-8, faults replaced) or any object.
        secrets: values known to be secret; each is masked wherever it
            stands, beside whatever looks like a key or a token.

    Returns:
        At most `EXCERPT` characters, ``…`` at the end where it was cut.
    """
    # A secret that straddles the cut must still be masked: mask, then cut.
    text = came.decode("utf-8", "replace") if isinstance(came, bytes) else str(came)
    text = text[: EXCERPT * 20].strip()
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = _SECRETS.sub(lambda m: f"{m['scheme'] or m['named'] or ''}***", text)
    return text if len(text) <= EXCERPT else text[:EXCERPT] + "…"


_EXPLANATIONS = {
    "misuse": "The request could not be sent.",
    "stage": "The answer could not be processed.",
    "transport": "The connection to the model failed.",
    "stalled": "The model did not answer in time.",
    "rejected": "The model did not take the request.",
    "in_band": "The model could not finish its answer.",
    "truncated": "The answer was cut off.",
    "malformed": "The model's answer could not be read.",
    "retracted": "The answer was withdrawn.",
    "limit": "The answer was too large.",
    "refused": "The request was refused.",
    "log": "The answer cannot be read here now.",
    "lost": "The server that had the answer is gone.",
    "cancelled": "The answer was cancelled.",
}


def explain(code: str) -> str:
    """Say to anyone what *code* means: a sentence of ours, nothing of what the provider said."""
    return _EXPLANATIONS.get(code, "The answer could not be had.")


class StreamkitError(Exception):
    """Everything streamkit raises. `code` is stable; the message is not."""

    code: ClassVar[str] = "error"

    @property
    def message(self) -> str:
        """What was expected, what came, what to do."""
        return str(self)

    def mask(self, *secrets: str) -> None:
        """Take *secrets* out of the message, also one that a quote's end cut in two."""
        said = str(self)
        for secret in filter(None, secrets):
            said = said.replace(secret, "***")
            for end in range(len(secret) - 1, _TELLING, -1):
                said = said.replace(f"{secret[:end]}…", "***…")
        self.args = (said, *self.args[1:])


def code_of(error: Exception) -> str:
    """Give the stable code of *error*; a stranger's is nobody's business."""
    return error.code if isinstance(error, StreamkitError) else StreamkitError.code


class MisuseError(StreamkitError, RuntimeError):
    """A rule of streamkit's was broken by the code that calls it."""

    code = "misuse"


class StageError(StreamkitError):
    """
    A stage raised, or broke its contract.

    The stage's own exception is the ``__cause__``; none where a rule of the
    contract was broken instead.

    Attributes:
        stage: its name.
        final: whether it fails the run, for asking again would not help.
    """

    code = "stage"
    final: bool = False

    def __init__(self, stage: str, problem: str) -> None:
        super().__init__(f"stage {stage!r} {problem}")
        self.stage = stage

    def __reduce__(self) -> tuple[object, ...]:
        return StreamkitError.__new__, (type(self), *self.args), self.__dict__


class Refusal(StreamkitError):
    """
    A client asked for what it cannot have; nothing was started for it.

    Attributes:
        status: the HTTP status that says so.
        retry_after: seconds to wait before asking again; None where that would not help.
    """

    code = "refused"

    def __init__(self, message: str, *, status: int, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, ...]:
        return StreamkitError.__new__, (type(self), *self.args), self.__dict__


class LogError(StreamkitError):
    """Where runs are kept cannot be used: what is told there can be neither written nor read."""

    code: ClassVar[str] = "log"


class ProducerLost(LogError):
    """The process that wrote a run is gone, or was not heard of for too long: no more will come."""

    code: ClassVar[str] = "lost"


class ProviderError(StreamkitError):
    """
    The peer broke a rule.

    Attributes:
        status: the HTTP status, where one was seen.
        retry_after: seconds the provider asks to wait, where it said so.
        provider_code: the provider's own word for the error, where it has one.
        original: what an SDK raised, where the call was an SDK's.
    """

    code = "provider"
    original: Exception | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        provider_code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.provider_code = provider_code


class TransportError(ProviderError):
    """The connection could not be made, or was dropped."""

    code = "transport"


_WAITED: Final = {
    "connect": "no connection could be had for",
    "total": "it all took",
    "buffered_total": "it all took",
}
"""What takes longer than a clock allows, where that is not the provider's silence."""


class Stalled(ProviderError):
    """
    A clock ran out.

    Attributes:
        clock: the field of `streamkit.Limits` that ran out.
        seconds: its setting.
    """

    code = "stalled"

    def __init__(
        self,
        clock: str,
        seconds: float,
        *,
        waited: str | None = None,
        remedy: str = "raise it if that is not enough",
    ) -> None:
        """
        Say which clock ran out.

        Args:
            clock: the field of `streamkit.Limits`.
            seconds: its setting.
            waited: what took longer, up to that word; None says what the clock times.
            remedy: what to do.
        """
        what = waited or _WAITED.get(clock, "the provider was silent for")
        super().__init__(f"{what} longer than Limits.{clock} = {seconds:g} s; {remedy}")
        self.clock = clock
        self.seconds = seconds

    def __reduce__(self) -> tuple[object, ...]:
        return StreamkitError.__new__, (type(self), *self.args), self.__dict__


class Rejected(ProviderError):
    """The provider answered with an HTTP status of 400 or more."""

    code = "rejected"


class InBandError(ProviderError):
    """An error that came inside an answer with a good HTTP status."""

    code = "in_band"


class TruncatedStream(ProviderError):
    """The stream ended without a sign that the answer was complete."""

    code = "truncated"


class MalformedStream(ProviderError):
    """What came is not what the wire format allows, and cannot be skipped."""

    code = "malformed"


class RetractedAnswer(ProviderError):
    """What was told must be taken back, and the format it was told in has no word for that."""

    code = "retracted"


class LimitExceeded(ProviderError):
    """What came is larger than a bound in `streamkit.Limits`."""

    code = "limit"


class FrameTooLarge(LimitExceeded):
    """One frame is larger than ``Limits.max_frame_bytes``."""


class ResponseTooLarge(LimitExceeded):
    """One answer is larger than ``Limits.max_response_bytes``."""


def most_upstream(error: Exception) -> Exception:
    """
    Give the one error that the others of a group came of; an error that is no group is itself.

    A task group raises what all its tasks raised. What the provider did wrong
    comes before what a stage did, and that before the rest, first come first.
    """
    if not isinstance(error, ExceptionGroup):
        return error
    ranks = (ProviderError, StreamkitError, Exception)
    leaves = [most_upstream(each) for each in error.exceptions]
    return next(leaf for rank in ranks for leaf in leaves if isinstance(leaf, rank))
