"""Events to bytes to ASGI."""
