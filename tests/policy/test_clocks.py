"""When an attempt has waited long enough."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit.limits import Limits
from streamkit.policy import Expired, Marks, expired, next_deadline

NEVER = dict.fromkeys(
    ("first_byte", "first_content", "idle", "drain", "total", "buffered_total"), inf
)


def limits(**clocks):
    """Limits of which only *clocks* ever run out."""
    return Limits(**{**NEVER, **clocks})


def marks(started=100.0, *, run_started=None, buffered=False, **stamps):
    """The marks of an attempt that began at *started*."""
    made = Marks(started if run_started is None else run_started, started, buffered)
    for name, when in stamps.items():
        setattr(made, name, when)
    return made


@pytest.mark.parametrize(
    ("clock", "stamps", "deadline"),
    [
        ("first_byte", {}, 105),
        ("first_byte", {"byte": 101}, inf),
        ("first_content", {}, 105),
        ("first_content", {"byte": 103}, 105),
        ("first_content", {"byte": 103, "progress": 104}, inf),
        ("first_content", {"byte": 103, "finished": 104}, inf),
        ("idle", {"byte": 101}, inf),
        ("idle", {"byte": 101, "progress": 103}, 108),
        ("idle", {"byte": 101, "progress": 103, "finished": 104}, inf),
        ("drain", {"byte": 101, "progress": 103}, inf),
        ("drain", {"byte": 101, "progress": 103, "finished": 104}, 109),
        ("drain", {"byte": 101, "finished": 104}, 109),
        ("total", {}, 105),
        ("total", {"byte": 101, "progress": 103, "finished": 104}, 105),
        ("buffered_total", {}, inf),
        ("buffered_total", {"byte": 101, "progress": 103}, inf),
    ],
)
def test_each_clock_runs_from_its_mark(clock, stamps, deadline):
    """A clock of five seconds runs out five seconds after what it waits from, or not at all."""
    made = marks(**stamps)
    assert deadline == next_deadline(made, limits(**{clock: 5}))
    if deadline == inf:
        assert expired(made, limits(**{clock: 5}), 1e12) is None
    else:
        assert expired(made, limits(**{clock: 5}), deadline - 0.001) is None
        assert Expired(clock, 5) == expired(made, limits(**{clock: 5}), deadline)


def test_the_buffered_attempt_has_a_clock_of_its_own():
    """It knows no bytes and no deltas: only its own total and the run's."""
    made = marks(buffered=True, run_started=90.0)
    impatient = limits(first_byte=1, first_content=1, idle=1, drain=1, buffered_total=20)
    assert 120 == next_deadline(made, impatient)
    assert Expired("buffered_total", 20) == expired(made, impatient, 120)


def test_the_total_is_shared_by_all_attempts():
    """It runs from the beginning of the run, not of the attempt."""
    made = marks(buffered=True, run_started=90.0)
    assert Expired("total", 15) == expired(made, limits(total=15, buffered_total=20), 120)


@pytest.mark.parametrize(
    ("clock", "ends"),
    [
        ("first_byte", False),
        ("first_content", False),
        ("idle", False),
        ("drain", False),
        ("total", True),
        ("buffered_total", True),
    ],
)
def test_only_the_totals_end_the_attempt(clock, ends):
    """The clocks of the stream end a read, and what was read is judged first."""
    assert ends == Expired(clock, 1).ends_attempt


def test_the_earliest_clock_wins():
    """Of several that ran out, the one that ran out first is the cause."""
    made = marks()
    assert Expired("first_byte", 2) == expired(
        made, limits(first_byte=2, first_content=3, total=4), 200
    )
    assert Expired("total", 1) == expired(made, limits(first_byte=2, first_content=3, total=1), 200)


def test_a_clock_of_infinity_never_runs_out():
    """Whoever sets every clock to infinity waits for ever."""
    assert inf == next_deadline(marks(), limits())
    assert expired(marks(byte=1, progress=2, finished=3), limits(), 1e300) is None


