"""
Whole runs, played from scripts: any fault, any cancellation, watchers who come and go.

A script is a list of steps, so that it shrinks. A source without sockets says
what the script releases, and every task settles before the next step, so no
time passes. What must have come of it a model says that knows nothing of the
supervisor: what each attempt said, and which part of the log was a reader's.
"""

from collections import Counter, deque
from functools import partial
from itertools import chain, groupby, pairwise
from math import inf
from string import ascii_letters, digits

import anyio
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamkit import Accumulator, ChunkParser, EventFanout, Pipeline, ReroutePolicy, Supervisor
from streamkit.errors import MisuseError, TransportError
from streamkit.events import (
    Gap,
    Rerouted,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    ResponseStarted,
    Retracted,
    ToolCallCompleted,
)
from streamkit.framing import Ended, Frame
from streamkit.logs import Block, Coalesce, Disconnect, DropDeltas, MemoryLog
from streamkit.testing import answers

from ..logs.readers import DELTAS, told

REQUEST = {"model": "demo-1", "messages": []}
SPEECH = {"text": f" {ascii_letters}", "reasoning": digits * 3, "call": '{"a":[1,2,3,4,5]}'}
"""What the provider means to say, by channel; an attempt that is asked again begins anew."""
SETTLED = 25
"""Turns after which every task waits (a count); none needs half as many."""
SOON = 5.0
"""What a script may take (seconds): only one that hangs does."""


async def settle():
    """Let every task go on until it waits."""
    for _ in range(SETTLED):
        await anyio.lowlevel.checkpoint()


class Still:
    """A clock that stands still: waits of under a second are over at once, others never."""

    def now(self):
        return 0.0

    async def wait(self, event, until):
        await (anyio.lowlevel.checkpoint() if until < 1 else event.wait())


class Boom(Exception):
    """What a callback raises."""


# -- the provider, and what it said ----------------------------------------------


@attrs.define
class Heard:
    """What one attempt was told, as plain text: the model's truth."""

    text: str = ""
    reasoning: str = ""
    call: str | None = None
    """The arguments of its tool call; None while there is none."""
    finished: bool = False
    over: bool = False

    @property
    def whole(self):
        """Whether it is an answer: it said so, and its tool call is not cut."""
        return self.over and self.finished and self.call in (None, "", SPEECH["call"])

    @property
    def visible(self):
        return bool(self.text.strip() or self.reasoning.strip() or self.call is not None)

    @property
    def said(self):
        """Whether there is anything of an answer."""
        return bool(self.text or self.reasoning or self.call is not None or self.finished)

    def frame(self, delta, **more):
        return Frame(answers.chunk(delta, **more)[6:-2])


@attrs.frozen
class Say:
    """The next *size* characters of a channel; 0 is something else than was meant."""

    channel: str
    size: int

    def frames(self, heard):
        before = getattr(heard, self.channel) or ""
        piece = SPEECH[self.channel][len(before) :][: self.size]
        if self.channel == "call":
            yield from self._call(heard, before, piece)
        elif piece := piece if self.size else "x":
            setattr(heard, self.channel, before + piece)
            key = "content" if self.channel == "text" else "reasoning_content"
            yield heard.frame({key: piece})

    def _call(self, heard, before, piece):
        name = {"id": "call_1", "type": "function"} if heard.call is None else {}
        function = {"arguments": piece} | ({"name": "f"} if name else {})
        heard.call = before + piece
        yield heard.frame({"tool_calls": [{"index": 0, "function": function, **name}]})


@attrs.frozen
class AtOnce:
    """Several steps in one read."""

    steps: tuple

    def frames(self, heard):
        for step in self.steps:
            yield from step.frames(heard)


@attrs.frozen
class Finish:
    """The finish reason."""

    def frames(self, heard):
        heard.finished = True
        yield heard.frame({}, finish_reason="stop" if heard.call is None else "tool_calls")


@attrs.frozen
class End:
    """The end of the body: done, cut, reset or malformed."""

    way: str = "done"

    def frames(self, heard):
        heard.over = True
        if self.way == "done":
            yield from Finish().frames(heard)
            yield Frame(b"[DONE]")
        elif self.way == "malformed":
            yield Frame(b"{broken")


