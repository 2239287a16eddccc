"""The one failure that stops nobody else."""

__all__ = ["Unavailable"]


class Unavailable(Exception):
    """Something cannot be measured here, and why."""
