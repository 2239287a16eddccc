"""The two ends that are values: which dialect is asked, and where a log is opened."""

import attrs
import pytest

from streamkit.dialects import get_dialect
from streamkit.errors import MisuseError
from streamkit.events import TextDelta, Unknown
from streamkit.framing import Frame
from streamkit.logs import MemoryLog
from streamkit.pipeline import Fan, Parsing, Source
from streamkit.stages import Buffered, ChunkParser, EventFanout, Transport


def test_a_parser_is_made_of_a_dialect_or_its_name():
    """A name stands for the dialect registered under it."""
    chat = get_dialect("openai-chat")

    assert ChunkParser(chat) == ChunkParser("openai-chat")
    assert "openai-chat" == ChunkParser("openai-chat").dialect.name


def test_an_unknown_dialect_is_misuse():
    """The error says which dialects there are."""
    with pytest.raises(MisuseError, match="openai-chat"):
        ChunkParser("openai-chatter")


def test_each_attempt_has_a_decoder_of_its_own():
    """What one decoder has read another knows nothing of."""
    parser = ChunkParser("openai-chat")
    chunk = '{"id":"1","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}'
    first, second = parser.decoder(), parser.decoder()
    assert TextDelta("a") in first.feed(Frame(chunk))

    assert ("finish_reason", None) == (first.evidence, second.evidence)


def test_a_frame_the_dialect_does_not_know_is_kept():
    """What nobody modelled is `Unknown`, never an error."""
    assert [Unknown({"x": 1}, "ping")] == list(
        ChunkParser("openai-chat").decoder().feed(Frame('{"x": 1}', "ping"))
    )


def test_a_fanout_opens_a_log_for_each_run():
    """The log is a new one for each run, in memory unless the caller says where."""
    fanout = EventFanout()
    assert isinstance(fanout.open_log("a"), MemoryLog)
    assert fanout.open_log("a") is not fanout.open_log("a")
    assert "log of a" == EventFanout(log="log of {}".format).open_log("a")


def test_the_ends_of_a_pipeline_are_known_by_their_shape():
    """Sources, a parser and a fan-out are what the pipeline asks for, and hold no state."""
    kinds = [(Transport(None), Source), (Buffered(None), Source)]
    kinds += [(ChunkParser("openai-chat"), Parsing), (EventFanout(), Fan)]

    assert [True] * 4 == [isinstance(stage, kind) for stage, kind in kinds]
    assert (False, True) == (Transport(None).buffered, Buffered(None).buffered)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        EventFanout().log = None
