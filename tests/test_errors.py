"""One error tree, and messages that are safe to show."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamkit import errors
from streamkit.errors import (
    EXCERPT,
    FrameTooLarge,
    InBandError,
    LimitExceeded,
    LogError,
    MalformedStream,
    MisuseError,
    ProducerLost,
    ProviderError,
    Refusal,
    Rejected,
    ResponseTooLarge,
    RetractedAnswer,
    StageError,
    Stalled,
    StreamkitError,
    TransportError,
    TruncatedStream,
    code_of,
    excerpt,
    most_upstream,
)

CODES = {
    MisuseError("m"): "misuse",
    StageError("s", "raised"): "stage",
    Refusal("m", status=403, retry_after=1.0): "refused",
    LogError("m"): "log",
    ProducerLost("m"): "lost",
    ProviderError("m"): "provider",
    TransportError("m"): "transport",
    Stalled("idle", 1.5): "stalled",
    Rejected("m", status=429, retry_after=2.0, provider_code="slow"): "rejected",
    InBandError("m", provider_code="busy"): "in_band",
    TruncatedStream("m"): "truncated",
    MalformedStream("m"): "malformed",
    RetractedAnswer("m"): "retracted",
    LimitExceeded("m"): "limit",
    FrameTooLarge("m"): "limit",
    ResponseTooLarge("m"): "limit",
}
name_of = lambda error: type(error).__name__  # noqa: E731


def test_a_strangers_code_is_nobodys_business():
    """An SDK's error has the provider's own word under that name."""
    error = ValueError("m")
    error.code = "billing_hard_limit_reached"
    assert "error" == code_of(error)


def test_every_error_is_in_the_tree():
    """Nothing is raised that is no `StreamkitError`, and this file leaves none out."""
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type)}
    raised = {kind for kind in kinds if issubclass(kind, StreamkitError)}
    assert {type(error) for error in CODES} | {StreamkitError} == raised


@pytest.mark.parametrize("error", CODES, ids=name_of)
def test_each_error_has_its_code(error):
    """The word is stable, and the drawing has it in brackets."""
    assert CODES[error] == error.code == code_of(error)
    assert str(error) == error.message
    assert type(error).__name__ in errors.__doc__


@pytest.mark.parametrize("error", CODES, ids=name_of)
def test_whose_rule_was_broken_is_told_apart(error):
    """The peer's errors are `ProviderError`; misuse, stages and the log are not."""
    ours = isinstance(error, MisuseError | StageError | Refusal | LogError)
    assert ours != isinstance(error, ProviderError)


@pytest.mark.parametrize("error", CODES, ids=name_of)
@pytest.mark.parametrize("again", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])  # noqa: S301
def test_an_error_can_be_copied_and_sent(error, again):
    """To another process, or into a second raise: nothing it knows is lost."""
    twin = again(error)
    assert (type(error), str(error), vars(error)) == (type(twin), str(twin), vars(twin))


def test_misuse_is_a_runtime_error():
    """Whoever catches the language's own error catches it too."""
    assert isinstance(MisuseError("m"), RuntimeError)


def test_a_stall_names_its_clock_and_what_to_do():
    """The clock that ran out, its setting, and the field to raise."""
    error = Stalled("first_byte", 1.5)
    assert ("first_byte", 1.5) == (error.clock, error.seconds)
    assert "Limits.first_byte = 1.5 s" in str(error)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Stalled("idle", 1), "the provider was silent for longer than Limits.idle = 1 s; raise it"),
        (Stalled("connect", 1), "no connection could be had for longer than Limits.connect = 1 s"),
        (Stalled("total", 1), "it all took longer than Limits.total = 1 s; raise it"),
        (Stalled("connect", 1, waited="it slept", remedy="wake it"), "it slept longer than"),
        (Stalled("connect", 1, waited="it slept", remedy="wake it"), "Limits.connect = 1 s; wake"),
    ],
)
def test_a_stall_says_what_took_so_long(error, said):
    """What a clock times, or what whoever waited knows better; a copy says the same."""
    assert said in str(error)
    assert str(error) == str(pickle.loads(pickle.dumps(error)))  # noqa: S301


