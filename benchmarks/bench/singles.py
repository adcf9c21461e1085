"""Single scans over HTTP/1.1 by hand: on two cores, what the generator takes is missing to the mesh.

A few kept connections, one request at a time on each; a call that finds all of them taken waits for one, and its
latency goes on counting.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from benchmarks.bench.scan_ids import ORDERED, Minting
from benchmarks.scan import BARCODE, new_id

_BODY = '{"scanId":"%s","barcode":{"data":"' + BARCODE + '"}}'
_LENGTH = b"content-length: "


class Singles:
    """Posts scans of some scanners in turn."""

    def __init__(
        self, edge: str, api_keys: Sequence[str], *, connections: int = 64, minting: Minting = ORDERED
    ) -> None:
        """Describe it; `edge` is the URL of the edge."""
        self._address = urlsplit(edge)
        self._heads = itertools.cycle([self._head(api_key) for api_key in api_keys])
        self._mint = minting.single
        self._free: asyncio.LifoQueue[_Connection | None] = asyncio.LifoQueue()
        for _ in range(connections):
            self._free.put_nowait(None)
        self.failures: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while not self._free.empty():
            connection = self._free.get_nowait()
            if connection is not None:
                connection.close()

    async def send(self) -> int:
        """Hand over one scan; answer 1 if it was accepted, else 0, and count why."""
        connection, whole = await self._free.get(), False
        try:
            connection = connection or await self._connect()
            status, body = await connection.post((next(self._heads) + _BODY % self._mint()).encode())
            whole = True
        except (OSError, asyncio.IncompleteReadError) as error:
            status, body = 0, repr(error).encode()
        finally:
            if connection is not None and not whole:  # broken, or given up half way
                connection.close()
            self._free.put_nowait(connection if whole else None)
        if status != 200:
            self.failures[f"{status} {body.decode()[:200]}"] += 1
        return int(status == 200)

    def _head(self, api_key: str) -> str:
        return (
            f"POST /v1/scans HTTP/1.1\r\nhost: {self._address.netloc}\r\nx-api-key: {api_key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(_BODY % new_id())}\r\n\r\n"
        )

    async def _connect(self) -> _Connection:
        return _Connection(*await asyncio.open_connection(self._address.hostname, self._address.port))


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def post(self, request: bytes) -> tuple[int, bytes]:
        """Send a request; answer status and body. Envoy names the length of whatever it transcodes."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(_LENGTH)[2].split(b"\r\n", 1)[0])
        return int(head[9:12]), await self._reader.readexactly(length)

    def close(self) -> None:
        self._writer.close()
