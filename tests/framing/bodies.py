"""Ways to cut a body and to read it, shared by the tests of framing."""

import struct
from binascii import crc32
from contextlib import aclosing
from itertools import pairwise

from hypothesis import strategies as st

from streamkit.errors import StreamkitError
from streamkit.framing import read_frames

BOUNDS = {"max_frame_bytes": 1 << 20, "max_response_bytes": 1 << 24}


async def pieces(chunks):
    """Bring *chunks*, one a read."""
    for chunk in chunks:
        yield chunk


def bytewise(body):
    """Cut *body* into its bytes."""
    return [body[at : at + 1] for at in range(len(body))]


def cut_at(body, places):
    """Cut *body* at each of *places* (taken modulo its length)."""
    edges = sorted({0, len(body), *(place % (len(body) + 1) for place in places)})
    return [body[a:b] for a, b in pairwise(edges)]


cuts = st.lists(st.integers(0, 10_000), max_size=12)


async def batches_of(chunks, content_type="", **bounds):
    """Give the batches emitted, and how the body ended or what it raised."""
    batches = []

    async def emit(batch):
        batches.append(batch)

    try:
        async with aclosing(pieces(chunks)) as body:
            ended = await read_frames(body, emit, content_type=content_type, **{**BOUNDS, **bounds})
    except (StreamkitError, OSError) as error:
        return batches, error
    return batches, ended


async def frames_of(chunks, content_type="", **bounds):
    """Give the frames of a body, and how it ended or what it raised."""
    batches, ended = await batches_of(chunks, content_type, **bounds)
    return [frame for batch in batches for frame in batch], ended


async def told(chunks, content_type="", **bounds):
    """Tell what a body says, comparable: its frames, and its end or its error in words."""
    frames, ended = await frames_of(chunks, content_type, **bounds)
    return frames, ended if not isinstance(ended, Exception) else repr(ended)


def header(name, value, kind=7):
    """Build one header of an AWS message; a string unless *kind* says otherwise."""
    name = name.encode()
    value = struct.pack(">H", len(value)) + value.encode() if kind == 7 else value
    return bytes([len(name)]) + name + bytes([kind]) + value


def message(payload, *headers):
    """Build one AWS message, its checksums right."""
    block = b"".join(headers)
    prelude = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    prelude += struct.pack(">I", crc32(prelude))
    return (whole := prelude + block + payload) + struct.pack(">I", crc32(whole))