@attrs.define(eq=False)
class Queue:
    """A source that does what it is told, step by step."""

    buffered = False
    steps: deque = attrs.field(factory=deque, init=False)
    heard: list = attrs.field(factory=list, init=False)
    """What each of its attempts was told."""
    _more: anyio.Event = attrs.field(factory=anyio.Event, init=False)

    def put(self, step):
        self.steps.append(step)
        self._more.set()

    async def next(self):
        while not self.steps:
            self._more = anyio.Event()
            await self._more.wait()
        return self.steps.popleft()

    def call(self, dialect, request):
        return dialect.streaming(request)

    async def fetch(self, call, dialect, emit, taps):
        heard = Heard()
        self.heard.append(heard)
        while not heard.over:
            step = await self.next()
            if frames := list(step.frames(heard)):
                await emit(frames)
        if step.way == "reset":
            raise TransportError("reset")
        return Ended()


@attrs.define(eq=False)
class Second(Queue):
    """The buffered call: the same as was streamed, or more, less, another answer, or none."""

    buffered = True
    streamed: Queue = attrs.field(kw_only=True)
    failed: bool = attrs.field(default=False, init=False)

    async def fetch(self, call, dialect, emit, taps):
        self.heard.append(Heard())
        way = await self.next()
        self.failed = way == "fails"
        if self.failed:
            raise TransportError("no answer")
        heard = self.heard[0] = self._answer(way, self.streamed.heard[-1])
        call = heard.call is not None
        body = answers.completion(
            heard.text,
            reasoning=heard.reasoning or None,
            tool_calls=[answers.tool_call("f", heard.call)] if call else (),
        )
        await emit([Frame(body, whole=True)])
        return Ended()

    def _answer(self, way, like):
        text = {"longer": like.text + "!", "shorter": like.text[:-1], "other": "zz"}
        call = None if like.call is None or way == "other" else SPEECH["call"]
        reasoning = "" if way == "other" else like.reasoning
        return Heard(text.get(way, like.text), reasoning, call, finished=True, over=True)


# -- the watchers ----------------------------------------------------------------


@attrs.define(eq=False)
class Recorded(MemoryLog):
    """A log that is never trimmed beside the one that is."""

    written: list = attrs.field(factory=list, init=False)
    epochs: list = attrs.field(factory=list, init=False)

    def append(self, epoch, events, /):
        kept = super().append(epoch, events)
        if kept:
            self.written.extend(events)
            self.epochs.extend(epoch for _ in events)
        return kept


POLICIES = {"coalesce": Coalesce, "block": partial(Block, patience=1e6)} | {
    "drop_deltas": DropDeltas,
    "disconnect": Disconnect,
}


@attrs.define(eq=False)
class Watcher:
    """One reader: what it asked for, and all it was given."""

    cursor: object
    policy: str
    after: str | None
    joined: int
    """Events in the log when it joined (a count)."""
    base: int
    """How many of them were folded then (a count)."""
    seen: list = attrs.field(factory=list, init=False)
    ids: list = attrs.field(factory=list, init=False)
    lost: bool = attrs.field(default=False, init=False)
    left: bool = attrs.field(default=False, init=False)

    async def read(self, count):
        """Read so many events; where there is none it waits, and a wait is given up."""
        with anyio.CancelScope() as scope:
            scope.cancel()
            await self._read(count)

    async def listen(self):
        await self._read(inf)

    async def _read(self, count):
        try:
            while count > 0 and not self.left:
                event = await anext(self.cursor, None)
                if event is None:
                    return
                self.seen.append(event)
                self.ids.append(self.cursor.id)
                count -= 1
        except MisuseError:
            self.lost = True

    async def leave(self):
        self.left = True
        await self.cursor.aclose()


@attrs.frozen
class Join:
    """A watcher joins: from the start, or after an id that somebody was given."""

    after: int | None
    policy: str
    window: int
    eager: bool

    async def take(self, play):
        given = chain.from_iterable(watcher.ids for watcher in play.watchers)
        ids = sorted(filter(None, given), key=lambda id_: "~" in id_)
        after = ids[self.after % len(ids)] if ids and self.after is not None else None
        log = play.run.log
        policy = POLICIES[self.policy](self.window)
        cursor = play.run.subscribe(after=after, policy=policy)
        play.watchers.append(Watcher(cursor, self.policy, after, log.head, log.base))
        play.joined_late += bool(play.second.heard and not log.ended)
        if self.eager:
            play.tasks.start_soon(play.watchers[-1].listen)
        else:
            play.idle.append(play.watchers[-1])


