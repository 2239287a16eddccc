"""What the provider of this example does: a scene for each thing that goes well or wrong."""

import re
from collections.abc import Iterable, Iterator

import attrs

from streamkit.testing import Drop, Pause, Reply, Step, answers

BLUE = (
    "Sunlight is every colour at once. On its way through the air it meets molecules much smaller "
    "than its waves, and they scatter the short blue waves far more than the long red ones. So "
    "blue reaches you from every side, and that is the colour of the sky."
)
HALF = BLUE[: BLUE.index("far more")]
MIRROR = "The sky is blue because it mirrors the oceans, which are"
TOOL_TEXT = "That depends on the hour, so let me look outside. "
ARGUMENTS = ('{"city": ', '"Reykjavík", ', '"quantity": ', '"colour of the sky"}')
DOWN = Reply(answers.error("No capacity"), status=503, headers={"retry-after": "5"})


@attrs.frozen(kw_only=True)
class Scene:
    """One thing a provider does, and what must come of it."""

    title: str
    hint: str
    """What to look at."""
    stream: Reply
    """What a request with ``stream`` gets."""
    buffered: Reply
    """What a request without it gets: the one that heals a broken stream."""
    text: str = BLUE
    """What the page must show in the end."""


def scenes(pace: float = 1.0) -> dict[str, Scene]:
    """Give every scene by its name; *pace* is what each pause is multiplied with."""
    first, rest = list(_spoken(HALF, pace)), list(_spoken(BLUE.removeprefix(HALF), pace))
    said = Reply(*_begun(), *first, *rest, *_ended("stop"))
    whole = Reply(answers.completion(BLUE), before=[Pause(2.5 * pace)])
    silent = Reply(*_begun(), *first, Pause(6 * pace), *rest, *_ended("stop"))
    cut = Reply(*_begun(), *first, Drop())
    wrong = Reply(*_begun(), *_spoken(MIRROR, pace), Drop())
    call = Reply(*_begun(), *_spoken(TOOL_TEXT, pace), *_called(pace), *_ended("tool_calls"))
    return {
        "healthy": Scene(
            title="A good day",
            hint="The answer comes word by word. Reload the page in the middle of it.",
            stream=said,
            buffered=whole,
        ),
        "silent": Scene(
            title="It falls silent",
            hint="Nothing comes for a while; heartbeats say that the server is there.",
            stream=silent,
            buffered=whole,
        ),
        "tool": Scene(
            title="It calls a tool",
            hint="Its arguments grow; it is done only once the whole answer is there.",
            stream=call,
            buffered=whole,
            text=TOOL_TEXT,
        ),
        "cut": Scene(
            title="It hangs up",
            hint="A buffered call takes over; what you have read stays, and the rest follows.",
            stream=cut,
            buffered=whole,
        ),
        "other": Scene(
            title="It changes its mind",
            hint="Asked again, the provider says something else: the first words are taken back.",
            stream=wrong,
            buffered=whole,
        ),
        "broken": Scene(
            title="It breaks for good",
            hint="The buffered call fails as well: what came stays, and the end says so.",
            stream=cut,
            buffered=DOWN,
            text=HALF,
        ),
        "down": Scene(
            title="It is down",
            hint="It fails before the first word, so it is an HTTP status, with Retry-After.",
            stream=DOWN,
            buffered=DOWN,
            text="",
        ),
    }


def _spoken(text: str, pace: float) -> Iterator[bytes | Step]:
    """Give *text* at the pace of somebody who speaks: a frame and a pause for each word."""
    return _paced(({"content": word} for word in re.findall(r"\S+\s*", text)), 0.15 * pace)


def _called(pace: float) -> Iterator[bytes | Step]:
    """Give a tool call: its id and name, and then its arguments in pieces."""
    head = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": ""}}
    calls = [head, *({"function": {"arguments": piece}} for piece in ARGUMENTS)]
    return _paced(({"tool_calls": [{"index": 0, **call}]} for call in calls), 0.6 * pace)


def _paced(deltas: Iterable[dict[str, object]], seconds: float) -> Iterator[bytes | Step]:
    for delta in deltas:
        yield answers.chunk(delta)
        yield Pause(seconds)


def _begun() -> list[bytes]:
    return [answers.chunk({"role": "assistant", "content": ""})]


def _ended(reason: str) -> list[bytes]:
    return [answers.chunk({}, finish_reason=reason), answers.done()]
