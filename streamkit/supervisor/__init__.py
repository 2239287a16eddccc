"""Who owns attempts and runs, and what their watchers are told."""

from .callbacks import CallbackOptions, Callbacks
from .run import Run, Texts
from .supervisor import Supervisor

__all__ = ["CallbackOptions", "Callbacks", "Run", "Supervisor", "Texts"]