@attrs.frozen
class Read:
    """A watcher that reads when it is told to reads."""

    who: int
    count: int

    async def take(self, play):
        if play.idle:
            await play.idle[self.who % len(play.idle)].read(self.count)


@attrs.frozen
class Leave:
    """A watcher leaves."""

    who: int

    async def take(self, play):
        if staying := [watcher for watcher in play.watchers if not watcher.left]:
            watcher = staying[self.who % len(staying)]
            await watcher.leave()
            play.idle = [other for other in play.idle if other is not watcher]


@attrs.frozen
class Cancel:
    """The caller cancels the run, and waits until it is over."""

    async def take(self, play):
        play.cancelled = play.cancelled or not play.run.log.ended
        await play.run.cancel()


# -- a script, and its play ------------------------------------------------------


@attrs.frozen
class Script:
    """Steps, and what stands around them."""

    steps: list
    ending: object
    """What ends the stream where it still runs; None closes the client instead."""
    second: str
    """What the buffered call says in the end."""
    window: int = 1024
    retries: int = 0
    raises: int | None = None
    """At which event the callback raises (a count); 0 is never, None is no callback."""
    on_error: str = "detach"


windows = st.integers(1, 3)
says = st.one_of(
    st.builds(Say, st.just("text"), st.sampled_from([1, 2, 1, 3, 0])),
    st.builds(Say, st.sampled_from(["text", "reasoning", "call"]), st.sampled_from([1, 2, 0, 30])),
)
joins = st.builds(
    Join, st.none() | st.integers(0, 30), st.sampled_from([*POLICIES]), windows, st.booleans()
)
cuts = st.builds(End, st.sampled_from(["cut", "reset"]))
ends = st.builds(End, st.sampled_from(["done", "cut", "reset", "malformed"]))
seconds = st.sampled_from(["same", "longer", "shorter", "other", "fails"])
bursts = st.builds(AtOnce, st.lists(says, min_size=3, max_size=6).map(tuple))
reads = st.builds(Read, st.integers(0, 3), st.integers(1, 4))
leaves = st.builds(Leave, st.integers(0, 3))
acts = st.lists(st.one_of(says, says, says, bursts, joins, joins, reads, reads, leaves))
breaks = st.lists(st.one_of(ends, cuts, st.just(Finish()), joins, reads, seconds), max_size=3)
lasts = st.lists(seconds | st.just(Cancel()), max_size=2)
deep = st.tuples(acts, acts, acts, breaks, acts, breaks, acts, lasts)
parts = st.one_of(st.tuples(lasts, breaks, acts), deep, deep, deep)
steps = parts.map(chain.from_iterable).map(list)
"""Lists of lists, for a list alone is short: attempts, what breaks them, what comes behind."""
scripts = st.builds(
    Script,
    steps,
    st.just(End()) | ends | st.none() | st.just(Cancel()),
    seconds,
    window=st.sampled_from([1024, 1, 1, 2, 3]),
    retries=st.sampled_from([0, 1, 2]),
    raises=st.none() | st.integers(0, 9).map(lambda at: at if at < 6 else 0),
    on_error=st.sampled_from(["detach", "ignore", "fail"]),
)


