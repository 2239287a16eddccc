"""Other people's exceptions: every one of them has a place in our tree."""

import ssl

import aiohttp
import anyio
import httpcore
import httpcore2
import httpx
import httpx2
import pytest
import trio

from streamkit.errors import MalformedStream, MisuseError, Stalled, StreamkitError, TransportError
from streamkit.stages.foreign import CLASSES, map_foreign


def exceptions_of(module):
    """Every public exception class of *module*."""
    public = (getattr(module, name) for name in dir(module) if not name.startswith("_"))
    return sorted(
        {kind for kind in public if isinstance(kind, type) and issubclass(kind, Exception)},
        key=lambda kind: kind.__name__,
    )


HTTP = [kind for module in (httpx, httpx2, httpcore, httpcore2) for kind in exceptions_of(module)]
SOCKET = [
    *(anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream),
    *(anyio.BusyResourceError, anyio.ConnectionFailed, ssl.SSLError, ssl.SSLCertVerificationError),
    *(ConnectionResetError, ConnectionRefusedError, BrokenPipeError, TimeoutError, OSError),
]
STRANGERS = [AttributeError, RuntimeError, KeyError, trio.BrokenResourceError, EOFError]

EXPECTED = {
    "ConnectTimeout": Stalled,
    "PoolTimeout": Stalled,
    "DecodingError": MalformedStream,
    "UnsupportedProtocol": MisuseError,
    "InvalidURL": MisuseError,
    "CookieConflict": MisuseError,
}


def named(kind):
    return f"{kind.__module__}.{kind.__name__}"


def test_there_are_many():
    """The enumeration finds the classes of both libraries and of what they stand on."""
    assert 25 < len(exceptions_of(httpx)) <= len(exceptions_of(httpx2))
    assert {"ReadTimeout", "ConnectionNotAvailable"} <= {
        kind.__name__ for kind in exceptions_of(httpcore)
    }


@pytest.mark.parametrize("kind", [*HTTP, *SOCKET, *STRANGERS], ids=named)
def test_every_exception_is_mapped(kind):
    """Each gives the error of the tree that it means, whatever library and class it has."""
    mapped = map_foreign(kind.__new__(kind, "said"), 3.0)

    assert EXPECTED.get(kind.__name__, TransportError) is type(mapped)
    if not isinstance(mapped, Stalled):
        assert kind.__name__ in str(mapped)


@pytest.mark.parametrize("name", sorted(set(CLASSES) - {"SSLError", "OSError"}))
def test_every_name_is_one_that_exists(name):
    """The table names no class that no library has."""
    assert name in {kind.__name__ for kind in [*HTTP, *SOCKET, *exceptions_of(aiohttp)]}


def test_a_subclass_is_what_its_ancestor_is():
    """A class nobody listed is mapped as the nearest ancestor that is."""
    mine = type("Mine", (httpx.PoolTimeout,), {"__module__": "httpx._mine"})

    assert Stalled is type(map_foreign(mine("said"), 3.0))


def test_a_stranger_of_a_known_name_is_a_stranger():
    """A class name counts only in the libraries it was read in."""
    mine = type("InvalidURL", (Exception,), {"__module__": "elsewhere"})

    mapped = map_foreign(mine("said"), 3.0)
    assert "the HTTP client raised InvalidURL: said" == str(mapped)


def test_a_connect_timeout_names_the_clock():
    """Waiting for a connection, or for a place in the pool, is the clock ``connect``."""
    for kind in (httpx.ConnectTimeout, httpx.PoolTimeout):
        mapped = map_foreign(kind(""), 3.5)
        assert ("connect", 3.5) == (mapped.clock, mapped.seconds)


def test_a_full_pool_is_told_from_a_provider_that_is_not_there():
    """What to raise is another limit, of another library."""
    there, pool = (map_foreign(kind(""), 3.5) for kind in (httpx.ConnectTimeout, httpx.PoolTimeout))

    assert "no connection could be had for longer than Limits.connect = 3.5 s" in str(there)
    assert "httpx.Limits" not in str(there)
    assert "raise httpx.Limits(max_connections=...) of the client passed as http=" in str(pool)


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (aiohttp.ConnectionTimeoutError("said"), Stalled),
        (aiohttp.ClientOSError(111, "said"), TransportError),
        (aiohttp.ServerDisconnectedError("said"), TransportError),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_kept_aiohttp_from_connecting_is_its_cause(cause, expected):
    """httpx-aiohttp raises ``ConnectTimeout`` from each of them; httpcore's are what they say."""
    error = httpx.ConnectTimeout("said")
    error.__cause__ = cause

    mapped = map_foreign(error, 3.0)
    assert expected is type(mapped)
    assert "aiohttp" in str(mapped) or type(cause).__name__ in str(mapped)
    error.__cause__ = httpcore.ConnectTimeout("said")
    assert Stalled is type(map_foreign(error, 3.0))


def test_ours_pass_unchanged():
    """What is in the tree already is not wrapped again."""
    error = StreamkitError("ours")
    assert error is map_foreign(error, 1.0)


def test_messages_hold_no_secret_and_no_empty_tail():
    """What the library said is quoted with secrets out; where it said nothing, nothing is."""
    error = httpx.LocalProtocolError("Illegal header value b'Bearer zq-1234'")

    assert "zq-1234" not in str(map_foreign(error, 1.0, ("zq-1234",)))
    assert "the connection failed: ReadError" == str(map_foreign(httpx.ReadError(""), 1.0))
