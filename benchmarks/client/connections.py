"""HTTP/1.1 by hand: on two cores, what the generator takes is missing to the mesh.

A few kept connections, one request at a time on each; a call that finds all of them taken waits for one.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

_LENGTH = b"content-length: "


class Connections:
    """Connections to one server that names the length of whatever it answers."""

    def __init__(self, host: str, port: int, *, at_most: int = 64) -> None:
        self._host = host
        self._port = port
        self._free: asyncio.LifoQueue[_Connection | None] = asyncio.LifoQueue()
        for _ in range(at_most):
            self._free.put_nowait(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while not self._free.empty():
            connection = self._free.get_nowait()
            if connection is not None:
                connection.close()

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Send a request; answer status and body.

        Raises:
            OSError: it was not sent, or not answered.
            asyncio.IncompleteReadError: the answer ended half way.
        """
        connection, whole = await self._free.get(), False
        try:
            connection = connection or await self._connect()
            answer = await connection.exchange(request)
            whole = True
        finally:
            if connection is not None and not whole:  # broken, or given up half way
                connection.close()
            self._free.put_nowait(connection if whole else None)
        return answer

    async def _connect(self) -> _Connection:
        return _Connection(*await asyncio.open_connection(self._host, self._port))


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(_LENGTH)[2].split(b"\r\n", 1)[0])
        return int(head[9:12]), await self._reader.readexactly(length)

    def close(self) -> None:
        self._writer.close()