@attrs.define(eq=False)
class Play:
    """One script at work, and what can be said of it afterwards."""

    script: Script
    stream: Queue = attrs.field(factory=Queue, init=False)
    second: Second = attrs.field(init=False)
    run: object = attrs.field(default=None, init=False)
    tasks: object = attrs.field(default=None, init=False)
    watchers: list = attrs.field(factory=list, init=False)
    idle: list = attrs.field(factory=list, init=False)
    called: list = attrs.field(factory=list, init=False)
    """Events the callback was told."""
    cancelled: bool = attrs.field(default=False, init=False)
    failed: bool = attrs.field(default=False, init=False)
    """Whether the callback may have failed the run: it raised before the end."""
    joined_late: int = attrs.field(default=0, init=False)
    """Watchers that joined while the buffered call was on its way (a count)."""
    held_up: bool = attrs.field(default=False, init=False)
    """Whether the writer ever had to wait for a reader."""
    response: object = attrs.field(default=None, init=False)

    def __attrs_post_init__(self):
        self.second = Second(streamed=self.stream)

    @property
    def written(self):
        return self.run.log.written

    @property
    def outcome(self):
        return self.run.outcome

    @property
    def attempts(self):
        """What each attempt was told, in order."""
        return [*self.stream.heard, *self.second.heard]

    def on_event(self, event):
        self.called.append(event)
        if len(self.called) == self.script.raises:
            self.failed = self.script.on_error == "fail" and not self.run.log.ended
            raise Boom

    def pipeline(self):
        log = partial(Recorded, window=self.script.window)
        policy = ReroutePolicy(retries=self.script.retries, trip_after=None)
        return Pipeline(
            [self.stream, ChunkParser("openai-chat"), Accumulator(), EventFanout(log)],
            supervisor=Supervisor(self.second, reroute=policy, clock=Still()),
        )

    async def play(self):
        """Take every step, come to an end, and let everybody read to it."""
        async with anyio.create_task_group() as self.tasks:
            async with self.pipeline() as pipeline:
                on_event = None if self.script.raises is None else self.on_event
                self.run = pipeline.start(REQUEST, on_event=on_event, on_error=self.script.on_error)
                await settle()
                for step in (*self.script.steps, *self._ending()):
                    await self.take(step)
                    await settle()
                    self.held_up = self.held_up or self.run.log.full
                if self.script.ending is not None:
                    await self._listen()
            await self._listen()
        return self

    async def take(self, step):
        if isinstance(step, str):
            self.second.put(step)
        elif hasattr(step, "take"):
            await step.take(self)
        else:
            self.stream.put(step)

    def _ending(self):
        if self.script.ending is None:
            return ()
        return (*[self.script.ending] * (self.script.retries + 1), self.script.second)

    async def _listen(self):
        idle, self.idle = self.idle, []
        for watcher in idle:
            self.tasks.start_soon(watcher.listen)
        if self.script.ending is not None:
            try:
                self.response = await self.run.response()
            except (TransportError, Boom):
                self.response = None


async def played(script):
    """Play *script*, and see that no task is left of it."""
    before = len(anyio.get_running_tasks())
    with anyio.fail_after(SOON):
        play = await Play(script).play()
    await settle()
    assert before == len(anyio.get_running_tasks())
    return play


# -- the model -------------------------------------------------------------------


def kept(events):
    """Events without gaps, and without what was taken back."""
    out = []
    for event in events:
        if isinstance(event, Retracted):
            out = [e for e in out if (e.channel, getattr(e, "choice", 0)) != (event.channel, 0)]
        elif not isinstance(event, Gap):
            out.append(event)
    return told(out)


def retracted(events):
    """The channels that were taken back, in order."""
    return [event.channel for event in events if isinstance(event, Retracted)]


def stretches(events):
    """Deltas joined between events that are none, and those, in order."""
    parts = groupby(events, lambda event: isinstance(event, DELTAS))
    return [told(list(part)) for _, part in parts]


def begins(some, events):
    """Whether *events* may begin with *some*, whose last deltas may be a part."""
    *before, (words, others) = stretches(some) or [({}, [])]
    rest = stretches(events)[len(before) :] or [({}, [])]
    texts = all(rest[0][0].get(key, "").startswith(text) for key, text in words.items())
    same = before == stretches(events)[: len(before)]
    return same and texts and others == rest[0][1][: len(others)]


def shown(play):
    """What a watcher has in the end, by channel, and how often it had to forget one."""
    has, gone = {"text": "", "reasoning": "", "call": None}, Counter()
    for number, heard in enumerate(play.attempts, 1):
        last = isinstance(play.outcome, ResponseCompleted) and number == len(play.attempts)
        for channel, old in has.items():
            new = getattr(heard, channel)
            if not (last or (heard.visible and new is not None)):
                continue
            if channel == "call":
                gone["tool_calls"] += old is not None
            else:
                gone[channel] += not new.startswith(old) and (last or not old.startswith(new))
            if last or channel == "call" or not old.startswith(new):
                has[channel] = new
    return has, +gone


def expected(play):
    """The kind of end, and the attempt whose answer it holds."""
    attempts = play.attempts
    last = attempts[-1] if attempts else Heard()
    telling = [heard for heard in attempts if heard.said]
    partial_ = telling[-1] if telling else Heard()
    if last.whole:
        return ResponseCompleted, last
    if play.failed or play.second.failed:
        return ResponseFailed, partial_
    return ResponseCancelled, partial_


def number(id_):
    """An id as what can be compared: the event's number, and the piece of a merged backlog."""
    seq, _, piece = (id_ or "0-0").partition("-")[2].partition("~")
    return int(seq), int(piece or 0)


# -- what must hold --------------------------------------------------------------


