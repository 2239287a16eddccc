"""
Bytes to frames: no provider, no client.

`read_frames` is the way in. It looks at the first bytes (`sniff`) and cuts the
body into `Frame` values by a `Framer`: `ServerSentEvents` (what is odd goes
through a `Guard` and httpx-sse), `Lines` of JSON, `ArrayItems`,
`AwsEventStream`, and `WholeBody` for one document. `payloads` reads the JSON
of a frame.
"""

from streamkit.framing.aws import AwsEventStream
from streamkit.framing.frame import Ended, Frame
from streamkit.framing.framer import Framer, too_large
from streamkit.framing.guard import RESIDUE, Guard
from streamkit.framing.json_array import ArrayItems
from streamkit.framing.jsontext import DONE, decode, decode_strictly, encode, encode_ascii, payloads
from streamkit.framing.ndjson import Lines
from streamkit.framing.reader import Emit, read_frames
from streamkit.framing.sniff import Kind, sniff
from streamkit.framing.sse import ServerSentEvents, read_events
from streamkit.framing.whole import WholeBody

__all__ = [
    "DONE",
    "RESIDUE",
    "ArrayItems",
    "AwsEventStream",
    "Emit",
    "Ended",
    "Frame",
    "Framer",
    "Guard",
    "Kind",
    "Lines",
    "ServerSentEvents",
    "WholeBody",
    "decode",
    "decode_strictly",
    "encode",
    "encode_ascii",
    "payloads",
    "read_events",
    "read_frames",
    "sniff",
    "too_large",
]
