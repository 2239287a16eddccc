"""Bytes of a stream, taken apart strictly: every rule of ours that they break is an error."""

import json

import attrs


@attrs.frozen
class Frame:
    """One frame."""

    id: str
    data: str
    event: str = "message"
    retry: int | None = None

    @property
    def json(self):
        """Its data, read."""
        return json.loads(self.data)


def parse(body):
    """The frames and the number of comments of a whole body."""
    assert body.isascii(), "a frame is ASCII"
    assert b"\r" not in body, "LF alone ends a line"
    assert body == b"" or body.endswith(b"\n\n"), "a frame ends with a blank line"
    blocks = [block.decode().split("\n") for block in body.split(b"\n\n")[:-1]]
    comments = [block for block in blocks if block[0].startswith(":")]
    frames = [_frame(block) for block in blocks if block not in comments]
    ids = [frame.id for frame in frames]
    assert len(set(ids)) == len(ids), f"an id twice: {ids}"
    return frames, len(comments)


def _frame(lines):
    fields = {}
    for line in lines:
        name, colon, value = line.partition(": ")
        assert colon, f"a space follows the colon: {line!r}"
        assert name not in fields, f"one line of each: {lines}"
        fields[name] = value
    assert fields.get("data"), f"never a frame without data: {lines}"
    assert fields.get("id"), f"an id on every frame: {lines}"
    retry = fields.pop("retry", None)
    return Frame(**fields, retry=None if retry is None else int(retry))


def told(frames):
    """The JSON of streamkit's own frames, but for what is told in silence."""
    return [frame.json for frame in frames if frame.json["type"] not in ("heartbeat", "run")]


def text(frames):
    """The text that a page shows in the end."""
    shown = ""
    for value in told(frames):
        if value["type"] == "text_delta":
            shown += value["text"]
        elif value["type"] in ("retracted", "gap"):
            shown = ""
    return shown
