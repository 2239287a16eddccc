"""The rules of a dialect, checked: for those who write one."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, get_args

import anyio
import attrs

from ..dialects import Decoder, Dialect, HttpCall, OpenAIChat, get_dialect
from ..errors import (
    InBandError,
    MalformedStream,
    ProviderError,
    TruncatedStream,
    excerpt,
)
from ..events import (
    CHANNELS,
    Event,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    ResponseStarted,
    ToolCallCompleted,
    Unknown,
)
from ..framing import Frame, encode
from ..policy import Evidence
from ..replay import replay
from ..response import Finish, Response
from .conformance import ConformanceError, be_outside_a_loop
from .specimens import (
    CUT,
    REQUEST,
    SPECIMENS,
    accumulated,
    answer_of,
    bytes_of,
    difference,
    in_characters,
    leaves,
    unlike,
)

__all__ = ["check_dialect"]

_SECRET: Final = "sk-what-the-provider-said-0123456789"  # noqa: S105 (it stands for one)
_UNHEARD: Final[dict[str, Any]] = {
    "type": "streamkit.unheard_of",
    "streamkit_unheard_of": {"deep": [1, None]},
}
_SIZES: Final = (1, 7, 64)
"""How a body is cut (bytes)."""
_CHAT: Final = OpenAIChat()
"""Whose words the specimens are in."""
_EVIDENCE: Final = frozenset(get_args(Evidence))


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
    anyio.run(_Check(get_dialect(dialect), list(bodies), request, frozenset(unsaid)).run)


@attrs.define(eq=False)
class _Check:
    """All the rules, for one dialect."""

    dialect: Dialect
    bodies: list[Any]
    request: Mapping[str, Any]
    unsaid: frozenset[str]

    async def run(self) -> None:
        self.calls()
        self.fresh()
        for name, script in SPECIMENS.items():
            await self.of(name, self.answer, script)
        for number, body in enumerate(self.bodies, 1):
            await self.of(f"body {number}", self.body, body)
        self.cut_call()
        self.unreadable()
        self.ends()

    async def of(self, name: str, check: Callable[[Any], Awaitable[None]], given: Any) -> None:
        """Check one answer; what it raises against its contract is told, too."""
        try:
            await check(given)
        except ConformanceError as error:
            error.args = (f"{error} (checked with: {name})",)
            raise
        except Exception as error:
            raise self.broke(
                "what it wrote itself it reads, and raises nothing",
                f"{type(error).__name__}: {excerpt(error)} (checked with: {name})",
                "see what caused this error",
            ) from error

    def broke(self, rule: str, saw: str, mend: str) -> ConformanceError:
        return ConformanceError(self.dialect.name, rule, saw, mend, kind="dialect")

    # -- the rules of what is sent

    def calls(self) -> None:
        """The request is read, not changed; the key goes into a header."""
        for ask in (self.dialect.streaming, self.dialect.buffered):
            given = copy.deepcopy(dict(self.request))
            call = ask(given)
            if given != self.request:
                raise self.broke(
                    "a request stays as it is",
                    f"expected {ask.__name__}() to leave it; it is now {excerpt(given)}",
                    "build a new dict for the body",
                )
            self._call(ask.__name__, call)
        one, other = self.dialect.streaming(self.request), self.dialect.buffered(self.request)
        if one == other:
            raise self.broke(
                "a stream is asked for in another way than a buffered answer",
                f"expected two calls; got {excerpt(one)} for both",
                "say which in the body, the path or the query",
            )
        key = "key-0123456789"
        headers = self.dialect.authorization(key)
        if not any(key in value for value in headers.values()):
            raise self.broke(
                "the key is sent in a header",
                f"expected the key among the values of authorization; got {excerpt(dict(headers))}",
                "give the header that carries the key, as it is or behind a scheme",
            )

    def _call(self, name: str, call: Any) -> None:
        sound = isinstance(call, HttpCall) and call.path and not call.path.startswith("/")
        try:
            encode(call.body)
        except (AttributeError, TypeError):
            sound = False
        if not sound:
            raise self.broke(
                "a call has a path relative to the base URL, and a body of JSON",
                f"expected {name} to give such an HttpCall; got {excerpt(call)}",
                "leave out the leading slash, and keep what is no JSON out of the body",
            )

    # -- the rules of what is written and read

    def fresh(self) -> None:
        """What one has read or written no other knows of."""
        for make in (self.dialect.decoder, self.dialect.encoder):
            if make() is make():
                raise self.broke(
                    "decoders and encoders are fresh",
                    f"expected another each time; got the same from {make.__name__}() twice",
                    "make a new one in each call",
                )
        frames = self.written(SPECIMENS["text and calls"], _CHAT)
        self.read(frames[: len(frames) // 2], ends=False)  # broken off half way
        decoder = self.dialect.decoder()
        if decoder.evidence is not None or decoder.said:
            raise self.broke(
                "decoders and encoders are fresh",
                "expected a new decoder to know of no evidence and of nothing said; got "
                f"evidence {decoder.evidence!r} and said {decoder.said!r}",
                "keep state in the instance, and make a new one in each call",
            )

    async def answer(self, script: list[Event]) -> None:
        """An answer of no API in particular is read back as what it says, however it is cut."""
        frames = self.written(script, _CHAT)
        events = self.read(frames)
        mend = "have the encoder tell it, and the decoder read what the encoder tells"
        self.same(
            "what is written of any answer is read back",
            unlike(_response(script, _CHAT), self.response(events), unsaid=self.unsaid),
            mend,
        )
        pieces = self.read(self.written(in_characters(script), _CHAT))
        self.same(
            "how an answer is cut into deltas does not matter",
            unlike(self.response(events), self.response(pieces), exact=True),
            "let no delta depend on the one before",
        )
        self.own(events)
        self.unheard(frames, events)
        self.cut(frames, self.response(events))
        await self.bytewise(frames, events)

    async def body(self, body: Any) -> None:
        """A buffered answer of the API keeps every field."""
        given = copy.deepcopy(body)
        events = list(self.dialect.read_buffered(given))
        if given != body:
            raise self.broke(
                "a buffered answer is not changed",
                f"expected {excerpt(body)} to stay as it is; got {excerpt(given)}",
                "copy what is taken apart",
            )
        self.kept("a buffered answer keeps every field", body, self.raw(events))
        self.own(events)

    def own(self, events: list[Event]) -> None:
        """An answer of the API itself is read back field by field, and so is its buffered twin."""
        self.well_formed(events)
        raw = self.raw(events)
        again = self.read(self.written(events, self.dialect))
        rule = "what is written of an answer of its own is read back, field by field"
        mend = "have the encoder tell every field that the decoder reads"
        found = unlike(self.response(events), self.response(again), exact=True)
        self.same(rule, found, mend)
        self.kept(rule, raw, self.raw(again))
        body = copy.deepcopy(raw)
        twin = list(self.dialect.read_buffered(body))
        rule = "a buffered answer gives the same as the stream of it"
        mend = "read both with the same functions"
        self.well_formed(twin, evidence="buffered")
        self.same(rule, unlike(self.response(events), self.response(twin), exact=True), mend)
        if raw != self.raw(twin):
            raise self.broke(rule, difference("JSON", raw, self.raw(twin)), mend)
        if raw != body:
            raise self.broke(
                "a buffered answer is not changed",
                f"expected {excerpt(raw)} to stay as it is; got {excerpt(body)}",
                "copy what is taken apart",
            )
        whole = list(self.dialect.decoder().feed(Frame(encode(raw), whole=True)))
        if whole != twin:
            raise self.broke(
                "a buffered answer that came in place of a stream is read as one",
                difference("events", twin, whole),
                "give read_buffered's events where frame.whole is set",
            )

    def well_formed(self, events: Sequence[Event], *, evidence: str | None = None) -> None:
        """The end is there, once and last, with what proves it; a call is not ours to complete."""
        last = events[-1] if events else None
        ends = sum(event.terminal for event in events)
        if not isinstance(last, ResponseCompleted) or ends != 1:
            raise self.broke(
                "an answer ends in ResponseCompleted, once and last",
                f"expected it behind {excerpt(events[-3:-1])}; got {excerpt(last)}, {ends} ends",
                "give it in eof, or as soon as nothing more can come",
            )
        if last.evidence not in ({evidence} if evidence else _EVIDENCE):
            raise self.broke(
                "the end says what proves it",
                f"expected evidence {evidence or 'of streamkit.policy.Evidence'!r}; got "
                f"{last.evidence!r}",
                "give what policy.judge ruled, or 'buffered'",
            )
        starts = [n for n, event in enumerate(events) if isinstance(event, ResponseStarted)]
        if starts not in ([], [0]):
            raise self.broke(
                "ResponseStarted comes once, and first",
                f"expected it at 0; got it at {starts}",
                "give it with the first frame of an answer, and what comes late as Metadata",
            )
        if any(isinstance(event, ToolCallCompleted) for event in events):
            raise self.broke(
                "ToolCallCompleted is the accumulator's to give",
                "expected none of a decoder; got one",
                "give ToolCallStarted and ToolCallDelta",
            )

    def unheard(self, frames: list[Frame], events: list[Event]) -> None:
        """A frame that is not known is kept, and changes nothing; nor does a heartbeat."""
        odd = Frame(encode(_UNHEARD), _UNHEARD["type"])
        beat = self.dialect.encoder().heartbeat()
        for at in (0, len(frames) // 2):
            got = self.read([*frames[:at], odd, *frames[at:]])
            rest = [event for event in got if not isinstance(event, Unknown)]
            unknown = [event.data for event in got if isinstance(event, Unknown)]
            if unknown != [_UNHEARD] or rest != events:
                raise self.broke(
                    "a frame that is not known is kept as Unknown, and changes nothing",
                    f"expected Unknown({excerpt(_UNHEARD)}) among the same events; got "
                    f"{excerpt(unknown)}, and {difference('others', events, rest)}",
                    "give Unknown(data, frame.event) for what no handler is found for",
                )
            if beat is not None and events != (
                heard := self.read([*frames[:at], beat, *frames[at:]])
            ):
                raise self.broke(
                    "a heartbeat says nothing",
                    difference("events", events, heard),
                    "have the encoder give None, or what its decoder passes over",
                )

    def cut(self, frames: list[Frame], whole: Response) -> None:
        """Before its evidence a stream is truncated, wherever it is cut."""
        for count in range(len(frames)):
            decoder = self.dialect.decoder()
            events = [event for frame in frames[:count] for event in decoder.feed(frame)]
            evidence = decoder.evidence
            ended = self._end(decoder)
            where = f"cut behind frame {count} of {len(frames)}"
            if evidence is None:
                if not isinstance(ended, TruncatedStream):
                    raise self._not_truncated(where, ended)
                self._cut_within(frames, count)
                continue
            if isinstance(ended, Exception):
                raise self.broke(
                    "evidence is what eof goes by",
                    f"expected an answer that is {where} with evidence {evidence!r} to end; "
                    f"got {ended!r}",
                    "let eof and evidence ask the same function",
                )
            self.same(
                "evidence is of the whole answer",
                unlike(whole, self.response([*events, *ended])),
                "give evidence once every choice has ended, and have the encoder tell ends last",
                f"{where}, with evidence {evidence!r}: ",
            )

    def _cut_within(self, frames: list[Frame], count: int) -> None:
        decoder = self.dialect.decoder()
        for frame in frames[:count]:
            list(decoder.feed(frame))
        data = _bytes(frames[count])
        half = Frame(data[: len(data) // 2], frames[count].event, cut=True)
        try:
            ended: object = list(decoder.feed(half))
        except ProviderError as error:
            ended = error
        if not isinstance(ended, TruncatedStream):
            raise self._not_truncated(f"cut within frame {count + 1} of {len(frames)}", ended)

    def _not_truncated(self, where: str, ended: object) -> ConformanceError:
        return self.broke(
            "a stream that is cut before its evidence is truncated",
            f"expected TruncatedStream for a stream {where}; got {excerpt(repr(ended))}",
            "raise it in eof without evidence, and use framing.payloads for frames cut within",
        )

    @staticmethod
    def _end(decoder: Decoder) -> Sequence[Event] | Exception:
        try:
            return decoder.eof()
        except Exception as error:  # noqa: BLE001 (whatever it raises is judged)
            return error

    async def bytewise(self, frames: list[Frame], events: list[Event]) -> None:
        """The bytes of a stream may be cut anywhere."""
        body = bytes_of(frames)
        rule, mend = "where the bytes are cut does not matter", "read a frame as framing gives it"
        for size in _SIZES:
            read = await replay(body, self.dialect, chunk=size, content_type="text/event-stream")
            failed = "" if read.error is None else repr(read.error)
            found = failed or unlike(self.response(events), read.response, exact=True)
            self.same(rule, found, mend, f"in pieces of {size}: ")

    # -- the rules of what goes wrong

    def cut_call(self) -> None:
        """A call that broke off is nobody's to make."""
        told = accumulated(self.read(self.written(CUT, _CHAT)), self.dialect)
        if any(isinstance(event, ToolCallCompleted) for event in told):
            raise self.broke(
                "a call that broke off is nobody's to make",
                "expected no ToolCallCompleted for arguments that are the beginning of JSON; "
                "got one",
                "leave arguments as they were sent: never close, repair or replace them",
            )

    def unreadable(self) -> None:
        """What cannot be read is malformed."""
        page = "<html>no</html>"
        self.raises(
            MalformedStream,
            "what cannot be read is malformed",
            "use framing.payloads, and in_band.not_json for a whole body",
            {
                "a frame that is no JSON": lambda: _fed(self.dialect, Frame(page)),
                "a page in place of a body": lambda: _fed(self.dialect, Frame(page, whole=True)),
                "a body that is no object": lambda: self.dialect.read_buffered("words"),
                "a body that is no answer": lambda: self.dialect.read_buffered({"unheard": 1}),
            },
        )

    def ends(self) -> None:
        """A run that failed or was cancelled is no answer, and tells nothing it should not."""
        error = InBandError(_SECRET, provider_code=_SECRET)
        begun = SPECIMENS["text"][:3]
        for end in (ResponseFailed(error, Response()), ResponseCancelled(Response())):
            frames = self.encoded([*begun, end])
            self._quiet(b"".join(_bytes(frame) for frame in frames))
            self.raises(
                ProviderError,
                "a failed or cancelled run is read as no answer",
                "write the API's error, which the decoder raises",
                {f"what {type(end).__name__} is told as": partial(self.read, frames)},
            )
        envelope = self.dialect.encoder().failure(error)
        self._quiet(encode(envelope))
        self.raises(
            InBandError,
            "an error is read as the provider's word",
            "look for errors with in_band.find_error before anything else",
            {"the encoder's own failure, as a body": lambda: self.dialect.read_buffered(envelope)},
        )

    def _quiet(self, said: bytes) -> None:
        if _SECRET.encode() in said:
            raise self.broke(
                "what the provider said of an error stays here",
                f"expected a code and a sentence of ours; got {excerpt(said)}",
                "tell errors.explain(error.code)",
            )

    def raises(
        self,
        kind: type[Exception],
        rule: str,
        mend: str,
        cases: Mapping[str, Callable[[], Any]],
    ) -> None:
        """See that each of *cases* raises *kind*."""
        for what, case in cases.items():
            try:
                got: object = case()
            except kind:
                continue
            except Exception as error:  # noqa: BLE001 (whatever it raises is told)
                got = error
            raise self.broke(
                rule, f"expected {kind.__name__} of {what}; got {excerpt(repr(got))}", mend
            )

    # -- the runs

    def written(self, script: Sequence[Event], spoken: Dialect) -> list[Frame]:
        """Give the frames of *script*, an answer of the API *spoken*."""
        return self.encoded(accumulated(script, spoken))

    def encoded(self, told: list[Event]) -> list[Frame]:
        """Give the frames of what a watcher is told, and see that they are in order."""
        encoder = self.dialect.encoder()
        before = copy.deepcopy(told)
        frames = [*encoder.opening("run-1")]
        for event in told:
            frames += encoder.encode(event)
        if [e for e in told if not isinstance(e, ResponseFailed)] != [
            e for e in before if not isinstance(e, ResponseFailed)
        ]:
            raise self.broke(
                "no event is changed",
                f"expected {excerpt(before)} to stay as they are; got {excerpt(told)}",
                "copy the fields that are written to",
            )
        if odd := encoder.irrevocable - set(CHANNELS):
            raise self.broke(
                "what cannot be taken back is a channel",
                f"expected some of {CHANNELS}; got {sorted(odd)}",
                "see events.CHANNELS",
            )
        for frame in frames:
            data = _bytes(frame)
            if not data or not data.isascii() or b"\n" in data or b"\r" in data:
                raise self.broke(
                    "a frame is one line of ASCII, and never empty",
                    f"expected such data; got {excerpt(repr(frame.data))}",
                    "write it with framing.encode_ascii",
                )
        return frames

    def read(self, frames: Sequence[Frame], *, ends: bool = True) -> list[Event]:
        """Give the events of *frames*, their end included."""
        decoder = self.dialect.decoder()
        events: list[Event] = []
        for frame in frames:
            events += decoder.feed(frame)
            if events and events[-1].terminal:
                return events
        return [*events, *decoder.eof()] if ends else events

    def response(self, events: Sequence[Event]) -> Response:
        """Give the response of an answer of the API itself."""
        return _response(events, self.dialect)

    def raw(self, events: Sequence[Event]) -> dict[str, Any]:
        """Give its non-streaming JSON."""
        return self.dialect.response(answer_of(events))

    def same(self, rule: str, found: str, mend: str, where: str = "") -> None:
        """Raise what was found, if anything was."""
        if found:
            raise self.broke(rule, where + found, mend)

    def kept(self, rule: str, was: Any, now: Any) -> None:
        """See that no field is lost."""
        if lost := leaves(was) - leaves(now):
            raise self.broke(
                rule,
                f"expected {excerpt(next(iter(lost)))} in the answer's JSON; it is not there",
                "carry what no event models in extra, and fold it into response",
            )


def _response(script: Sequence[Event], dialect: Dialect) -> Response:
    last = accumulated(script, dialect)[-1]
    response = last.response if isinstance(last, ResponseCompleted) else None
    return response or Response()


def _fed(dialect: Dialect, frame: Frame) -> list[Event]:
    return list(dialect.decoder().feed(frame))


def _bytes(frame: Frame) -> bytes:
    return frame.data if isinstance(frame.data, bytes) else frame.data.encode()