def test_a_stages_error_names_the_stage():
    """What went wrong, and where."""
    error = StageError("Suppressor", "raised KeyError")
    assert ("Suppressor", "stage 'Suppressor' raised KeyError") == (error.stage, str(error))


def test_a_provider_error_knows_what_the_provider_said():
    """Status, wait and code, each None where it said none."""
    error = Rejected("m", status=429, retry_after=2.0, provider_code="slow")
    assert (429, 2.0, "slow") == (error.status, error.retry_after, error.provider_code)
    bare = Rejected("m")
    assert (None, None, None) == (bare.status, bare.retry_after, bare.provider_code)


@pytest.mark.parametrize(
    ("quoted", "came"),
    [
        ("words", "words"),
        ("words", "  words\n"),
        ("words", b"words"),
        ("bad \ufffd byte", b"bad \xff byte"),
        ("{'a': 1}", {"a": 1}),
        ("None", None),
        ("", ""),
    ],
)
def test_anything_can_be_quoted(quoted, came):
    """Text, bytes that are not UTF-8, or any object."""
    assert quoted == excerpt(came)


def test_a_quote_is_short_and_says_so():
    """It ends where it was cut; what fits is whole."""
    assert "x" * EXCERPT == excerpt("x" * EXCERPT)
    assert "x" * EXCERPT + "…" == excerpt("x" * (EXCERPT + 1))
    assert "x" * EXCERPT + "…" == excerpt("x" * 1_000_000)


@pytest.mark.parametrize(
    ("quoted", "came"),
    [
        ("Bearer ***", "Bearer abcdef123456"),
        ("authorization: Basic ***", "authorization: Basic dXNlcjpwYXNz"),
        ('{"api_key": "***"}', '{"api_key": "abcdefgh"}'),
        ("?api-key=***&x=1", "?api-key=abcdefgh&x=1"),
        ("password=*** next", "password=hunter22 next"),
        ("x-api-key: ***", "x-api-key: abcdefgh"),
        ("key *** is wrong", "key sk-proj-abcdefgh1234 is wrong"),
        ("***", "ghp_abcdefghijkl"),
        ("***", "AIzaSyA0123456789abcdefghijk"),
        ("token ***", "token eyJhbGciOiJI.eyJzdWIiOiIx.c2ln"),
    ],
)
def test_what_looks_like_a_secret_is_masked(quoted, came):
    """Keys and tokens, by their names or by their looks."""
    assert quoted == excerpt(came)


@pytest.mark.parametrize(
    "came", ["the password is wrong", "risk-free", "task-based", "max_tokens: 5"]
)
def test_what_only_sounds_like_one_is_not(came):
    """A message stays readable."""
    assert came == excerpt(came)


def test_a_secret_at_the_cut_is_masked():
    """It is masked before the quote is cut, so no half of it is left."""
    came = "x" * (EXCERPT - 6) + " sk-abcdefghijklmnop and more"
    assert "sk-" not in excerpt(came)


secrets = st.text("abcXYZ019", min_size=8, max_size=20)


@given(st.text(max_size=300), secrets, st.text(max_size=300))
def test_a_known_secret_never_stands_in_a_quote(before, secret, after):
    """Wherever it stands, and whatever it looks like."""
    assert secret not in excerpt(before + secret + after, secret, None, "")


@given(st.one_of(st.text(max_size=500), st.binary(max_size=500)))
def test_a_quote_is_bounded(came):
    """At most so many characters and the mark of the cut."""
    assert EXCERPT + 1 >= len(excerpt(came))


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (KeyError("a"), "KeyError"),
        (ExceptionGroup("g", [KeyError("a"), ValueError("b")]), "KeyError"),
        (ExceptionGroup("g", [KeyError("a"), StageError("s", "x")]), "StageError"),
        (ExceptionGroup("g", [StageError("s", "x"), TransportError("gone")]), "TransportError"),
        (
            ExceptionGroup("g", [KeyError(), ExceptionGroup("h", [OSError(), Rejected("no")])]),
            "Rejected",
        ),
    ],
)
def test_of_a_group_the_most_upstream_error_counts(raised, expected):
    """What the provider did wrong, before what a stage did, before the rest."""
    assert expected == type(most_upstream(raised)).__name__