def check_end(play):
    """One end, the last, of the right kind, with the answer of the attempt that gave it."""
    kind, heard = expected(play)
    assert [play.written[-1]] == [event for event in play.written if event.terminal]
    assert kind is type(play.outcome) is type(play.written[-1])
    answer = play.outcome.response
    calls = "".join(call.arguments for call in answer.tool_calls)
    whole = kind is ResponseCompleted
    said = (heard.text, heard.reasoning, heard.call or "")
    assert said == (answer.text, answer.reasoning, calls)
    assert ("cancelled" if kind is ResponseCancelled else answer.finish) == answer.finish
    assert bool(play.second.heard) == answer.rerouted or not whole
    assert len(play.attempts) == answer.timings.attempts
    if play.response is not None:
        assert answer == play.response


def check_log(play):
    """What was delivered and not taken back is what the attempts said; nothing came twice."""
    words, others = kept(play.written)
    has = {key[0] if key[0] == "call" else key[0].channel: text for key, text in words.items()}
    want, gone = shown(play)
    assert {channel: text for channel, text in want.items() if text} == has
    assert gone == Counter(retracted(play.written))
    kinds = Counter(type(event) for event in others)
    assert kinds[ResponseStarted] <= 1 >= kinds[Rerouted]
    completed = [n for n, e in enumerate(play.written) if isinstance(e, ToolCallCompleted)]
    assert completed == list(range(len(play.written) - 1 - len(completed), len(play.written) - 1))
    whole = isinstance(play.outcome, ResponseCompleted)
    assert (len(play.outcome.response.tool_calls) if whole else 0) == len(completed)


def check_ids(watcher, play):
    """Ids only grow, and name the epoch in which their event was written."""
    numbers = [number(id_) for id_ in watcher.ids]
    assert all(before < after for before, after in pairwise(numbers))
    for id_, (seq, piece) in zip(watcher.ids, numbers, strict=True):
        if not piece and seq:
            assert f"{play.run.log.epochs[seq - 1]}-{seq}" == id_


def check_watcher(watcher, play):
    """It was given what followed its id, once and whole; or a gap, and the answer so far."""
    if not watcher.seen:
        return
    gaps = [n for n, event in enumerate(watcher.seen) if isinstance(event, Gap)]
    start, piece = number(watcher.after) if watcher.after else (0, 0)
    assert gaps == ([0] if gaps else [])
    if gaps or watcher.base:  # nobody is told to forget what nobody told
        assert len(retracted(watcher.seen)) <= len(retracted(play.written[watcher.base :]))
    assert not piece or gaps
    assert piece or not gaps or start < watcher.joined - play.script.window
    from_fold = bool(gaps) or (watcher.after is None and watcher.base > 0)
    seq, piece = number(watcher.ids[-1])
    mine = play.written[start : None if piece else seq]
    if watcher.policy == "drop_deltas":
        check_others(watcher, from_fold, play, start, seq if not piece else None)
    elif from_fold and not piece:
        assert kept(play.written[:seq]) == kept(watcher.seen)
    elif not from_fold:
        assert begins(watcher.seen, mine)
        assert piece or stretches(mine) == stretches(watcher.seen)
    if not (watcher.left or watcher.lost):
        assert (len(play.written), 0) == number(watcher.ids[-1])


def check_others(watcher, from_fold, play, start, stop):
    """Who drops deltas is given everything else."""
    if from_fold and stop is not None:
        assert kept(play.written[:stop])[1] == kept(watcher.seen)[1]
    elif stop is not None:
        assert told(play.written[start:stop])[1] == told(watcher.seen)[1]


def check_callback(play):
    """It was told everything, up to where it raised and was let go."""
    raises = 0 if play.script.on_error == "ignore" else play.script.raises
    mine = play.written[:raises] if raises else play.written
    assert stretches(mine) == stretches(play.called)


def check(play):
    """All that must hold of any run."""
    check_end(play)
    check_log(play)
    for watcher in play.watchers:
        check_ids(watcher, play)
        check_watcher(watcher, play)
        assert "disconnect" == watcher.policy or not watcher.lost
    if play.script.raises is not None:
        check_callback(play)
    assert 0 == play.run.log.subscribers


