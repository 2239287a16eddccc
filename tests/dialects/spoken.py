"""A dialect as its tests speak it: frames to events, and events to frames."""

import json

import attrs

from streamkit.dialects import Answer
from streamkit.events import ResponseCompleted
from streamkit.framing import Frame
from streamkit.stages import Accumulator


def frame(value, event="message"):
    """One frame of a JSON value, or of text as it stands."""
    return Frame(value if isinstance(value, str) else json.dumps(value), event)


def only(kind, events):
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def answer_of(events):
    """The fold of events."""
    answer = Answer()
    for event in events:
        answer.add(event)
    return answer


@attrs.frozen
class Spoken:
    """A dialect, and how a value is framed in it."""

    dialect: object
    frame: object

    def decoded(self, *values, decoder=None):
        """The events of these frames, or of these values in a frame each."""
        decoder = decoder or self.dialect.decoder()
        frames = [value if isinstance(value, Frame) else self.frame(value) for value in values]
        return [event for one in frames for event in decoder.feed(one)]

    def streamed(self, *values):
        """The events of a whole stream, its end included."""
        decoder = self.dialect.decoder()
        events = self.decoded(*values, decoder=decoder)
        if not (events and isinstance(events[-1], ResponseCompleted)):
            events += decoder.eof()
        return events

    def raw_of(self, events):
        """The API's non-streaming JSON that events add up to."""
        return self.dialect.response(answer_of(events))

    def accumulated(self, events, dialect=None):
        """Events as a watcher sees them: calls that are whole, the response on the terminal."""
        stage = Accumulator()
        stage.bind(dialect or self.dialect)
        return [out for event in events for out in stage(event)]

    def response_of(self, events, dialect=None):
        """The response of a whole answer."""
        *_, end = self.accumulated(events, dialect)
        assert isinstance(end, ResponseCompleted)
        return end.response

    def opened(self, run_id="r-1"):
        """A fresh encoder, of a run."""
        encoder = self.dialect.encoder()
        assert () == tuple(encoder.opening(run_id))
        return encoder

    def frames(self, *events):
        """The frames of these events."""
        encoder = self.opened()
        return [frame for event in events for frame in encoder.encode(event)]
