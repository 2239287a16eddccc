"""What comes after an attempt that failed."""

import pytest

from streamkit.errors import (
    InBandError,
    MalformedStream,
    MisuseError,
    Rejected,
    StageError,
    Stalled,
    TransportError,
    TruncatedStream,
)
from streamkit.policy import Next, Plan, ReroutePolicy, is_hopeless, is_transient

FIELDS = frozenset({"model", "stream", "stream_options"})
NOW = {"buffered": False, "tools_ran": False, "fields": FIELDS, "left": 100.0, "chance": 0.5}
GONE = TransportError("gone")
UNKNOWN = Rejected("Unrecognized request argument: stream_options", status=400)


def final(error):
    """A stage's error that fails the run."""
    error.final = True
    return error


def after(error, policy=None, *, can_buffer=True, **facts):
    """What comes after the first attempt."""
    plan = Plan(policy or ReroutePolicy(), can_buffer=can_buffer)
    return plan.after(error, **{**NOW, **facts})


@pytest.mark.parametrize(
    ("error", "facts", "expected"),
    [
        (GONE, {}, Next("buffered")),
        (KeyError("bug"), {}, Next("buffered")),
        (StageError("s", "raised"), {}, Next("buffered")),
        (GONE, {"buffered": True}, Next("fail")),
        (GONE, {"tools_ran": True}, Next("fail")),
        (GONE, {"can_buffer": False}, Next("fail")),
        (GONE, {"policy": ReroutePolicy.never()}, Next("fail")),
        (GONE, {"policy": ReroutePolicy(after_tools=True), "tools_ran": True}, Next("buffered")),
        (MisuseError("m"), {}, Next("fail")),
        (final(StageError("s", "raised")), {}, Next("fail")),
        (Stalled("total", 1), {}, Next("fail")),
        (Stalled("idle", 1), {}, Next("buffered")),
        (UNKNOWN, {}, Next("again", without="stream_options")),
        (UNKNOWN, {"fields": frozenset()}, Next("buffered")),
        (UNKNOWN, {"policy": ReroutePolicy(ladder=())}, Next("buffered")),
        (Rejected("stream_options", status=401), {}, Next("buffered")),
        (
            Rejected("m", status=400, provider_code="stream_options"),
            {},
            Next("again", "stream_options"),
        ),
        (InBandError("stream_options", status=400), {}, Next("buffered")),
    ],
)
def test_each_failure_has_one_next_step(error, facts, expected):
    """By the policy's table."""
    assert expected == after(error, **facts)


def test_a_field_is_left_out_once():
    """An endpoint that names it still is not asked for ever."""
    plan = Plan(ReroutePolicy(), can_buffer=True)

    assert ["again", "buffered"] == [plan.after(UNKNOWN, **NOW).kind for _ in range(2)]


def test_retries_come_before_the_buffered_call_and_wait_longer_each():
    """As many as agreed, with the jitter that chance gives."""
    plan = Plan(ReroutePolicy(retries=3, backoff=1.0), can_buffer=True)
    steps = [plan.after(GONE, **NOW) for _ in range(4)]

    assert [Next("again", delay=wait) for wait in (0.5, 1.0, 2.0)] == steps[:3]
    assert Next("buffered") == steps[3]


def test_the_wait_that_is_ours_has_an_end():
    """It is doubled to eight seconds, and no further."""
    plan = Plan(ReroutePolicy(retries=20), can_buffer=True)

    assert 8.0 == [plan.after(GONE, **{**NOW, "chance": 1.0}).delay for _ in range(20)][-1]


def test_retry_after_is_obeyed():
    """The provider's word goes before ours, and before no jitter."""
    busy = Rejected("busy", status=429, retry_after=7.0)
    policy = ReroutePolicy(retries=1)

    assert Next("again", delay=7.0) == after(busy, policy)
    assert Next("buffered") == after(busy, policy, left=7.0)


def test_what_will_fail_again_is_not_retried():
    """A garbled stream or a bug of ours comes again; a refusal, too."""
    policy = ReroutePolicy(retries=5)
    for error in (MalformedStream("m"), KeyError("bug"), Rejected("no", status=401)):
        assert Next("buffered") == after(error, policy)


@pytest.mark.parametrize(
    ("error", "hopeless", "transient"),
    [
        (Rejected("bad key", status=401), True, False),
        (Rejected("pay", status=402), True, False),
        (Rejected("no", status=403), True, False),
        (Rejected("filtered", status=400, provider_code="content_filter"), True, False),
        (Rejected("This model's maximum context length is 8192", status=400), True, False),
        (Rejected("no", status=429, provider_code="insufficient_quota"), True, False),
        (InBandError("x", provider_code="context_length_exceeded"), True, False),
        (MisuseError("m"), True, False),
        (Rejected("slow down", status=429), False, True),
        (Rejected("busy", status=503), False, True),
        (InBandError("overloaded", status=529), False, True),
        (InBandError("something"), False, True),
        (Rejected("what?", status=400), False, False),
        (GONE, False, True),
        (TruncatedStream("cut"), False, True),
        (Stalled("idle", 1), False, True),
        (Stalled("buffered_total", 1), False, False),
        (StageError("s", "raised"), False, False),
        (KeyError("bug"), False, False),
    ],
)
def test_what_cannot_be_helped_and_what_passes(error, hopeless, transient):
    """Two questions: whether another call can help at all, and whether the same one may soon."""
    assert (hopeless, transient) == (is_hopeless(error), is_transient(error))


def test_the_sparing_policy_asks_no_second_time_where_that_cannot_help():
    """Its settings are those of all."""
    policy = ReroutePolicy.sparing(retries=2)

    assert Next("fail") == after(Rejected("no", status=401), policy)
    assert Next("buffered") == after(MalformedStream("m"), policy)
    assert 2 == policy.retries


@pytest.mark.parametrize("count", [1, 0, "x"])
def test_one_error_cannot_be_enough_to_trip(count):
    """The error says why."""
    with pytest.raises(MisuseError, match="one error never disables streaming"):
        ReroutePolicy(trip_after=count)