@pytest.mark.parametrize(
    ("clock", "stamps"),
    [
        ("first_byte", {}),
        ("first_content", {"byte": 101}),
        ("idle", {"byte": 101, "progress": 102}),
        ("drain", {"byte": 101, "progress": 102, "finished": 102}),
    ],
)
def test_a_slow_reader_is_no_slow_provider(clock, stamps):
    """While held the stream's clocks stand still, and then go on where they stood."""
    made, impatient = marks(**stamps), limits(**{clock: 5})
    before = next_deadline(made, impatient)
    made.hold(103)
    assert made.held
    assert inf == next_deadline(made, impatient)
    assert expired(made, impatient, 1e12) is None
    made.release(1003)
    assert not made.held
    assert before + 900 == next_deadline(made, impatient)


def test_the_total_runs_while_held():
    """A reader that blocks for ever does not keep a run alive."""
    made = marks()
    made.hold(101)
    assert 110 == next_deadline(made, limits(total=10, idle=1))


def test_a_release_without_a_hold_changes_nothing():
    """Releasing twice is releasing once."""
    made = marks(progress=101)
    made.release(500)
    assert (100, 101) == (made.started, made.progress)


def test_what_is_stamped_while_held_counts_from_the_release():
    """Progress may be made while the reader holds; no mark is ever in the future."""
    made = marks(byte=101, progress=102)
    made.hold(103)
    made.progress = made.finished = 104
    made.release(110)
    assert (110, 110) == (made.progress, made.finished)


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=6),
    st.sampled_from(["first_content", "idle", "drain"]),
)
def test_only_the_time_of_waiting_counts(turns, clock):
    """However often a reader holds, a clock has run for the time in between, no more, no less."""
    stamps = {"idle": {"progress": 0.0}, "drain": {"progress": 0.0, "finished": 0.0}}
    made = marks(0.0, byte=0.0, **stamps.get(clock, {}))
    now = waited = 0.0
    for wait, hold in turns:
        now, waited = now + wait, waited + wait
        made.hold(now)
        now += hold
        made.release(now)
    left = next_deadline(made, limits(**{clock: 1000})) - now
    assert left == pytest.approx(1000 - waited)


@pytest.mark.parametrize(
    ("clock", "stamps", "deadline"),
    [
        ("first_content", {"byte": 101, "alive": 109}, 119),
        ("first_content", {"byte": 101, "alive": 101}, 111),
        ("first_content", {}, 105),
        ("idle", {"byte": 101, "progress": 103, "alive": 112}, 122),
        ("idle", {"byte": 101, "progress": 103, "alive": 103}, 113),
        ("drain", {"byte": 101, "finished": 104, "alive": 104}, 109),
        ("total", {"byte": 101, "alive": 104}, 105),
        ("first_byte", {"alive": 104}, 105),
    ],
)
def test_where_liveness_counts_any_byte_puts_the_stream_off(clock, stamps, deadline):
    """By ten seconds here: content and idle, and no other clock."""
    made = limits(liveness=10, **{clock: 5})

    assert deadline == next_deadline(marks(**stamps), made)


def test_without_liveness_a_keep_alive_counts_for_nothing():
    """A ping is no progress."""
    made = marks(byte=101, progress=103, alive=500)

    assert 108 == next_deadline(made, limits(idle=5))


def test_what_kept_alive_while_held_counts_from_the_release():
    """As progress does."""
    made = marks(byte=101, progress=101, alive=102)
    made.hold(103)
    made.release(113)

    assert 112 + 10 == next_deadline(made, limits(liveness=10, idle=5))


def test_the_gaps_are_those_between_deltas():
    """Time held back by a slow reader is none of the provider's."""
    made = marks()
    for now in (101, 103, 106):
        made.progressed(now)
    made.hold(106)
    made.release(116)
    made.progressed(117)

    assert (101, 117) == (made.first_progress, made.progress)
    assert [1, 2, 3] == [made.gaps.quantile(share) for share in (0.1, 0.5, 1)]


def test_a_delta_behind_the_finish_reason_says_that_it_was_not_the_end():
    """Quirk 102: with a reason in every chunk, the clock of the drain cuts nothing."""
    made = marks(byte=101, finished=102)
    assert 112 == next_deadline(made, limits(drain=10, idle=60))
    made.progressed(103)
    assert 163 == next_deadline(made, limits(drain=10, idle=60))
