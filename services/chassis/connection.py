"""A connection to NATS that is made again when it is lost, and carries nothing over.

The client library could reconnect by itself, but then it sends over the new connection what had piled up for the old
one (seen: stored a minute after its callers were told that it is not durable), waits without end for a frozen server
to take the rest before it turns to another, and stays closed for good after some of the server's errors. So each
connection is a client of its own, and what it could not send ends with it.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit

from services.chassis.errors import Unavailable
from services.chassis.natslib import Client
from services.chassis.natslib import errors as nats_errors
from services.chassis.settings import Secret

_CONNECT_SECONDS = 2
_PING_SECONDS = 1
_UNANSWERED_PINGS = 2
"""A server that answers none for so long is lost: 3 s, so that what waits for it leaves at most that much late."""
_LOOK_SECONDS = 0.05
_RETRY_SECONDS = 0.1
_CLOSE_SECONDS = 1.0
_NEVER_SECONDS = 3_600.0

LOST = (nats_errors.Error, OSError, RuntimeError)
"""What a call raises that got no answer, OSError's TimeoutError included; uvloop has a RuntimeError for a connection
that is just being broken."""

_log = logging.getLogger(__name__)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what a call raises that got no answer into Unavailable."""
    try:
        yield
    except LOST as error:
        raise Unavailable("the bus is not available") from error


def heed_cancellation() -> None:
    """Raise the cancellation that the library's `wait_for` swallows, before Python 3.12, if an answer comes just then.

    Whoever cancels a publisher or a follower waits for its end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class Connection:
    """The client that is connected now, if one is."""

    def __init__(self, servers: Sequence[str], name: str) -> None:
        self._servers = servers
        self._name = name
        # Each user may read its own inbox only.
        self._inbox = f"_INBOX_{urlsplit(servers[0]).username or ''}"
        self._client: Client | None = None

    @property
    def client(self) -> Client | None:
        """The connected client; whoever holds on to one that was lost gets errors from it, never silence."""
        return self._client if self._client is not None and self._client.is_connected else None

    async def keep(self) -> None:
        """Be connected to one of the servers, for ever."""
        for server in itertools.cycle(self._servers):
            client = Client()
            try:
                await self._connect(client, server)
                self._client = client
                _log.info("bus connected")
                while client.is_connected:  # noqa: ASYNC110 - its callbacks do not come while it tries to flush
                    await asyncio.sleep(_LOOK_SECONDS)
                _log.warning("bus disconnected")
            except Exception as error:  # noqa: BLE001 - see below
                # Whatever ends an attempt (uvloop and the library have many ways to say "reset by peer", RuntimeError
                # among them), there must be a next one: a process without its bus is no use, and would not show it.
                _log.warning("bus not reached", extra={"error": repr(error)})
            finally:
                self._client = None
                await _end(client)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _connect(self, client: Client, server: str) -> None:
        await client.connect(
            server,
            name=self._name,
            inbox_prefix=self._inbox,
            pending_size=0,  # else a publish would wait for a full buffer to drain, without a timeout
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            # Not by itself; but told not to reconnect at all, it would flush into the broken connection, and fail.
            reconnect_to_server_handler=lambda _servers, _info: (None, _NEVER_SECONDS),
            connect_timeout=_CONNECT_SECONDS,
            ping_interval=_PING_SECONDS,
            max_outstanding_pings=_UNANSWERED_PINGS,
            error_cb=self._log_error,
        )

    async def _log_error(self, error: Exception) -> None:
        if self._client is not None:  # what fails before is told by `keep`
            _log.warning("bus error", extra={"error": repr(error)})


@asynccontextmanager
async def kept(url: Secret, name: str) -> AsyncIterator[Connection]:
    """Connect in the background, and again whenever the connection is lost, until left.

    Args:
        url: `nats://user:password@host:port`, several with commas.
        name: shown in the server's list of connections.

    Raises:
        ValueError: the URL is none.
    """
    connection = Connection(_servers(url), name)
    keeping = asyncio.create_task(connection.keep())
    try:
        yield connection
    finally:
        # A handshake that ends just then swallows a cancellation now and then (seen).
        while not keeping.done():
            keeping.cancel()
            await asyncio.wait([keeping], timeout=_RETRY_SECONDS)


def _servers(url: Secret) -> list[str]:
    servers = url.reveal().split(",")
    for parts in map(urlsplit, servers):
        if parts.scheme not in {"nats", "tls"} or not parts.hostname or not parts.port:
            raise ValueError("the bus is named by nats://user:password@host:port, several with commas")
    return servers


async def _end(client: Client) -> None:
    """Break a client's connection and close it: what it has not sent must never be sent."""
    # The library knows no other end than flushing, for which a frozen server makes it wait without end.
    writer = getattr(client._transport, "_io_writer", None)  # noqa: SLF001
    if writer is None:  # it never got a connection
        return
    writer.transport.abort()
    # A task of its own: it tries to flush all the same and says in many ways that it cannot, by a CancelledError too
    # (seen), which would end whoever keeps the connection.
    closing = asyncio.create_task(client.close())
    await asyncio.wait([closing], timeout=_CLOSE_SECONDS)
    closing.add_done_callback(lambda closed: closed.cancelled() or closed.exception())
    closing.cancel()
