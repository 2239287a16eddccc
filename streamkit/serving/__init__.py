"""
Events to bytes to ASGI: a run, served.

`EventStream` is one run for one client; `Runs` keeps the runs of an
application, so that a client can come back to one, or stop it. Neither needs a
web framework; `streamkit.serving.starlette` and `streamkit.serving.django` are
thin faces of both.
"""

from ..errors import Refusal
from .asgi import Servable
from .disconnect import OnDisconnect, cancel, detach, grace
from .encoders import LightspeedCurrent, LightspeedSeed, StreamkitJson, fresh_encoder
from .plain import Plain
from .routes import Routes
from .runs import Runs
from .stream import EventStream

__all__ = [
    "EventStream",
    "LightspeedCurrent",
    "LightspeedSeed",
    "OnDisconnect",
    "Plain",
    "Refusal",
    "Routes",
    "Runs",
    "Servable",
    "StreamkitJson",
    "cancel",
    "detach",
    "fresh_encoder",
    "grace",
]
