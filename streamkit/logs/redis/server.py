"""Where Redis is, and how clients of it are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import attrs
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ...errors import MisuseError, excerpt

__all__ = ["Server"]


@attrs.frozen
class Server:
    """Where Redis is. Its URL may hold a password, and is never shown."""

    url: str = attrs.field(repr=False)
    password: str | None = attrs.field(default=None, repr=False)

    @classmethod
    def at(cls, url: str) -> Self:
        """
        Read *url*.

        Raises:
            MisuseError: it is of a shape that redis-py does not take.
        """
        password = None
        try:
            password = urlsplit(url).password
            BlockingConnectionPool.from_url(url)  # connects nowhere yet
        except (AttributeError, TypeError, ValueError) as error:
            raise MisuseError(
                "expected the URL of a Redis, such as redis://127.0.0.1:6379/0, rediss://… or "
                f"unix://…; redis-py says: {excerpt(error, password)}"
            ) from None
        return cls(url, None if password is None else unquote(password))

    def client(
        self,
        *,
        connections: int,
        timeout: float,
        connected: Callable[[Any], Awaitable[None]] | None = None,
    ) -> Redis:
        """
        Give a client that tells of every failure: who retries must look first.

        Args:
            connections: how many it opens at most (a count); who wants more waits.
            timeout: how long it waits for an answer (seconds).
            connected: called with each connection that it opened; a
                ``RedisError`` raised there is raised by the call.
        """

        async def introduce(connection: Any) -> None:
            """Do what a connection does first, and tell of it."""
            await connection.on_connect()
            if connected is not None:
                await connected(connection)

        pool = BlockingConnectionPool.from_url(
            self.url,
            max_connections=connections,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            redis_connect_func=introduce,
        )
        return Redis(connection_pool=pool)
