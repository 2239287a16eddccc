"""All the rules, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import anyio

from ...dialects import Dialect, get_dialect
from ...errors import excerpt
from ...response import Finish
from ..conformance import ConformanceError, be_outside_a_loop
from ..specimens import REQUEST, SPECIMENS
from .calls import check_calls
from .failures import check_cut_call, check_ends, check_unreadable
from .round_trips import check_answer, check_body, check_fresh
from .subject import Subject

__all__ = ["check_dialect"]


def check_dialect(
    dialect: str | Dialect,
    *,
    bodies: Iterable[Any] = (),
    request: Mapping[str, Any] = REQUEST,
    unsaid: Iterable[Finish] = (),
) -> None:
    """
    Check that *dialect* keeps the rules of a dialect::

        def test_mine():
            check_dialect(MyDialect(), bodies=[json.loads(recorded)])

    A plain function: it runs an event loop of its own, touches no network, and
    does the same every time. It writes a few answers of its own with the
    dialect's encoder, reads them with its decoder, and does the same with
    *bodies*. The rules:

    * a call is built from the request, which stays as it is; the key is sent;
    * decoders and encoders are fresh, and no state is shared between two;
    * what is written is read back: the text, the calls and the end of any
      answer; of an answer of its own, every field;
    * a buffered answer gives the same as the stream of it, whether it was asked
      for or not, and is not changed;
    * a stream that is cut before its evidence is truncated, wherever it is
      cut; with evidence it has all that was said;
    * how an answer was cut, into deltas or into bytes, does not matter;
    * what is not known is kept as `Unknown`, and is no error; what cannot be
      read is `MalformedStream`;
    * a failed or cancelled run is written as what no reader takes for an
      answer, and nothing the provider said is in it;
    * a frame is one line of ASCII, and never empty.

    Args:
        dialect: the dialect, or its name.
        bodies: buffered answers of its API, decoded; best such as have every
            field there is.
        request: one that its calls can be built from.
        unsaid: the ends (`streamkit.response.Finish`) that the API has no word
            for, such as ``refusal``; they come back as what it says instead.

    Raises:
        ConformanceError: a rule is broken; it says which, what was seen, and
            how to mend it.
        MisuseError: there is no such dialect, or an event loop runs already.
    """
    be_outside_a_loop("check_dialect")
    anyio.run(_check, Subject(get_dialect(dialect), frozenset(unsaid)), request, list(bodies))


async def _check(subject: Subject, request: Mapping[str, Any], bodies: list[Any]) -> None:
    check_calls(subject, request)
    check_fresh(subject)
    for name, script in SPECIMENS.items():
        with _checked_with(name, subject):
            await check_answer(subject, script)
    for number, body in enumerate(bodies, 1):
        with _checked_with(f"body {number}", subject):
            check_body(subject, body)
    check_cut_call(subject)
    check_unreadable(subject)
    check_ends(subject)


@contextmanager
def _checked_with(name: str, subject: Subject) -> Iterator[None]:
    """Say of a broken rule which answer it was; what is raised against a contract is told, too."""
    try:
        yield
    except ConformanceError as error:
        error.args = (f"{error} (checked with: {name})",)
        raise
    except Exception as error:
        raise subject.broke(
            "what it wrote itself it reads, and raises nothing",
            f"{type(error).__name__}: {excerpt(error)} (checked with: {name})",
            "see what caused this error",
        ) from error