LETTER = Say("text", 1)
NARROW = {
    "read at the very moment of a fold": Script(
        [
            Join(None, "coalesce", 3, eager=False),
            *[LETTER] * 2,
            Read(0, 3),
            *[LETTER] * 4,
            Read(0, 1),
        ],
        End(),
        "same",
        window=3,
    ),
    "joined right behind the last event that was folded": Script(
        [Join(None, "coalesce", 1, eager=True), *[LETTER] * 4, Join(1, "block", 1, eager=True)],
        End(),
        "same",
        window=1,
    ),
    "left while the writer waited for nobody else": Script(
        [Join(None, "block", 1, eager=False), LETTER, Read(0, 9), LETTER, LETTER, Leave(0)],
        End(),
        "same",
    ),
}
"""Scripts that chance seldom finds: each caught a bug that was put in on purpose."""


@pytest.mark.anyio
@pytest.mark.parametrize("script", NARROW.values(), ids=NARROW)
async def test_narrow_places_hold_too(script):
    """What must hold of any run holds where one event more or less would not meet it."""
    check(await played(script))


@pytest.mark.anyio
@settings(max_examples=2 * settings.default.max_examples)
@given(scripts)
async def test_whatever_happens_a_run_tells_the_truth_once(script):
    """Nothing doubled, nothing lost, one end; whoever watches, from wherever, leaves or not."""
    check(await played(script))


REACHED = {
    "completed by the stream",
    "completed by a second stream",
    "completed by the buffered call",
    "completed with a tool call",
    "failed",
    "failed by a callback",
    "cancelled before the first event",
    "cancelled mid-stream",
    "cancelled in the buffered call",
    "a reroute that took back",
    "a reroute that went on",
    "a gap after a fold",
    "a gap after a piece of a backlog",
    "a late joiner from a fold",
    "a joiner during the buffered call",
    "a joiner after an id that follows on",
    "a merged backlog",
    "a reader that left before the end",
    "a reader that was disconnected",
    "a reader that lost deltas",
    "a writer that was held up",
    "a callback that raised and was told more",
}


def reached_by(play):
    """Name what a play came to."""
    yield from ends_of(play)
    for watcher in play.watchers:
        yield from ways_of(watcher, play)
    if play.joined_late:
        yield "a joiner during the buffered call"
    if play.script.on_error == "ignore" and 0 < (play.script.raises or 0) < len(play.called):
        yield "a callback that raised and was told more"
    if play.held_up:
        yield "a writer that was held up"


def ends_of(play):
    """Name how it ended, and what was taken back before."""
    outcome, streams = play.outcome, len(play.stream.heard)
    took_back = any(isinstance(event, Retracted) for event in play.written)
    if isinstance(outcome, ResponseCompleted):
        by = "a second stream" if streams > 1 else "the stream"
        yield f"completed by {'the buffered call' if play.second.heard else by}"
        if outcome.response.tool_calls:
            yield "completed with a tool call"
        if any(isinstance(event, Rerouted) for event in play.written) and outcome.response.text:
            yield f"a reroute that {'took back' if took_back else 'went on'}"
    elif isinstance(outcome, ResponseFailed):
        yield "failed by a callback" if play.failed else "failed"
    elif play.second.heard:
        yield "cancelled in the buffered call"
    else:
        yield f"cancelled {'mid-stream' if len(play.written) > 1 else 'before the first event'}"


def ways_of(watcher, play):
    """Name how a reader came, read and left."""
    pieces = any("~" in (id_ or "") for id_ in watcher.ids)
    if any(isinstance(event, Gap) for event in watcher.seen):
        yield f"a gap after a {'piece of a backlog' if '~' in watcher.after else 'fold'}"
    elif watcher.after is not None and watcher.seen:
        yield "a joiner after an id that follows on"
    elif watcher.base and watcher.seen:
        yield "a late joiner from a fold"
    elif pieces:
        yield "a merged backlog"
    if watcher.left and watcher.seen and not watcher.seen[-1].terminal:
        yield "a reader that left before the end"
    if watcher.lost:
        yield "a reader that was disconnected"
    if watcher.policy == "drop_deltas" and told(watcher.seen)[0] != told(play.written)[0]:
        yield "a reader that lost deltas"


@pytest.mark.interop  # it takes long
def test_the_scripts_reach_what_matters():
    """A fixed sample of scripts holds every end, every way to read, and every way to be held up."""
    samples = []

    @settings(max_examples=500, derandomize=True, database=None, deadline=None)
    @given(scripts)
    def collect(script):
        samples.append(script)

    async def play_all():
        return Counter([name for script in samples for name in reached_by(await played(script))])

    collect()
    reached = anyio.run(play_all)

    assert REACHED == set(reached)
